"""Limits: connections to the server, letters at once to a domain, letters a second."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

from newsletter.model import Accepted, Letter, NotSent, Outcome
from newsletter.ports import Clock

GROWTH = 50
"""After so many accepted letters one more connection is tried than the server last allowed; twice
as many after each time that it was too many."""

SLOWED = 5  # letters at once to a domain after its first 4xx; each further 4xx halves the number


class ConnectionLimit:
    """How many connections may be open.

    It begins with one; once that is open a second is allowed, and one more for each accepted letter
    (slow start, RFC 5681). After the first sign of strain only every ``GROWTH`` accepted letters
    allow one more than the server last took. Connections that work are never closed because others
    are refused. ``known`` is how many the server took before.
    """

    def __init__(self, maximum: int, known: int | None = None) -> None:
        self._maximum = maximum
        self._limit = 1
        self._ceiling = min(maximum, known or maximum)  # quick growth ends here
        self._open = self._working = 0
        self._accepted, self._growth = 0, GROWTH
        self._changed = asyncio.Event()
        self._closed = False

    @property
    def working(self) -> int:
        """How many connections are open and let in."""
        return self._working

    @property
    def room(self) -> int:
        """How many more connections are allowed now."""
        return max(0, self._limit - self._open)

    @property
    def crowded(self) -> bool:
        """Whether more connections are open or being opened than are allowed."""
        return self._open > self._limit

    async def acquire(self) -> bool:
        """Wait until one more connection is allowed; False if no more are needed."""
        while not (self._closed or self.room):
            self._changed.clear()
            await self._changed.wait()
        self._open += not self._closed
        return not self._closed

    def opened(self) -> None:
        """Count a connection that the server has let in."""
        self._working += 1
        self._raise_to(min(2, self._ceiling))

    def retire(self) -> bool:
        """Whether one of those let in is too many and has to close; then it counts no more."""
        too_many = self._working > self._limit
        self._working -= too_many
        return too_many

    def release(self, *, worked: bool) -> None:
        """Count a connection that ended; ``worked`` if it had been let in."""
        self._open -= 1
        self._working -= worked
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
        """Raise the limit for accepted letters, lower it for one that was cut off."""
        if isinstance(outcome, Accepted):
            self._accepted += 1
            if self._limit < self._ceiling:
                self._raise_to(self._limit + 1)
            elif self._limit < self._maximum and self._accepted >= self._growth:
                self._accepted, self._ceiling = 0, self._ceiling + 1
                self._raise_to(self._ceiling)
        elif isinstance(outcome, NotSent) and not outcome.limited:
            self.lower(self._working - 1)

    def lower(self, limit: int, *, final: bool = False) -> int:
        """Allow no more than so many, at least one; ``final``: in this run not one more.

        Returns how many are allowed.
        """
        self._limit = self._ceiling = max(1, min(self._limit, limit))
        self._accepted, self._growth = 0, 2 * self._growth
        if final:
            self._maximum = self._limit
        return self._limit

    def restart(self) -> None:
        """Begin again with one connection: the server takes none now."""
        self._limit = 1

    def _raise_to(self, limit: int) -> None:
        if limit > self._limit:
            self._limit = limit
            self._changed.set()


class DomainLimit:
    """How many letters may be under way to a domain; unlimited until its first 4xx.

    Until then its letters are not counted.
    """

    def __init__(self) -> None:
        self._limits: dict[str, int] = {}
        self._under_way: Counter[str] = Counter()

    def allows(self, letter: Letter) -> bool:
        """Whether one more letter may go to this letter's domain now."""
        domain = self._limited(letter)
        return domain is None or self._under_way[domain] < self._limits[domain]

    def acquire(self, letter: Letter) -> None:
        """Count a letter as under way."""
        if (domain := self._limited(letter)) is not None:
            self._under_way[domain] += 1

    def release(self, letter: Letter) -> None:
        """Count a letter as under way no more."""
        if (domain := self._limited(letter)) is not None:
            self._under_way[domain] -= 1

    def slow(self, letter: Letter, under_way: Iterable[Letter]) -> None:
        """Limit the domain of a letter that was deferred (4xx), while others are under way."""
        domain = _domain(letter)
        if domain not in self._limits:
            self._under_way[domain] = sum(_domain(one) == domain for one in under_way)
        slowed = self._limits.get(domain, 2 * SLOWED) // 2
        self._limits[domain] = max(1, slowed)

    def _limited(self, letter: Letter) -> str | None:
        """The domain of a letter, if it is limited."""
        domain = _domain(letter) if self._limits else ""
        return domain if domain in self._limits else None


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
        if not self._gap:
            return
        now = self._clock.now()
        # Never longer than one gap, even if the clock was set back meanwhile.
        due = min((self._last or now - self._gap) + self._gap, now + self._gap)
        if due > now:
            await self._clock.sleep((due - now).total_seconds())
        self._last = max(due, now)
