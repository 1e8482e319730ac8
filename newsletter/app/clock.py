"""The system's clock: the only reader of time."""

import asyncio
from datetime import UTC, datetime


class SystemClock:
    """A :class:`newsletter.ports.Clock` that tells the machine's time."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""
        return datetime.now(UTC)  # noqa: TID251 - this is the reader of time

    async def sleep(self, seconds: float) -> None:
        """Wait that long, letting others run."""
        await asyncio.sleep(seconds)  # noqa: TID251 - this is the waiting
