"""Wait while the store is away: its server is restarted, killed, failing over or unreachable."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TypeVar

from newsletter.errors import StoreAwayError
from newsletter.ports import Clock

_log = logging.getLogger(__name__)

PAUSES = (0.25, 0.5, 1.0, 2.0, 3.0)
"""Seconds before the second, third … attempt; the last repeats."""

T = TypeVar("T")


class StoreWait:
    """Tries again while the store is away; says so once, and once more when it is back.

    Attributes:
        stopping: whether nobody waits any more: the next failure is final.
    """

    def __init__(self, clock: Clock, limit: timedelta | None = None) -> None:
        """Wait until the store is back, at most ``limit`` for each time it is away."""
        self._clock, self._limit = clock, limit
        self._since: datetime | None = None
        self._attempts = 0
        self.stopping = False

    async def until_done(self, work: Callable[[], T]) -> T:
        """Do it, at first in the event loop; while the store is away, again and in a thread.

        Raises:
            StoreAwayError: the store was away for longer than the limit, or we are stopping.
        """
        try:
            return work()
        except StoreAwayError as error:
            return await self.until_back(error, work)

    async def until_back(self, error: StoreAwayError, work: Callable[[], T]) -> T:
        """Do it again after a first attempt that met this error; raises as :meth:`until_done`."""
        await self._pause(error)
        return await self.until_awaited(lambda: asyncio.to_thread(work), was_away=True)

    async def until_awaited(self, work: Callable[[], Awaitable[T]], *, was_away: bool = False) -> T:
        """Await it, again and again while the store is away; raises as :meth:`until_done`."""
        while True:
            try:
                result = await work()
            except StoreAwayError as error:
                was_away = True
                await self._pause(error)
            else:
                if was_away:  # other work may not have needed the store
                    self.note_success()
                return result

    async def _pause(self, error: StoreAwayError) -> None:
        await self._clock.sleep(self.pause_after(error))
        if self.stopping:
            raise error

    def pause_after(self, error: StoreAwayError) -> float:
        """The seconds to wait after a failed attempt; raises the error if that was the last."""
        now = self._clock.now()
        self._since = self._since or now
        if self.stopping or (self._limit is not None and now - self._since >= self._limit):
            raise error
        if not self._attempts:
            _log.warning("%s Waiting for it; nothing is sent until it is back.", error)
        self._attempts += 1
        return PAUSES[min(self._attempts, len(PAUSES)) - 1]

    def note_success(self) -> None:
        """Record that the store has answered."""
        if self._since is not None and self._attempts:
            away = (self._clock.now() - self._since).total_seconds()
            _log.warning("the store is back after %.0f seconds; going on", away)
        self._since, self._attempts = None, 0
