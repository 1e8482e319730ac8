"""Records: marks and settlements, written to the ledger in groups."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from newsletter.model import Letter, Settlement
from newsletter.ports import Clock, Ledger

ANSWERED = 600.0
"""Seconds in which the answer to a dot comes, or does not any more."""

MARK_LEASE = 720.0
"""Seconds a mark holds: longer than the answer to the dot may take."""

TURNS = 4
"""Turns of the event loop in which a group gathers.

So many it takes from a server's answer to the next letter's mark: the connections whose answers
are there already come into the same group.
"""


@dataclass
class _Group:
    """Marks and settlements that are recorded together."""

    letters: list[Letter] = field(default_factory=list)
    settlements: list[Settlement] = field(default_factory=list)


class Records:
    """Writes marks and settlements in groups.

    A group gathers for a few turns of the event loop and is written in the loop itself: a short
    transaction takes less time than waking a thread for it. A settlement does not wait for its
    group, a mark does: so a connection's last settlement and next mark go together, and a kill
    leaves it one letter in doubt at most.
    """

    def __init__(self, store: Ledger, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._gathering: _Group | None = None
        self._group_written: asyncio.Task[frozenset[str]] | None = None
        self._unwritten: dict[str, Settlement] = {}
        self._failure: BaseException | None = None

    async def mark(self, letter: Letter) -> bool:
        """Whether this letter may leave; recorded when it may.

        Raises:
            StoreError: it cannot be recorded, or what was said before could not.
        """
        if self._failure is not None:
            raise self._failure
        group, written = self._gather()
        group.letters.append(letter)
        return letter.claim.token in await asyncio.shield(written)

    def settle(self, settlement: Settlement) -> None:
        """Record it with the next group; once a group has failed, with the flush."""
        self._unwritten[settlement.claim.token] = settlement
        if self._failure is None:
            group, _ = self._gather()
            group.settlements.append(settlement)

    async def written(self) -> None:
        """Wait until what was said so far has been tried to record."""
        if self._group_written is not None:
            await asyncio.wait({self._group_written})

    async def flush(self) -> None:
        """At the end, wait until all is recorded; what a failed group left is tried once more.

        Raises:
            StoreError: it cannot be recorded.
        """
        await self.written()
        if self._unwritten:
            left = tuple(self._unwritten.values())
            self._store.settle(left, now=self._clock.now())
            self._unwritten.clear()

    def _gather(self) -> tuple[_Group, asyncio.Task[frozenset[str]]]:
        if self._gathering is None or self._group_written is None:
            self._gathering = _Group()
            self._group_written = asyncio.create_task(self._write(self._gathering))
            self._group_written.add_done_callback(self._hear)
        return self._gathering, self._group_written

    async def _write(self, group: _Group) -> frozenset[str]:
        """Write a group; the tokens of it that may be sent."""
        for _ in range(TURNS):
            await asyncio.sleep(0)  # noqa: TID251 - a turn, no time
        self._gathering = None
        granted = self._commit(group.settlements, group.letters)
        for settlement in group.settlements:
            del self._unwritten[settlement.claim.token]
        return granted

    def _hear(self, written: asyncio.Task[frozenset[str]]) -> None:
        """Note a failure: nothing is marked after it, what is settled waits for the flush."""
        if not written.cancelled():
            self._failure = self._failure or written.exception()

    def _commit(
        self, settlements: Sequence[Settlement], letters: Sequence[Letter]
    ) -> frozenset[str]:
        now = self._clock.now()
        if letters:
            return self._store.mark(letters, now=now, lease=MARK_LEASE, settled=settlements)
        self._store.settle(settlements, now=now)
        return frozenset()
