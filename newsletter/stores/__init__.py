"""The store: :class:`newsletter.ports.Store` in SQL, for SQLite and PostgreSQL."""

import contextlib
from pathlib import Path
from typing import overload

from newsletter.errors import StoreError
from newsletter.ports import Store
from newsletter.stores.journal import Journaled, Restoration, SendJournal

__all__ = ["ADDRESSES", "Journaled", "Restoration", "SendJournal", "copy_store", "open_store"]

ADDRESSES = "sqlite:///newsletter.db or postgresql://user@host/name"


@overload
def open_store(url: str) -> Store: ...
@overload
def open_store(url: str, journal: SendJournal) -> Journaled: ...
def open_store(url: str, journal: SendJournal | None = None) -> Store:
    """Open the store at ``url``; create it, or upgrade its tables, if necessary.

    Args:
        url: ``sqlite:///`` and a path (relative to the working directory, absolute with a fourth
            slash), or ``postgresql://…``.
        journal: where letters that leave are recorded a second time, outside the store.

    Raises:
        StoreError: the address is none of these, its driver is missing, or the store cannot be
            opened, or was written by a newer version.
    """
    scheme = url.partition("://")[0].partition("+")[0]
    if scheme not in {"sqlite", "postgresql", "postgres"}:
        raise StoreError(f"store: {scheme!r} is not a kind of store; write {ADDRESSES}.")
    from newsletter.stores.sql import JournaledStore, SqlStore  # noqa: PLC0415 - takes 0.4 s

    return SqlStore(url) if journal is None else JournaledStore(url, journal)


def copy_store(url: str, file: Path) -> None:
    """Copy the store at ``url`` into a file as it is now, while others go on writing.

    Raises:
        StoreError: it is not in SQLite, cannot be read, or the file cannot be written.
    """
    from newsletter.stores.sql.engine import Database  # noqa: PLC0415 - as above

    with contextlib.closing(Database(url)) as database:
        database.copy(file)
