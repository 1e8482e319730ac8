"""A database's errors, said so that an operator can mend them."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from newsletter.errors import StoreError

_REMEDIES: tuple[tuple[str, str, str], ...] = (
    (
        "database or disk is full",
        "the disk is full",
        "Make room; nothing stored is lost, and the same command goes on.",
    ),
    (
        "no space left on device",
        "the database server's disk is full",
        "Make room there; nothing stored is lost, and the same command goes on.",
    ),
    (
        "disk i/o error",
        "the file cannot be written",
        "See whether the disk is full, over a quota or failing; nothing stored is lost.",
    ),
    (
        "database is locked",
        "another program has been writing to it for 30 seconds",
        "Let it finish, or stop it, and try again.",
    ),
    (
        "due to lock timeout",
        "another program has been holding it for 30 seconds",
        "Let it finish, or stop it, and try again.",
    ),
    (
        "file is not a database",
        "this file is no SQLite database",
        "Name another file under store:, or move this one away to begin afresh.",
    ),
    (
        "database disk image is malformed",
        "the file is damaged",
        "Restore it from a backup, or try sqlite3's .recover.",
    ),
    ("readonly database", "the file cannot be written", "Give this user the right to write it."),
    (
        "connection refused",
        "no PostgreSQL server answers there",
        "Start it, or mend the host and port under store:.",
    ),
    (
        "timeout expired",
        "what listens there says nothing",
        "See whether PostgreSQL hangs, or what stands before it; else mend the host under store:.",
    ),
    (
        "connection timed out",
        "the server's machine does not answer any more",
        "See whether it runs; nothing stored is lost, and the same command goes on.",
    ),
    (
        "authentication failed",
        "the server refuses this user or password",
        "Mend the user and password under store:.",
    ),
    (
        "resolve host",
        "there is no such host",
        "Mend the host under store:.",
    ),
    (
        "does not exist",
        "the server has no such database or user",
        "Create it (createdb), or mend the name under store:.",
    ),
    (
        "permission denied",
        "the database refuses this user",
        "Grant it the rights to create and change tables there.",
    ),
)
"""What an error's text holds, what that means, and what mends it."""


@contextlib.contextmanager
def explained(url: URL, driver: type[Exception]) -> Iterator[None]:
    """Turn a database's errors into ones that name the store, the cause and the remedy.

    Args:
        url: the store's address.
        driver: what all errors of its driver are.

    Raises:
        StoreError: in place of any error of SQLAlchemy or of the driver.
    """
    try:
        yield
    except (SQLAlchemyError, driver) as error:
        raise StoreError(f"{shown(url)}: {_sentence(error, url)}") from error


def shown(url: URL) -> str:
    """The store's address as it may be printed: its password masked."""
    name = url.set(drivername=url.get_backend_name())
    return name.render_as_string(hide_password=True)


def _sentence(error: Exception, url: URL) -> str:
    said = str(error.orig) if isinstance(error, DBAPIError) else str(error)
    if "unable to open database file" in said:
        return _unopened(Path(url.database or ""))
    for sign, cause, remedy in _REMEDIES:
        if sign in said.lower():
            return f"{cause}. {remedy}"
    return " ".join(said.split())


def _unopened(path: Path) -> str:
    """Why SQLite cannot open this file."""
    folder = path.parent.absolute()
    if path.is_dir():
        return "this is a folder. Name a file in it under store:."
    if not folder.is_dir():
        return f"there is no folder {folder}. Create it, or name another file under store:."
    if not os.access(folder, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        return f"this user may not write in {folder}. Give it the right, or name another file."
    return f"the file cannot be opened. See whether {folder} is on a disk that can be written."
