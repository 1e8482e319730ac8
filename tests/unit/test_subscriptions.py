"""What readers do about their own subscription."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from newsletter.errors import TokenError
from newsletter.letter.links import MAX_AGE, Keyring, Purpose, sign_token
from newsletter.model import Filter, Publication, Reader, Status, Subscriber
from newsletter.publisher.mailing import CONFIRM_HOURS
from newsletter.readers.erasing import is_erased, without_erased
from newsletter.readers.joining import OPEN_TO_ALL, Joining, TooManyRequests
from newsletter.readers.service import CONSENT_TEXT, Note, ReaderService
from tests.support.databases import temporary_store
from tests.support.factories import NOON, subscriber

KEYS = Keyring(("a key of many letters",), "n@example.org")
SITE = Publication("N", "N", "n@example.org", url="https://n.example.org/papers/")
ADA = "ada@example.org"


class Subscriptions:
    """The reader service, the notes it sent and the readers it welcomed."""

    def __init__(self, joining: Joining = OPEN_TO_ALL) -> None:
        self.service = ReaderService(SITE, temporary_store(), KEYS, joining)
        self.notes: list[Note] = []
        self.welcomed: list[Reader] = []

    def join(
        self, email: str = ADA, *, client: str = "::1", hours: float = 0, **wants: object
    ) -> None:
        wanted = subscriber(email, **wants)
        now = NOON + timedelta(hours=hours)
        self.service.subscribe(wanted, client, self.notes.append, now)

    @property
    def token(self) -> str:
        return self.notes[-1].link.rpartition("/")[2]

    def status(self, email: str = ADA) -> Status | None:
        reader = self.service.store.reader_by_email(email)
        return None if reader is None else reader.status

    def known(self, status: Status = "confirmed", **fields: object) -> Subscriber:
        saved = subscriber(ADA, **fields)
        self.service.store.save_reader(saved, status=status, now=NOON)
        return saved

    def known_as(self, email: str) -> None:
        self.service.store.save_reader(subscriber(email), status="confirmed", now=NOON)

    def leave_by_the_page(self, number: str = "1", hours: float = 0) -> None:
        now = NOON + timedelta(hours=hours)
        left = self.service.unsubscribe(self.signed("unsubscribe", number), now)
        assert left is not None
        self.service.send_farewell(left, "::1", self.notes.append, now)

    def signed(self, purpose: Purpose, payload: str = "1") -> str:
        return sign_token(payload, purpose, KEYS, NOON)


@pytest.fixture
def site() -> Subscriptions:
    return Subscriptions()


# -- joining -----------------------------------------------------------------------------------


def test_a_subscriber_is_confirmed_by_the_link_of_one_note(site: Subscriptions) -> None:
    site.join(at="09:00", filter=Filter(topics=("Vision",)))
    (note,) = site.notes
    assert (note.kind, note.reader.subscriber.email) == ("confirm", ADA)
    assert note.link.startswith("https://n.example.org/papers/confirm/")
    assert site.status() == "unconfirmed"
    reader = site.service.confirm(site.token, NOON + timedelta(hours=47), site.welcomed.append)
    assert (reader.status, reader.subscriber.at) == ("confirmed", "09:00")
    (consent,) = site.service.store.consents(reader.id)
    assert consent.text == CONSENT_TEXT.format(name="N")
    assert consent.at == NOON + timedelta(hours=47)


def test_confirming_twice_is_harmless(site: Subscriptions) -> None:
    site.join()
    site.service.confirm(site.token, NOON, site.welcomed.append)
    site.service.confirm(site.token, NOON, site.welcomed.append)
    assert len(site.service.store.consents(1)) == 1
    assert [reader.id for reader in site.welcomed] == [1]


def test_a_confirmation_link_is_valid_for_two_days(site: Subscriptions) -> None:
    site.join()
    with pytest.raises(TokenError, match="too old"):
        site.service.confirm(site.token, NOON + timedelta(hours=49), site.welcomed.append)
    assert site.status() == "unconfirmed"


def test_unconfirmed_addresses_are_forgotten_after_a_week(site: Subscriptions) -> None:
    site.join()
    site.join("bob@example.org", hours=24 * 8)
    assert site.status() is None
    assert site.status("bob@example.org") == "unconfirmed"


@pytest.mark.slow
def test_a_hundred_requests_for_an_address_send_one_note(site: Subscriptions) -> None:
    for n in range(100):
        site.join(ADA if n % 2 else ADA.upper(), client=f"2001:db8:{n}::")
    assert len(site.notes) == 1


def test_an_unconfirmed_address_gets_three_notes_ever(site: Subscriptions) -> None:
    for day in range(30):
        site.join(hours=25 * day)
    assert len(site.notes) == 3


@pytest.mark.slow
def test_caps_hold_for_one_client_and_for_all(site: Subscriptions) -> None:
    for n in range(20):
        site.join(f"r{n}@example.org", client="one")
    assert len(site.notes) == 10
    for n in range(500):
        site.join(f"s{n}@example.org", client=f"client {n}")
    assert len(site.notes) == 500


class TestCaps:
    """How many requests one network, and all together, may make."""

    def test_request_over_the_cap_is_told_until_when(self) -> None:
        site = Subscriptions(Joining(per_client_hourly=2, total_hourly=3))
        service = site.service
        for minutes in (0, 10):
            assert service.count_sign_up("lab", NOON + timedelta(minutes=minutes)) is None
        later = NOON + timedelta(minutes=20)
        hour = NOON + timedelta(hours=1)
        assert service.count_sign_up("lab", later) == TooManyRequests(hour, by_others=False)
        assert service.count_sign_up("home", later) is None
        assert service.count_sign_up("cafe", later) == TooManyRequests(hour, by_others=True)
        assert service.count_sign_up("lab", hour) is None

    def test_notes_do_not_count_for_the_network_again(self) -> None:
        """Else the answer would tell whether an address, asked for many times, is a reader's."""
        site = Subscriptions(Joining(per_client_hourly=1))
        for n in range(5):
            site.service.subscribe(subscriber(f"r{n}@x.org"), None, site.notes.append, NOON)
        assert len(site.notes) == 5
        assert site.service.count_sign_up("lab", NOON) is None


