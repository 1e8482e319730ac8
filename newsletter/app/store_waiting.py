"""The store when a command begins: wait for it if it is away, warn of what may damage it."""

import logging
from collections.abc import Callable
from threading import Event
from typing import TypeVar

from newsletter.app.files import store_address
from newsletter.app.wiring import App
from newsletter.delivery.store_wait import StoreWait
from newsletter.errors import StoreAwayError
from newsletter.stores import unsafe_place

_log = logging.getLogger(__name__)

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


def place_warning(app: App) -> str:
    """Why the store may be damaged where it is; empty if there is no reason known."""
    return unsafe_place(store_address(app.settings.store, app.folder))


def warn_of_the_store(app: App) -> None:
    """Log what the operator should know of the store before it is used."""
    for words in filter(None, (place_warning(app), app.restore_warning)):
        _log.warning("%s", words)
