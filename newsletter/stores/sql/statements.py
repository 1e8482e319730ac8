"""Building blocks of statements: upserts, batches, and statements over rows given as JSON.

The ledger marks and settles every few letters. Those statements take any number of rows as one
JSON parameter, are compiled to SQL text once for each database, and are run by the database's
driver itself: SQLAlchemy would take longer to pass a statement on than SQLite takes to run it.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import (
    ClauseElement,
    ColumnElement,
    Connection,
    Dialect,
    Row,
    Select,
    Subquery,
    Table,
    cast,
    func,
    literal_column,
    select,
    type_coerce,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.types import TypeEngine

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

T = TypeVar("T")

BATCH = 500
"""The most values in one statement."""

_PARAMETER = "{rows}"
"""Stands for the parameter until the database's own mark replaces it."""

Statement = Callable[[Dialect], ClauseElement]
"""Makes a statement for a database; it reads its rows with :func:`json_rows`."""


def is_postgres(database: Connection | Dialect) -> bool:
    """True for PostgreSQL, False for SQLite."""
    dialect = database.dialect if isinstance(database, Connection) else database
    return dialect.name == "postgresql"


def batches(values: Iterable[T], size: int = BATCH) -> Iterator[Sequence[T]]:
    """The values in tuples of at most ``size``; never holds more than one of them."""
    rest = iter(values)
    while batch := tuple(islice(rest, size)):
        yield batch


def select_in(
    connection: Connection, query: Select[Any], column: ColumnElement[Any], values: Iterable[Any]
) -> Iterator[Row[Any]]:
    """The rows of a query whose column has one of these values, however many there are."""
    for batch in batches(sorted(set(values))):
        yield from connection.execute(query.where(column.in_(batch)))


def pages(
    connection: Connection, query: Select[Any], key: ColumnElement[Any]
) -> Iterator[Sequence[Row[Any]]]:
    """The rows of a query by this key, which is their first column, in batches."""
    query = query.order_by(key).limit(BATCH)
    rows = connection.execute(query).all()
    while rows:
        yield rows
        rows = connection.execute(query.where(key > rows[-1][0])).all()


def insert_into(connection: Connection, table: Table) -> "postgresql.Insert | sqlite.Insert":
    """An insert with the dialect's ``ON CONFLICT`` clause."""
    if is_postgres(connection):
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - takes long to import

        return postgresql.insert(table)
    return sqlite.insert(table)


def insert_new(connection: Connection, table: Table) -> "postgresql.Insert | sqlite.Insert":
    """An insert that skips existing rows."""
    return insert_into(connection, table).on_conflict_do_nothing()


def upsert(
    connection: Connection, table: Table, values: Mapping[str, Any]
) -> "postgresql.Insert | sqlite.Insert":
    """Insert these values, or replace the row with the same primary key."""
    keys = [column.name for column in table.primary_key]
    changed = {name: value for name, value in values.items() if name not in keys}
    statement = insert_into(connection, table).values(**values)
    return statement.on_conflict_do_update(index_elements=keys, set_=changed)


@dataclass(frozen=True, slots=True)
class Driver:
    """A transaction on the database's own driver (PEP 249)."""

    connection: Any
    dialect: Dialect

    @classmethod
    def of(cls, connection: Connection) -> "Driver":
        """The driver's side of an SQLAlchemy transaction."""
        return cls(connection.connection.driver_connection, connection.dialect)


def json_rows(dialect: Dialect, **columns: type[TypeEngine[Any]]) -> Subquery:
    """The rows given to a statement, as a table with these columns in order."""
    postgres = is_postgres(dialect)
    each = func.jsonb_array_elements if postgres else func.json_each
    rows = each(literal_column(f"CAST({_PARAMETER} AS jsonb)" if postgres else _PARAMETER))
    value = rows.table_valued("value").c.value
    typed = cast if postgres else type_coerce
    places = (value.op("->>")(literal_column(str(place))) for place in range(len(columns)))
    named = zip(columns.items(), places, strict=True)
    return select(*(typed(place, kind).label(name) for (name, kind), place in named)).subquery(
        "given"
    )


def run(driver: Driver, statement: Statement, rows: Sequence[Sequence[object]]) -> Any:  # noqa: ANN401 - DBAPI
    """Run a statement over these rows, whose instants are text from ``schema.utc_text``.

    Returns:
        The driver's cursor.
    """
    return driver.connection.execute(_sql_text(statement, driver.dialect), (json.dumps(rows),))


def lock(driver: Driver, statement: Statement, rows: Sequence[Sequence[object]]) -> None:
    """Lock the rows that a ``SELECT … FOR UPDATE`` finds, in its order, until the commit.

    Transactions that lock rows in different orders could deadlock. On SQLite a writing transaction
    is alone from its beginning, so nothing needs to be locked.
    """
    if is_postgres(driver.dialect):
        run(driver, statement, rows)


@lru_cache(maxsize=64)
def _sql_text(statement: Statement, dialect: Dialect) -> str:
    made = statement(dialect).compile(dialect=dialect, compile_kwargs={"literal_binds": True})
    return str(made).replace(_PARAMETER, "%s" if is_postgres(dialect) else "?")
