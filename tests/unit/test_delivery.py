"""Delivery: each letter is sent once, whatever stops a run."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import pytest

from newsletter.delivery import delivering
from newsletter.delivery.delivering import BATCH, DeliveryRun, next_try
from newsletter.delivery.store_wait import StoreWait
from newsletter.errors import RenderError, StoreError, TransportError
from newsletter.model import (
    Accepted,
    Claim,
    Counts,
    Deferred,
    Delivery,
    Edition,
    Envelope,
    Issue,
    Letter,
    NotSent,
    Outcome,
    PlannedEdition,
    ReaderHistory,
    Recipient,
    Refused,
    Section,
    Settlement,
    Unknown,
    Wave,
)
from newsletter.model.windows import CLAIM_LEASE, DRAIN
from newsletter.ports import Letters, Mark, Settle, Transport
from newsletter.stores.sql import SqlStore
from tests.support.clocks import SkippingClock
from tests.support.databases import temporary_store, temporary_store_of
from tests.support.factories import DAY, NOON, paper, subscriber
from tests.support.outgoing import BODY, MemoryTransport, one_by_one


def freeze_issue(count: int, store: SqlStore | None = None) -> SqlStore:
    """A store with an issue frozen for this many readers: reader1@example.org and so on."""
    store = store or temporary_store()
    readers = [
        store.save_reader(subscriber(f"reader{n}@example.org"), status="confirmed", now=NOON)
        for n in range(1, count + 1)
    ]
    issue = Issue(DAY, papers=(paper(),), topics=(), cutoff=1, frozen_at=NOON)
    section = Section("Other", cards=(0,), because=("every paper",))
    plans = [
        PlannedEdition(ReaderHistory(one), Edition(Recipient.of(one), (section,)))
        for one in readers
    ]
    store.freeze(Wave(0, issue, due=NOON, pieces=b""), plans)
    return store


def build_envelope(claim: Claim) -> Envelope:
    """The letter of a claim."""
    email = claim.edition.to.email
    return Envelope("papers@example.org", email, f"<{claim.reader}@example.org>", BODY)


@dataclass
class DeliveryScenario:
    """A day's issue, and runs that deliver it."""

    store: SqlStore
    clock: SkippingClock = field(default_factory=SkippingClock)
    address: Callable[[Claim], Envelope] = build_envelope
    progress: list[Counts] = field(default_factory=list)
    runs: int = 0
    patience: timedelta | None = timedelta()

    async def run(self, transport: Transport, readers: Collection[int] | None = None) -> Counts:
        """Start one run."""
        self.runs += 1
        return await DeliveryRun(
            self.store,
            transport,
            self.clock,
            DAY,
            self.address,
            run=f"run{self.runs}",
            readers=readers,
            progress=self.progress.append,
            wait=StoreWait(self.clock, self.patience),
        ).deliver()

    def send(self, transport: Transport, readers: Collection[int] | None = None) -> Counts:
        """Deliver in one run, to its end."""
        return asyncio.run(self.run(transport, readers))

    def states(self) -> Counter[str]:
        """The number of deliveries by state."""
        return Counter(delivery.state for delivery in self.store.deliveries(DAY))


def recipients(transport: MemoryTransport) -> list[str]:
    """The recipients of letters, in the order of sending."""
    return [letter.envelope.recipient for letter in transport.letters]


class StuckTransport(MemoryTransport):
    """Sends some letters, then sticks at the next until ``answered``, before or after its mark."""

    def __init__(self, after: int, *, marked: bool) -> None:
        super().__init__()
        self.after, self.marked = after, marked
        self.stuck, self.answered = asyncio.Event(), asyncio.Event()

    async def send(self, letters: Letters, mark: Mark, settle: Settle) -> None:
        async for letter in one_by_one(letters):
            if not self.marked:
                await self._stick()
            if not await mark(letter):
                continue
            outcome: Outcome = Unknown("no answer")
            try:
                if self.marked:
                    await self._stick()
                self.letters.append(letter)
                outcome = Accepted("250 kept")
            finally:
                settle(letter, outcome)

    async def _stick(self) -> None:
        if len(self.letters) == self.after:
            self.stuck.set()
            await self.answered.wait()


@pytest.mark.slow
def test_rerun_sends_nothing() -> None:
    morning, first, second = (
        DeliveryScenario(freeze_issue(2 * BATCH + 5)),
        MemoryTransport(),
        MemoryTransport(),
    )
    counts = morning.send(first)
    assert counts.accepted == counts.planned == len(set(recipients(first))) == 2 * BATCH + 5
    assert len(first.letters) == 2 * BATCH + 5
    assert morning.store.issue_state(DAY) == ("done", "")
    assert morning.send(second) == counts
    assert second.letters == []


