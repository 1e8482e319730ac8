"""Hard bounces of many readers at once speak of the sender, in whatever order they come."""

import random
from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.model import MailEvent, MailEventEffect
from newsletter.ports import Store
from newsletter.stores.logic import is_mass
from tests.support.databases import temporary_store
from tests.support.factories import DAY, NOON, subscriber
from tests.support.frozen_issues import send_letters

DAYS = [DAY + timedelta(days=n) for n in range(3)]


def newsletter(readers: int, *, letters: bool = True) -> Store:
    store = temporary_store()
    listed = [subscriber(f"r{n:03}@example.net") for n in range(1, readers + 1)]
    store.sync_subscribers(listed, now=NOON)
    for day in DAYS if letters else ():
        send_letters(store, day)
    return store


def bounces(*readers: int, known: bool = True) -> list[MailEvent]:
    """Three hard bounces of each reader, on three days; the letter may be known."""
    return [
        MailEvent(f"{day} {reader}", "hard", reader, day, "550", letter=day if known else None)
        for day in DAYS
        for reader in readers
    ]


def record(store: Store, events: list[MailEvent]) -> Counter[MailEventEffect]:
    return Counter(store.record_mail_event(event, now=NOON) for event in events)


def blocked(store: Store) -> int:
    return sum(reader.status == "blocked" for reader in store.readers())


@pytest.mark.slow
@pytest.mark.parametrize(("letters", "known"), [(True, True), (True, False), (False, False)])
def test_all_readers_at_once_block_nobody(letters: bool, known: bool) -> None:  # noqa: FBT001
    store = newsletter(45, letters=letters)
    events = bounces(*range(1, 46), known=known)
    random.Random(1).shuffle(events)  # noqa: S311 - repeatable
    assert record(store, events)["mass"] == 90
    assert blocked(store) == 0
    assert [(m.readers, m.letters) for m in store.mass_reports(since=DAY)] == [(45, 45)] * 3
    assert store.suppressions() == ()


def test_two_dead_mailboxes_of_five_are_blocked() -> None:
    store = newsletter(5)
    record(store, bounces(1, 2))
    assert blocked(store) == 2
    assert store.mass_reports(since=DAY) == ()


@pytest.mark.slow
def test_later_reports_take_an_early_block_back() -> None:
    store = newsletter(45)
    by_reader = sorted(bounces(*range(1, 46)), key=lambda event: event.reader)
    assert record(store, by_reader[:6])["suppressed"] == 2
    record(store, by_reader[6:])
    assert blocked(store) == 0


@pytest.mark.slow
def test_dead_mailbox_is_blocked_despite_one_bad_day() -> None:
    store = newsletter(45)
    events = [e for e in bounces(*range(1, 46)) if e.reader == 7 or e.day == DAYS[0]]
    record(store, events)
    assert blocked(store) == 0
    after = DAY + timedelta(days=9)
    record(store, [MailEvent("later", "hard", 7, after, letter=after)])
    assert [reader.id for reader in store.readers() if reader.status == "blocked"] == [7]


@pytest.mark.slow
def test_complaint_keeps_its_block() -> None:
    store = newsletter(9)
    record(store, [MailEvent("c", "complaint", 3, DAY)])
    record(store, bounces(*range(1, 10)))
    assert [reader.id for reader in store.readers() if reader.status == "blocked"] == [3]


def test_operators_block_stays() -> None:
    store = newsletter(9)
    store.set_status("r003@example.net", "blocked", now=NOON)
    record(store, [event for event in bounces(*range(1, 10)) if event.day == DAY])
    assert blocked(store) == 1


@pytest.mark.slow
@settings(max_examples=10, deadline=None)
@given(st.integers(1, 12), st.randoms(use_true_random=False))
def test_order_of_reports_does_not_matter(dead: int, order: random.Random) -> None:
    """Every order leads to the statuses that the proportion asks for."""
    store = newsletter(12, letters=False)
    events = bounces(*range(1, dead + 1), known=False)
    order.shuffle(events)
    record(store, events)
    assert blocked(store) == (0 if is_mass(dead, 12) else dead)


@pytest.mark.parametrize(
    ("readers", "letters", "mass"),
    [
        (1, 1, False),
        (2, 3, False),
        (3, 5, True),
        (4, 10, False),
        (5, 10, True),
        (5, 15, False),
        (100, 300, False),
        (101, 300, True),
        (45, 45, True),
    ],
)
def test_proportion_that_speaks_of_the_sender(readers: int, letters: int, mass: bool) -> None:  # noqa: FBT001
    assert is_mass(readers, letters) is mass
