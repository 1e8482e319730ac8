"""Move a newsletter to another store, with the record of what was sent."""

import shutil
from contextlib import closing

from newsletter.app.files import store_address, store_place
from newsletter.app.wiring import App
from newsletter.config.fields import masked
from newsletter.errors import StoreError, UsageError
from newsletter.model.windows import MAX_SILENCE
from newsletter.stores import copy_rows, open_store


def copy_all(app: App, source: str, target: str) -> int:
    """Copy the store at one address into the one at another, and its send journal with it.

    The addresses are as ``store:`` has them. Returns the number of readers afterwards.

    Raises:
        UsageError: both are the same, or `newsletter run` uses the first one now.
        StoreError: as for :func:`newsletter.stores.copy_rows`, or the journal cannot be copied.
    """
    if store_place(source) == store_place(target):
        raise UsageError(f"{masked(target)} is the same store; name another one")
    _refuse_while_running(app, source)
    readers = copy_rows(store_address(source, app.folder), store_address(target, app.folder))
    # After the rows: what was sent in between is in the journal, and `store restored` finds it.
    journal = app.journal_of(target)
    try:
        if app.journal_of(source).folder.exists():
            shutil.copytree(app.journal_of(source).folder, journal.folder, dirs_exist_ok=True)
    except OSError as error:
        raise StoreError(f"{journal.folder} cannot be written: {error}") from error
    journal.identify()
    return readers


def _refuse_while_running(app: App, url: str) -> None:
    with closing(open_store(store_address(url, app.folder))) as store:
        heartbeats = store.heartbeats()
    for last in heartbeats:
        if not last.said.startswith("stopped") and app.clock.now() - last.seen < MAX_SILENCE:
            raise UsageError(
                f"{last.name} uses {masked(url)} now; stop it first, or what it sends meanwhile "
                "is not in the copy"
            )
