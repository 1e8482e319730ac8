"""Building blocks of statements: upserts, batches, and statements over rows that are given.

The ledger marks and settles every few letters. Those statements are compiled to SQL text once for
each database, and are run by the database's driver itself: SQLAlchemy would take longer to pass a
statement on than SQLite takes to run it. PostgreSQL takes any number of rows as one JSON parameter,
because each statement is a round trip; SQLite takes them one by one, which is faster there.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.types import TypeEngine

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

T = TypeVar("T")

BATCH = 500  # the most values in one statement
MOST_VALUES = 5000  # the most values that one statement inserts; SQLite allows 32,766
_PARAMETER = "{rows}"  # a placeholder for the parameter, replaced by the database's own

Statement = Callable[[sa.Dialect], sa.ClauseElement]
"""Returns a statement for a database; the statement reads its rows with :func:`json_rows`."""

Update = Callable[[sa.Dialect], sa.Update]
"""The same for an update of the rows of :func:`change_each`."""

Row = tuple[Any, ...]

Given = Mapping[str, sa.ColumnElement[Any]]
"""The columns of a row by name; see :func:`given`."""


def is_postgres(database: sa.Connection | sa.Dialect) -> bool:
    """True for PostgreSQL, False for SQLite."""
    dialect = database.dialect if isinstance(database, sa.Connection) else database
    return dialect.name == "postgresql"


def is_one_of(column: sa.ColumnElement[Any], values: Iterable[str]) -> sa.ColumnElement[bool]:
    """The condition that a column has one of a few values.

    For more than two in an ``IN`` SQLite builds an index, in each statement that is run.
    """
    return sa.or_(*(column == value for value in sorted(values)))


def batches(values: Iterable[T], size: int = BATCH) -> Iterator[Sequence[T]]:
    """The values in tuples of at most ``size``; only one tuple is in memory at a time."""
    rest = iter(values)
    while batch := tuple(islice(rest, size)):
        yield batch


def select_in(
    connection: sa.Connection,
    query: sa.Select[Any],
    column: sa.ColumnElement[Any],
    values: Iterable[Any],
) -> Iterator[sa.Row[Any]]:
    """The rows of a query whose column has one of these values, however many there are."""
    for batch in batches(sorted(set(values))):
        yield from connection.execute(query.where(column.in_(batch)))


def pages(
    connection: sa.Connection, query: sa.Select[Any], key: sa.ColumnElement[Any]
) -> Iterator[Sequence[sa.Row[Any]]]:
    """The rows of a query by this key, which is their first column, in batches."""
    query = query.order_by(key).limit(BATCH)
    rows = connection.execute(query).all()
    while rows:
        yield rows
        rows = connection.execute(query.where(key > rows[-1][0])).all()


def insert_into(connection: sa.Connection, table: sa.Table) -> "postgresql.Insert | sqlite.Insert":
    """An insert with the dialect's ``ON CONFLICT`` clause."""
    if is_postgres(connection):
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - takes long to import

        return postgresql.insert(table)
    return sqlite.insert(table)


def insert_new(connection: sa.Connection, table: sa.Table) -> "postgresql.Insert | sqlite.Insert":
    """An insert that skips existing rows."""
    return insert_into(connection, table).on_conflict_do_nothing()


def upsert(
    connection: sa.Connection, table: sa.Table, values: Mapping[str, Any]
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
    dialect: sa.Dialect

    @classmethod
    def of(cls, connection: sa.Connection) -> "Driver":
        """The driver's side of an SQLAlchemy transaction."""
        return cls(connection.connection.driver_connection, connection.dialect)


def json_rows(dialect: sa.Dialect, **columns: type[TypeEngine[Any]]) -> sa.Subquery:
    """The rows given to a statement, as a table with these columns in order."""
    postgres = is_postgres(dialect)
    each = sa.func.jsonb_array_elements if postgres else sa.func.json_each
    rows = each(sa.literal_column(f"CAST({_PARAMETER} AS jsonb)" if postgres else _PARAMETER))
    value = rows.table_valued("value").c.value
    typed = sa.cast if postgres else sa.type_coerce
    places = (value.op("->>")(sa.literal_column(str(place))) for place in range(len(columns)))
    named = zip(columns.items(), places, strict=True)
    labelled = (typed(place, kind).label(name) for (name, kind), place in named)
    return sa.select(*labelled, value).subquery("given")


def run(driver: Driver, statement: Statement, rows: Sequence[Sequence[object]]) -> Any:  # noqa: ANN401 - DBAPI
    """Run a statement over these rows, whose instants are text from ``utc_text``.

    Returns:
        The driver's cursor.
    """
    return driver.connection.execute(_sql_text(statement, driver.dialect), (json.dumps(rows),))


def given(dialect: sa.Dialect, **columns: type[TypeEngine[Any]]) -> Given:
    """The columns, in their order, of each row that is given to :func:`change_each`."""
    if is_postgres(dialect):
        return dict(json_rows(dialect, **columns).c)
    numbered = enumerate(columns.items(), 1)
    return {name: sa.literal_column(f"?{number}", kind) for number, (name, kind) in numbered}


def change_each(driver: Driver, update: Update, rows: Sequence[Row]) -> Sequence[Row]:
    """Run an update for each of these rows, which it reads with :func:`given`.

    Returns:
        The rows for which it changed something.
    """
    text = _update_text(update, driver.dialect)
    if is_postgres(driver.dialect):
        found = driver.connection.execute(text, (json.dumps(rows),))
        return [tuple(row) for (row,) in found.fetchall()]
    change = driver.connection.cursor().execute
    return [row for row in rows if change(text, row).rowcount]


def insert_rows(driver: Driver, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows with the same columns, a few thousand values at once.

    One statement for many rows: for each step of a statement, a thread waits its turn at Python's
    global lock again, with the write lock of the store in hand.
    """
    names = list(rows[0])
    mark = "%s" if is_postgres(driver.dialect) else "?"
    one = f"({', '.join([mark] * len(names))})"
    for batch in batches(rows, MOST_VALUES // len(names)):
        into = (
            f"INSERT INTO {table.name} ({', '.join(names)}) VALUES {', '.join([one] * len(batch))}"  # noqa: S608 - our own names
        )
        driver.connection.execute(into, [row[name] for row in batch for name in names])


def lock(driver: Driver, statement: Statement, rows: Sequence[Sequence[object]]) -> None:
    """Lock the rows that a ``SELECT … FOR UPDATE`` finds, in its order, until the commit.

    Transactions that lock rows in different orders could deadlock. On SQLite a writing transaction
    is alone from its beginning, so nothing needs to be locked.
    """
    if is_postgres(driver.dialect):
        run(driver, statement, rows)


@lru_cache(maxsize=64)
def _update_text(update: Update, dialect: sa.Dialect) -> str:
    """The update's text; on PostgreSQL it returns the rows for which it changed something."""
    made: sa.ClauseElement = update(dialect)
    if is_postgres(dialect):
        made = update(dialect).returning(sa.literal_column("given.value"))
    return _compiled(made, dialect)


@lru_cache(maxsize=64)
def _sql_text(statement: Statement, dialect: sa.Dialect) -> str:
    return _compiled(statement(dialect), dialect)


def _compiled(clause: sa.ClauseElement, dialect: sa.Dialect) -> str:
    made = clause.compile(dialect=dialect, compile_kwargs={"literal_binds": True})
    return str(made).replace(_PARAMETER, "%s" if is_postgres(dialect) else "?")
