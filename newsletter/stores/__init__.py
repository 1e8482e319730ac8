"""The store: one implementation in SQL of :class:`newsletter.ports.Store`, for two databases.

What needs no database stands in :mod:`~newsletter.stores.paper_index` and
:mod:`~newsletter.stores.rules`.
"""

import contextlib
from pathlib import Path

from newsletter.errors import StoreError
from newsletter.ports import Store
from newsletter.stores.journal import Journaled, Restoration, SendJournal

__all__ = ["FORMS", "Journaled", "Restoration", "SendJournal", "copy_store", "open_store"]

FORMS = "sqlite:///newsletter.db or postgresql://user@host/name"


def open_store(url: str, journal: SendJournal | None = None) -> Store:
    """Open the store at ``url``; create it, or upgrade its tables, if necessary.

    Args:
        url: ``sqlite:///`` and a path (relative to the working directory, absolute with a fourth
            slash), or ``postgresql://…``.
        journal: where letters that leave are recorded a second time, outside the store.

    Raises:
        StoreError: the address is none of these, its driver is missing, or the store cannot be
            opened, is no store, or was written by a newer version.
    """
    scheme = url.partition("://")[0].partition("+")[0]
    if scheme not in {"sqlite", "postgresql", "postgres"}:
        raise StoreError(f"store: {scheme!r} is no kind of store; write {FORMS}.")
    from newsletter.stores.sql import JournaledStore, SqlStore  # noqa: PLC0415 - takes 0.4 s

    return SqlStore(url) if journal is None else JournaledStore(url, journal)


def copy_store(url: str, file: Path) -> None:
    """Copy the store at ``url`` into a file as it is at this instant, whoever is writing to it.

    Raises:
        StoreError: it is not in SQLite, cannot be read, or the file cannot be written.
    """
    from newsletter.stores.sql.engine import Database  # noqa: PLC0415 - as above

    with contextlib.closing(Database(url)) as database:
        database.copy(file)
