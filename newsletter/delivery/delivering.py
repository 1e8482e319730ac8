"""Deliver a day's frozen issue until nothing of it is left to claim; send a single letter."""

import asyncio
import contextlib
import logging
from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Iterator
from contextlib import aclosing
from dataclasses import KW_ONLY, dataclass
from datetime import date, datetime, timedelta
from functools import partial

from newsletter.delivery.ledger_writer import LedgerWriter
from newsletter.delivery.refusals import is_servers, refuses_reader
from newsletter.delivery.store_wait import StoreWait
from newsletter.errors import Isolated, RenderError, StoreAwayError, StoreError, describe
from newsletter.model import (
    Accepted,
    Claim,
    Counts,
    Deferred,
    Edition,
    Envelope,
    Letter,
    NotSent,
    Outcome,
    Recipient,
    Refused,
    Settlement,
)
from newsletter.model.windows import CLAIM_LEASE, DRAIN, MAX_MARK_AGE, RENEW_INTERVAL, RETRY_WAITS
from newsletter.ports import Clock, Ledger, RunLock, Transport

_log = logging.getLogger(__name__)

BATCH = 200  # how many letters are claimed at once
MAX_CUTS = 3  # a letter whose connection breaks this often in one run waits like a deferred one

MAX_LIMITED = 100
"""A letter that meets the server's limits this often in one run waits, too: others go first."""

PROGRESS_SECONDS = 1.0  # seconds between two reports of progress

TOO_LATE = "stopped between its mark and its dot"  # see MAX_MARK_AGE


def next_try(attempt: int, now: datetime) -> datetime:
    """When a letter deferred on this attempt (from 1) is tried again."""
    return now + RETRY_WAITS[min(max(attempt, 1), len(RETRY_WAITS)) - 1]


def take_over(ledger: Ledger, day: date, run_lock: RunLock, now: datetime) -> None:
    """End the leases of runs that are gone, so that the next claim takes their letters over."""
    gone = run_lock.gone(ledger.claiming_runs(day))
    ledger.end_leases(day, gone, now=now)


