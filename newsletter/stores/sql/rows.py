"""The ledger's rows: held so that nobody else changes them, and written under new values."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    bindparam,
    case,
    null,
    select,
    update,
)

from newsletter.model import FREE, IN_DOUBT, OPEN
from newsletter.stores.rules import chunks
from newsletter.stores.sql import schema
from newsletter.stores.sql.papers import MANY

LEDGER = schema.deliveries.c
"""The ledger's columns."""

_HOLDING = sorted(IN_DOUBT & OPEN)
_EXPIRING = sorted(set(FREE) - IN_DOUBT)


def unheld(connection: Connection, *conditions: ColumnElement[bool]) -> Sequence[Any]:
    """The deliveries of which this is true and that no other transaction holds; now we do."""
    query = select(LEDGER.reader, LEDGER.doubts).where(*conditions).order_by(LEDGER.reader)
    return connection.execute(query.with_for_update(skip_locked=True)).all()


def put(connection: Connection, issue: int, readers: Collection[int], **values: object) -> None:
    """Write the same values into these readers' deliveries of an issue."""
    for some in chunks(sorted(readers), MANY):
        mine = (LEDGER.issue == issue) & LEDGER.reader.in_(some)
        connection.execute(update(schema.deliveries).where(mine).values(values))


def doubt() -> dict[str, ColumnElement[Any]]:
    """What changes when nobody knows what became of a letter; see ``rules.in_doubt``."""
    return {
        "state": case((LEDGER.doubts > 0, "held"), else_="unknown"),
        "doubts": LEDGER.doubts + 1,
        "lease_until": null(),
    }


def without_a_try() -> dict[str, ColumnElement[Any]]:
    """What changes when a claim ends that came to no mark: that was no try.

    A letter in doubt keeps its count; by that the witness knows of which try it heard late.
    """
    return {"attempts": case((LEDGER.doubts == 0, LEDGER.attempts - 1), else_=LEDGER.attempts)}


def give_up(connection: Connection, issue: int, *old: ColumnElement[bool], now: datetime) -> None:
    """End the open deliveries of which this is true: expired, or held where they are in doubt."""
    for states, end in ((_EXPIRING, "expired"), (_HOLDING, "held")):
        rows = unheld(connection, LEDGER.issue == issue, LEDGER.state.in_(states), *old)
        put(connection, issue, [row.reader for row in rows], state=end, settled=now)


def only(readers: Collection[int] | None) -> list[ColumnElement[bool]]:
    """The condition that a delivery is of these readers; none for all.

    The ids stand in the statement: there may be any number of them.
    """
    if readers is None:
        return []
    ids = bindparam("ids", sorted(readers), Integer, expanding=True, literal_execute=True)
    return [LEDGER.reader.in_(ids)]
