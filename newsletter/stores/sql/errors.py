"""A database's errors, translated into a cause and a remedy for the operator."""

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
        "Make room and run the same command again; nothing stored is lost.",
    ),
    (
        "no space left on device",
        "the database server's disk is full",
        "Make room there and run the same command again; nothing stored is lost.",
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
        "this file is not an SQLite database",
        "Name another file under store:, or move this one away to start with an empty store.",
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
        "Start it, or correct the host and port under store:.",
    ),
    (
        "timeout expired",
        "the server accepts connections but does not answer",
        "See whether PostgreSQL, or a proxy before it, hangs, or correct the host under store:.",
    ),
    (
        "connection timed out",
        "the server's machine does not answer any more",
        "See whether it runs, then run the same command again; nothing stored is lost.",
    ),
    (
        "authentication failed",
        "the server refuses this user or password",
        "Correct the user and password under store:.",
    ),
    (
        "resolve host",
        "there is no such host",
        "Correct the host under store:.",
    ),
    (
        "does not exist",
        "the server has no such database or user",
        "Create it (createdb), or correct the name under store:.",
    ),
    (
        "permission denied",
        "the database refuses this user",
        "Grant it the rights to create and change tables there.",
    ),
)
"""A part of the driver's message in lower case, the cause, and the remedy."""


@contextlib.contextmanager
def explain_errors(url: URL, driver: type[Exception]) -> Iterator[None]:
    """Replace errors of SQLAlchemy and of the driver by errors that name the store and a remedy.

    Args:
        url: the store's address.
        driver: the base class of the driver's errors.

    Raises:
        StoreError: any such error occurred in the block.
    """
    try:
        yield
    except (SQLAlchemyError, driver) as error:
        raise StoreError(f"{printable_url(url)}: {_explain(error, url)}") from error


def printable_url(url: URL) -> str:
    """The store's address with its password masked."""
    name = url.set(drivername=url.get_backend_name())
    return name.render_as_string(hide_password=True)


def _explain(error: Exception, url: URL) -> str:
    message = str(error.orig) if isinstance(error, DBAPIError) else str(error)
    if "unable to open database file" in message:
        return _explain_unopened(Path(url.database or ""))
    for part, cause, remedy in _REMEDIES:
        if part in message.lower():
            return f"{cause}. {remedy}"
    return " ".join(message.split())


def _explain_unopened(path: Path) -> str:
    """Why SQLite cannot open this file."""
    folder = path.parent.absolute()
    if path.is_dir():
        return "this is a folder. Name a file in it under store:."
    if not folder.is_dir():
        return f"there is no folder {folder}. Create it, or name another file under store:."
    if not os.access(folder, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        return f"this user may not write in {folder}. Give it the right, or name another file."
    return f"the file cannot be opened. See whether {folder} is on a disk that can be written."
