"""Wait for a store that is away, where no event loop runs: when a command begins."""

from collections.abc import Callable
from threading import Event
from typing import TypeVar

from newsletter.delivery.store_wait import StoreWait
from newsletter.errors import StoreAwayError

T = TypeVar("T")


def patiently(wait: StoreWait, work: Callable[[], T]) -> T:
    """Do it; while the store is away, wait and do it again. It may be done in part before that.

    Raises:
        StoreAwayError: the store was away for longer than the limit.
    """
    while True:
        try:
            result = work()
        except StoreAwayError as error:
            Event().wait(wait.pause_after(error))
        else:
            wait.note_success()
            return result
