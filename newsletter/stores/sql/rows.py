"""The ledger's rows: read so that nobody else changes them, and written under new values."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, Update, bindparam, select, update

from newsletter.stores.sql import schema

LEDGER = schema.deliveries.c
"""The ledger's columns."""


def unheld(*conditions: ColumnElement[bool]) -> Select[Any]:
    """The deliveries of which this is true and that no other transaction holds; now we do."""
    return (
        select(schema.deliveries)
        .where(*conditions)
        .order_by(LEDGER.reader)
        .with_for_update(skip_locked=True)
    )


def change(row: Row[Any], **values: object) -> dict[str, Any]:
    """A row of the ledger under new values, as parameters of :data:`_UPDATE`."""
    return {f"new_{name}": value for name, value in {**row._mapping, **values}.items()}  # noqa: SLF001 - SQLAlchemy's public name


_CHANGING = (
    "state", "token", "lease_until", "attempts", "doubts", "reply", "next_try", "claimed", "marked",
    "settled",
)  # fmt: skip

_UPDATE: Update = (
    update(schema.deliveries)
    .where(LEDGER.issue == bindparam("new_issue"), LEDGER.reader == bindparam("new_reader"))
    .values({name: bindparam(f"new_{name}") for name in _CHANGING})
)


def apply(connection: Connection, changes: Sequence[dict[str, Any]]) -> None:
    """Write changed rows."""
    if changes:
        connection.execute(_UPDATE, changes)
