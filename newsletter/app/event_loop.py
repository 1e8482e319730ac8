"""The event loop: uvloop's if it is installed (the extra ``fast``), otherwise Python's own.

Every event loop is started here, so that one place decides.
"""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from datetime import timedelta
from importlib.metadata import version
from typing import Any, TypeVar

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a new event loop, and return its result."""
    with asyncio.Runner(loop_factory=_uvloop()) as runner:
        return runner.run(work)


def set_by_stop_signals() -> asyncio.Event:
    """An event that SIGTERM or SIGINT sets, from now on, in place of ending the process."""
    stopping, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    return stopping


async def is_set_within(event: asyncio.Event, time: timedelta) -> bool:
    """Wait for an event at most this long; returns whether it was set."""
    try:
        await asyncio.wait_for(event.wait(), time.total_seconds())
    except TimeoutError:
        return False
    return True


def loop_name() -> str:
    """The event loop that :func:`run` starts, for the operator."""
    if _uvloop() is None:
        return "asyncio's; pip install 'daily-papers-newsletter[fast]' installs a faster one"
    return f"uvloop {version('uvloop')}"


def _uvloop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The function that makes a uvloop; None if uvloop is not installed."""
    try:
        import uvloop  # noqa: PLC0415 - it is optional
    except ImportError:
        return None
    return uvloop.new_event_loop