def test_only_addresses_of_the_domains_may_join() -> None:
    site = Subscriptions(Joining("domains", ("example.org", "*.uni.example")))
    for email in (ADA, "b@cs.uni.example", "c@uni.example", "d@notexample.org"):
        site.join(email, client=email)
    assert [note.reader.subscriber.email for note in site.notes] == [ADA, "b@cs.uni.example"]


class TestApproval:
    """Readers who wait until the operator approves them."""

    @pytest.fixture
    def site(self) -> Subscriptions:
        return Subscriptions(Joining("approval", ("uni.example",)))

    def confirm(self, site: Subscriptions) -> Reader:
        return site.service.confirm(site.token, NOON, site.welcomed.append)

    def test_confirmed_reader_waits_without_a_letter(self, site: Subscriptions) -> None:
        site.join()
        assert self.confirm(site).status == "waiting"
        assert self.confirm(site).status == "waiting"
        assert site.welcomed == []
        assert len(site.service.store.consents(1)) == 1

    def test_named_domains_need_no_approval(self, site: Subscriptions) -> None:
        site.join("b@uni.example")
        assert self.confirm(site).status == "confirmed"
        assert len(site.welcomed) == 1

    def test_asking_again_changes_no_choice_and_says_so(self, site: Subscriptions) -> None:
        site.join(at="09:00")
        self.confirm(site)
        site.join(at="11:00", hours=25)
        assert site.notes[-1].kind == "waiting"
        assert site.service.store.readers()[0].subscriber.at == "09:00"

    def test_reader_back_by_a_farewell_does_not_wait(self, site: Subscriptions) -> None:
        site.known()
        site.leave_by_the_page()
        assert self.confirm(site).status == "confirmed"

    def test_nobody_waits_once_joining_is_open(self, site: Subscriptions) -> None:
        site.join()
        self.confirm(site)
        opened = replace(site.service, joining=OPEN_TO_ALL)
        assert opened.confirm(site.token, NOON, site.welcomed.append).status == "confirmed"
        assert len(site.welcomed) == 1


def test_a_reader_who_subscribes_again_gets_their_preferences(site: Subscriptions) -> None:
    site.known(at="07:30")
    site.join("ADA@example.org", at="11:00", filter=Filter(topics=("Other",)))
    (note,) = site.notes
    assert note.kind == "known"
    reader, rest = site.service.verify_link(site.token, "preferences", NOON)
    assert (reader.subscriber.at, reader.status, rest) == ("07:30", "confirmed", "")


@pytest.mark.parametrize("status", ["unsubscribed", "removed"])
def test_only_the_link_brings_back_who_unsubscribed(site: Subscriptions, status: Status) -> None:
    site.known(status)
    site.join()
    assert site.status() == status
    site.service.confirm(site.token, NOON, site.welcomed.append)
    assert site.status() == "confirmed"


def test_a_blocked_address_gets_no_note(site: Subscriptions) -> None:
    site.known("blocked")
    site.join()
    assert site.notes == []
    with pytest.raises(TokenError, match="send email to this"):
        site.service.confirm(site.signed("confirm"), NOON, site.welcomed.append)


def test_notes_say_how_long_their_links_are_valid() -> None:
    for purpose in ("confirm", "move"):
        assert MAX_AGE[purpose] == timedelta(hours=int(CONFIRM_HOURS))


# -- links -------------------------------------------------------------------------------------


