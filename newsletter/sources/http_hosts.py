"""Asks hosts politely: one request at a time, growing waits, and none before they allow it."""

import asyncio
import itertools
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TypeVar
from weakref import WeakKeyDictionary

from newsletter.errors import SourceError
from newsletter.ports import Clock

AT_ONCE = 24
"""Requests at once, over all hosts."""

WAITS = (1.0, 3.0, 9.0, 20.0)
"""Seconds to wait after the first, second, … failure in a row, give or take a fifth."""

MEMORY = timedelta(minutes=1)
"""For this long after a host used up its tries, each request to it has one try."""

LONGEST_REST = timedelta(days=1)
"""The longest wait that is accepted from Retry-After."""

Result = TypeVar("Result")


class BusyError(SourceError):
    """A request failed for now; the same may work in a moment.

    Attributes:
        rest: how long the server asks to be left alone; zero if it does not say.
    """

    def __init__(self, words: str, rest: timedelta = timedelta()) -> None:
        self.rest = rest
        super().__init__(words)


def retry_after(headers: Mapping[str, str], now: datetime) -> timedelta:
    """How long a server asks to be left alone, in either form (RFC 9110, 10.2.3); else zero.

    A date is compared with the server's own (``Date``), because its clock may differ from ours.
    """
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdecimal():
        return timedelta(seconds=min(float(text), LONGEST_REST.total_seconds()))
    until = _http_date(text)
    if until is None:
        return timedelta()
    rest = until - (_http_date(headers.get("date", "")) or now)
    return min(max(rest, timedelta()), LONGEST_REST)


def _http_date(text: str) -> datetime | None:
    try:
        parsed = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


@dataclass(slots=True)
class _Memory:
    """When a host's tries were last used up, and until when it asked to be left alone."""

    gave_up: datetime | None = None
    rests_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Queues:
    """Locks belong to one event loop, and a client may be used in several, one after another."""

    turns: defaultdict[str, asyncio.Lock]
    connections: defaultdict[str, asyncio.Lock]
    slots: asyncio.Semaphore


@dataclass(frozen=True, slots=True)
class Hosts:
    """The hosts that one client asks. ``jitter`` gives numbers from 0 to 1."""

    clock: Clock
    jitter: Callable[[], float]
    _memories: defaultdict[str, _Memory] = field(default_factory=lambda: defaultdict(_Memory))
    _queues: WeakKeyDictionary[asyncio.AbstractEventLoop, _Queues] = field(
        default_factory=WeakKeyDictionary
    )

    @asynccontextmanager
    async def connection(self, host: str) -> AsyncIterator[None]:
        """The one connection to a host, for the length of the block."""
        queues = self._own_queues()
        async with queues.connections[host], queues.slots:
            yield

    async def ask(
        self,
        host: str,
        attempt: Callable[[], Awaitable[Result]],
        *,
        retry_for: timedelta,
        pause: float = 0.0,
    ) -> Result:
        """Attempt a request, and again while it fails for now, with growing waits.

        New attempts begin within ``retry_for`` of the first failure, at least ``pause`` seconds
        apart. Other requests to the host wait for the end of this one.

        Raises:
            SourceError: the request failed, or the host has asked to be left alone.
        """
        async with self._own_queues().turns[host]:
            memory = self._memories[host]
            await self._wait_for_rest(host, memory, retry_for)
            tries = len(WAITS) + 1
            if memory.gave_up and self.clock.now() - memory.gave_up < MEMORY:
                tries = 1
            first_failure: datetime | None = None
            for tried in itertools.count(1):
                try:
                    answer = await attempt()
                except BusyError as error:
                    now = self.clock.now()
                    first_failure = first_failure or now
                    wait = self._wait(tried, error, pause)
                    if tried >= tries or now + wait > first_failure + retry_for:
                        memory.gave_up, memory.rests_until = now, now + error.rest
                        times = f"; tried {tried} times" if tried > 1 else ""
                        raise SourceError(f"{error}{times}") from error
                    await self.clock.sleep(wait.total_seconds())
                else:
                    memory.gave_up = None
                    return answer
        raise AssertionError("counting ends only with an answer or an error")

    async def _wait_for_rest(self, host: str, memory: _Memory, retry_for: timedelta) -> None:
        now = self.clock.now()
        if memory.rests_until is None or memory.rests_until <= now:
            return
        if memory.rests_until > now + retry_for:
            until = f"{memory.rests_until:%Y-%m-%d %H:%M:%S} UTC"
            raise SourceError(f"{host} has asked for no more requests before {until}")
        await self.clock.sleep((memory.rests_until - now).total_seconds())

    def _wait(self, tried: int, error: BusyError, pause: float) -> timedelta:
        seconds = WAITS[min(tried, len(WAITS)) - 1] * (0.8 + 0.4 * self.jitter())
        return error.rest or timedelta(seconds=max(seconds, pause))

    def _own_queues(self) -> _Queues:
        loop = asyncio.get_running_loop()
        if loop not in self._queues:
            self._queues[loop] = _Queues(
                defaultdict(asyncio.Lock), defaultdict(asyncio.Lock), asyncio.Semaphore(AT_ONCE)
            )
        return self._queues[loop]
