"""A database's errors, translated into a cause and a remedy for the operator."""

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from newsletter.errors import StoreAwayError, StoreError


class _Known(NamedTuple):
    """What an error's words mean: a pattern of the driver's message, the cause and the remedy.

    ``away`` means that the server is away: it may come back without any change to the settings.
    """

    words: str
    cause: str
    remedy: str
    away: bool = False


_KNOWN = (
    _Known(
        "database or disk is full",
        "the disk is full",
        "Make room and run the same command again; nothing stored is lost.",
    ),
    _Known(
        "no space left on device",
        "the database server's disk is full",
        "Make room there and run the same command again; nothing stored is lost.",
    ),
    _Known(
        "disk i/o error",
        "the file cannot be written",
        "See whether the disk is full, over a quota or failing; nothing stored is lost.",
    ),
    _Known(
        "database is locked",
        "another program has been writing to it for 30 seconds",
        "Let it finish, or stop it, and try again.",
    ),
    _Known(
        "due to lock timeout",
        "another program has been holding it for 30 seconds",
        "Let it finish, or stop it, and try again.",
    ),
    _Known(
        "file is not a database",
        "this file is not an SQLite database",
        "Name another file under store:, or move this one away to start with an empty store.",
    ),
    _Known(
        "database disk image is malformed",
        "the file is damaged",
        "Restore it from a backup, or try sqlite3's .recover.",
    ),
    _Known(
        "readonly database",
        "the file cannot be written",
        "Give this user the right to write it, or see whether its disk has become read-only.",
    ),
    _Known(
        "authentication failed|no password supplied|no pg_hba.conf entry",
        "the server refuses this user or password",
        "Correct the user and password under store:, or pg_hba.conf on the server.",
    ),
    _Known(
        r'(database|role|user) ".*" does not exist|no such (database|user)',
        "the server has no such database or user",
        "Create it (createdb), or correct the name under store:.",
    ),
    _Known(
        "permission denied",
        "the database refuses this user",
        "Grant it the rights to create and change tables there.",
    ),
    _Known(
        "statement pooling",
        "its pool_mode is statement, and there are no transactions in it",
        "Set pool_mode = transaction or session in PgBouncer, or give the host and port of "
        "PostgreSQL itself under store:.",
    ),
    _Known(
        "unsupported startup parameter",
        "PgBouncer passes no such parameter on",
        "Remove it from the address (most often options=), or add it to ignore_startup_parameters.",
    ),
    _Known(
        "connection refused|socket .* no such file or directory",
        "no PostgreSQL server answers there",
        "Start it, or correct the host and port under store:.",
        away=True,
    ),
    _Known(
        "timeout expired",
        "the server accepts connections but does not answer",
        "See whether PostgreSQL, or a proxy before it, hangs, or correct the host under store:.",
        away=True,
    ),
    _Known(
        "connection timed out|no route to host|network is unreachable",
        "the server's machine does not answer any more",
        "See whether it runs, then run the same command again; nothing stored is lost.",
        away=True,
    ),
    _Known(
        "resolve host|could not translate host",
        "there is no such host",
        "Correct the host under store:.",
        away=True,
    ),
    _Known(
        "too many (clients|connections)|connection slots are reserved|no more connections",
        "the server has no connection left for us",
        "Raise max_connections there, or end connections of other programs.",
        away=True,
    ),
    _Known(
        "read-only|not read-write",
        "this server only reads: it is a standby",
        "Name the primary under store:, or several hosts with target_session_attrs=read-write.",
        away=True,
    ),
    _Known(
        "the database system is|terminating connection",
        "the server is starting, stopping or recovering",
        "Wait for it, then run the same command again; nothing stored is lost.",
        away=True,
    ),
    _Known(
        "closed the connection|connection (reset|is lost|is closed|not open|has been closed)|"
        "broken pipe|could not (receive|send) data|consuming input failed|sending query failed|"
        "ssl syscall error|server conn crashed|query_wait_timeout|server_login|cannot connect",
        "the server closed the connection",
        "See whether it runs, then run the same command again; nothing stored is lost.",
        away=True,
    ),
)
"""The first one whose words occur in the driver's message, in any case, is meant."""

_AWAY_STATES = (
    *("08", "57P01", "57P02", "57P03", "57P05", "53300"),
    *("25006", "25P03", "40001", "40P01"),
)
"""SQLSTATEs, or how they begin, after which the same transaction may succeed a moment later.

Broken connections, shutdown, crash, start, idle too long, too many connections; a standby,
conflicts with other transactions (PostgreSQL's manual, appendix A).
"""


@contextlib.contextmanager
def explain_errors(
    url: URL, driver: type[Exception], away: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """Replace errors of SQLAlchemy and of the driver by errors that name the store and a remedy.

    Args:
        url: the store's address.
        driver: the base class of the driver's errors.
        away: called if the database is away.

    Raises:
        StoreAwayError: the database is away, and may come back by itself.
        StoreError: any other such error occurred in the block.
    """
    try:
        yield
    except (SQLAlchemyError, driver) as error:
        said = f"{printable_url(url)}: {_explain(error, url)}"
        if not _is_away(error):
            raise StoreError(said) from error
        away()
        raise StoreAwayError(said) from error


def printable_url(url: URL) -> str:
    """The store's address with its password masked."""
    name = url.set(drivername=url.get_backend_name()).render_as_string(hide_password=True)
    # Several hosts look like one IPv6 address to SQLAlchemy, which puts brackets around that.
    return name.replace(f"[{url.host}]", url.host) if url.host and "," in url.host else name


def _message(error: Exception) -> str:
    return " ".join(str(_driver_error(error)).split())


def _driver_error(error: Exception) -> BaseException:
    return error.orig or error if isinstance(error, DBAPIError) else error


def _known(error: Exception) -> _Known | None:
    message = _message(error)
    found = (one for one in _KNOWN if re.search(one.words, message, re.IGNORECASE))
    return next(found, None)


def _is_away(error: Exception) -> bool:
    """Whether the database is away: its server, its connection or its right to write."""
    state = getattr(_driver_error(error), "sqlstate", None)
    known = _known(error)
    if known is not None and not known.away:
        return False
    if state is not None:
        return str(state).startswith(_AWAY_STATES)
    return known is not None or (isinstance(error, DBAPIError) and error.connection_invalidated)


def _explain(error: Exception, url: URL) -> str:
    message = _message(error)
    if "unable to open database file" in message:
        return _explain_unopened(Path(url.database or ""))
    known = _known(error)
    return f"{known.cause}. {known.remedy}" if known is not None else message


def _explain_unopened(path: Path) -> str:
    """Why SQLite cannot open this file."""
    folder = path.parent.absolute()
    if path.is_dir():
        return "this is a folder. Name a file in it under store:."
    if not folder.is_dir():
        return f"there is no folder {folder}. Create it, or name another file under store:."
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        return f"{folder} is on a disk that only reads. Mount it for writing, or name another file."
    if not os.access(folder, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        return f"this user may not write in {folder}. Give it the right, or name another file."
    return f"the file cannot be opened. See whether {folder} is on a disk that can be written."
