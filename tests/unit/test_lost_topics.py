"""Who is told of topics that readers follow and the newsletter does not have, and when."""

import asyncio
from datetime import timedelta

import pytest

from newsletter.model import Deferred, Filter, Refused
from newsletter.papers.filters import parse_rule
from newsletter.ports import Store
from newsletter.publisher.lost_topics import DailyNotes, tell_lost_topics
from newsletter.publisher.operator_events import list_events
from newsletter.publisher.publisher import Publisher
from newsletter.publisher.ticking import SchedulerState, fetch_and_freeze
from newsletter.readers.due import DefaultSchedule
from newsletter.readers.service import ReaderService
from newsletter.readers.stored_settings import find_fault, lost_topic_lines
from newsletter.templates import load_note_templates
from tests.support.clocks import ManualClock
from tests.support.databases import temporary_store
from tests.support.factories import DAY, NOON, reader, subscriber
from tests.support.logs import log_lines
from tests.support.outgoing import MemoryTransport
from tests.support.publishers import publisher_over

ADA, BOB, CLEO = "ada@example.org", "bob@example.org", "cleo@example.org"
TEMPLATES = {"lost": load_note_templates("lost")}
DAY_LONG = timedelta(days=1)


@pytest.fixture
def store() -> Store:
    """Ada follows a lost topic, Bob one of two; Cleo has paused, and follows one too."""
    opened = temporary_store()
    for email, topics, until in (
        (ADA, ("Alchemy",), None),
        (BOB, ("Vision", "Alchemy"), None),
        (CLEO, ("Alchemy",), DAY + timedelta(days=30)),
    ):
        wants = subscriber(email, filter=Filter(topics=topics), paused_until=until)
        opened.save_reader(wants, status="confirmed", now=NOON)
    return opened


def tick(publisher: Publisher) -> None:
    state = SchedulerState(DefaultSchedule("12:00", "UTC", "daily"))
    asyncio.run(fetch_and_freeze(publisher, state))


def tell(publisher: Publisher, transport: MemoryTransport) -> list[str]:
    """Whom one call emails."""
    service = ReaderService(publisher.publication, publisher.store, publisher.keyring)
    before = len(transport.letters)
    asyncio.run(tell_lost_topics(publisher, service, lambda: TEMPLATES, transport))
    return sorted(letter.envelope.recipient for letter in transport.letters[before:])


def test_readers_are_told_once_a_day_later(store: Store) -> None:
    clock, transport = ManualClock(), MemoryTransport()
    publisher = publisher_over(store, clock=clock)
    with log_lines() as lines:
        tick(publisher)
    said = f"there is no topic 'Alchemy', but 3 readers follow it: {ADA}, {BOB}, {CLEO}"
    assert [line for line in lines if "Alchemy" in line] == [f"{DAY}: {said}"]
    assert tell(publisher, transport) == []
    clock.time += DAY_LONG
    assert tell(publisher, transport) == [ADA, BOB]
    letter = b"".join(transport.letters[0].envelope.content)
    assert b"no longer offers: Alchemy" in letter.replace(b"\r\n", b" ")
    assert tell(publisher, transport) == []
    clock.time += timedelta(days=3)
    assert tell(publisher_over(store, clock=clock), transport) == []


def test_note_that_was_not_taken_is_tried_again(store: Store) -> None:
    clock, transport = ManualClock(), MemoryTransport()
    publisher = publisher_over(store, clock=clock)
    tick(publisher)
    clock.time += DAY_LONG
    deferred = Deferred("451 4.3.0 later")
    tell(publisher, MemoryTransport({ADA: Refused("550 5.1.1 no such user"), BOB: deferred}))
    assert tell(publisher, transport) == [BOB]


def test_nobody_is_told_of_a_topic_that_came_back(store: Store) -> None:
    clock, transport = ManualClock(), MemoryTransport()
    publisher = publisher_over(store, clock=clock)
    tick(publisher)
    clock.time += DAY_LONG
    for each in store.readers():
        wants = subscriber(each.subscriber.email, filter=Filter(topics=("Vision",)))
        store.save_reader(wants, status="confirmed", now=NOON)
    assert tell(publisher, transport) == []


def test_operator_is_told_of_lost_topics_every_day(store: Store) -> None:
    clock = ManualClock()
    publisher = publisher_over(store, clock=clock)
    keys = []
    for _ in range(2):
        tick(publisher)
        (event,) = (each for each in list_events(publisher, {}) if "Alchemy" in each.words)
        assert "3 readers follow it" in event.words
        assert "`formerly:`" in event.words
        keys.append(event.key)
        clock.time += DAY_LONG
    assert len({*keys}) == len(keys)


def test_daily_notes_rest_until_tomorrow(store: Store) -> None:
    clock, transport, notes = ManualClock(), MemoryTransport(), DailyNotes()
    publisher = publisher_over(store, clock=clock)
    service = ReaderService(publisher.publication, store, publisher.keyring)
    asyncio.run(notes.tell(publisher, service, lambda: TEMPLATES, transport))
    tick(publisher)
    clock.time += DAY_LONG
    asyncio.run(notes.tell(publisher, service, lambda: TEMPLATES, transport))
    assert len(transport.letters) == len((ADA, BOB))


@pytest.mark.parametrize(
    ("wants", "words"),
    [
        (Filter(topics=("Gone",)), "none of their topics"),
        (Filter(topics=("Gone", "Vision")), "not every topic that they follow"),
        (Filter(topics=("Gone",), include=(parse_rule("LoRA"),)), "not every topic"),
        (Filter(topics=("Sight", "Vision")), ""),
        (Filter(), ""),
    ],
)
def test_fault_says_how_many_topics_are_lost(wants: Filter, words: str) -> None:
    fault = find_fault(reader(wants=wants), {"Vision": "Vision", "Sight": "Vision"})
    assert words in (fault.words if fault else "")
    assert (fault is None) == (not words)


def test_long_lists_of_readers_are_cut() -> None:
    followers = [reader(n, f"r{n}@x.org", Filter(topics=("Gone",))) for n in range(1, 6)]
    faults = [fault for each in followers if (fault := find_fault(each, {})) is not None]
    (line,) = lost_topic_lines(faults)
    assert line.endswith("5 readers follow it: r1@x.org, r2@x.org, r3@x.org and 2 more")
