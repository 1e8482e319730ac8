"""Connections to a database, and the three kinds of transaction the store makes."""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from enum import IntEnum
from functools import partial
from pathlib import Path
from threading import local
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from newsletter.errors import StoreError
from newsletter.stores.sql.errors import explain_errors
from newsletter.stores.sql.postgres import parse_address, postgres_engine
from newsletter.stores.sql.sqlite_files import DiskSync, WriteQueue, boot_id
from newsletter.stores.sql.statements import Driver, is_postgres

BUSY_SECONDS = 30  # how long a writer waits for another before it gives up

_GIVES_BACK = "PRAGMA auto_vacuum = INCREMENTAL"  # for a new file, or one that VACUUM rewrites
PAGES_AT_ONCE = 500  # how many pages are given back at once, so that no writer waits long

WRITING = "newsletter_writing"
"""The execution option that lets a transaction take SQLite's write lock when it begins.

Its value is how far a commit reaches (``PRAGMA synchronous``): FULL to the disk, NORMAL to the
operating system.
"""


class Database:
    """A database's connections; every error in its transactions becomes a StoreError.

    Attributes:
        url: its address.
        boot: this start of the machine; a power cut may lose the newest marks written since. None
            if every commit reaches the disk.
    """

    def __init__(self, url: str) -> None:
        self.url = _parsed(url)
        self.boot = boot_id() if self.url.get_backend_name() == "sqlite" else None
        self._engine = _engine(self.url)
        self._writer = self._engine.execution_options(**{WRITING: "FULL"})
        self._disk = DiskSync(Path(f"{self.url.database}-wal"))
        self._turn = _write_turn(self.url)
        self._thread = local()
        self._kept: list[PoolProxiedConnection] = []

    @property
    def folder(self) -> Path | None:
        """The folder of an SQLite file; None for a server."""
        is_file = self.url.get_backend_name() == "sqlite" and self.url.database
        return Path(self.url.database or "").parent if is_file else None

    @contextlib.contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A transaction that reads; within :meth:`writing` of the same thread, that transaction.

        An error is explained here, too: a caller in between must know it for the database's.
        """
        if (writing := getattr(self._thread, "writing", None)) is not None:
            with self._explained():
                yield writing
            return
        with self._explained(), self._engine.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction that writes: all of it or nothing."""
        with self._explained(), self._turn(), self._writer.begin() as connection:
            self._thread.writing = connection
            try:
                yield connection
            finally:
                self._thread.writing = None

    @contextlib.contextmanager
    def writing_fast(self) -> Iterator[Driver]:
        """A transaction that survives a crash of this process at once, a power cut a moment later.

        Without a boot id a power cut could not be noticed afterwards: then it waits for the disk.
        """
        if self.boot is None:
            with self.writing() as connection:
                yield Driver.of(connection)
        else:
            self._disk.check()
            with self._explained(), self._turn(), self._fast_connection() as pooled:
                _begin_writing(pooled, "NORMAL")
                yield Driver(pooled.driver_connection, self._engine.dialect)
                pooled.commit()
            self._disk.request()

    @contextlib.contextmanager
    def _fast_connection(self) -> Iterator[PoolProxiedConnection]:
        """A connection kept for :meth:`writing_fast`: the pool takes longer than a statement."""
        try:
            pooled = self._kept.pop()
        except IndexError:  # the first of all, or other threads have the others
            pooled = self._engine.raw_connection()
        with contextlib.ExitStack() as failed:
            failed.callback(pooled.close)  # the pool rolls it back
            yield pooled
            failed.pop_all()
        self._kept.append(pooled)

    def _explained(self) -> contextlib.AbstractContextManager[None]:
        # Connections to a server that only reads since a failover would stay there for ever.
        away = self._engine.dispose
        return explain_errors(self.url, self._engine.dialect.loaded_dbapi.Error, away)

    def scrub(self) -> None:
        """Remove deleted data from an SQLite file and its journal.

        A PostgreSQL server does that itself (autovacuum).
        """
        if self.url.get_backend_name() != "sqlite":
            return
        with self._explained(), contextlib.closing(self._engine.raw_connection()) as connection:
            for statement in (_GIVES_BACK, "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
                connection.cursor().execute(statement)

    def give_back(self) -> int:
        """Give some of an SQLite file's free space back to the disk; returns the bytes.

        That is 0 if there is none, and for a file of an earlier version, until :meth:`scrub`
        rewrites it.
        """
        before = self.free_space()
        if before:
            with (
                self._explained(),
                self._turn(),
                contextlib.closing(self._engine.raw_connection()) as pooled,
            ):
                connection: Any = pooled.driver_connection
                # As a script, because a single statement would end after the first page.
                connection.executescript(f"PRAGMA incremental_vacuum({PAGES_AT_ONCE})")
        return before - self.free_space()

    def free_space(self) -> int:
        """The bytes of an SQLite file's free pages; a PostgreSQL server uses its own again."""
        if self.url.get_backend_name() != "sqlite":
            return 0
        return self._pragma("freelist_count") * self._pragma("page_size")

    def _pragma(self, words: str) -> int:
        with self._explained(), contextlib.closing(self._engine.raw_connection()) as connection:
            cursor = connection.cursor()
            cursor.execute(f"PRAGMA {words}")
            rows = cursor.fetchall()
        return int(rows[0][0]) if rows else 0

    def copy(self, file: Path) -> None:
        """Copy an SQLite database as it is now, while others go on writing.

        Raises:
            StoreError: it is a PostgreSQL database, or the file cannot be written.
        """
        if self.url.get_backend_name() != "sqlite":
            name = self.url.set(drivername="postgresql").render_as_string(hide_password=True)
            raise StoreError(
                f"{name}: use PostgreSQL's own tools: pg_dump --format=custom --file={file} "
                f"{self.url.database}, and pg_restore to restore it."
            )
        with self._explained(), contextlib.closing(self._engine.raw_connection()) as connection:
            _copy(connection.driver_connection, file)

    def close(self) -> None:
        """Close every connection, once everything written is on the disk."""
        self._disk.close()
        while self._kept:
            self._kept.pop().close()
        self._engine.dispose()


def _copy(source: Any, file: Path) -> None:  # noqa: ANN401 - DBAPI
    """Write a copy beside the file, and rename it once it is complete and on the disk.

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


class Task(IntEnum):
    """What only one transaction at a time may do."""

    INGEST = 1  # numbers must become visible in their order
    ADD_READERS = 2
    MIGRATE = 3
    COUNT_REQUESTS = 4
    COUNT_BOUNCES = 5
    BROADCAST = 6


_LOCK_SPACE = 0x64706E6C
"""``dpnl``: separates our advisory locks from those of other programs in the same database."""


def lock_task(connection: sa.Connection, task: Task) -> None:
    """Wait until no other transaction does this task, and keep others out until the commit.

    On SQLite a writing transaction is alone from its beginning.
    """
    if is_postgres(connection):
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK_SPACE, int(task))))


class Queries:
    """The base of the query mixins: a store on this database."""

    def __init__(self, url: str) -> None:
        self._database = Database(url)


def _parsed(url: str) -> sa.URL:
    """The address with the driver we use.

    Raises:
        StoreError: it is not a database's address, or names no file.
    """
    try:
        parsed = parse_address(url)
    except ValueError:
        raise StoreError(
            "store: this is not a database's address; write sqlite:///newsletter.db or "
            "postgresql://user:password@host/name (an @ or / in the password as %40 or %2F)."
        ) from None
    if parsed.get_backend_name() != "sqlite":
        return parsed.set(drivername="postgresql+psycopg")
    if not parsed.database or parsed.database == ":memory:" or parsed.host:
        raise StoreError("store: no file is named; write sqlite:///newsletter.db (three slashes).")
    return parsed.set(drivername="sqlite")


def _write_turn(url: sa.URL) -> Callable[[], contextlib.AbstractContextManager[None]]:
    """The queue that a writer waits in first; there is none for PostgreSQL."""
    if url.get_backend_name() == "sqlite" and url.database:
        return WriteQueue(Path(url.database)).turn
    return contextlib.nullcontext


def _engine(url: sa.URL) -> sa.Engine:
    if url.get_backend_name() == "sqlite":
        return _sqlite_engine(url)
    return postgres_engine(url, BUSY_SECONDS)


def _sqlite_engine(url: sa.URL) -> sa.Engine:
    """An engine whose transactions begin explicitly, not when sqlite3 guesses.

    The connection used last is used first, because it has cached pages.
    """
    engine = sa.create_engine(
        url, connect_args={"timeout": BUSY_SECONDS}, max_overflow=-1, pool_use_lifo=True
    )
    sa.event.listen(engine, "connect", _prepare)
    sa.event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: Any, _record: ConnectionPoolEntry) -> None:  # noqa: ANN401 - DBAPI
    """Set up an SQLite connection.

    The journal mode belongs to the file. Changing it needs the whole file and does not wait; if
    the file is busy, another process is making the same change.
    """
    connection.isolation_level = None
    # One text that is not UTF-8, in a damaged or foreign row, must not stop a whole query.
    connection.text_factory = partial(str, encoding="utf-8", errors="replace")
    connection.execute("PRAGMA foreign_keys = ON")
    if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        with _ignore_busy():
            connection.execute(_GIVES_BACK)
            connection.execute("PRAGMA journal_mode = WAL")


@contextlib.contextmanager
def _ignore_busy() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
            raise


def _begin(connection: sa.Connection) -> None:
    reach = connection.get_execution_options().get(WRITING)
    if reach is None:
        connection.exec_driver_sql("BEGIN")
    else:
        _begin_writing(connection.connection, reach)


def _begin_writing(pooled: PoolProxiedConnection, reach: str) -> None:
    """Begin a transaction with the write lock; ``reach`` is FULL or NORMAL (:data:`WRITING`)."""
    connection: Any = pooled.driver_connection
    if pooled.info.get(WRITING) != reach:
        connection.execute(f"PRAGMA synchronous = {reach}")
        pooled.info[WRITING] = reach
    connection.execute("BEGIN IMMEDIATE")
