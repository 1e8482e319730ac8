"""Empty stores, made quickly: the result of the migrations is reused."""

import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import TypeVar

import psycopg
from psycopg.sql import SQL, Identifier

from newsletter.model import DELIVERY_STATES
from newsletter.stores import open_store
from newsletter.stores.sql import SqlStore
from newsletter.stores.sql.schema import metadata

S = TypeVar("S", bound=SqlStore)

TEMPORARY_STORES = contextlib.ExitStack()
"""Closes the stores that the running test opened with :func:`temporary_store`, and deletes them."""

_RAM = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: PTH112, S108 - Linux's RAM disk

DELETE_ALL = SQL("; ").join(
    [
        *(
            SQL("DELETE FROM {}").format(Identifier(t.name))
            for t in reversed(metadata.sorted_tables)
        ),
        SQL("SELECT setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S'"),
    ]
)
"""Deletes every row of a PostgreSQL store and restarts its sequences.

TRUNCATE would be slower: it creates a new file for every table.
"""


def empty_store(url: str) -> None:
    """Delete every row of a PostgreSQL store."""
    with psycopg.connect(url) as connection:
        connection.execute(DELETE_ALL)


def speed_up(url: str) -> None:
    """Configure a PostgreSQL server for speed.

    No test cuts its power, so it need not sync its disk. Autovacuum would collect statistics of
    empty tables, which mislead the planner once they are full.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET fsync = off")
        connection.execute("ALTER SYSTEM SET autovacuum = off")
        connection.execute("SELECT pg_reload_conf()")


def refuse_other_transitions(url: str) -> None:
    """Let an SQLite store refuse every change of state that DELIVERY_STATES does not list."""
    steps = ", ".join(
        f"'{state} {after}'" for state, facts in DELIVERY_STATES.items() for after in facts.becomes
    )
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        connection.execute(f"""
            CREATE TRIGGER other_transitions BEFORE UPDATE OF state ON deliveries
            WHEN old.state != new.state AND old.state || ' ' || new.state NOT IN ({steps})
            BEGIN SELECT RAISE(ABORT, 'DELIVERY_STATES does not list this transition'); END
        """)


def new_sqlite_store(folder: Path) -> str:
    """The URL of a migrated SQLite store without rows in this folder."""
    file = folder / "store.db"
    file.write_bytes(_migrated())
    return f"sqlite:///{file}"


@contextlib.contextmanager
def open_temporary_store(kind: Callable[[str], S]) -> Iterator[S]:
    """An empty SQLite store in RAM, opened by this class; closed and deleted with the block."""
    with (
        tempfile.TemporaryDirectory(dir=_RAM) as folder,
        contextlib.closing(kind(new_sqlite_store(Path(folder)))) as store,
    ):
        yield store


def temporary_store() -> SqlStore:
    """An empty SQLite store in RAM; it is closed and deleted when the test ends."""
    return temporary_store_of(SqlStore)


def temporary_store_of(kind: Callable[[str], S]) -> S:
    """An empty SQLite store like :func:`temporary_store`, opened by this class."""
    return TEMPORARY_STORES.enter_context(open_temporary_store(kind))


@cache
def _migrated() -> bytes:
    """The bytes of a new SQLite file after all migrations."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "store.db"
        open_store(f"sqlite:///{file}").close()
        return file.read_bytes()
