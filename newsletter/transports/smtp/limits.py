"""How many at once: over all connections, and to any one domain."""

import asyncio
from collections import Counter

from newsletter.model import Accepted, Deferred, Letter, NotSent, Outcome

GROWTH = 50
"""Letters accepted until one connection more is tried."""

SLOWED = 5
"""Letters at once to a domain that asked for patience; half as many after each further time."""


class ConnectionLimit:
    """The connections: fewer by half when the server is strained, one more as letters are taken.

    Additive increase, multiplicative decrease, as in RFC 5681.
    """

    def __init__(self, most: int) -> None:
        self._most = self._limit = most
        self._taken = self._inside = 0
        self._changed = asyncio.Event()
        self._closed = False

    @property
    def crowded(self) -> bool:
        """Whether somebody should leave."""
        return self._inside > self._limit

    async def enter(self) -> bool:
        """Wait until there is room for one more; False when there will be none."""
        while not self._closed and self._inside >= self._limit:
            self._changed.clear()
            await self._changed.wait()
        self._inside += not self._closed
        return not self._closed

    def leave(self) -> None:
        """One connection less."""
        self._inside -= 1
        self._changed.set()

    def close(self) -> None:
        """Nobody needs to enter any more."""
        self._closed = True
        self._changed.set()

    def reopen(self) -> None:
        """Somebody needs to enter after all."""
        self._closed = False
        self._changed.set()

    def note(self, outcome: Outcome) -> None:
        """Grow by what the server takes, shrink where it breaks off."""
        if isinstance(outcome, Accepted):
            self._taken += 1
            if self._taken % GROWTH == 0:
                self._limit = min(self._most, self._limit + 1)
                self._changed.set()
        elif isinstance(outcome, NotSent):
            self.strained()

    def strained(self) -> None:
        """The server has enough: half of those inside are to leave."""
        self._limit = max(1, min(self._limit, self._inside) // 2)


class DomainLimit:
    """How many letters are under way to each domain; without a limit until it asks for patience."""

    def __init__(self) -> None:
        self._limits: dict[str, int] = {}
        self._under_way: Counter[str] = Counter()

    def admits(self, letter: Letter) -> bool:
        """Whether one more may go to this letter's domain now."""
        domain = _domain(letter)
        return self._under_way[domain] < self._limits.get(domain, self._under_way[domain] + 1)

    def enter(self, letter: Letter) -> None:
        """Count a letter that goes."""
        self._under_way[_domain(letter)] += 1

    def leave(self, letter: Letter, outcome: Outcome | None) -> None:
        """Count a letter that went; a deferral (4xx) limits its domain."""
        domain = _domain(letter)
        self._under_way[domain] -= 1
        if isinstance(outcome, Deferred) and outcome.reply.startswith("4"):
            slowed = self._limits.get(domain, 2 * SLOWED) // 2
            self._limits[domain] = max(1, slowed)


def _domain(letter: Letter) -> str:
    return letter.envelope.recipient.rpartition("@")[2].lower()
