"""Limits: connections to the server, letters at once to a domain, letters a second."""

import asyncio
from collections import Counter
from datetime import datetime, timedelta

from newsletter.model import Accepted, Deferred, Letter, NotSent, Outcome
from newsletter.ports import Clock

GROWTH = 50  # after so many accepted letters one more connection is allowed
SLOWED = 5  # letters at once to a domain after its first 4xx; each further 4xx halves the number


class ConnectionLimit:
    """How many connections may be open: half as many under strain, one more as letters pass.

    Additive increase, multiplicative decrease, as in RFC 5681.
    """

    def __init__(self, maximum: int) -> None:
        self._maximum = self._limit = maximum
        self._accepted = self._open = 0
        self._changed = asyncio.Event()
        self._closed = False

    @property
    def exceeded(self) -> bool:
        """Whether there are more connections than allowed, so that one has to close."""
        return self._open > self._limit

    async def acquire(self) -> bool:
        """Wait until one more connection is allowed; False if no more are needed."""
        while not self._closed and self._open >= self._limit:
            self._changed.clear()
            await self._changed.wait()
        self._open += not self._closed
        return not self._closed

    def release(self) -> None:
        """Count a connection that ended."""
        self._open -= 1
        self._changed.set()

    def close(self) -> None:
        """Need no more connections: there are no more letters."""
        self._closed = True
        self._changed.set()

    def reopen(self) -> None:
        """Need connections again: a letter came back."""
        self._closed = False
        self._changed.set()

    def record(self, outcome: Outcome) -> None:
        """Raise the limit for accepted letters, halve it for one that was cut off."""
        if isinstance(outcome, Accepted):
            self._accepted += 1
            if self._accepted % GROWTH == 0:
                self._limit = min(self._maximum, self._limit + 1)
                self._changed.set()
        elif isinstance(outcome, NotSent):
            self.halve()

    def halve(self) -> None:
        """Allow half of the open connections, at least one."""
        self._limit = max(1, min(self._limit, self._open) // 2)


class DomainLimit:
    """How many letters may be under way to a domain; unlimited until its first 4xx."""

    def __init__(self) -> None:
        self._limits: dict[str, int] = {}
        self._under_way: Counter[str] = Counter()

    def allows(self, letter: Letter) -> bool:
        """Whether one more letter may go to this letter's domain now."""
        domain = _domain(letter)
        return self._under_way[domain] < self._limits.get(domain, self._under_way[domain] + 1)

    def acquire(self, letter: Letter) -> None:
        """Count a letter as under way."""
        self._under_way[_domain(letter)] += 1

    def release(self, letter: Letter, outcome: Outcome | None) -> None:
        """Count a letter as under way no more; a deferral (4xx) limits its domain."""
        domain = _domain(letter)
        self._under_way[domain] -= 1
        if isinstance(outcome, Deferred) and outcome.reply.startswith("4"):
            slowed = self._limits.get(domain, 2 * SLOWED) // 2
            self._limits[domain] = max(1, slowed)


def _domain(letter: Letter) -> str:
    return letter.envelope.recipient.rpartition("@")[2].lower()


class RateLimit:
    """Spaces letters evenly, at most ``rate`` a second over all connections; None: no limit."""

    def __init__(self, rate: float | None, clock: Clock) -> None:
        self._gap = timedelta(seconds=1 / rate) if rate else timedelta()
        self._clock = clock
        self._last: datetime | None = None

    async def wait(self) -> None:
        """Wait until the next letter may leave."""
        now = self._clock.now()
        # Never longer than one gap, even if the clock was set back meanwhile.
        due = min((self._last or now - self._gap) + self._gap, now + self._gap)
        if due > now:
            await self._clock.sleep((due - now).total_seconds())
        self._last = max(due, now)
