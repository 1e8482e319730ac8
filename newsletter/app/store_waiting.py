"""When a command begins: wait for the store if it is away, warn of what may go wrong."""

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


def requests_warning(app: App) -> str:
    """What the operator should know if nothing reads requests to unsubscribe; else empty."""
    publication = app.settings.publication
    if publication.url or publication.bounces or publication.reply_to:
        return ""
    return (
        f"nothing reads {publication.requests_to}, where every unsubscribe link of the emails "
        "leads; before your first reader, set `url:` with `web:`, or `bounces:` with the mailbox "
        "of that address, or `reply_to:` if a person answers every request"
    )


def warn_of_the_store(app: App) -> None:
    """Log what the operator should know before the store is used; of requests once and for all."""
    warnings = [place_warning(app), app.restore_warning]
    if (words := requests_warning(app)) and app.store.record_notices([words], now=app.clock.now()):
        warnings.append(words)
    for words in filter(None, warnings):
        _log.warning("%s", words)