@dataclass
class DeliveryRun:
    """One run over the open letters of a day's frozen issue.

    A letter that cannot be rendered fails, one whose building raises an unexpected exception is
    deferred; neither stops the others. The store's methods that letters wait for block the event
    loop: a short transaction takes less time than waking a thread.

    Attributes:
        build: builds the letter of a claim; it may raise RenderError.
        run: a word unique to this run, from which the tokens of its claims are made.
        readers: only these, by id; None for all.
        resend: whether letters in doubt are sent again, once; otherwise they are held.
        progress: called with the counts, about every ``PROGRESS_SECONDS`` and at the end.
        wait: how long to wait for a store that is away; None means not at all.
    """

    store: Ledger
    transport: Transport
    clock: Clock
    day: date
    build: Callable[[Claim], Envelope]
    _: KW_ONLY
    run: str
    readers: Collection[int] | None = None
    resend: bool = True
    progress: Callable[[Counts], None] = lambda _counts: None
    wait: StoreWait | None = None

    def __post_init__(self) -> None:
        self.store_wait = self.wait or StoreWait(self.clock, limit=timedelta())
        self.records = LedgerWriter(self.store, self.clock, self.store_wait)
        self.isolated = Isolated()  # one for all letters: this loop is hot
        self.stopping = self.refused = self.store_away = self.welcome = False
        self.batches = 0
        self.unanswered_claim = ""
        self.reported: datetime | None = None
        self.cuts: Counter[int] = Counter()
        self.limited: Counter[int] = Counter()

    async def deliver(self) -> Counts:
        """Send the letters, and close the issue if nothing of it is left open.

        When cancelled, it claims and marks no more, waits up to ``DRAIN`` seconds for the answers
        to marked letters, gives the rest back, and only then raises ``CancelledError``. Returns the
        day's counts, including what earlier runs did.

        Raises:
            TransportError: the server as a whole refuses us or is gone. Everything taken is
                settled.
            StoreError: the store cannot be read or written, or was away for longer than ``wait``.
                No letter left without its mark.
        """
        working = asyncio.ensure_future(self._work())
        try:
            await self._watch(working)
        except asyncio.CancelledError:
            await self._stop(working)
            raise
        finally:
            await self.records.flush()
        return await self.store_wait.until_done(self._finish)

    def _finish(self) -> Counts:
        self.store.close_issue(self.day)
        counts = self.store.counts(self.day)
        self.progress(counts)
        return counts

    async def _work(self) -> None:
        """Send until nothing can be claimed, including what a round of sending gave back."""
        while claims := await self._claim():
            self.welcome = False
            async with aclosing(self._letters(claims)) as letters:
                await self.transport.send(letters, self._mark, self._settle)

    async def _watch(self, working: asyncio.Future[None]) -> None:
        """Renew the leases until the work is done, however long a letter waits its turn."""
        while not (await asyncio.wait({working}, timeout=RENEW_INTERVAL))[0]:
            with contextlib.suppress(StoreError):  # the next mark meets the same error
                # In a thread: if another process is writing, no letter should wait for this.
                await asyncio.to_thread(
                    self.store.renew_leases,
                    self.day,
                    self.run,
                    now=self.clock.now(),
                    lease=CLAIM_LEASE,
                )
        working.result()

    async def _stop(self, working: asyncio.Future[None]) -> None:
        """Wait for the answers to marked letters; after ``DRAIN`` seconds they are in doubt."""
        self.stopping = self.store_wait.stopping = True
        timeout = asyncio.ensure_future(self.clock.sleep(DRAIN))
        await asyncio.wait({working, timeout}, return_when=asyncio.FIRST_COMPLETED)
        for task in (working, timeout):
            task.cancel()
        await asyncio.gather(working, timeout, return_exceptions=True)

    async def _claim(self) -> tuple[Claim, ...]:
        """The next batch, under a token of its own, once the settlements so far are recorded."""
        await self.records.written()
        if self.stopping:
            return ()
        return await self.store_wait.until_done(self._claim_now)

    def _claim_now(self) -> tuple[Claim, ...]:
        """Claim the next batch; give back what a claim took whose answer did not arrive."""
        self._report_progress()
        if self.unanswered_claim:
            self.store.end_leases(self.day, [self.unanswered_claim], now=self.clock.now())
        self.batches += 1
        self.unanswered_claim = f"{self.run}.{self.batches}"
        claims = self.store.claim(
            self.day,
            limit=BATCH,
            now=self.clock.now(),
            lease=CLAIM_LEASE,
            token=self.unanswered_claim,
            readers=self.readers,
            resend=self.resend,
        )
        self.unanswered_claim = ""
        return claims

    def _report_progress(self) -> None:
        now = self.clock.now()
        if self.reported is None or abs(now - self.reported) >= timedelta(seconds=PROGRESS_SECONDS):
            self.reported = now
            self.progress(self.store.counts(self.day))

    async def _letters(self, claims: Iterable[Claim]) -> AsyncGenerator[Iterator[Letter]]:
        """The letters of these claims and of all later ones, claim by claim."""
        waiting = deque(claims)
        try:
            while waiting:
                stale = self.clock.now() + timedelta(seconds=CLAIM_LEASE / 2)
                self.refused = False
                yield self._ready(waiting, stale)
                while self.store_away:  # the wave of the next claim has to be read first
                    await self.store_wait.until_done(partial(self.store.counts, self.day))
                    self.store_away = False
                    yield self._ready(waiting, stale)
                self._give_back(waiting)
                waiting.extend(await self._claim())
        finally:
            self._give_back(waiting)

    def _ready(self, waiting: deque[Claim], stale: datetime) -> Iterator[Letter]:
        """The letters of these claims, each built when it is asked for."""
        while waiting and self._may_go_on and self.clock.now() < stale:
            try:
                letter = self._letter(waiting[0])
            except StoreAwayError:
                self.store_away = True
                return
            waiting.popleft()
            if letter is not None:
                yield letter

    @property
    def _may_go_on(self) -> bool:
        """False once the run is stopping, or after a refused mark: the issue may be stopped."""
        return not (self.stopping or self.refused)

    def _give_back(self, claims: deque[Claim]) -> None:
        while claims:
            self._record(claims.popleft(), NotSent("given back before its turn"))

    def _letter(self, claim: Claim) -> Letter | None:
        """The letter of a claim; None if it cannot be built, which is recorded for it alone."""
        attempt = self.isolated
        with attempt:
            try:
                return Letter(claim, self.build(claim))
            except RenderError as error:
                self._record(claim, Refused(f"cannot be rendered: {error}"))
                return None
        to, why = claim.edition.to.email, describe(attempt.error)
        _log.error("%s: email to %s: %s", self.day, to, why, exc_info=attempt.error)
        self._record(claim, Deferred(f"not sent: {why}"))
        return None

    async def _mark(self, letter: Letter) -> bool:
        if self.stopping:
            self._record(letter.claim, NotSent("stopped before the final dot"))
            return False
        requested = self.clock.now()
        reason = await self.records.mark(letter)
        # Asked at the letter's own turn: between the ledger's answer and that, this machine may
        # have slept, and other connections had theirs.
        if not reason and self.clock.now() - requested > MAX_MARK_AGE:
            reason = TOO_LATE
        if reason:
            self.refused = True
            self._settle(letter, NotSent(reason))
        return not reason

    def _settle(self, letter: Letter, outcome: Outcome) -> None:
        self._record(letter.claim, self._soften(letter.claim, outcome))

    def _soften(self, claim: Claim, outcome: Outcome) -> Outcome:
        """The outcome, or a deferral where the outcome may not be this letter's own.

        A letter is deferred that broke the connection, or met the server's limits, again and
        again. So is one that was refused in a round in which the server accepted none, unless the
        refusal names the mailbox: the server may refuse everybody.
        """
        if isinstance(outcome, Accepted):
            self.welcome = True
            return outcome
        if isinstance(outcome, Refused) and not self.welcome:
            # Our own refusals, and those that name the mailbox, are about this letter alone.
            if is_servers(outcome.reply) and not refuses_reader(outcome.reply):
                return Deferred(outcome.reply)
            return outcome
        if not isinstance(outcome, NotSent) or self.stopping:
            return outcome
        counts, most = self.cuts, MAX_CUTS
        if outcome.limited:
            counts, most = self.limited, MAX_LIMITED
        counts[claim.reader] += 1
        return Deferred(outcome.reason) if counts[claim.reader] >= most else outcome

    def _record(self, claim: Claim, outcome: Outcome) -> None:
        again = None
        if isinstance(outcome, Deferred):
            again = outcome.until or next_try(claim.attempt, self.clock.now())
        self.records.settle(Settlement(claim, outcome, again))


