"""A store that goes away during a delivery: it is waited for, and nothing is lost or doubled."""

import asyncio
import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from newsletter.delivery.store_wait import PAUSES, StoreWait
from newsletter.errors import StoreAwayError
from newsletter.model import Accepted, Counts, Letter, NotSent, Settlement
from newsletter.stores.journal import SendJournal
from newsletter.stores.sql import JournaledStore, SqlStore
from tests.support.clocks import ManualClock
from tests.support.databases import new_sqlite_store, temporary_store_of
from tests.support.factories import DAY, NOON
from tests.support.outgoing import MemoryTransport
from tests.unit.test_delivery import DeliveryScenario, build_envelope, freeze_issue, recipients


def away_at(
    method: str, calls: range, kind: type[SqlStore] = SqlStore, *, executed: bool = False
) -> type[SqlStore]:
    """A store that is away at these calls of a method, from 1; or only their answers are lost."""

    class Away(kind):  # type: ignore[misc, valid-type]
        count = 0

    def call(self: Any, *args: Any, **named: Any) -> Any:  # noqa: ANN401 - any method
        self.count += 1
        is_away = self.count in calls
        if is_away and not executed:
            raise StoreAwayError("the server is away.")
        result = getattr(kind, method)(self, *args, **named)
        if is_away:
            raise StoreAwayError("the server is away.")
        return result

    setattr(Away, method, call)
    return Away


@pytest.mark.parametrize("executed", [False, True], ids=["not executed", "answer lost"])
@pytest.mark.parametrize("method", ["claim", "mark", "settle", "close_issue", "counts"])
def test_away_store_delays_letters_and_doubles_none(method: str, *, executed: bool) -> None:
    store = temporary_store_of(away_at(method, range(1, 5), executed=executed))
    morning = DeliveryScenario(freeze_issue(5, store), patience=None)
    transport = MemoryTransport()
    assert morning.send(transport) == Counts(accepted=5)
    assert sorted(recipients(transport)) == [f"reader{n}@example.org" for n in range(1, 6)]


def test_outcome_is_kept_when_patience_ends() -> None:
    """The letter left; its outcome is recorded by the next run, which sends nothing."""
    store = temporary_store_of(away_at("settle", range(1, 200)))
    morning = DeliveryScenario(freeze_issue(1, store), patience=timedelta(minutes=1))
    transport, later = MemoryTransport(), MemoryTransport()
    with pytest.raises(StoreAwayError):
        morning.send(transport)
    store.count = 200  # type: ignore[attr-defined]
    assert morning.send(later) == Counts(accepted=1)
    assert (len(transport.letters), later.letters) == (1, [])


def test_another_process_records_what_was_kept(tmp_path: Path) -> None:
    journal = SendJournal(tmp_path / "journal", lambda email: (email[::-1],))
    url = new_sqlite_store(tmp_path)

    class Journaled(JournaledStore):
        def __init__(self, url: str) -> None:
            super().__init__(url, journal)

    first = away_at("settle", range(1, 200), Journaled)(url)
    morning = DeliveryScenario(freeze_issue(1, first), patience=timedelta(minutes=1))
    with pytest.raises(StoreAwayError):
        morning.send(MemoryTransport())
    first.close()
    (kept,) = journal.kept().values()
    assert [(one.claim.reader, marked) for one, marked in kept] == [(1, True)]
    second, transport = Journaled(url), MemoryTransport()
    morning.store = second
    assert morning.send(transport) == Counts(accepted=1)
    assert (transport.letters, journal.kept()) == ([], {})
    ((_, (letter,)),) = journal.last_letters()
    assert letter.state == "accepted"
    second.close()


def test_wait_is_said_once_and_grows(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    clock, failures = ManualClock(), iter(range(8))
    wait = StoreWait(clock)

    def work() -> str:
        if next(failures, None) is not None:
            raise StoreAwayError("the server is away.")
        return "done"

    started = clock.now()
    assert asyncio.run(wait.until_done(work)) == "done"
    waited = (clock.now() - started).total_seconds()
    assert waited == sum(PAUSES) + 3 * PAUSES[-1]
    assert [record.getMessage() for record in caplog.records] == [
        "the server is away. Waiting for it; nothing is sent until it is back.",
        f"the store is back after {waited:.0f} seconds; going on",
    ]


def test_stopping_ends_the_wait() -> None:
    wait = StoreWait(ManualClock())
    wait.stopping = True

    def work() -> None:
        raise StoreAwayError("the server is away.")

    with pytest.raises(StoreAwayError):
        asyncio.run(wait.until_done(work))


def test_kept_claim_without_a_mark_looks_like_no_restored_store(tmp_path: Path) -> None:
    """A claim that was only given back is no letter that the store has forgotten."""
    journal = SendJournal(tmp_path / "journal", lambda email: (email[::-1],))
    url = new_sqlite_store(tmp_path)
    first = JournaledStore(url, journal)
    freeze_issue(3, first)
    sent, *unsent = first.claim(DAY, limit=3, now=NOON, lease=60.0, token="first.1")
    first.mark([Letter(sent, build_envelope(sent))], now=NOON, lease=60.0)
    outcomes = [Settlement(sent, Accepted("250 taken"))]
    outcomes += [Settlement(one, NotSent("given back")) for one in unsent]
    first.keep(outcomes)
    first.close()
    second = JournaledStore(url, journal)
    claims = second.claim(DAY, limit=3, now=NOON, lease=60.0, token="second.1")
    assert [one.reader for one in claims] == [one.reader for one in unsent]
    assert second.counts(DAY).accepted == 1
    second.close()
