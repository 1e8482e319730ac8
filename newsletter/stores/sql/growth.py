"""On which days readers came and left, counted by the database."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, literal_column, select

from newsletter.model import DailyGrowth
from newsletter.stores.rules import GONE, moved
from newsletter.stores.sql import schema


def daily_growth(connection: Connection) -> tuple[DailyGrowth, ...]:
    """See :meth:`newsletter.ports.Store.daily_growth`."""
    readers, consents = schema.readers.c, schema.consents.c
    agreed = select(consents.reader, func.min(consents.at).label("at")).group_by(consents.reader)
    first = agreed.subquery()
    came = _day(connection, func.coalesce(first.c.at, readers.joined))
    left = _day(connection, readers.changed)
    there = schema.readers.outerjoin(first, first.c.reader == readers.id)
    return moved(
        _counted(
            connection,
            select(came, func.count())
            .select_from(there)
            .where(readers.status != "unconfirmed")
            .group_by(came),
        ),
        _counted(
            connection,
            select(left, func.count()).where(readers.status.in_(sorted(GONE))).group_by(left),
        ),
    )


def _day(connection: Connection, instant: ColumnElement[Any]) -> ColumnElement[Any]:
    """The day of an instant in UTC, whatever the session's zone is."""
    postgres = connection.dialect.name == "postgresql"
    return func.date(func.timezone(literal_column("'UTC'"), instant) if postgres else instant)


def _counted(connection: Connection, query: Select[tuple[Any, int]]) -> Mapping[date, int]:
    # SQLite says a day as text, PostgreSQL as a date.
    return {date.fromisoformat(str(day)): count for day, count in connection.execute(query)}
