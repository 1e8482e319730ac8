"""The statements that SQLite and PostgreSQL both know and SQLAlchemy spells for each."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import sqlite

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql


def insert_into(connection: Connection, table: Table) -> "postgresql.Insert | sqlite.Insert":
    """An insert that can say what to do on a conflict."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - only where it is the database

        return postgresql.insert(table)
    return sqlite.insert(table)


def insert_new(connection: Connection, table: Table) -> "postgresql.Insert | sqlite.Insert":
    """An insert that passes over rows that are there already."""
    return insert_into(connection, table).on_conflict_do_nothing()


def upsert(
    connection: Connection, table: Table, values: Mapping[str, Any]
) -> "postgresql.Insert | sqlite.Insert":
    """Insert these values, or put them over the row under the same primary key."""
    keys = [column.name for column in table.primary_key]
    return (
        insert_into(connection, table)
        .values(**values)
        .on_conflict_do_update(
            index_elements=keys,
            set_={name: value for name, value in values.items() if name not in keys},
        )
    )