def test_only_chosen_readers_get_letters() -> None:
    morning, transport = DeliveryScenario(freeze_issue(3)), MemoryTransport()
    (wanted,) = morning.store.readers(emails=["reader2@example.org"])
    counts = morning.send(transport, readers=[wanted.id])
    assert recipients(transport) == ["reader2@example.org"]
    assert counts == Counts(pending=2, accepted=1)


def test_letter_that_fails_to_render_fails_alone() -> None:
    def poisoned(claim: Claim) -> Envelope:
        if claim.edition.to.email == "reader2@example.org":
            raise RenderError("no such font")
        return build_envelope(claim)

    morning, transport = DeliveryScenario(freeze_issue(3), address=poisoned), MemoryTransport()
    assert morning.send(transport) == Counts(accepted=2, failed=1)
    assert recipients(transport) == ["reader1@example.org", "reader3@example.org"]
    assert morning.store.deliveries(DAY)[1].reply == "cannot be rendered: no such font"
    assert morning.store.issue_state(DAY) == ("done_with_errors", "")


def test_refused_reader_fails_alone() -> None:
    morning = DeliveryScenario(freeze_issue(3))
    transport = MemoryTransport({"reader2@example.org": Refused("550 no such user")})
    assert morning.send(transport) == Counts(accepted=2, failed=1)


def test_doubtful_letter_is_retried_once_then_held() -> None:
    morning = DeliveryScenario(freeze_issue(2))
    doubtful = MemoryTransport({"reader2@example.org": Unknown("no answer")})
    assert morning.send(doubtful) == Counts(accepted=1, held=1)
    again = MemoryTransport()
    assert morning.send(again) == Counts(accepted=1, held=1)
    assert again.letters == []


def test_deferred_letter_waits_until_due() -> None:
    morning = DeliveryScenario(freeze_issue(2))
    busy = MemoryTransport({"reader2@example.org": Deferred("450 greylisted")})
    assert morning.send(busy) == Counts(accepted=1, deferred=1)
    morning.clock.instant = NOON + timedelta(minutes=4, seconds=59)
    early = MemoryTransport()
    assert morning.send(early) == Counts(accepted=1, deferred=1)
    assert early.letters == []
    morning.clock.instant = NOON + timedelta(minutes=5)
    due = MemoryTransport()
    assert morning.send(due) == Counts(accepted=2)
    assert recipients(due) == ["reader2@example.org"]


@pytest.mark.parametrize(
    ("attempt", "minutes"), [(1, 5), (2, 10), (3, 20), (4, 40), (5, 60), (6, 60), (99, 60)]
)
def test_retry_waits_grow(attempt: int, minutes: int) -> None:
    assert next_try(attempt, NOON) == NOON + timedelta(minutes=minutes)


def test_cut_off_letter_is_retried_in_the_same_run() -> None:
    class CutsOnce(MemoryTransport):
        async def send(self, letters: Letters, mark: Mark, settle: Settle) -> None:
            if not self.letters:
                settle(await anext(one_by_one(letters)), NotSent("cut off"))
            await super().send(letters, mark, settle)

    morning, transport = DeliveryScenario(freeze_issue(3)), CutsOnce()
    assert morning.send(transport) == Counts(accepted=3)
    assert sorted(recipients(transport)) == [f"reader{n}@example.org" for n in (1, 2, 3)]


def test_repeatedly_cut_off_letter_has_to_wait() -> None:
    morning = DeliveryScenario(freeze_issue(2))
    transport = MemoryTransport({"reader1@example.org": NotSent("cut off")})
    assert morning.send(transport) == Counts(accepted=1, deferred=1)
    assert morning.store.deliveries(DAY)[0].reply == "cut off"


def test_lost_server_returns_everything_to_the_next_run() -> None:
    class Lost(MemoryTransport):
        async def send(self, letters: Letters, mark: Mark, settle: Settle) -> None:
            batch = await anext(letters)
            one = next(batch)
            await mark(one)
            settle(one, Accepted("250 ok"))
            settle(next(batch), NotSent("gone"))
            raise TransportError("mail.example.org:25: gone")

    morning = DeliveryScenario(freeze_issue(5))
    with pytest.raises(TransportError, match=r"mail\.example\.org"):
        morning.send(Lost())
    assert morning.states() == {"accepted": 1, "pending": 4}
    rest = MemoryTransport()
    assert morning.send(rest) == Counts(accepted=5)
    assert len(rest.letters) == 4


