"""A freeze holds only a few readers in memory, however many there are."""

import asyncio
import gc
import tracemalloc
from datetime import date, timedelta
from pathlib import Path

import pytest

from newsletter.model import Filter, Subscriber
from newsletter.papers.filters import parse_rule
from newsletter.publisher.drafting import CHUNK
from newsletter.publisher.fetching import fetch_sources
from newsletter.publisher.publishing import freeze, waiting_readers
from newsletter.stores import SendJournal, open_journaled_store
from tests.support.clocks import ManualClock
from tests.support.factories import DAY, NOON
from tests.support.publishers import StubSource, publisher_over

A_READER = 300
"""The memory in bytes that each further reader may take; a whole reader takes thousands."""

NAME = "Somebody " * 200

WORDS = [parse_rule(f"title:word{n}") for n in range(40)]


def newcomers(first: int, last: int) -> list[Subscriber]:
    wants = [Filter(include=(word, WORDS[0])) for word in WORDS]
    return [
        Subscriber(f"{n}@example.org", NAME + str(n), wants[n % 40]) for n in range(first, last)
    ]


@pytest.mark.slow
def test_freeze_memory_grows_by_bytes_per_reader(url: str, tmp_path: Path) -> None:
    journal = SendJournal(tmp_path / "journal", lambda email: (email[::-1],))
    store, clock = open_journaled_store(url, journal), ManualClock()
    publisher = publisher_over(
        store, StubSource(*(f"word{n} word0" for n in range(5))), clock=clock
    )
    # With one chunk of readers less is in memory: the last one and the next may overlap.
    everybody = newcomers(0, 3 * CHUNK)

    def peak(day: date) -> int:
        """The peak of memory while the day's issue is frozen for all readers."""
        asyncio.run(fetch_sources(publisher.sources, store, day, clock, lambda _report: None))
        gc.collect()
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        assert freeze(publisher, day, waiting_readers(publisher, day), ())
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most - before

    store.sync_subscribers(everybody[:10], now=NOON)
    peak(DAY - timedelta(days=1))
    store.sync_subscribers(everybody[: 2 * CHUNK], now=NOON)
    few = peak(DAY)
    store.sync_subscribers(everybody, now=NOON)
    many = peak(DAY + timedelta(days=1))
    further = store.counts(DAY + timedelta(days=1)).planned - store.counts(DAY).planned
    assert further == CHUNK
    assert many - few < further * A_READER
    store.close()
