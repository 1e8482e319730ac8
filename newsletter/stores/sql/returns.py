"""What comes back by mail, and the readers it blocks."""

from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, select, update

from newsletter.model import MailEvent, MailEventEffect, Suppression
from newsletter.stores.rules import effect, fate, why_blocked
from newsletter.stores.sql import schema
from newsletter.stores.sql.statements import insert_new


def record_mail_event(
    connection: Connection, returned: MailEvent, *, now: datetime
) -> MailEventEffect:
    """See :meth:`newsletter.ports.Store.record_mail_event`."""
    readers = schema.readers
    mine = readers.c.id == returned.reader
    reader = connection.execute(select(readers.c.status).where(mine).with_for_update()).first()
    if reader is None:
        return "unknown"
    if not _noted(connection, returned, now):
        return "again"
    after = fate(reader.status, returned.kind, _hard_days(connection, returned.reader))
    if after != reader.status:
        connection.execute(update(readers).where(mine).values(status=after, changed=now))
    return effect(after)


def _noted(connection: Connection, returned: MailEvent, now: datetime) -> bool:
    """Whether this mail is noted now and was not before."""
    statement = insert_new(connection, schema.returns).values(
        digest=returned.digest,
        reader=returned.reader,
        kind=returned.kind,
        day=returned.day,
        said=returned.said,
        noted=now,
    )
    made = connection.execute(statement.returning(schema.returns.c.digest))
    return made.first() is not None


def _hard_days(connection: Connection, reader: int) -> list[Any]:
    table = schema.returns
    query = select(table.c.day).where(
        table.c.reader == reader, table.c.kind == "hard", table.c.forgiven.is_(None)
    )
    return list(connection.execute(query).scalars())


def suppressed(connection: Connection) -> tuple[Suppression, ...]:
    """See :meth:`newsletter.ports.Store.suppressed`."""
    readers, returns = schema.readers, schema.returns
    counts = (returns.c.reader == readers.c.id) & returns.c.forgiven.is_(None)
    query = (
        select(readers.c.email, readers.c.changed, returns.c.kind, returns.c.day, returns.c.said)
        .outerjoin_from(readers, returns, counts)
        .where(readers.c.status == "blocked")
        .order_by(readers.c.email, returns.c.day, returns.c.noted)
    )
    rows = groupby(connection.execute(query), key=lambda row: (row.email, row.changed))
    return tuple(
        Suppression(
            email,
            changed,
            why_blocked([(row.kind, row.day, row.said) for row in found if row.kind is not None]),
        )
        for (email, changed), found in rows
    )


def unsuppress(connection: Connection, email: str, *, now: datetime) -> bool:
    """See :meth:`newsletter.ports.Store.unsuppress`."""
    readers, returns = schema.readers, schema.returns
    blocked = select(readers.c.id).where(readers.c.email == email, readers.c.status == "blocked")
    reader = connection.execute(blocked.with_for_update()).scalar()
    if reader is None:
        return False
    forgotten = update(returns).where(returns.c.reader == reader, returns.c.forgiven.is_(None))
    connection.execute(forgotten.values(forgiven=now))
    back = update(readers).where(readers.c.id == reader)
    connection.execute(back.values(status="confirmed", changed=now))
    return True
