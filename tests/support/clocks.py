"""Clocks whose time the test sets."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.support.factories import NOON


class ManualClock:
    """A clock that shows ``time``, which a sleep moves forward."""

    def __init__(self, now: datetime = NOON) -> None:
        self.time = now

    def now(self) -> datetime:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@dataclass
class SkippingClock:
    """A clock that starts at noon and skips sleeps; it records them in ``slept``.

    A sleep with ``sleep_waits_for`` ends only once that event is set.
    """

    instant: datetime = NOON
    slept: list[float] = field(default_factory=list)
    sleep_waits_for: asyncio.Event | None = None

    def now(self) -> datetime:
        """Noon plus the seconds slept."""
        return self.instant

    async def sleep(self, seconds: float) -> None:
        """Move the clock forward without waiting."""
        self.slept.append(seconds)
        self.instant += timedelta(seconds=seconds)
        if self.sleep_waits_for is not None:
            await self.sleep_waits_for.wait()
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        loop.call_soon(turn.set_result, None)
        await turn
