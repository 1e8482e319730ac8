"""The stores that every contract is tested on: an SQLite file and a real PostgreSQL server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from newsletter.ports import Store
from newsletter.stores import open_store
from tests.support.databases import new_sqlite_store, refuse_other_transitions


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty store on each kind of database."""
    if request.param == "sqlite":
        return new_sqlite_store(tmp_path)
    emptied: str = request.getfixturevalue("empty_postgres")
    return emptied


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """An empty store on each kind of database; on SQLite only known transitions are possible."""
    if url.startswith("sqlite"):
        refuse_other_transitions(url)
    opened = open_store(url)
    yield opened
    opened.close()
