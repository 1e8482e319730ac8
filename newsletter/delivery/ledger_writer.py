"""Write marks and settlements to the ledger in groups."""

import asyncio
from dataclasses import dataclass, field
from functools import partial

from newsletter.delivery.store_wait import StoreWait
from newsletter.errors import StoreAwayError, StoreError
from newsletter.model import Letter, Settlement
from newsletter.model.windows import MARK_LEASE
from newsletter.ports import Clock, Ledger

TURNS = 4
"""Turns of the event loop during which a group collects.

It takes that many from a server's answer to the next letter's mark, so connections whose answers
have already arrived get into the same group.
"""


@dataclass
class _Group:
    """Marks and settlements that are recorded together."""

    letters: list[Letter] = field(default_factory=list)
    settlements: list[Settlement] = field(default_factory=list)


class LedgerWriter:
    """Writes marks and settlements in groups.

    A group collects for a few turns of the event loop and is written in the loop itself: a short
    transaction takes less time than waking a thread for it. A mark waits until its group is
    written, a settlement does not. So a connection's last settlement and its next mark are written
    together, and a kill leaves at most one letter in doubt for each connection.

    While the store is away, a group is tried again until it is written, and the next one collects
    everything that comes meanwhile. What cannot be written in the end is kept (``Ledger.keep``).
    """

    def __init__(self, store: Ledger, clock: Clock, wait: StoreWait) -> None:
        self._store, self._clock, self._wait = store, clock, wait
        self._turn = asyncio.Lock()
        self._gathering: _Group | None = None
        self._group_written: asyncio.Task[frozenset[str]] | None = None
        self._unwritten: dict[str, Settlement] = {}
        self._failure: BaseException | None = None

    async def mark(self, letter: Letter) -> bool:
        """Record that a letter may leave; False if the ledger does not permit it.

        Raises:
            StoreError: this mark, or an earlier group, could not be written.
        """
        if self._failure is not None:
            raise self._failure
        group, written = self._gather()
        group.letters.append(letter)
        return letter.claim.token in await asyncio.shield(written)

    def settle(self, settlement: Settlement) -> None:
        """Record a settlement with the next group; after a failed group, with the flush."""
        self._unwritten[settlement.claim.token] = settlement
        if self._failure is None:
            group, _ = self._gather()
            group.settlements.append(settlement)

    async def written(self) -> None:
        """Wait until the groups so far are written, or have failed."""
        if self._group_written is not None:
            await asyncio.wait({self._group_written})

    async def flush(self) -> None:
        """Wait until everything is written; settlements of a failed group are tried once more.

        Raises:
            StoreError: they cannot be written; the store keeps them for its next claim.
        """
        await self.written()
        rest = tuple(self._unwritten.values())
        self._unwritten.clear()
        if rest:
            try:
                self._store.settle(rest, now=self._clock.now())
            except StoreError:
                self._store.keep(rest)
                raise

    def _gather(self) -> tuple[_Group, asyncio.Task[frozenset[str]]]:
        if self._gathering is None or self._group_written is None:
            self._gathering = _Group()
            self._group_written = asyncio.create_task(self._write(self._gathering))
            self._group_written.add_done_callback(self._note_failure)
        return self._gathering, self._group_written

    async def _write(self, group: _Group) -> frozenset[str]:
        """Write a group; returns the tokens of the letters that may be sent."""
        for _ in range(TURNS):
            await asyncio.sleep(0)  # noqa: TID251 - one turn of the loop; no time passes
        async with self._turn:
            self._gathering = None
            try:
                granted = self._write_now(group)
            except StoreAwayError as error:
                granted = await self._wait.until_back(error, partial(self._write_now, group))
        for settlement in group.settlements:
            del self._unwritten[settlement.claim.token]
        return granted

    def _write_now(self, group: _Group) -> frozenset[str]:
        now, settled = self._clock.now(), group.settlements
        if group.letters:
            return self._store.mark(group.letters, now=now, lease=MARK_LEASE, settled=settled)
        self._store.settle(settled, now=now)
        return frozenset()

    def _note_failure(self, written: asyncio.Task[frozenset[str]]) -> None:
        """After a failed group nothing is marked, and settlements wait for the flush."""
        if not written.cancelled():
            self._failure = self._failure or written.exception()
