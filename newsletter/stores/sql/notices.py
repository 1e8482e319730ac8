"""What the operator was told."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, delete

from newsletter.stores.sql import schema
from newsletter.stores.sql.statements import insert_new


def announce(connection: Connection, events: Collection[str], *, now: datetime) -> frozenset[str]:
    """See :meth:`newsletter.ports.Store.announce`."""
    new = insert_new(connection, schema.notices).returning(schema.notices.c.event)
    found = (connection.execute(new.values(event=event, told=now)) for event in sorted(set(events)))
    return frozenset(event for made in found for event in made.scalars())


def retract(connection: Connection, events: Collection[str]) -> None:
    """See :meth:`newsletter.ports.Store.retract`."""
    table = schema.notices
    connection.execute(delete(table).where(table.c.event.in_(events)))
