"""Empty stores, quickly: what the migrations made once is used again."""

import tempfile
from functools import cache
from pathlib import Path

import psycopg
from psycopg.sql import SQL, Identifier

from newsletter.stores import open_store
from newsletter.stores.sql.schema import metadata

_EMPTYING = SQL("; ").join(
    [
        *(
            SQL("DELETE FROM {}").format(Identifier(t.name))
            for t in reversed(metadata.sorted_tables)
        ),
        SQL("SELECT setval(oid::regclass, 1, false) FROM pg_class WHERE relkind = 'S'"),
    ]
)
"""Not TRUNCATE: that makes every table a file of its own again, which takes longer."""


def empty(url: str) -> None:
    """Take every row out of a PostgreSQL store, and let its numbers begin anew."""
    with psycopg.connect(url) as connection:
        connection.execute(_EMPTYING)


def sqlite_store(folder: Path) -> str:
    """The address of a store in this folder, up to date, without a row."""
    file = folder / "store.db"
    file.write_bytes(_migrated())
    return f"sqlite:///{file}"


@cache
def _migrated() -> bytes:
    """What the migrations make of a new file."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "store.db"
        open_store(f"sqlite:///{file}").close()
        return file.read_bytes()
