"""Returned mail is recorded once, and blocks the right readers."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from newsletter.model import MailEvent, MailEventKind, Reader, SentLetter, Status
from newsletter.ports import Store
from tests.support.factories import DAY, NOON, subscriber
from tests.support.frozen_issues import deliver

ADA = "ada@example.org"
LATER = NOON + timedelta(days=9)


def join(store: Store, *emails: str) -> None:
    store.sync_subscribers([subscriber(email) for email in emails or (ADA,)], now=NOON)


def only_reader(store: Store) -> Reader:
    (reader,) = store.readers()
    return reader


def mail_event(
    kind: MailEventKind = "hard", day: date = DAY, *, name: str = "", said: str = ""
) -> MailEvent:
    return MailEvent(name or f"{kind} {day}", kind, 1, day, said)


def on(days: int) -> date:
    return DAY + timedelta(days=days)


def status(store: Store) -> Status:
    return only_reader(store).status


def test_hard_bounces_on_three_days_block_a_reader(store: Store) -> None:
    join(store)
    assert store.record_mail_event(mail_event(day=on(0)), now=NOON) == "noted"
    assert store.record_mail_event(mail_event(day=on(1)), now=NOON) == "noted"
    assert status(store) == "confirmed"
    assert (
        store.record_mail_event(mail_event(day=on(2), said="5.1.1 no such user"), now=LATER)
        == "suppressed"
    )
    assert status(store) == "blocked"
    (found,) = store.suppressions()
    assert (found.email, found.since) == (ADA, LATER)
    assert found.why == "hard bounces on 3 days, last on 2026-08-05: 5.1.1 no such user"


def test_hard_bounces_of_one_day_count_once(store: Store) -> None:
    join(store)
    for name in ("a", "b", "c", "d"):
        assert store.record_mail_event(mail_event(name=name), now=NOON) == "noted"
    assert status(store) == "confirmed"


def test_hard_bounces_far_apart_do_not_add_up(store: Store) -> None:
    join(store)
    for days in (0, 60, 120, 180):
        store.record_mail_event(mail_event(day=on(days)), now=NOON)
    assert status(store) == "confirmed"
    store.record_mail_event(mail_event(day=on(181)), now=NOON)
    assert status(store) == "blocked"


@pytest.mark.slow
def test_same_bounce_counts_once(store: Store) -> None:
    join(store)
    assert store.record_mail_event(mail_event("unsubscribe"), now=NOON) == "unsubscribed"
    store.set_status(ADA, "confirmed", now=NOON)
    assert store.record_mail_event(mail_event("unsubscribe"), now=LATER) == "again"
    assert status(store) == "confirmed"


def test_one_complaint_blocks_despite_the_subscribers_file(store: Store) -> None:
    join(store)
    assert store.record_mail_event(mail_event("complaint", said="abuse"), now=NOON) == "suppressed"
    join(store)
    assert status(store) == "blocked"
    assert [one.why for one in store.suppressions()] == ["complained on 2026-08-03: abuse"]


def test_soft_bounces_are_counted_without_consequence(store: Store) -> None:
    join(store)
    for days in range(5):
        assert store.record_mail_event(mail_event("soft", on(days)), now=NOON) == "noted"
    assert status(store) == "confirmed"
    assert store.suppressions() == ()


@pytest.mark.parametrize("kind", ["complaint", "hard"])
def test_unsubscribed_reader_is_not_blocked(store: Store, kind: MailEventKind) -> None:
    join(store)
    store.set_status(ADA, "unsubscribed", now=NOON)
    for days in range(3):
        assert store.record_mail_event(mail_event(kind, on(days)), now=NOON) == "unsubscribed"
    assert status(store) == "unsubscribed"


def test_blocked_reader_may_still_unsubscribe(store: Store) -> None:
    join(store)
    store.record_mail_event(mail_event("complaint"), now=NOON)
    assert store.record_mail_event(mail_event("unsubscribe"), now=NOON) == "unsubscribed"
    assert not store.unsuppress(ADA, now=NOON)
    assert status(store) == "unsubscribed"


def test_bounce_of_unknown_reader_is_not_recorded(store: Store) -> None:
    assert store.record_mail_event(mail_event(), now=NOON) == "unknown"
    join(store)
    assert store.record_mail_event(mail_event(), now=NOON) == "noted"


def test_unblocked_reader_starts_without_bounces(store: Store) -> None:
    join(store)
    for days in range(3):
        store.record_mail_event(mail_event(day=on(days)), now=NOON)
    assert store.unsuppress(ADA, now=LATER)
    assert (status(store), store.suppressions()) == ("confirmed", ())
    assert store.record_mail_event(mail_event(day=on(3)), now=LATER) == "noted"
    assert store.record_mail_event(mail_event(day=on(2)), now=LATER) == "again"
    assert status(store) == "confirmed"


def test_only_blocked_readers_are_unblocked(store: Store) -> None:
    join(store)
    assert not store.unsuppress(ADA, now=NOON)
    assert not store.unsuppress("nobody@example.org", now=NOON)
    assert status(store) == "confirmed"


def test_manually_blocked_reader_is_listed_too(store: Store) -> None:
    join(store)
    store.set_status(ADA, "blocked", now=LATER)
    (found,) = store.suppressions()
    assert (found.email, found.since, found.why) == (ADA, LATER, "blocked by the operator")


def test_unstorable_characters_are_replaced(store: Store) -> None:
    join(store)
    store.record_mail_event(mail_event("complaint", said="a\0b\ud800"), now=NOON)
    (found,) = store.suppressions()
    assert found.why.startswith("complained on 2026-08-03: a")


def test_reasons_for_leaving_are_listed_newest_first(store: Store) -> None:
    join(store, ADA, "bob@example.org")
    bob = MailEvent("b", "unsubscribe", 2, DAY, "moved on")
    said = [mail_event("unsubscribe", on(n), name=f"a{n}", said=f"word {n}") for n in (0, 1)]
    for minutes, each in enumerate(
        (said[0], bob, said[1], mail_event("hard"), mail_event("unsubscribe"))
    ):
        store.record_mail_event(each, now=NOON + timedelta(minutes=minutes))
    assert store.leaving_reasons(limit=9) == (said[1], bob, said[0])
    assert store.leaving_reasons(limit=1) == (said[1],)
    assert store.leaving_reasons(limit=9, reader=2) == (bob,)
    store.erase(2, "x@erased.invalid", now=NOON)
    assert store.leaving_reasons(limit=9, reader=2) == ()


def test_events_recorded_together_count_as_one_by_one(store: Store) -> None:
    join(store, ADA, "bob@example.org", "eve@example.org")
    events = [
        *(mail_event(day=on(days)) for days in (0, 1, 1, 2)),
        replace(mail_event("complaint"), reader=2),
        replace(mail_event("unsubscribe", name="left"), reader=2),
        replace(mail_event("soft"), reader=3, address="former@example.org"),
        replace(mail_event("soft", name="nobody's"), reader=99),
    ]
    effects = store.record_mail_events(events, now=NOON)
    assert effects[2] == "again"
    assert effects[3:] == ("suppressed", "suppressed", "unsubscribed", "elsewhere", "unknown")
    assert [reader.status for reader in store.readers()] == [
        "blocked",
        "unsubscribed",
        "confirmed",
    ]
    again = store.record_mail_events(events, now=LATER)
    assert again == ("again",) * 7 + ("unknown",)
    assert store.record_mail_events([], now=NOON) == ()


@pytest.mark.slow
def test_last_letters_are_found_however_old_they_are(store: Store) -> None:
    join(store, ADA, "bob@example.org", "eve@example.org")
    ada, bob, eve = store.readers()
    deliver(store, [ada, bob], day=on(0))
    for days in range(1, 12):
        deliver(store, [ada], day=on(days))
    ids = [ada.id, bob.id, eve.id, 99]
    assert store.last_letters(ids, by=on(20)) == {
        ada.id: SentLetter(on(11), ADA),
        bob.id: SentLetter(on(0), "bob@example.org"),
    }
    assert store.last_letters([ada.id], by=on(5)) == {ada.id: SentLetter(on(5), ADA)}
    assert store.last_letters(ids, by=on(-1)) == {}
