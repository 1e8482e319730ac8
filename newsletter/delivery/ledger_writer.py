"""Write marks and settlements to the ledger in groups."""

import asyncio
from dataclasses import dataclass, field
from functools import partial

from newsletter.delivery.store_wait import StoreWait
from newsletter.errors import Isolated, NewsletterError, StoreAwayError, StoreError
from newsletter.model import Letter, Settlement
from newsletter.model.windows import MARK_LEASE
from newsletter.ports import Clock, Ledger

NOT_GRANTED = "not to be sent any more"
"""The claim is void. If it was lost, so is its settlement; if the reader left, the next claim
suppresses the letter."""


@dataclass(slots=True)
class _Group:
    """Marks and settlements that are recorded together."""

    letters: list[Letter] = field(default_factory=list)
    answers: list[asyncio.Future[str]] = field(default_factory=list)
    settlements: list[Settlement] = field(default_factory=list)


class LedgerWriter:
    """Writes marks and settlements in groups.

    A group collects for two turns of the event loop: in them every connection whose answer is
    there comes to its next mark. It is written by the loop itself, as a short transaction takes
    less time than waking a thread for it. A mark waits until its group is written, a settlement
    does not. So a connection's last settlement and its next mark are written together, and a kill
    leaves at most one letter in doubt for each connection.

    While the store is away, a group is tried again until it is written, and the next one collects
    everything that comes meanwhile. What cannot be written in the end is kept (``Ledger.keep``).
    """

    def __init__(self, store: Ledger, clock: Clock, wait: StoreWait) -> None:
        self._store, self._clock, self._wait = store, clock, wait
        self._group: _Group | None = None
        self._waiting: asyncio.Task[frozenset[str]] | None = None  # for a store that is away
        self._unwritten: list[Settlement] = []
        self._failure: BaseException | None = None

    def mark(self, letter: Letter) -> asyncio.Future[str]:
        """Record that a letter may leave: why it may not, or an empty text if it may.

        Raises:
            StoreError: an earlier group could not be written; from the future, if this one cannot.
        """
        if self._failure is not None:
            raise self._failure
        group = self._group or self._open_group()
        group.letters.append(letter)
        answer = asyncio.get_running_loop().create_future()
        group.answers.append(answer)
        return answer

    def settle(self, settlement: Settlement) -> None:
        """Record a settlement with the next group; after a failed group, with the flush."""
        if self._failure is not None:
            self._unwritten.append(settlement)
        else:
            (self._group or self._open_group()).settlements.append(settlement)

    async def written(self) -> None:
        """Write what has been collected; returns when that is done, or has failed."""
        self._write()
        while self._waiting is not None:
            await asyncio.wait({self._waiting})

    async def flush(self) -> None:
        """Write everything; settlements of a failed group are tried once more.

        Raises:
            StoreError: they cannot be written; the store keeps them for its next claim.
        """
        await self.written()
        rest, self._unwritten = self._unwritten, []
        if rest:
            try:
                self._store.settle(rest, now=self._clock.now())
            except StoreError:
                self._store.keep(rest)
                raise

    def _open_group(self) -> _Group:
        self._group = _Group()
        loop = asyncio.get_running_loop()
        loop.call_soon(loop.call_soon, self._write)
        return self._group

    def _write(self) -> None:
        """Write the group; if the store is away, go on waiting for it in a task."""
        if self._group is None or self._waiting is not None:
            return
        group, self._group = self._group, None
        if self._failure is not None:
            self._fail(group, self._failure)
            return
        attempt = Isolated()
        try:
            with attempt:
                self._answer(group, self._write_now(group))
        except StoreAwayError as error:
            again = self._wait.until_back(error, partial(self._write_now, group))
            self._waiting = asyncio.ensure_future(again)
            self._waiting.add_done_callback(partial(self._end_waiting, group, error))
        except NewsletterError as error:
            self._fail(group, error)
        else:
            if attempt.error is not None:
                self._fail(group, attempt.error)

    def _write_now(self, group: _Group) -> frozenset[str]:
        now, settled = self._clock.now(), group.settlements
        if group.letters:
            return self._store.mark(group.letters, now=now, lease=MARK_LEASE, settled=settled)
        self._store.settle(settled, now=now)
        return frozenset()

    def _end_waiting(
        self, group: _Group, error: BaseException | None, waiting: asyncio.Task[frozenset[str]]
    ) -> None:
        self._waiting = None
        if not waiting.cancelled():
            error = waiting.exception()
        if error is None:
            self._answer(group, waiting.result())
        else:
            self._fail(group, error)
        self._write()

    def _answer(self, group: _Group, granted: frozenset[str]) -> None:
        """Answer the marks of a group that is written."""
        for letter, answer in zip(group.letters, group.answers, strict=True):
            if not answer.done():  # otherwise its connection was given up meanwhile
                answer.set_result("" if letter.claim.token in granted else NOT_GRANTED)

    def _fail(self, group: _Group, error: BaseException) -> None:
        """After a failed group nothing is marked, and settlements wait for the flush."""
        self._failure = self._failure or error
        self._unwritten += group.settlements
        for answer in group.answers:
            if not answer.done():
                answer.set_exception(error)
