"""The stores every contract is run over: in memory, an SQLite file, a real PostgreSQL server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from newsletter.ports import Store
from newsletter.stores import open_store
from tests.support.databases import refuse_other_transitions, sqlite_store


def _address(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty store of this kind."""
    if kind == "memory":
        return "memory://"
    if kind == "sqlite":
        return sqlite_store(tmp_path)
    emptied: str = request.getfixturevalue("empty_postgres")
    return emptied


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty store of each kind."""
    address = _address(request.param, request, tmp_path)
    if request.param == "sqlite":
        refuse_other_transitions(address)
    return address


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