@pytest.mark.parametrize("marked", [True, False])
def test_stop_waits_for_marked_letters(
    marked: bool,  # noqa: FBT001 - the case
) -> None:
    morning = DeliveryScenario(freeze_issue(5))

    async def stopped() -> StuckTransport:
        transport = StuckTransport(after=2, marked=marked)
        running = asyncio.create_task(morning.run(transport))
        await transport.stuck.wait()
        morning.clock.sleep_waits_for = transport.answered
        running.cancel()
        await SkippingClock().sleep(0)
        transport.answered.set()
        with pytest.raises(asyncio.CancelledError):
            await running
        return transport

    first, second = asyncio.run(stopped()), MemoryTransport()
    gone = 3 if marked else 2
    assert morning.states() == {"accepted": gone, "pending": 5 - gone}
    assert morning.send(second) == Counts(accepted=5)
    everyone = sorted(recipients(first) + recipients(second))
    assert everyone == [f"reader{n}@example.org" for n in range(1, 6)]


def test_stop_without_answer_leaves_letter_in_doubt() -> None:
    morning = DeliveryScenario(freeze_issue(5))

    async def stopped() -> None:
        transport = StuckTransport(after=2, marked=True)
        running = asyncio.create_task(morning.run(transport))
        await transport.stuck.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(stopped())
    assert morning.clock.slept == [DRAIN]
    assert morning.states() == {"accepted": 2, "unknown": 1, "pending": 2}
    second = MemoryTransport()
    assert morning.send(second) == Counts(accepted=5)
    assert len(second.letters) == 3


def test_reader_leaving_before_the_mark_gets_nothing() -> None:
    morning = DeliveryScenario(freeze_issue(3))

    def leaving(claim: Claim) -> Envelope:
        morning.store.set_status("reader2@example.org", "unsubscribed", now=NOON)
        return build_envelope(claim)

    morning.address = leaving
    transport = MemoryTransport()
    assert morning.send(transport) == Counts(accepted=2, suppressed=1)
    assert recipients(transport) == ["reader1@example.org", "reader3@example.org"]


@pytest.mark.parametrize("is_answered", [False, True])
def test_resumed_letter_needs_a_new_mark(*, is_answered: bool) -> None:
    class Suspended(SqlStore):
        """The process is stopped for a quarter of an hour once its first mark is made.

        The connection may have its answer by then, and its turn may not have come.
        """

        def mark(
            self,
            letters: Sequence[Letter],
            *,
            now: datetime,
            lease: float,
            settled: Sequence[Settlement] = (),
        ) -> frozenset[str]:
            granted = super().mark(letters, now=now, lease=lease, settled=settled)
            if now == NOON:
                marked.extend(super().deliveries(DAY))
                if is_answered:
                    asyncio.get_running_loop().call_soon(resume)
                else:
                    resume()
            return granted

    def resume() -> None:
        morning.clock.instant += timedelta(minutes=15)

    marked: list[Delivery] = []
    morning, transport = (
        DeliveryScenario(freeze_issue(1, temporary_store_of(Suspended))),
        MemoryTransport(),
    )
    assert morning.send(transport) == Counts(accepted=1)
    assert [(one.state, one.attempts) for one in marked] == [("committing", 1)]
    (delivery,) = morning.store.deliveries(DAY)
    assert delivery.attempts == 2
    assert len(transport.letters) == 1


def test_long_waiting_claims_are_returned_and_reclaimed() -> None:
    morning = DeliveryScenario(freeze_issue(10))

    class Slow(MemoryTransport):
        async def send(self, letters: Letters, mark: Mark, settle: Settle) -> None:
            async def slowly() -> AsyncIterator[Iterator[Letter]]:
                async for letter in one_by_one(letters):
                    await morning.clock.sleep(20)
                    yield iter([letter])

            await super().send(slowly(), mark, settle)

    transport = Slow()
    assert morning.send(transport) == Counts(accepted=10)
    assert len(transport.letters) == 10


