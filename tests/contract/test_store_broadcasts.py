"""The ledger of a note to all readers, on each kind of database."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

from newsletter.errors import TransportError
from newsletter.model import (
    Broadcast,
    Counts,
    Deferred,
    Outcome,
    Publication,
    Refused,
    Unknown,
)
from newsletter.model.windows import RETRY_PERIOD
from newsletter.ports import Letters, Mark, Settle, Store
from newsletter.publisher.broadcasting import send_broadcast, send_due
from newsletter.publisher.publisher import Publisher
from newsletter.stores import open_store
from tests.support.clocks import ManualClock
from tests.support.factories import NOON, subscriber
from tests.support.outgoing import MemoryTransport
from tests.support.publishers import KnownRuns, publisher_over

ADA, BOB, CLEO = "ada@example.org", "bob@example.org", "cleo@example.org"
NOTE = Broadcast("key", "News", "<p>news</p>", "news", Publication("N", "N", "n@e.org"), "", NOON)


@pytest.fixture
def readers(store: Store) -> Mapping[str, int]:
    """Three confirmed readers, by address."""
    return {
        email: store.save_reader(subscriber(email), status="confirmed", now=NOON).id
        for email in (ADA, BOB, CLEO)
    }


def planned(store: Store, readers: Mapping[str, int]) -> int:
    return store.plan_broadcast(NOTE, list(readers.values()), now=NOON)


def send(
    store: Store,
    number: int,
    answers: Mapping[str, Outcome] | None = None,
    clock: ManualClock | None = None,
    run: KnownRuns | None = None,
) -> tuple[Counts, list[str]]:
    """Send what is open; whose emails left, and the counts afterwards."""
    transport = MemoryTransport(answers)
    publisher = publisher_over(store, clock=clock or ManualClock())
    lock = run or KnownRuns("one")
    counts = asyncio.run(send_broadcast(publisher, number, transport, run_lock=lock))
    return counts, [letter.envelope.recipient for letter in transport.letters]


def test_each_reader_gets_a_note_once(store: Store, readers: Mapping[str, int]) -> None:
    number = planned(store, readers)
    assert send(store, number) == (Counts(accepted=3), [ADA, BOB, CLEO])
    assert planned(store, readers) == number
    assert send(store, number) == (Counts(accepted=3), [])
    assert store.told_by_broadcast("key") == frozenset(readers.values())
    (report,) = store.broadcasts()
    assert (report.subject, report.counts) == ("News", Counts(accepted=3))
    assert store.broadcast(number) == NOTE
    assert store.issue_days() == ()


@pytest.mark.slow
def test_two_runs_at_a_time_send_each_email_once(url: str, store: Store) -> None:
    people = {
        email: store.save_reader(subscriber(email), status="confirmed", now=NOON).id
        for email in (f"reader{n}@example.org" for n in range(40))
    }
    number = planned(store, people)

    def run(name: str) -> list[str]:
        with closing(open_store(url)) as opened:
            return send(opened, number, run=KnownRuns(name))[1]

    with ThreadPoolExecutor() as pool:
        sent = [email for emails in pool.map(run, ("one", "two")) for email in emails]
    assert sorted(sent) == sorted(people)


def test_email_in_doubt_is_sent_once_more(store: Store, readers: Mapping[str, int]) -> None:
    number = planned(store, readers)
    counts, sent = send(store, number, {ADA: Unknown("cut off"), BOB: Unknown("cut off")})
    assert (counts, sorted(sent)) == (Counts(accepted=1, held=2), [ADA, ADA, BOB, BOB, CLEO])
    assert send(store, number) == (counts, [])


class Killed(MemoryTransport):
    """A process that ends right after the mark, when the first email has left."""

    async def send(self, letters: Letters, mark: Mark, settle: Settle) -> None:
        del settle
        letter = next(await anext(letters))
        await mark(letter)
        self.letters.append(letter)
        raise TransportError("killed")


def test_killed_run_is_taken_over_with_the_same_bytes(
    store: Store, readers: Mapping[str, int]
) -> None:
    number, killed = planned(store, readers), Killed()
    publisher = publisher_over(store)
    with pytest.raises(TransportError):
        asyncio.run(send_broadcast(publisher, number, killed, run_lock=KnownRuns("dead")))
    assert store.broadcast_ledger(number).counts(NOON.date()).committing == 1
    transport, alive = MemoryTransport(), KnownRuns("new", ended=frozenset({"dead"}))
    counts = asyncio.run(send_broadcast(publisher, number, transport, run_lock=alive))
    assert counts == Counts(accepted=3)
    (left,) = killed.letters
    (again,) = (one for one in transport.letters if one.claim.reader == left.claim.reader)
    assert left.envelope == again.envelope


def test_email_in_doubt_is_held_if_its_bytes_changed(
    store: Store, readers: Mapping[str, int]
) -> None:
    number, publisher = planned(store, readers), publisher_over(store)
    with pytest.raises(TransportError):
        asyncio.run(send_broadcast(publisher, number, Killed(), run_lock=KnownRuns("dead")))
    rotated = replace(publisher, keyring=replace(publisher.keyring, secrets=("another key",)))
    alive = KnownRuns("new", ended=frozenset({"dead"}))
    counts = asyncio.run(send_broadcast(rotated, number, MemoryTransport(), run_lock=alive))
    assert counts == Counts(accepted=2, held=1)


def test_deferred_emails_are_tried_again_and_expire(
    store: Store, readers: Mapping[str, int]
) -> None:
    number, clock, later = planned(store, readers), ManualClock(), {ADA: Deferred("451 later")}
    assert send(store, number, later, clock)[0] == Counts(accepted=2, deferred=1)
    publisher = publisher_over(store, clock=clock)
    assert due(publisher, "1") == {}
    clock.time += timedelta(hours=1)
    assert due(publisher, "2") == {number: Counts(accepted=3)}
    fresh = store.plan_broadcast(replace(NOTE, key="2"), [readers[ADA]], now=clock.time)
    send(store, fresh, later, clock)
    clock.time += RETRY_PERIOD
    assert due(publisher, "3") == {fresh: Counts(expired=1)}


def due(publisher: Publisher, turn: str) -> Mapping[int, Counts]:
    lock = KnownRuns("run")
    return asyncio.run(send_due(publisher, MemoryTransport(), run_lock=lock, turn=turn))


def test_reader_who_leaves_gets_no_note(store: Store, readers: Mapping[str, int]) -> None:
    number = planned(store, readers)
    ledger, day = store.broadcast_ledger(number), NOON.date()
    assert store.set_status(BOB, "unsubscribed", now=NOON)
    assert send(store, number) == (Counts(accepted=2, suppressed=1), [ADA, CLEO])
    assert ledger.counts(day).open == 0


def test_mailbox_gone_on_three_days_blocks_reader(store: Store, readers: Mapping[str, int]) -> None:
    gone, clock = {CLEO: Refused(f"550 5.1.1 {CLEO}: no such user")}, ManualClock()
    for day in ("Monday", "Tuesday", "Wednesday"):
        number = store.plan_broadcast(replace(NOTE, key=day), [*readers.values()], now=clock.time)
        for _ in range(2):  # the second run has nothing to do
            assert send(store, number, gone, clock)[0] == Counts(accepted=2, failed=1)
        clock.time += timedelta(days=1)
    assert [one.email for one in store.suppressions()] == [CLEO]
    store.erase(readers[CLEO], "erased", now=NOON)
    (row,) = (row for row in store.broadcast_deliveries(number) if row.state == "failed")
    assert row.reply == "550 5.1.1"
