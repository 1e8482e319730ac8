"""Opening a database, and the two kinds of transaction the store makes."""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import local
from typing import Any

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    create_engine,
    event,
    func,
    make_url,
    select,
)
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from newsletter.errors import StoreError
from newsletter.stores.sql.boots import this_boot
from newsletter.stores.sql.bulk import Driver
from newsletter.stores.sql.disk import Disk
from newsletter.stores.sql.failures import explained
from newsletter.stores.sql.writers import Writers

BUSY_SECONDS = 30
"""How long a writer waits for another before it gives up."""

_SILENCE = {
    "connect_timeout": BUSY_SECONDS,
    "keepalives_idle": BUSY_SECONDS,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 2 * BUSY_SECONDS * 1000,
}
"""How long a PostgreSQL that is there may say nothing, and one whose machine has gone be missed.

In the words of libpq (PostgreSQL's manual, 34.1.2), seconds but for the last, which is in
milliseconds. Without them a host that vanished is waited for a quarter of an hour or two hours.
"""

WRITING = "newsletter_writing"
"""The execution option under which a transaction takes SQLite's write lock as it begins.

Its value says how far a commit reaches (``PRAGMA synchronous``): FULL to the disk, NORMAL to the
system.
"""


class Database:
    """A database's connections; every error that leaves its transactions is a StoreError.

    Attributes:
        url: where it is.
        boot: the start of the machine that what is written swiftly may be lost with; None where
            all is on the disk before a transaction ends.
    """

    def __init__(self, url: str) -> None:
        self.url = _parsed(url)
        self.boot = this_boot() if self.url.get_backend_name() == "sqlite" else None
        self._engine = _engine(self.url)
        self._writer = self._engine.execution_options(**{WRITING: "FULL"})
        self._disk = Disk(Path(f"{self.url.database}-wal"))
        self._turn = _turn(self.url)
        self._here = local()

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that only reads; amid one of this thread's that writes, it is that one."""
        if (writing := getattr(self._here, "writing", None)) is not None:
            yield writing
            return
        with self._explained(), self._engine.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that writes: all of it or nothing."""
        with self._explained(), self._turn(), self._writer.begin() as connection:
            self._here.writing = connection
            try:
                yield connection
            finally:
                self._here.writing = None

    @contextlib.contextmanager
    def writing_swiftly(self) -> Iterator[Driver]:
        """A transaction that outlives this process at once, and a power cut a moment later.

        It waits for the disk only where the system cannot tell afterwards that it was started anew.
        """
        if self.boot is None:
            with self.writing() as connection:
                yield Driver.of(connection)
        else:
            self._disk.check()
            with (
                self._explained(),
                self._turn(),
                contextlib.closing(self._engine.raw_connection()) as pooled,
            ):
                _begin_writing(pooled, "NORMAL")
                yield Driver(pooled.driver_connection, self._engine.dialect)
                pooled.commit()  # else the pool rolls it back
            self._disk.follow()

    def _explained(self) -> contextlib.AbstractContextManager[None]:
        return explained(self.url, self._engine.dialect.loaded_dbapi.Error)

    def scrub(self) -> None:
        """Leave nothing of former rows in an SQLite file and its journal.

        A PostgreSQL server clears them away itself, as its administrator has set it to.
        """
        if self.url.get_backend_name() != "sqlite":
            return
        with self._explained(), contextlib.closing(self._engine.raw_connection()) as connection:
            for statement in ("VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
                connection.cursor().execute(statement)

    def copy(self, file: Path) -> None:
        """Copy an SQLite database as it is at this instant, while others go on writing.

        Raises:
            StoreError: it is on a PostgreSQL server; the file cannot be written.
        """
        if self.url.get_backend_name() != "sqlite":
            name = self.url.set(drivername="postgresql").render_as_string(hide_password=True)
            raise StoreError(
                f"{name}: PostgreSQL copies itself: pg_dump --format=custom --file={file} "
                f"{self.url.database}; pg_restore brings it back."
            )
        with self._explained(), contextlib.closing(self._engine.raw_connection()) as connection:
            _copy(connection.driver_connection, file)

    def close(self) -> None:
        """Let go of every connection, once all that was written is on the disk."""
        self._disk.close()
        self._engine.dispose()


def _copy(source: Any, file: Path) -> None:  # noqa: ANN401 - DBAPI
    """Write a copy beside the file and put it in its place once it is whole and on the disk.

    SQLite's backup is one read transaction when it copies all pages in one step
    (https://www.sqlite.org/backup.html).
    """
    unfinished = file.with_name(f"{file.name}.unfinished")
    try:
        unfinished.unlink(missing_ok=True)
        with contextlib.closing(sqlite3.connect(unfinished)) as target:
            source.backup(target, pages=-1)
            target.execute("PRAGMA journal_mode = DELETE")
        with unfinished.open("rb") as written:
            os.fsync(written.fileno())
        unfinished.rename(file)
    except (OSError, sqlite3.Error) as error:
        unfinished.unlink(missing_ok=True)
        raise StoreError(f"{file} cannot be written: {error}") from error


def alone(connection: Connection, task: int) -> None:
    """Let nobody else be at this task until the transaction ends.

    On SQLite a writing transaction is alone from its beginning.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK_SPACE, task)))


