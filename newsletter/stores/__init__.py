"""The store: :class:`newsletter.ports.Store` in SQL, for SQLite and PostgreSQL."""

import contextlib
from collections.abc import Mapping
from pathlib import Path

from newsletter.errors import StoreError
from newsletter.ports import Store
from newsletter.stores.file_systems import network_file_system
from newsletter.stores.journal import Journaled, Restoration, SendJournal

__all__ = [
    "Journaled",
    "Restoration",
    "SendJournal",
    "copy_rows",
    "copy_store",
    "count_rows",
    "open_journaled_store",
    "open_store",
    "unsafe_place",
]


def open_store(url: str) -> Store:
    """Open the store at ``url``; create it, or migrate its tables, if necessary.

    Args:
        url: ``sqlite:///`` and a path (relative to the working directory, absolute with a fourth
            slash), or ``postgresql://…``.

    Raises:
        StoreError: the address is none of these, its driver is missing, or the store cannot be
            opened, or was written by a newer version.
    """
    _check_address(url)
    from newsletter.stores.sql import SqlStore  # noqa: PLC0415 - takes 0.4 s

    return SqlStore(url)


def open_journaled_store(url: str, journal: SendJournal) -> Journaled:
    """Like :func:`open_store`, but sent letters are recorded in this journal, too."""
    _check_address(url)
    from newsletter.stores.sql import JournaledStore  # noqa: PLC0415 - as above

    return JournaledStore(url, journal)


def unsafe_place(url: str) -> str:
    """Why an SQLite store may be damaged where it is; empty if there is no reason known."""
    scheme, found, path = url.partition("sqlite:///")
    kind = network_file_system(Path(path)) if found and not scheme else ""
    if not kind:
        return ""
    return (
        f"{path} is on a network file system or a shared folder ({kind}), whose locks may not keep "
        "SQLite's writers apart. Move the store to a local disk, or use PostgreSQL"
    )


def _check_address(url: str) -> None:
    scheme = url.partition("://")[0].partition("+")[0]
    if scheme not in {"sqlite", "postgresql", "postgres"}:
        raise StoreError(
            f"store: {scheme!r} is not a kind of store; write sqlite:///newsletter.db or "
            "postgresql://user@host/name."
        )


def copy_rows(source: str, target: str, *, facts: Mapping[str, str] | None = None) -> int:
    """Copy everything from the store at one address into the one at another, which sent nothing.

    The copy has these facts besides; one that has them already is replaced. Returns the number of
    readers afterwards.

    Raises:
        StoreError: as for :func:`open_store`, or the other store has issues of its own.
    """
    for url in (source, target):
        _check_address(url)
    from newsletter.stores.sql.moving import copy_rows  # noqa: PLC0415 - as above

    return copy_rows(source, target, facts or {})


def count_rows(url: str) -> dict[str, int]:
    """The number of rows in each table of a store."""
    from newsletter.stores.sql.moving import count_rows  # noqa: PLC0415 - as above

    return count_rows(url)


def copy_store(url: str, file: Path) -> None:
    """Copy the store at ``url`` into a file as it is now, while others go on writing.

    Raises:
        StoreError: it is not in SQLite, cannot be read, or the file cannot be written.
    """
    from newsletter.stores.sql.engine import Database  # noqa: PLC0415 - as above

    if not file.absolute().parent.is_dir():
        folder = f"the folder {file.parent} does not exist; make it first"
        raise StoreError(f"{file} cannot be written: {folder}")
    with contextlib.closing(Database(url)) as database:
        database.copy(file)