async def send_single(transport: Transport, envelope: Envelope) -> Outcome:
    """Send one letter that belongs to no issue and is in no ledger; returns what became of it.

    A letter that meets the server's limits is sent again, as the transport keeps to them.

    Raises:
        TransportError: the server as a whole refuses us or is gone.
    """
    edition = Edition(Recipient(0, envelope.recipient), sections=())
    letter = Letter(Claim(0, 0, "note", edition, attempt=1), envelope)
    outcomes: list[Outcome] = []
    for _ in range(MAX_LIMITED):
        await send_unrecorded(
            transport, [letter], lambda _letter, outcome: outcomes.append(outcome)
        )
        if not (outcomes and isinstance(outcomes[-1], NotSent) and outcomes[-1].limited):
            break
    return outcomes[-1] if outcomes else NotSent("the transport did not settle it")


async def send_unrecorded(
    transport: Transport, letters: Iterable[Letter], settled: Callable[[Letter, Outcome], None]
) -> None:
    """Send letters that are in no ledger; ``settled`` is called with what became of each.

    Raises:
        TransportError: the server as a whole refuses us or is gone.
    """

    async def stream() -> AsyncGenerator[Iterator[Letter]]:
        yield iter(letters)

    async def mark(_letter: Letter) -> bool:
        return True

    await transport.send(stream(), mark, settled)
