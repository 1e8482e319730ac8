"""Clocks whose time the test sets."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.support.factories import NOON


class ManualClock:
    """A clock that stands where it is put."""

    def __init__(self, now: datetime = NOON) -> None:
        self.time = now

    def now(self) -> datetime:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@dataclass
class SkippingClock:
    """A clock that stands at noon but for the waiting, which takes no time and is counted.

    ``sleep_waits_for`` makes a sleep last until something else has happened.
    """

    instant: datetime = NOON
    slept: list[float] = field(default_factory=list)
    sleep_waits_for: asyncio.Event | None = None

    def now(self) -> datetime:
        """Noon, and whatever was slept since."""
        return self.instant

    async def sleep(self, seconds: float) -> None:
        """Let that time pass at once."""
        self.slept.append(seconds)
        self.instant += timedelta(seconds=seconds)
        if self.sleep_waits_for is not None:
            await self.sleep_waits_for.wait()
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        loop.call_soon(turn.set_result, None)
        await turn
