"""The event loop that everything waits on: uvloop's where it is installed, else Python's own.

uvloop comes with the extra ``fast``. Whoever starts a loop starts it here, so that one place knows.
"""

import asyncio
from collections.abc import Callable, Coroutine
from importlib.metadata import version
from typing import Any, TypeVar

T = TypeVar("T")

Factory = Callable[[], asyncio.AbstractEventLoop]


def run(work: Coroutine[Any, Any, T]) -> T:
    """Do the work on an event loop of its own, which is closed afterwards; its result."""
    with asyncio.Runner(loop_factory=_uvloop()) as runner:
        return runner.run(work)


def named() -> str:
    """The loop that :func:`run` starts, in words."""
    if _uvloop() is None:
        return "asyncio's; pip install 'daily-papers-newsletter[fast]' brings a faster one"
    return f"uvloop {version('uvloop')}"


def _uvloop() -> Factory | None:
    """What makes a loop of uvloop's; None where that is not installed."""
    try:
        import uvloop  # noqa: PLC0415 - an extra, which need not be there
    except ImportError:
        return None
    return uvloop.new_event_loop
