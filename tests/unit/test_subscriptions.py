"""What readers do about their own subscription, over the store in memory."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from newsletter.errors import TokenError
from newsletter.letter.links import MAX_AGE, Keyring, Purpose, sign
from newsletter.model import Filter, Publication, Reader, Status, Subscriber
from newsletter.publisher.notes import HOURS
from newsletter.readers.choosing import choose, export, follow, pause, weeks_from
from newsletter.readers.joining import WORDS, ask_move, confirm, join, move
from newsletter.readers.leaving import bid_farewell, erase, leave, leaving, not_erased
from newsletter.readers.service import Note, ReaderService, is_erased, preferences, whose
from newsletter.stores.memory import MemoryStore
from tests.support.factories import NOON, subscriber

KEYS = Keyring(("a key of many letters",), "n@example.org")
SITE = Publication("N", "N", "n@example.org", url="https://n.example.org/papers/")
ADA = "ada@example.org"


class Office:
    """A reception, and the notes that left it."""

    def __init__(self) -> None:
        self.here = ReaderService(SITE, MemoryStore(), KEYS)
        self.notes: list[Note] = []
        self.welcomed: list[Reader] = []

    def join(
        self, email: str = ADA, *, client: str = "::1", hours: float = 0, **wants: object
    ) -> None:
        wanted = subscriber(email, **wants)
        join(self.here, wanted, client, self.notes.append, NOON + timedelta(hours=hours))

    @property
    def token(self) -> str:
        return self.notes[-1].link.rpartition("/")[2]

    def status(self, email: str = ADA) -> Status | None:
        reader = self.here.store.reader_at(email)
        return None if reader is None else reader.status

    def known(self, status: Status = "confirmed", **fields: object) -> Subscriber:
        saved = subscriber(ADA, **fields)
        self.here.store.save_reader(saved, status=status, now=NOON)
        return saved

    def known_as(self, email: str) -> None:
        self.here.store.save_reader(subscriber(email), status="confirmed", now=NOON)

    def leave_and_be_told(self, number: str = "1", hours: float = 0) -> None:
        now = NOON + timedelta(hours=hours)
        left = leave(self.here, self.signed("unsubscribe", number), now)
        assert left is not None
        bid_farewell(self.here, left, "::1", self.notes.append, now)

    def signed(self, purpose: Purpose, payload: str = "1") -> str:
        return sign(payload, purpose, KEYS, NOON)


@pytest.fixture
def office() -> Office:
    return Office()


# -- joining -----------------------------------------------------------------------------------


def test_who_joins_gets_one_note_and_is_confirmed_by_its_link(office: Office) -> None:
    office.join(at="09:00", filter=Filter(topics=("Vision",)))
    (note,) = office.notes
    assert (note.kind, note.reader.subscriber.email) == ("confirm", ADA)
    assert note.link.startswith("https://n.example.org/papers/confirm/")
    assert office.status() == "unconfirmed"
    reader = confirm(office.here, office.token, NOON + timedelta(hours=47), office.welcomed.append)
    assert (reader.status, reader.subscriber.at) == ("confirmed", "09:00")
    (consent,) = office.here.store.consents(reader.id)
    assert consent.text == WORDS.format(name="N")
    assert consent.at == NOON + timedelta(hours=47)


def test_confirming_twice_is_confirming_once(office: Office) -> None:
    office.join()
    confirm(office.here, office.token, NOON, office.welcomed.append)
    confirm(office.here, office.token, NOON, office.welcomed.append)
    assert len(office.here.store.consents(1)) == 1
    assert [reader.id for reader in office.welcomed] == [1]


def test_a_confirmation_is_good_for_two_days(office: Office) -> None:
    office.join()
    with pytest.raises(TokenError, match="too old"):
        confirm(office.here, office.token, NOON + timedelta(hours=49), office.welcomed.append)
    assert office.status() == "unconfirmed"


def test_who_does_not_confirm_is_forgotten_after_a_week(office: Office) -> None:
    office.join()
    office.join("bob@example.org", hours=24 * 8)
    assert office.status() is None
    assert office.status("bob@example.org") == "unconfirmed"


def test_a_hundred_requests_for_an_address_are_one_note(office: Office) -> None:
    for n in range(100):
        office.join(ADA if n % 2 else ADA.upper(), client=f"2001:db8:{n}::")
    assert len(office.notes) == 1


def test_an_address_gets_three_notes_ever(office: Office) -> None:
    for day in range(30):
        office.join(hours=25 * day)
    assert len(office.notes) == 3


def test_a_client_and_everybody_are_bounded(office: Office) -> None:
    for n in range(20):
        office.join(f"r{n}@example.org", client="one")
    assert len(office.notes) == 10
    for n in range(1000):
        office.join(f"s{n}@example.org", client=f"client {n}")
    assert len(office.notes) == 500


def test_a_reader_who_joins_again_is_told_where_the_preferences_are(office: Office) -> None:
    office.known(at="07:30")
    office.join("ADA@example.org", at="11:00", filter=Filter(topics=("Other",)))
    (note,) = office.notes
    assert note.kind == "known"
    reader, rest = whose(office.here, office.token, "preferences", NOON)
    assert (reader.subscriber.at, reader.status, rest) == ("07:30", "confirmed", "")


@pytest.mark.parametrize("status", ["unsubscribed", "removed"])
def test_who_left_comes_back_by_the_link_alone(office: Office, status: Status) -> None:
    office.known(status)
    office.join()
    assert office.status() == status
    confirm(office.here, office.token, NOON, office.welcomed.append)
    assert office.status() == "confirmed"


def test_no_note_goes_to_a_blocked_address(office: Office) -> None:
    office.known("blocked")
    office.join()
    assert office.notes == []
    with pytest.raises(TokenError, match="No letters go to this address"):
        confirm(office.here, office.signed("confirm"), NOON, office.welcomed.append)


def test_notes_say_how_long_their_links_are_good() -> None:
    for purpose in ("confirm", "move"):
        assert MAX_AGE[purpose] == timedelta(hours=int(HOURS))


# -- links -------------------------------------------------------------------------------------


PURPOSES: tuple[Purpose, ...] = ("confirm", "preferences", "edition", "move", "feed", "unsubscribe")


@pytest.mark.parametrize("made_for", PURPOSES)
@pytest.mark.parametrize("used_for", PURPOSES)
def test_a_link_serves_its_own_purpose_alone(
    office: Office, made_for: Purpose, used_for: Purpose
) -> None:
    office.known()
    token = office.signed(made_for)
    if made_for == used_for:
        assert whose(office.here, token, used_for, NOON)[0].id == 1
        return
    with pytest.raises(TokenError):
        whose(office.here, token, used_for, NOON)


def test_a_link_with_any_bit_flipped_or_of_another_newsletter_is_refused(office: Office) -> None:
    office.known()
    token = office.signed("preferences")
    for at in range(len(token)):
        for bit in range(7):
            flipped = token[:at] + chr(ord(token[at]) ^ (1 << bit)) + token[at + 1 :]
            with pytest.raises(TokenError):
                whose(office.here, flipped, "preferences", NOON)
    elsewhere = replace(office.here, keys=Keyring(KEYS.secrets, "other@example.org"))
    with pytest.raises(TokenError):
        whose(elsewhere, token, "preferences", NOON)


def test_preferences_are_good_for_thirty_days(office: Office) -> None:
    office.known()
    link = preferences(
        office.here, whose(office.here, office.signed("edition"), "edition", NOON)[0], NOON
    )
    token = link.rpartition("/")[2]
    assert whose(office.here, token, "preferences", NOON + timedelta(days=29))
    with pytest.raises(TokenError, match="too old"):
        whose(office.here, token, "preferences", NOON + timedelta(days=31))


# -- choosing, pausing, leaving ------------------------------------------------------------------


def test_following_changes_what_is_wanted_and_nothing_else(office: Office) -> None:
    office.known("unsubscribed", name="Ada")
    reader, _ = whose(office.here, office.signed("preferences"), "preferences", NOON)
    changed = follow(office.here, reader, subscriber("eve@example.org", name="Eve", day=3), NOON)
    assert changed.subscriber == subscriber(name="Ada", day=3)
    assert changed.status == "unsubscribed"


def test_choosing_keeps_the_order_of_topics_and_a_pause(office: Office) -> None:
    until = date(2026, 9, 1)
    office.known(filter=Filter(topics=("C", "A", "B")), paused_until=until)
    reader, _ = whose(office.here, office.signed("preferences"), "preferences", NOON)
    wanted = subscriber(filter=Filter(topics=("A", "C", "D")))
    chosen = choose(office.here, reader, wanted, NOON).subscriber
    assert (chosen.filter.topics, chosen.paused_until) == (("C", "A", "D"), until)


def test_a_pause_ends_by_itself_or_when_the_reader_says(office: Office) -> None:
    office.known(cadence="weekly")
    reader, _ = whose(office.here, office.signed("preferences"), "preferences", NOON)
    until = weeks_from(date(2026, 8, 3), 2)
    assert until == date(2026, 8, 17)
    reader = pause(office.here, reader, until, NOON)
    assert (reader.subscriber.paused_until, reader.subscriber.cadence) == (until, "weekly")
    reader = pause(office.here, reader, None, NOON)
    assert (reader.subscriber.paused_until, reader.subscriber.cadence) == (None, "weekly")
    office.known(cadence="paused")
    reader, _ = whose(office.here, office.signed("preferences"), "preferences", NOON)
    assert pause(office.here, reader, None, NOON).subscriber.cadence is None


def test_leaving_works_twice_and_after_years(office: Office) -> None:
    office.known()
    token, later = office.signed("unsubscribe"), NOON + timedelta(days=1000)
    assert leaving(office.here, token, later) is not None
    assert office.status() == "confirmed"
    for _ in range(2):
        assert leave(office.here, token, later) is not None
        assert office.status() == "unsubscribed"


def test_who_leaves_is_told_once_and_may_come_back(office: Office) -> None:
    office.join()
    confirm(office.here, office.token, NOON, office.welcomed.append)
    for _ in range(2):
        office.leave_and_be_told()
    assert [note.kind for note in office.notes] == ["confirm", "farewell"]
    assert office.notes[-1].reader.subscriber.email == ADA
    with pytest.raises(TokenError, match="too old"):
        confirm(office.here, office.token, NOON + timedelta(hours=49), office.welcomed.append)
    assert office.status() == "unsubscribed"
    reader = confirm(office.here, office.token, NOON, office.welcomed.append)
    assert reader.status == "confirmed"
    assert [consent.how for consent in office.here.store.consents(1)] == [
        "by the link in the confirmation letter",
        "by the link in the farewell letter",
    ]
    assert [reader.id for reader in office.welcomed] == [1, 1]


def test_a_stranger_who_leaves_for_a_reader_again_and_again_brings_a_letter_a_day(
    office: Office,
) -> None:
    office.known()
    for hours in range(0, 50, 2):
        office.leave_and_be_told(hours=hours)
        came_back_at = NOON + timedelta(hours=hours)
        confirm(office.here, office.token, came_back_at, office.welcomed.append)
    assert [note.kind for note in office.notes] == ["farewell"] * 3
    for n in range(20):
        office.known_as(f"r{n}@example.org")
        office.leave_and_be_told(str(n + 2), hours=51)
    assert len(office.notes) == 3 + 10


def test_asking_for_a_confirmation_does_not_keep_back_the_farewell(office: Office) -> None:
    office.known()
    office.join()
    for n in range(20):
        office.join(f"r{n}@example.org")
    office.notes.clear()
    office.leave_and_be_told()
    assert [note.kind for note in office.notes] == ["farewell"]
    office.join(hours=1)
    assert [note.kind for note in office.notes] == ["farewell"]


@pytest.mark.parametrize("status", ["unconfirmed", "unsubscribed", "blocked", "removed"])
def test_who_got_no_letters_is_not_bid_farewell(office: Office, status: Status) -> None:
    office.known(status)
    office.leave_and_be_told()
    assert office.notes == []
    assert office.status() == ("blocked" if status == "blocked" else "unsubscribed")


def test_leaving_does_not_unblock(office: Office) -> None:
    office.known("blocked")
    leave(office.here, office.signed("unsubscribe"), NOON)
    assert office.status() == "blocked"


def test_leaving_by_a_retired_key_works(office: Office) -> None:
    office.known()
    token = office.signed("unsubscribe")
    turned = replace(
        office.here, keys=Keyring(("a newer key by far", *KEYS.secrets), KEYS.audience)
    )
    assert leave(turned, token, NOON)
    assert office.status() == "unsubscribed"


def test_the_letters_move_when_the_new_address_says_yes(office: Office) -> None:
    office.known()
    office.known_as("bob@example.org")
    reader, _ = whose(office.here, office.signed("preferences"), "preferences", NOON)
    for email in ("new@example.org", "BOB@example.org", "new@example.org"):
        ask_move(office.here, reader, email, "::1", office.notes.append, NOON)
    (note,) = office.notes
    assert (note.kind, note.reader.subscriber.email) == ("move", "new@example.org")
    assert office.status() == "confirmed"
    for _ in range(2):
        assert move(office.here, office.token, NOON).subscriber.email == "new@example.org"
    assert office.status() is None
    with pytest.raises(TokenError, match="too old"):
        move(office.here, office.token, NOON + timedelta(hours=49))
    with pytest.raises(TokenError, match="somebody"):
        move(office.here, office.signed("move", "1/bob@example.org"), NOON)


# -- what is kept, and its end -------------------------------------------------------------------


def test_the_record_has_all_that_is_kept(office: Office) -> None:
    office.join()
    reader = confirm(office.here, office.token, NOON, office.welcomed.append)
    record = export(office.here, reader)
    assert (record.reader, len(record.consents), record.letters) == (reader, 1, ())


def test_after_an_erasure_links_lead_nowhere_and_leaving_does_nothing(office: Office) -> None:
    office.known()
    reader, _ = whose(office.here, office.signed("preferences"), "preferences", NOON)
    erase(office.here, reader, NOON)
    assert office.status() is None
    for purpose in PURPOSES[:-1]:
        with pytest.raises(TokenError):
            whose(office.here, office.signed(purpose), purpose, NOON)
    before = office.here.store.readers()
    assert leave(office.here, office.signed("unsubscribe"), NOON) is None
    assert leave(office.here, office.signed("unsubscribe", "77"), NOON) is None
    assert office.here.store.readers() == before
    assert is_erased(before[0])


def test_no_list_brings_an_erased_reader_back_but_they_may_come_themselves(office: Office) -> None:
    office.known()
    reader, _ = whose(office.here, office.signed("preferences"), "preferences", NOON)
    listed_subscribers = [subscriber("Ada@example.org"), subscriber("bob@example.org")]
    store = office.here.store
    assert not_erased(listed_subscribers, store.readers(), KEYS) == listed_subscribers
    erase(office.here, reader, NOON)
    turned = Keyring(("a newer key by far", *KEYS.secrets), KEYS.audience)
    assert not_erased(listed_subscribers, store.readers(), turned) == listed_subscribers[1:]
    office.join()
    confirm(office.here, office.token, NOON, office.welcomed.append)
    assert not_erased(listed_subscribers, store.readers(), turned) == listed_subscribers