PURPOSES: tuple[Purpose, ...] = ("confirm", "preferences", "edition", "move", "feed", "unsubscribe")


@pytest.mark.parametrize("made_for", PURPOSES)
@pytest.mark.parametrize("used_for", PURPOSES)
def test_a_link_serves_its_own_purpose_only(
    site: Subscriptions, made_for: Purpose, used_for: Purpose
) -> None:
    site.known()
    token = site.signed(made_for)
    if made_for == used_for:
        assert site.service.verify_link(token, used_for, NOON)[0].id == 1
        return
    with pytest.raises(TokenError):
        site.service.verify_link(token, used_for, NOON)


def test_forged_and_foreign_links_are_refused(site: Subscriptions) -> None:
    site.known()
    token = site.signed("preferences")
    for at in range(len(token)):
        for bit in range(7):
            flipped = token[:at] + chr(ord(token[at]) ^ (1 << bit)) + token[at + 1 :]
            with pytest.raises(TokenError):
                site.service.verify_link(flipped, "preferences", NOON)
    elsewhere = replace(site.service, keys=Keyring(KEYS.secrets, "other@example.org"))
    with pytest.raises(TokenError):
        elsewhere.verify_link(token, "preferences", NOON)


def test_a_preferences_link_is_valid_for_thirty_days(site: Subscriptions) -> None:
    site.known()
    link = site.service.preferences_url(
        site.service.verify_link(site.signed("edition"), "edition", NOON)[0], NOON
    )
    token = link.rpartition("/")[2]
    assert site.service.verify_link(token, "preferences", NOON + timedelta(days=29))
    with pytest.raises(TokenError, match="too old"):
        site.service.verify_link(token, "preferences", NOON + timedelta(days=31))


# -- choosing, pausing, leaving ------------------------------------------------------------------


def test_choosing_changes_neither_address_nor_name_nor_status(site: Subscriptions) -> None:
    site.known("unsubscribed", name="Ada")
    reader, _ = site.service.verify_link(site.signed("preferences"), "preferences", NOON)
    wanted = subscriber("eve@example.org", name="Eve", day=3)
    changed = site.service.choose(reader, wanted, NOON)
    assert changed.subscriber == subscriber(name="Ada", day=3)
    assert changed.status == "unsubscribed"


def test_choosing_keeps_topic_order_and_pause(site: Subscriptions) -> None:
    until = date(2026, 9, 1)
    site.known(filter=Filter(topics=("C", "A", "B")), paused_until=until)
    reader, _ = site.service.verify_link(site.signed("preferences"), "preferences", NOON)
    wanted = subscriber(filter=Filter(topics=("A", "C", "D")))
    chosen = site.service.choose(reader, wanted, NOON).subscriber
    assert (chosen.filter.topics, chosen.paused_until) == (("C", "A", "D"), until)


def test_a_pause_ends_on_its_day_or_when_resumed(site: Subscriptions) -> None:
    site.known(cadence="weekly")
    reader, _ = site.service.verify_link(site.signed("preferences"), "preferences", NOON)
    until = date(2026, 8, 17)
    reader = site.service.pause(reader, until, NOON)
    assert (reader.subscriber.paused_until, reader.subscriber.cadence) == (until, "weekly")
    reader = site.service.pause(reader, None, NOON)
    assert (reader.subscriber.paused_until, reader.subscriber.cadence) == (None, "weekly")
    site.known(cadence="paused")
    reader, _ = site.service.verify_link(site.signed("preferences"), "preferences", NOON)
    assert site.service.pause(reader, None, NOON).subscriber.cadence is None


def test_unsubscribing_works_twice_and_after_years(site: Subscriptions) -> None:
    site.known()
    token, later = site.signed("unsubscribe"), NOON + timedelta(days=1000)
    assert site.service.find_leaving(token, later) is not None
    assert site.status() == "confirmed"
    for _ in range(2):
        assert site.service.unsubscribe(token, later) is not None
        assert site.status() == "unsubscribed"


def test_a_farewell_is_sent_once_and_leads_back(site: Subscriptions) -> None:
    site.join()
    site.service.confirm(site.token, NOON, site.welcomed.append)
    for _ in range(2):
        site.leave_by_the_page()
    assert [note.kind for note in site.notes] == ["confirm", "farewell"]
    assert site.notes[-1].reader.subscriber.email == ADA
    with pytest.raises(TokenError, match="too old"):
        site.service.confirm(site.token, NOON + timedelta(hours=49), site.welcomed.append)
    assert site.status() == "unsubscribed"
    reader = site.service.confirm(site.token, NOON, site.welcomed.append)
    assert reader.status == "confirmed"
    assert [consent.how for consent in site.service.store.consents(1)] == [
        "by the link in the confirmation email",
        "by the link in the farewell email",
    ]
    assert [reader.id for reader in site.welcomed] == [1, 1]


