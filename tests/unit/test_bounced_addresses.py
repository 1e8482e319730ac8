"""A returned mail speaks of the address that the letter was sent to, and of no other."""

from datetime import datetime, timedelta

import pytest

from newsletter.bounces.parsing import Meaning, ParsedMail
from newsletter.bounces.processing import BounceProcessor, BounceResult
from newsletter.bounces.requests import WISHES
from newsletter.letter.links import bounce_tag, sign_token
from newsletter.model import Consent, Reader, Status
from newsletter.readers.service import Note, ReaderService
from tests.support.bounce_mails import KEYS, PUBLICATION
from tests.support.databases import temporary_store
from tests.support.factories import NOON, subscriber
from tests.support.frozen_issues import send_letters

ZOE, ZOO = "zoe@example.org", "zoo@example.net"
OTHERS = tuple(f"r{n}@example.net" for n in range(9))
NOTE = "<note.a7f2c2ade4363419759b1e4d@example.org>"


class Returns:
    """A newsletter of ten readers, one of them Zoe, and its returned mail."""

    def __init__(self) -> None:
        self.store = temporary_store()
        for email in (ZOE, *OTHERS):
            self.store.save_reader(subscriber(email), status="confirmed", now=NOON)
        self.processor = BounceProcessor(self.store, PUBLICATION, KEYS)
        self.service = ReaderService(PUBLICATION, self.store, KEYS)
        self.notes: list[Note] = []

    def returned(
        self,
        meaning: Meaning = "hard",
        *named: str,
        sent_to: str = "",
        note: bool = False,
        day: int = 0,
        reader: int = 1,
        letters: tuple[str, ...] = (),
        trusted: bool = False,
    ) -> BounceResult:
        """A mail about what went to an address; by an old return path where none is given."""
        path = f"bounce+{bounce_tag(reader, KEYS, sent_to, note=note)}@example.org"
        mail = ParsedMail(
            f"{meaning} {day} {sent_to} {named}",
            meaning,
            "said",
            NOON + timedelta(days=day),
            () if trusted else (path,),
            letters,
            recipients=named,
        )
        now = NOON + timedelta(days=30)
        return self.processor.record("a mail", mail, now, trusted=trusted)

    def move(self, day: int = 2, to: str = ZOO) -> None:
        at = NOON + timedelta(days=day)
        self.service.request_new_email(self.zoe, to, "::1", self.notes.append, at)
        self.service.confirm_new_email(self.notes[-1].link.rpartition("/")[2], at)

    def sign_up(self, email: str, days: int = 0, client: str = "::1") -> int:
        """How many notes a sign-up leads to."""
        before = len(self.notes)
        now = NOON + timedelta(days=days)
        self.service.subscribe(subscriber(email), client, self.notes.append, now)
        return len(self.notes) - before

    @property
    def zoe(self) -> Reader:
        reader = self.store.reader_by_id(1)
        assert reader is not None
        return reader

    @property
    def status(self) -> Status:
        return self.zoe.status


@pytest.fixture
def returns() -> Returns:
    return Returns()


def test_bounces_of_the_present_address_block(returns: Returns) -> None:
    effects = [returns.returned(sent_to=ZOE, day=day).effect for day in range(3)]
    assert effects == ["noted", "noted", "suppressed"]


def test_forwarded_letter_counts_for_the_reader(returns: Returns) -> None:
    result = returns.returned("complaint", "behind@example.com", sent_to=ZOE)
    assert (result.effect, result.address) == ("suppressed", ZOE)


@pytest.mark.parametrize("meaning", ["hard", "complaint"])
def test_note_to_a_stranger_blames_no_reader(returns: Returns, meaning: Meaning) -> None:
    for day in range(3):
        result = returns.returned(meaning, ZOO, sent_to=ZOO, note=True, day=day)
        assert (result.effect, result.address) == ("refused", ZOO)
    assert returns.status == "confirmed"


def test_note_without_its_address_blames_no_reader(returns: Returns) -> None:
    assert returns.returned("complaint", sent_to=ZOO, note=True).effect == "elsewhere"
    assert returns.status == "confirmed"


def test_note_of_an_earlier_version_blames_no_reader(returns: Returns) -> None:
    """Its return path named only the reader; its Message-ID says that it was a note."""
    assert returns.returned("complaint", ZOO, letters=(NOTE,)).effect == "refused"
    assert returns.returned("complaint", letters=(NOTE,)).effect == "elsewhere"
    assert returns.status == "confirmed"


@pytest.mark.parametrize("meaning", ["hard", "complaint", "unsubscribe"])
def test_address_that_returned_a_note_gets_no_more(returns: Returns, meaning: Meaning) -> None:
    assert returns.sign_up(ZOO) == 1
    (newest,) = returns.store.readers(emails=[ZOO])
    returns.returned(meaning, sent_to=ZOO, note=True, reader=newest.id)
    assert returns.sign_up(ZOO, days=2) == 0
    returns.service.request_new_email(returns.zoe, ZOO, "::1", returns.notes.append, NOON)
    assert len(returns.notes) == 1
    assert returns.sign_up(ZOO, days=200) == (1 if meaning == "hard" else 0)