_LOCK_SPACE = 0x64706E6C
"""Keeps our advisory locks apart from those of other programs in the same database: ``dpnl``."""


def _parsed(url: str) -> URL:
    """The address with the driver we use.

    Raises:
        StoreError: it is no database's address; it names no file.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise StoreError(
            "store: this is no database's address; write sqlite:///newsletter.db or "
            "postgresql://user:password@host/name (an @ or / in the password as %40 or %2F)."
        ) from None
    if parsed.get_backend_name() != "sqlite":
        return parsed.set(drivername="postgresql+psycopg")
    if not parsed.database or parsed.database == ":memory:" or parsed.host:
        raise StoreError("store: no file is named; write sqlite:///newsletter.db (three slashes).")
    return parsed.set(drivername="sqlite")


def _turn(url: URL) -> Callable[[], contextlib.AbstractContextManager[None]]:
    """What one who writes waits for first; on PostgreSQL for nobody."""
    if url.get_backend_name() == "sqlite" and url.database:
        return Writers(Path(url.database)).turn
    return contextlib.nullcontext


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == "sqlite":
        return _sqlite_engine(url)
    silence = {name: value for name, value in _SILENCE.items() if name not in url.query}
    try:
        engine = create_engine(url, connect_args=silence, pool_pre_ping=True, max_overflow=-1)
    except ModuleNotFoundError as error:
        raise StoreError(
            "store: the PostgreSQL driver is not installed; "
            "run pip install 'daily-papers-newsletter[postgres]'."
        ) from error
    event.listen(engine, "connect", _bound_waiting)
    return engine


def _bound_waiting(connection: Any, _record: ConnectionPoolEntry) -> None:  # noqa: ANN401 - DBAPI
    """Let PostgreSQL wait for another's lock no longer than SQLite does."""
    connection.execute(f"SET lock_timeout = {int(BUSY_SECONDS * 1000)}")
    connection.commit()


def _sqlite_engine(url: URL) -> Engine:
    """An engine whose transactions begin when we say so, not when sqlite3 guesses.

    The connection used last is used first: it has the pages at hand.
    """
    engine = create_engine(
        url, connect_args={"timeout": BUSY_SECONDS}, max_overflow=-1, pool_use_lifo=True
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: Any, _record: ConnectionPoolEntry) -> None:  # noqa: ANN401 - DBAPI
    """Set what SQLite sets for each connection.

    The journal's mode is of the file. Changing it needs the file for oneself and does not wait,
    so whoever finds another at it goes on: that other is making the same change.
    """
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        with _unless_locked():
            connection.execute("PRAGMA journal_mode = WAL")


@contextlib.contextmanager
def _unless_locked() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
            raise


def _begin(connection: Connection) -> None:
    reach = connection.get_execution_options().get(WRITING)
    if reach is None:
        connection.exec_driver_sql("BEGIN")
    else:
        _begin_writing(connection.connection, reach)


def _begin_writing(pooled: PoolProxiedConnection, reach: str) -> None:
    """Take the write lock, for a commit that reaches so far."""
    connection: Any = pooled.driver_connection
    if pooled.info.get(WRITING) != reach:
        connection.execute(f"PRAGMA synchronous = {reach}")
        pooled.info[WRITING] = reach
    connection.execute("BEGIN IMMEDIATE")
