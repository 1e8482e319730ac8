"""What functions found in the texts of a day: kept while an issue is made, and then forgotten.

An issue asks the same of each text several times. The texts are long, an abstract 1.5 KB, so that
what is kept of old ones is what a process that runs for months would grow by.
"""

from collections.abc import Callable
from functools import _lru_cache_wrapper, lru_cache
from typing import Any, TypeVar

T = TypeVar("T")

_ALL: "list[_lru_cache_wrapper[Any]]" = []


def kept(size: int) -> "Callable[[Callable[..., T]], _lru_cache_wrapper[T]]":
    """Keep the last ``size`` results of a pure function, until :func:`forget_texts`."""

    def decorate(function: Callable[..., T]) -> "_lru_cache_wrapper[T]":
        cached = lru_cache(maxsize=size)(function)
        _ALL.append(cached)
        return cached

    return decorate


def forget_texts() -> None:
    """Let go what all these functions keep; it is found again when it is asked for."""
    for each in _ALL:
        each.cache_clear()
