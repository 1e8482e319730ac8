"""The event loop: uvloop's if it is installed (the extra ``fast``), otherwise Python's own.

Every event loop is started here, so that one place decides.
"""

import asyncio
from collections.abc import Callable, Coroutine
from importlib.metadata import version
from typing import Any, TypeVar

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a new event loop, and return its result."""
    with asyncio.Runner(loop_factory=_uvloop()) as runner:
        return runner.run(work)


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
