"""Deliver: a day's frozen issue, until nothing of it is left to claim."""

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable, Collection, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from newsletter.delivery.ledger_writer import ANSWERED, MARK_LEASE, Records
from newsletter.delivery.refusals import is_servers, refuses_reader
from newsletter.errors import RenderError, StoreError
from newsletter.model import (
    Accepted,
    Claim,
    Counts,
    Deferred,
    Envelope,
    Letter,
    NotSent,
    Outcome,
    Refused,
    Settlement,
)
from newsletter.ports import Clock, Ledger, Transport

BATCH = 200
"""How many letters are claimed at once."""

CLAIM_LEASE = 60.0
"""Seconds a claim holds. One that waited half of this is given back and claimed anew."""

RENEW = CLAIM_LEASE / 3
"""Seconds between two renewals of the leases of what is in hand."""

DRAIN = 30.0
"""Seconds for marked letters to get their answers when a run is stopped."""

FRESH = timedelta(seconds=MARK_LEASE - ANSWERED)
"""A mark older than this is not acted on: the answer to its dot could come after its lease."""

CUTS = 3
"""How often in one run a letter may be cut off before it has to wait like a deferred one."""

TELL = 1.0
"""Seconds between two reports of progress."""

_WAITS = (5, 10, 20, 40, 60)
"""Minutes to wait after the first, second … deferral; the last repeats."""


def next_try(attempt: int, now: datetime) -> datetime:
    """When a letter deferred on this attempt (from 1) is to be tried again."""
    place = min(max(attempt, 1), len(_WAITS))
    return now + timedelta(minutes=_WAITS[place - 1])


async def deliver(  # noqa: PLR0913 - who, through which door, when, what: none has a default
    store: Ledger,
    transport: Transport,
    clock: Clock,
    day: date,
    address: Callable[[Claim], Envelope],
    *,
    run: str,
    readers: Collection[int] | None = None,
    resend: bool = True,
    progress: Callable[[Counts], None] = lambda _counts: None,
) -> Counts:
    """Send what is open of a day's frozen issue, and close it if nothing is left open.

    A letter that cannot be set fails alone. Cancelled, it claims and marks no more, waits up to
    ``DRAIN`` seconds for the answers to what is marked, gives the rest back, and is cancelled
    then.

    Args:
        store: where the issue is frozen; what letters wait for is asked of it in the event loop.
        transport: the door the letters leave by.
        clock: for leases, and for when a deferred letter is due.
        day: whose issue.
        address: makes the letter of a claim; it may raise RenderError.
        run: a word unique to this run, from which the tokens of its claims are made.
        readers: only these, by id; all where it is None.
        resend: whether what is in doubt is sent again, once; else it is held.
        progress: told the counts, about once in ``TELL`` seconds and at the end.

    Returns:
        The day's counts, also of what earlier runs did.

    Raises:
        TransportError: the server as a whole refuses us or is gone. Everything taken is settled.
        StoreError: the store cannot be read or written. No letter left without its mark.
    """
    delivery = _Run(store, clock, day, address, run, readers, progress, resend)
    working = asyncio.ensure_future(delivery.work(transport))
    try:
        await delivery.watch(working)
    except asyncio.CancelledError:
        await delivery.stop(working)
        raise
    finally:
        await delivery.records.flush()
    store.close_issue(day)
    counts = store.counts(day)
    progress(counts)
    return counts


def _is_clear(reply: str) -> bool:
    """Whether a refusal is for this letter alone: our own word, or one that names the mailbox."""
    return not is_servers(reply) or refuses_reader(reply)


