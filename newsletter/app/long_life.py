"""What a process needs that lives for months: memory goes back to the system, and turns are short.

The C library's memory (malloc) is what grows: an issue takes some ten thousand texts of a few
kilobytes, and of the places where they were, many stay with the process in pieces.
"""

import contextlib
import ctypes
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

TURN = 0.0005
"""Seconds after which a thread gives way to one that waits (Python's switch interval).

A page needs its turn some dozen times; while an issue is planned, it waits for it each time.
"""

_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8  # names in mallopt(3)
_MMAP_THRESHOLD = 64 * 1024  # bytes; a larger block goes back to the system when it is freed
_ARENAS = 1  # places that threads take memory from; Python's threads take turns anyway


def begin_long_life() -> None:
    """Prepare this process to live long and to answer pages beside other work."""
    sys.setswitchinterval(TURN)
    _call("mallopt", _M_ARENA_MAX, _ARENAS)
    _call("mallopt", _M_MMAP_THRESHOLD, _MMAP_THRESHOLD)


def give_memory_back() -> None:
    """Return free memory to the system, as after an issue; takes milliseconds."""
    _call("malloc_trim", 0)


def _call(name: str, *arguments: int) -> None:
    """Call a function of GNU's C library; other ones lack it, and do without."""
    function = _library().get(name)
    if function is not None:
        function(*arguments)


@cache
def _library() -> dict[str, Callable[..., Any]]:
    library, found = ctypes.CDLL(None), dict[str, Callable[..., Any]]()
    for name in ("mallopt", "malloc_trim"):
        with contextlib.suppress(AttributeError):
            found[name] = getattr(library, name)
    return found