def test_repeated_farewells_are_limited_to_one_a_day(site: Subscriptions) -> None:
    site.known()
    for hours in range(0, 50, 2):
        site.leave_by_the_page(hours=hours)
        came_back_at = NOON + timedelta(hours=hours)
        site.service.confirm(site.token, came_back_at, site.welcomed.append)
    assert [note.kind for note in site.notes] == ["farewell"] * 3
    for n in range(20):
        site.known_as(f"r{n}@example.org")
        site.leave_by_the_page(str(n + 2), hours=51)
    assert len(site.notes) == 3 + 10


def test_confirmation_requests_do_not_use_up_farewells(site: Subscriptions) -> None:
    site.known()
    site.join()
    for n in range(20):
        site.join(f"r{n}@example.org")
    site.notes.clear()
    site.leave_by_the_page()
    assert [note.kind for note in site.notes] == ["farewell"]
    site.join(hours=1)
    assert [note.kind for note in site.notes] == ["farewell"]


@pytest.mark.parametrize("status", ["unconfirmed", "unsubscribed", "blocked", "removed"])
def test_only_active_readers_get_a_farewell(site: Subscriptions, status: Status) -> None:
    site.known(status)
    site.leave_by_the_page()
    assert site.notes == []
    assert site.status() == ("blocked" if status == "blocked" else "unsubscribed")


def test_unsubscribing_does_not_unblock(site: Subscriptions) -> None:
    site.known("blocked")
    site.service.unsubscribe(site.signed("unsubscribe"), NOON)
    assert site.status() == "blocked"


def test_a_link_signed_with_an_old_key_unsubscribes(site: Subscriptions) -> None:
    site.known()
    token = site.signed("unsubscribe")
    turned = replace(
        site.service, keys=Keyring(("a newer key by far", *KEYS.secrets), KEYS.audience)
    )
    assert turned.unsubscribe(token, NOON)
    assert site.status() == "unsubscribed"


def test_a_new_email_must_be_confirmed(site: Subscriptions) -> None:
    site.known()
    site.known_as("bob@example.org")
    reader, _ = site.service.verify_link(site.signed("preferences"), "preferences", NOON)
    for email in ("new@example.org", "BOB@example.org", "new@example.org"):
        site.service.request_new_email(reader, email, "::1", site.notes.append, NOON)
    sent = [(note.kind, note.reader.subscriber.email) for note in site.notes]
    assert sent == [("move", "new@example.org"), ("known", "bob@example.org")]
    site.notes.pop()
    assert site.status() == "confirmed"
    for _ in range(2):
        assert (
            site.service.confirm_new_email(site.token, NOON).subscriber.email == "new@example.org"
        )
    assert site.status() is None
    with pytest.raises(TokenError, match="too old"):
        site.service.confirm_new_email(site.token, NOON + timedelta(hours=49))
    with pytest.raises(TokenError, match="already has a subscription"):
        site.service.confirm_new_email(site.signed("move", "1/bob@example.org"), NOON)


# -- stored data and erasure -------------------------------------------------------------------


def test_an_export_contains_everything_stored(site: Subscriptions) -> None:
    site.join()
    reader = site.service.confirm(site.token, NOON, site.welcomed.append)
    consents, letters, _ = site.service.export(reader)
    assert (len(consents), letters) == (1, ())


def test_links_of_an_erased_reader_do_nothing(site: Subscriptions) -> None:
    site.known()
    reader, _ = site.service.verify_link(site.signed("preferences"), "preferences", NOON)
    site.service.erase(reader, NOON)
    assert site.status() is None
    for purpose in PURPOSES[:-1]:
        with pytest.raises(TokenError):
            site.service.verify_link(site.signed(purpose), purpose, NOON)
    before = site.service.store.readers()
    assert site.service.unsubscribe(site.signed("unsubscribe"), NOON) is None
    assert site.service.unsubscribe(site.signed("unsubscribe", "77"), NOON) is None
    assert site.service.store.readers() == before
    assert is_erased(before[0])


def test_only_erased_readers_themselves_come_back(site: Subscriptions) -> None:
    site.known()
    reader, _ = site.service.verify_link(site.signed("preferences"), "preferences", NOON)
    listed = [subscriber("Ada@example.org"), subscriber("bob@example.org")]
    store = site.service.store

    def emails() -> list[str]:
        return [each.subscriber.email for each in store.readers()]

    assert without_erased(listed, emails(), KEYS) == listed
    site.service.erase(reader, NOON)
    turned = Keyring(("a newer key by far", *KEYS.secrets), KEYS.audience)
    assert without_erased(listed, emails(), turned) == listed[1:]
    site.join()
    site.service.confirm(site.token, NOON, site.welcomed.append)
    assert without_erased(listed, emails(), turned) == listed