@dataclass
class _Run:
    """One run over an issue: its claims, and what it has seen of its letters."""

    store: Ledger
    clock: Clock
    day: date
    address: Callable[[Claim], Envelope]
    run: str
    readers: Collection[int] | None
    progress: Callable[[Counts], None]
    resend: bool
    stopping: bool = False
    refused: bool = False
    welcome: bool = False
    batches: int = 0
    told: datetime | None = None
    cuts: Counter[int] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.records = Records(self.store, self.clock)

    async def work(self, transport: Transport) -> None:
        """Send until nothing can be claimed: also what a round of sending had to give back."""
        while claims := await self._claim():
            self.welcome = False
            async with aclosing(self._letters(claims)) as letters:
                await transport.send(letters, self._mark, self._settle)

    async def watch(self, working: asyncio.Future[None]) -> None:
        """Keep the leases alive until the work is done, however long a letter waits its turn."""
        while not (await asyncio.wait({working}, timeout=RENEW))[0]:
            with contextlib.suppress(StoreError):  # the next mark will meet it, and tell
                # In a thread: where another is writing, no letter is to wait for this.
                await asyncio.to_thread(
                    self.store.renew_leases,
                    self.day,
                    self.run,
                    now=self.clock.now(),
                    lease=CLAIM_LEASE,
                )
        working.result()

    async def stop(self, working: asyncio.Future[None]) -> None:
        """Let the marked letters get their answers; after ``DRAIN`` seconds they are in doubt."""
        self.stopping = True
        patience = asyncio.ensure_future(self.clock.sleep(DRAIN))
        await asyncio.wait({working, patience}, return_when=asyncio.FIRST_COMPLETED)
        for task in (working, patience):
            task.cancel()
        await asyncio.gather(working, patience, return_exceptions=True)

    async def _claim(self) -> tuple[Claim, ...]:
        """The next batch, under a token of its own, once the settlements so far are recorded."""
        await self.records.written()
        self._tell()
        if self.stopping:
            return ()
        self.batches += 1
        return self.store.claim(
            self.day,
            limit=BATCH,
            now=self.clock.now(),
            lease=CLAIM_LEASE,
            token=f"{self.run}.{self.batches}",
            readers=self.readers,
            resend=self.resend,
        )

    def _tell(self) -> None:
        now = self.clock.now()
        if self.told is None or abs(now - self.told) >= timedelta(seconds=TELL):
            self.told = now
            self.progress(self.store.counts(self.day))

    async def _letters(self, claims: Iterable[Claim]) -> AsyncGenerator[Letter]:
        """The letters of these claims and of all later ones, each set when it is asked for."""
        waiting = deque(claims)
        try:
            while waiting:
                stale = self.clock.now() + timedelta(seconds=CLAIM_LEASE / 2)
                self.refused = False
                while waiting and self._may_go_on and self.clock.now() < stale:
                    if (letter := self._set(waiting.popleft())) is not None:
                        yield letter
                self._give_back(waiting)
                waiting.extend(await self._claim())
        finally:
            self._give_back(waiting)

    @property
    def _may_go_on(self) -> bool:
        """Not where we are stopped, nor where a refused mark may mean that the issue is."""
        return not (self.stopping or self.refused)

    def _give_back(self, claims: deque[Claim]) -> None:
        while claims:
            self._record(claims.popleft(), NotSent("given back before its turn"))

    def _set(self, claim: Claim) -> Letter | None:
        """The letter of a claim; one that cannot be set fails, and only that one."""
        try:
            return Letter(claim, self.address(claim))
        except RenderError as error:
            self._record(claim, Refused(f"cannot be set: {error}"))
            return None

    async def _mark(self, letter: Letter) -> bool:
        if self.stopping:
            self._record(letter.claim, NotSent("stopped before the final dot"))
            return False
        asked = self.clock.now()
        granted = await self.records.mark(letter)
        if granted and self.clock.now() - asked > FRESH:
            await self._settle(letter, NotSent("stopped between its mark and its dot"))
            return False
        if not granted:
            self.refused = True
            # Void where the claim was lost; where the reader left, the next claim suppresses it.
            await self._settle(letter, NotSent("not to be sent any more"))
        return granted

    async def _settle(self, letter: Letter, outcome: Outcome) -> None:
        self._record(letter.claim, self._patience(letter.claim, outcome))

    def _patience(self, claim: Claim, outcome: Outcome) -> Outcome:
        """The outcome, but that a letter waits which broke the connection again and again.

        So does one the server refused in a round in which it took none, if not for the reader's
        mailbox: it may refuse everybody.
        """
        self.welcome = self.welcome or isinstance(outcome, Accepted)
        if isinstance(outcome, Refused) and not (self.welcome or _is_clear(outcome.reply)):
            return Deferred(outcome.reply)
        if not isinstance(outcome, NotSent) or self.stopping:
            return outcome
        self.cuts[claim.reader] += 1
        return Deferred(outcome.reason) if self.cuts[claim.reader] >= CUTS else outcome

    def _record(self, claim: Claim, outcome: Outcome) -> None:
        deferred = isinstance(outcome, Deferred)
        again = next_try(claim.attempt, self.clock.now()) if deferred else None
        self.records.settle(Settlement(claim, outcome, again))
