"""The system's clock: the only reader of time."""

import asyncio
from datetime import UTC, datetime

from typing_extensions import override

from newsletter.ports import Clock


class SystemClock(Clock):
    """The machine's clock."""

    @override
    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251 - this is the reader of time

    @override
    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)  # noqa: TID251 - this is the waiting
