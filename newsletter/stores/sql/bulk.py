"""Statements that are given rows: one parameter, a JSON text, however many rows there are.

The ledger runs these for every few letters. Each is put into its database's own words once, is
handed to the database's driver itself, and changes all its rows in one step.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ClauseElement,
    Connection,
    Dialect,
    Subquery,
    cast,
    func,
    literal_column,
    select,
    type_coerce,
)
from sqlalchemy.types import TypeEngine


@dataclass(frozen=True, slots=True)
class Driver:
    """A transaction in the hands of the database's driver (PEP 249).

    SQLAlchemy would take longer to pass a statement on than SQLite takes to run it.
    """

    connection: Any
    dialect: Dialect

    @classmethod
    def of(cls, connection: Connection) -> "Driver":
        """The driver's side of a transaction of SQLAlchemy's."""
        return cls(connection.connection.driver_connection, connection.dialect)


Statement = Callable[[Dialect], ClauseElement]
"""Makes a statement for a database; it reads what it is given by :func:`given`."""

_HERE = "{given}"
"""Where the parameter stands until the database's own mark for one takes its place."""


def given(dialect: Dialect, **columns: type[TypeEngine[Any]]) -> Subquery:
    """The rows a statement is given, as a table: a column for each of their places, in order."""
    postgres = dialect.name == "postgresql"
    each = func.jsonb_array_elements if postgres else func.json_each
    rows = each(literal_column(f"CAST({_HERE} AS jsonb)" if postgres else _HERE))
    value = rows.table_valued("value").c.value
    typed = cast if postgres else type_coerce
    places = (value.op("->>")(literal_column(str(place))) for place in range(len(columns)))
    named = zip(columns.items(), places, strict=True)
    return select(*(typed(place, kind).label(name) for (name, kind), place in named)).subquery(
        "given"
    )


def run(driver: Driver, statement: Statement, rows: Sequence[Sequence[object]]) -> Any:  # noqa: ANN401 - DBAPI
    """Run a statement over these rows; instants in them are spelled by ``schema.spelled``.

    Returns:
        The driver's cursor.
    """
    return driver.connection.execute(_spelled(statement, driver.dialect), (json.dumps(rows),))


def hold(driver: Driver, statement: Statement, rows: Sequence[Sequence[object]]) -> None:
    """Hold what a statement selects, in its order, until we commit.

    Two who change the same rows in another order could wait for each other for ever. On SQLite
    a writing transaction is alone from its beginning.
    """
    if driver.dialect.name == "postgresql":
        run(driver, statement, rows)


@lru_cache(maxsize=64)
def _spelled(statement: Statement, dialect: Dialect) -> str:
    made = statement(dialect).compile(dialect=dialect, compile_kwargs={"literal_binds": True})
    return str(made).replace(_HERE, "%s" if dialect.name == "postgresql" else "?")
