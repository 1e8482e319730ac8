"""Copy everything that one store knows into another, of either database."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from newsletter.errors import StoreError
from newsletter.model import LEFT
from newsletter.stores.logic import storable
from newsletter.stores.sql import schema
from newsletter.stores.sql.engine import Task, lock_task
from newsletter.stores.sql.errors import printable_url
from newsletter.stores.sql.reader_rows import READERS
from newsletter.stores.sql.readers import last_cutoff
from newsletter.stores.sql.statements import BATCH, batches, is_postgres, upsert
from newsletter.stores.sql.store import SqlStore

CONSENTS = schema.consents.c

COPIED = tuple(table for table in schema.metadata.sorted_tables if table is not schema.index_blocks)
"""All tables but the search's index, which is large, and which the pages make again."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """A reader whom the new store knew before, and their consents."""

    row: Mapping[str, Any]
    consents: Sequence[Mapping[str, Any]]


def count_rows(url: str) -> dict[str, int]:
    """The number of rows in each table of a store that is copied."""
    with closing(SqlStore(url)) as store, store._database.reading() as connection:  # noqa: SLF001 - of this package
        return {
            table.name: connection.execute(
                sa.select(sa.func.count()).select_from(table)
            ).scalar_one()
            for table in COPIED
        }


def copy_rows(source_url: str, target_url: str, facts: Mapping[str, str]) -> int:
    """Copy every row of one store into another that has sent nothing yet, and add these facts.

    A store that has these facts is such a copy, and is replaced.

    Readers whom only the other store knows stay in it, and so does the departure of a reader whom
    both know. Returns the number of readers afterwards.

    Raises:
        StoreError: a store cannot be read or written, or the other one has issues of its own. Then
            it stays as it was.
    """
    with closing(SqlStore(source_url)) as source, closing(SqlStore(target_url)) as target:
        name = printable_url(target._database.url)  # noqa: SLF001 - two stores of this package
        with source._database.reading() as old, target._database.writing() as new:  # noqa: SLF001 - as above
            if is_postgres(old):  # one snapshot for all tables; SQLite's transactions are that
                old.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            lock_task(new, Task.ADD_READERS)
            known = {row.name: row.value for row in new.execute(sa.select(schema.facts))}
            is_copy = bool(facts) and facts.items() <= known.items()
            if not is_copy and new.execute(sa.select(schema.waves.c.id).limit(1)).first():
                raise StoreError(f"{name} has issues of its own; copy into an empty store.")
            kept = [] if is_copy else _readers_of(new)
            for table in reversed(schema.metadata.sorted_tables):
                new.execute(sa.delete(table))
            for table in COPIED:
                _copy_table(old, new, table)
            for fact, value in facts.items():
                new.execute(upsert(new, schema.facts, {"name": fact, "value": value}))
            _restart_sequences(new)
            for reader in kept:
                _keep(new, reader)
            return new.execute(sa.select(sa.func.count()).select_from(schema.readers)).scalar_one()


def _copy_table(old: sa.Connection, new: sa.Connection, table: sa.Table) -> None:
    rows = old.execution_options(yield_per=BATCH).execute(sa.select(table)).mappings()
    for batch in batches(rows):
        new.execute(sa.insert(table), [_storable(row) for row in batch])


def _storable(row: Mapping[Any, Any]) -> dict[str, Any]:
    """A row's values by column; what SQLite keeps as text, PostgreSQL may refuse."""
    return {
        str(name): storable(value) if isinstance(value, str) else value
        for name, value in row.items()
    }


def _restart_sequences(connection: sa.Connection) -> None:
    """Let PostgreSQL count on from the highest id of each table; SQLite does so by itself."""
    if not is_postgres(connection):
        return
    for table in schema.metadata.sorted_tables:
        column = table.autoincrement_column
        if column is not None:
            highest = sa.select(sa.func.coalesce(sa.func.max(column), 0) + 1).scalar_subquery()
            sequence = sa.func.pg_get_serial_sequence(table.name, column.name)
            connection.execute(sa.select(sa.func.setval(sequence, highest, False)))


def _readers_of(connection: sa.Connection) -> list[_Kept]:
    rows = connection.execute(sa.select(schema.readers).order_by(READERS.id)).mappings().all()
    consents = connection.execute(sa.select(schema.consents)).mappings().all()
    return [
        _Kept(_storable(row), [_storable(c) for c in consents if c["reader"] == row["id"]])
        for row in rows
    ]


def _keep(connection: sa.Connection, kept: _Kept) -> None:
    """Put back a reader whom the new store knew, with the departure at least."""
    row = {name: value for name, value in kept.row.items() if name != "id"}
    same = sa.func.lower(READERS.email) == row["email"].lower()
    known = connection.execute(sa.select(READERS.id, READERS.status).where(same)).first()
    if known is None:
        added = sa.insert(schema.readers).values(**row | {"decided": last_cutoff(connection)})
        id_ = connection.execute(added.returning(READERS.id)).scalar_one()
        for consent in kept.consents:
            values = {**consent, "reader": id_}
            del values["id"]
            connection.execute(sa.insert(schema.consents).values(values))
    elif row["status"] in LEFT and known.status not in LEFT:
        left = sa.update(schema.readers).where(READERS.id == known.id)
        connection.execute(left.values(status=row["status"], changed=row["changed"]))
