"""An event loop on which hours of waiting pass at once, with real sockets on loopback.

Whenever nothing is left to do but wait, the loop's time jumps to the next timer. So every wait
counts, as do waits at the same time, and the work itself takes no time.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import Any, TypeVar

from typing_extensions import override

from newsletter.ports import Clock
from tests.support.factories import NOON

T = TypeVar("T")

_GRACE = 0.002
"""Seconds in which the kernel, or a thread, may still have something for the loop."""


class _JumpingSelector(selectors.DefaultSelector):
    jumped = 0.0

    @override
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        found = super().select(_GRACE)
        if not found:
            self.jumped += timeout
        return found


class _SimulatedLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    @override
    def time(self) -> float:
        return self._jumping.jumped


class LoopClock(Clock):
    """The time of a simulated loop, which begins at noon."""

    @override
    def now(self) -> datetime:
        return NOON + timedelta(seconds=asyncio.get_running_loop().time())

    @override
    async def sleep(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        ended = loop.create_future()
        timer = loop.call_later(seconds, ended.set_result, None)
        try:
            await ended
        finally:
            timer.cancel()


def run_simulated(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on a loop of simulated time."""
    with asyncio.Runner(loop_factory=_SimulatedLoop) as runner:
        return runner.run(work)
