"""Readers: the operator's file and the store's own."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from newsletter.model import OPEN_ISSUE, Reader, Status, Subscriber
from newsletter.stores.rules import chunks, listed, struck, taken_in
from newsletter.stores.sql import schema
from newsletter.stores.sql.codec import dump, load
from newsletter.stores.sql.engine import alone
from newsletter.stores.sql.papers import MANY

ROSTER = 2
"""The task of adding readers."""


def sync_subscribers(
    connection: Connection, listed_subscribers: Sequence[Subscriber], *, now: datetime
) -> None:
    """See :meth:`newsletter.ports.Store.sync_subscribers`."""
    alone(connection, ROSTER)
    bodies = {subscriber.email: dump(subscriber) for subscriber in listed_subscribers}
    new, changed = dict(bodies), list[dict[str, Any]]()
    for rows in _pages(connection):
        for row in rows:
            new.pop(row.email, None)
        changed.extend(_changes(rows, bodies))
    if new:
        _join(connection, new, status="confirmed", origin="file", now=now)
    if changed:
        statement = (
            update(schema.readers)
            .where(schema.readers.c.id == bindparam("reader"))
            .values(
                status=bindparam("to"),
                origin="file",
                body=bindparam("text"),
                listed=bindparam("file"),
                changed=now,
            )
        )
        connection.execute(statement, changed)


def _changes(known: Iterable[Row[Any]], bodies: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """The rows that the file changes, as parameters of an update."""
    for row in known:
        said = bodies.get(row.email)
        if said is not None:
            wanted = (listed(row.status), "file", _taken_in(row, said), said)
        elif row.origin == "file":
            wanted = (struck(row.status), "file", row.body, row.listed)
        else:
            continue
        if wanted != (row.status, row.origin, row.body, row.listed):
            yield {"reader": row.id, "to": wanted[0], "text": wanted[2], "file": wanted[3]}


def _taken_in(row: Row[Any], said: str) -> str:
    """What a reader's body becomes when the file says this of them."""
    if row.listed is None:
        return said
    if row.listed == said:
        body: str = row.body
        return body
    known, before, now = (load(Subscriber, text) for text in (row.body, row.listed, said))
    return dump(taken_in(known, before, now))


def save_reader(
    connection: Connection, subscriber: Subscriber, *, status: Status, now: datetime
) -> Reader:
    """See :meth:`newsletter.ports.Store.save_reader`."""
    alone(connection, ROSTER)
    body = dump(subscriber)
    replaced = connection.execute(
        update(schema.readers)
        .where(schema.readers.c.email == subscriber.email)
        .values(status=status, body=body, changed=now)
    )
    if not replaced.rowcount:
        _join(connection, {subscriber.email: body}, status=status, origin="store", now=now)
    (reader,) = readers(connection, emails=[subscriber.email])
    return reader


def last_decided(connection: Connection) -> int:
    """The cutoff of the last freeze, 0 where there is none."""
    last = select(func.coalesce(func.max(schema.waves.c.cutoff), 0))
    decided: int = connection.execute(last).scalar_one()
    return decided


def _join(
    connection: Connection, bodies: Mapping[str, str], *, status: Status, origin: str, now: datetime
) -> None:
    """Add readers: all papers up to the last freeze are decided for them."""
    decided = last_decided(connection)
    rows = [
        {
            "email": email,
            "status": status,
            "decided": decided,
            "origin": origin,
            "body": body,
            "listed": body if origin == "file" else None,
            "joined": now,
            "changed": now,
        }
        for email, body in bodies.items()
    ]
    connection.execute(insert(schema.readers), rows)


def set_status(connection: Connection, email: str, status: Status, *, now: datetime) -> bool:
    """See :meth:`newsletter.ports.Store.set_status`."""
    statement = update(schema.readers).where(schema.readers.c.email == email)
    changed = max(now, _last_mark(connection, email) or now)
    return bool(connection.execute(statement.values(status=status, changed=changed)).rowcount)


def _last_mark(connection: Connection, email: str) -> datetime | None:
    """When this reader's last letter that has no answer yet was marked.

    A mark that was written while a departure waited for its turn came before it.
    """
    ledger, readers, issues = schema.deliveries.c, schema.readers.c, schema.issues.c
    sending = select(issues.id).where(issues.state.in_(sorted(OPEN_ISSUE)))
    reader = select(readers.id).where(readers.email == email).scalar_subquery()
    query = select(func.max(ledger.marked)).where(
        ledger.issue.in_(sending), ledger.reader == reader, ledger.state == "committing"
    )
    marked: datetime | None = connection.execute(query).scalar()
    return marked


def readers(connection: Connection, *, emails: Collection[str] | None = None) -> tuple[Reader, ...]:
    """See :meth:`newsletter.ports.Store.readers`."""
    if emails is None:
        return tuple(reader_of(row) for rows in _pages(connection) for row in rows)
    rows = [
        row
        for some in chunks(sorted(set(emails)), MANY)
        for row in connection.execute(
            select(schema.readers).where(schema.readers.c.email.in_(some))
        )
    ]
    return tuple(reader_of(row) for row in sorted(rows, key=lambda row: row.id))


def readers_after(connection: Connection, last: int | None) -> tuple[Reader, ...]:
    """The first few readers by id, or the next few after this one."""
    return tuple(map(reader_of, _page(connection, last)))


def readers_numbered(connection: Connection, numbers: Sequence[int]) -> tuple[Reader, ...]:
    """See :meth:`newsletter.ports.Store.readers_numbered`."""
    columns = schema.readers.c
    return tuple(
        reader_of(row)
        for some in chunks(sorted(numbers), MANY)
        for row in connection.execute(
            select(schema.readers).where(columns.id.in_(some)).order_by(columns.id)
        )
    )


def decided_by_all(connection: Connection, numbers: Sequence[int]) -> int | None:
    """See :meth:`newsletter.ports.Store.decided_by_all`."""
    columns = schema.readers.c
    lowest = (
        connection.execute(select(func.min(columns.decided)).where(columns.id.in_(some))).scalar()
        for some in chunks(numbers, MANY)
    )
    return min((decided for decided in lowest if decided is not None), default=None)


def _pages(connection: Connection) -> Iterator[Sequence[Row[Any]]]:
    """All readers' rows, by id, a few at a time."""
    last: int | None = None
    while rows := _page(connection, last):
        yield rows
        last = rows[-1].id


def _page(connection: Connection, last: int | None) -> Sequence[Row[Any]]:
    columns = schema.readers.c
    query = select(schema.readers).order_by(columns.id).limit(MANY)
    return connection.execute(query if last is None else query.where(columns.id > last)).all()


def reader_of(row: Row[Any]) -> Reader:
    """The reader a row tells of."""
    return Reader(
        id=row.id,
        subscriber=load(Subscriber, row.body),
        status=row.status,
        decided=row.decided,
        origin=row.origin,
    )
