"""An event loop on which hours of waiting pass at once, with real sockets on loopback.

Whenever nothing is left to do but wait, the loop's time jumps to the next timer. So every wait
counts, as do waits at the same time, and the work itself takes no time.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any, ParamSpec, TypeVar

from typing_extensions import override

from newsletter.ports import Clock
from tests.support.factories import NOON

T = TypeVar("T")
P = ParamSpec("P")

_GRACE = 0.001
"""Seconds in which the kernel may still have something for the loop."""


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


class _NoThreads(ThreadPoolExecutor):
    """Runs calls at once, so that no time passes meanwhile."""

    @override
    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        done: Future[T] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001 - handed on to who waits for it
            done.set_exception(error)
        return done


class _SimulatedLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)
        self.set_default_executor(_NoThreads())

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