def test_waiting_letters_past_their_lease_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Renewed(SqlStore):
        """Records when the leases were last renewed."""

        at = NOON

        def renew_leases(self, day: date, run: str, *, now: datetime, lease: float) -> None:
            super().renew_leases(day, run, now=now, lease=lease)
            self.at = now

    monkeypatch.setattr(delivering, "RENEW_INTERVAL", 0.005)
    store, transport = temporary_store_of(Renewed), StuckTransport(0, marked=False)
    morning = DeliveryScenario(freeze_issue(3, store))

    async def scenario() -> Counts:
        sending = asyncio.create_task(morning.run(transport))
        await transport.stuck.wait()
        for _ in range(9):
            now = morning.clock.instant = morning.clock.now() + timedelta(seconds=CLAIM_LEASE / 3)
            while store.at < now:
                await asyncio.wait({sending}, timeout=0.005)
            assert morning.store.claim(DAY, limit=9, now=now, lease=60, token="thief.1") == ()
        transport.answered.set()
        return await sending

    assert asyncio.run(scenario()) == Counts(accepted=3)


def test_unrecorded_marks_let_nothing_leave() -> None:
    class ReadOnly(SqlStore):
        def mark(
            self,
            letters: Sequence[Letter],
            *,
            now: datetime,
            lease: float,
            settled: Sequence[Settlement] = (),
        ) -> frozenset[str]:
            raise StoreError(f"the disk is full: {letters} at {now} for {lease} s after {settled}")

    morning, transport = (
        DeliveryScenario(freeze_issue(3, temporary_store_of(ReadOnly))),
        MemoryTransport(),
    )
    with pytest.raises(StoreError, match="the disk is full"):
        morning.send(transport)
    assert transport.letters == []


def test_failed_settlement_is_retried_at_the_end() -> None:
    class Hiccup(SqlStore):
        failures = 1

        def settle(self, settlements: Sequence[Settlement], *, now: datetime) -> None:
            if self.failures:
                self.failures -= 1
                raise StoreError("the database is locked")
            super().settle(settlements, now=now)

    morning, transport = (
        DeliveryScenario(freeze_issue(1, temporary_store_of(Hiccup))),
        MemoryTransport(),
    )
    assert morning.send(transport) == Counts(accepted=1)


def test_marks_of_one_loop_turn_are_batched() -> None:
    class Counting(SqlStore):
        def __init__(self, url: str) -> None:
            super().__init__(url)
            self.groups: list[int] = []

        def mark(
            self,
            letters: Sequence[Letter],
            *,
            now: datetime,
            lease: float,
            settled: Sequence[Settlement] = (),
        ) -> frozenset[str]:
            self.groups.append(len(letters))
            return super().mark(letters, now=now, lease=lease, settled=settled)

    class AllAtOnce(MemoryTransport):
        async def send(self, letters: Letters, mark: Mark, settle: Settle) -> None:
            taken = [letter async for letter in one_by_one(letters)]
            assert all(await asyncio.gather(*(mark(letter) for letter in taken)))
            for letter in taken:
                settle(letter, Accepted("250 ok"))

    store = temporary_store_of(Counting)
    assert DeliveryScenario(freeze_issue(50, store)).send(AllAtOnce()) == Counts(accepted=50)
    assert store.groups == [50]


def test_reports_counts_at_start_and_end() -> None:
    morning = DeliveryScenario(freeze_issue(3))
    morning.send(MemoryTransport())
    assert morning.progress == [Counts(pending=3), Counts(accepted=3)]


class FailingStore(SqlStore):
    """A store that fails once, when it records settlements without marks."""

    has_failed = False

    def settle(self, settlements: Sequence[Settlement], *, now: datetime) -> None:
        if not self.has_failed:
            self.has_failed = True
            raise StoreError("the disk is full")
        super().settle(settlements, now=now)


def test_unrecorded_settlement_stops_further_letters() -> None:
    morning = DeliveryScenario(freeze_issue(3, temporary_store_of(FailingStore)))

    class Slow(MemoryTransport):
        async def send(self, letters: Letters, mark: Mark, settle: Settle) -> None:
            async for letter in one_by_one(letters):
                try:
                    await mark(letter)
                except StoreError:
                    settle(letter, NotSent("not marked"))
                    raise
                self.letters.append(letter)
                settle(letter, Accepted("250 kept"))
                for _ in range(20):  # the settlements are written before the next mark
                    await asyncio.sleep(0)  # noqa: TID251 - a turn, no time

    transport = Slow()
    with pytest.raises(StoreError, match="the disk is full"):
        morning.send(transport)
    assert recipients(transport) == ["reader1@example.org"]
    assert morning.states()["accepted"] == 1
    assert morning.send(MemoryTransport()) == Counts(accepted=3)