def test_refused_address_may_be_accepted_again(returns: Returns) -> None:
    returns.returned("complaint", ZOO, sent_to=ZOO, note=True)
    assert returns.service.accept_address(ZOO)
    assert not returns.service.accept_address(ZOO)
    assert returns.sign_up(ZOO) == 1


def test_soft_bounce_of_a_note_refuses_nothing(returns: Returns) -> None:
    returns.sign_up(ZOO)
    assert returns.returned("soft", sent_to=ZOO, note=True, reader=11).effect == "elsewhere"
    assert returns.sign_up(ZOO, days=2) == 1


def test_forgotten_sign_up_with_events_stops_nobody(returns: Returns) -> None:
    """A mail event of a reader who never confirmed once kept everybody from signing up."""
    returns.sign_up(ZOO)
    returns.returned("soft", sent_to=ZOO, reader=11)
    assert returns.sign_up("new@example.org", days=9) == 1


def test_confirmed_move_forgives_the_old_address(returns: Returns) -> None:
    for day in range(2):
        returns.returned(sent_to=ZOE, day=day)
    returns.move()
    assert returns.returned(sent_to=ZOE, day=3).effect == "elsewhere"
    assert returns.returned("complaint", sent_to=ZOE, day=3).effect == "elsewhere"
    assert returns.returned(sent_to=ZOO, day=4).effect == "noted"
    assert returns.status == "confirmed"


def test_late_report_by_an_old_return_path(returns: Returns) -> None:
    for day in range(2):
        returns.returned(day=day)
    returns.move()
    late = returns.returned("hard", ZOE, day=3)
    assert (late.effect, late.reader, late.address) == ("elsewhere", ZOO, ZOE)
    assert returns.status == "confirmed"


def test_letter_before_the_move_went_to_the_old_address(returns: Returns) -> None:
    send_letters(returns.store)
    returns.move()
    assert returns.returned("complaint", day=1).effect == "elsewhere"


def test_move_unblocks_who_was_blocked_by_bounces(returns: Returns) -> None:
    effects = [returns.returned(sent_to=ZOE, day=day).effect for day in range(3)]
    assert effects[-1] == "suppressed"
    returns.move()
    assert returns.status == "confirmed"


def test_move_does_not_undo_the_operators_block(returns: Returns) -> None:
    returns.store.set_status(ZOE, "blocked", now=NOON)
    returns.move()
    assert returns.status == "blocked"


def test_old_mailbox_may_still_unsubscribe(returns: Returns) -> None:
    returns.move()
    assert returns.returned("unsubscribe", sent_to=ZOE).effect == "unsubscribed"


@pytest.mark.parametrize(
    ("days_of", "effect"),
    [((-9, -9), "aside"), ((-9, 1), "unsubscribed"), ((1, -9), "unsubscribed")],
)
def test_old_request_does_not_end_a_newer_consent(
    returns: Returns, days_of: tuple[int, int], effect: str
) -> None:
    """Neither written nor signed since the reader agreed: it was found in an old mailbox."""
    returns.store.set_status(ZOE, "unsubscribed", now=NOON - timedelta(days=5))
    returns.store.record_consent(1, Consent(NOON, "by the link", "I want it"))
    sent, signed = (NOON + timedelta(days=days) for days in days_of)
    token = sign_token("1", "unsubscribe", KEYS, signed)
    mail = ParsedMail("id", "unsubscribe", "by mail", sent, token=token)
    result = returns.processor.record("a mail", mail, NOON + timedelta(days=9))
    assert result.effect == effect


def test_trusted_event_about_a_former_address_counts_not(returns: Returns) -> None:
    send_letters(returns.store)
    returns.move()
    assert returns.returned("complaint", ZOE, trusted=True).effect == "elsewhere"
    assert returns.returned("complaint", "no@example.org", trusted=True).effect == "left"
    assert returns.returned("complaint", OTHERS[0], trusted=True).effect == "suppressed"


def wish(returns: Returns, verb: str, sent: datetime) -> BounceResult:
    token = sign_token("1", "preferences", KEYS, NOON)
    mail = ParsedMail("id", "wish", WISHES[verb], sent, token=token)
    return returns.processor.record("a mail", mail, NOON + timedelta(days=3))


def test_signed_wishes_are_fulfilled(returns: Returns) -> None:
    assert wish(returns, "pause", NOON).effect == "changed"
    assert returns.zoe.subscriber.paused_until == (NOON + timedelta(days=14)).date()
    assert wish(returns, "weekly", NOON).effect == "changed"
    assert returns.zoe.subscriber.cadence == "weekly"
    assert wish(returns, "preferences", NOON).effect == "left"


def test_old_wishes_are_left_to_a_person(returns: Returns) -> None:
    assert wish(returns, "pause", NOON - timedelta(days=30)).effect == "left"
    assert returns.zoe.subscriber.paused_until is None
