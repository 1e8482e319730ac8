"""Readers of the operator's file and of the store alone, in SQL."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from typing_extensions import override

from newsletter.model import (
    LEFT,
    OPEN_ISSUE,
    Consent,
    ListedReader,
    Reader,
    Status,
    Subscriber,
)
from newsletter.ports import Readers
from newsletter.stores.logic import (
    merge_file_changes,
    status_in_file,
    status_removed_from_file,
)
from newsletter.stores.sql import schema
from newsletter.stores.sql.codec import dump, load
from newsletter.stores.sql.engine import Task, lock_task
from newsletter.stores.sql.mail_events import READERS, MailEventQueries
from newsletter.stores.sql.statements import BATCH, pages, select_in

CONSENTS = schema.consents.c


class ReaderQueries(MailEventQueries, Readers):
    """Implements :class:`newsletter.ports.Readers`."""

    @override
    def sync_subscribers(self, listed_subscribers: Sequence[Subscriber], *, now: datetime) -> None:
        bodies = {subscriber.email: dump(subscriber) for subscriber in listed_subscribers}
        new, changed = dict(bodies), list[dict[str, Any]]()
        with self._database.writing() as connection:
            lock_task(connection, Task.ADD_READERS)
            for rows in pages(connection, sa.select(schema.readers), READERS.id):
                for row in rows:
                    new.pop(row.email, None)
                changed.extend(_file_changes(rows, bodies))
            if new:
                _add_readers(connection, new, status="confirmed", origin="file", now=now)
            if changed:
                statement = sa.update(schema.readers).where(READERS.id == sa.bindparam("reader"))
                statement = statement.values(
                    status=sa.bindparam("new_status"),
                    origin="file",
                    body=sa.bindparam("new_body"),
                    listed=sa.bindparam("new_listed"),
                    changed=now,
                )
                connection.execute(statement, changed)

    @override
    def save_reader(self, subscriber: Subscriber, *, status: Status, now: datetime) -> Reader:
        email, body = subscriber.email, dump(subscriber)
        known = sa.update(schema.readers).where(READERS.email == email)
        with self._database.writing() as connection:
            lock_task(connection, Task.ADD_READERS)
            values = {"status": status, "body": body, "changed": now}
            if not connection.execute(known.values(values)).rowcount:
                _add_readers(connection, {email: body}, status=status, origin="store", now=now)
            row = connection.execute(sa.select(schema.readers).where(READERS.email == email)).one()
            return reader_of(row)

    @override
    def import_departure(self, listed: ListedReader, *, now: datetime) -> bool:
        email, since = listed.subscriber.email, listed.since or now
        same = sa.func.lower(READERS.email) == email.lower()
        known = sa.select(READERS.id, READERS.email, READERS.status).where(same)
        with self._database.writing() as connection:
            lock_task(connection, Task.ADD_READERS)
            row = connection.execute(known.order_by(READERS.id).limit(1)).one_or_none()
            if row is None:
                body = {email: dump(listed.subscriber)}
                _add_readers(connection, body, status=listed.status, origin="store", now=since)
                return True
            agreed = sa.select(sa.func.max(CONSENTS.at)).where(CONSENTS.reader == row.id)
            consent = connection.execute(agreed).scalar()
            if row.status in LEFT or (consent is not None and consent > since):
                return False
            return set_status(connection, row.email, listed.status, now=now)

    @override
    def keep_consent(self, reader: int, consent: Consent) -> None:
        same = (CONSENTS.reader == reader) & (CONSENTS.at == consent.at)
        with self._database.writing() as connection:
            lock_task(connection, Task.ADD_READERS)
            if connection.execute(sa.select(CONSENTS.id).where(same)).first() is None:
                row = {"reader": reader, **asdict(consent)}
                connection.execute(sa.insert(schema.consents), row)

    @override
    def listed_readers(self) -> tuple[ListedReader, ...]:
        agreed = sa.select(CONSENTS.reader, sa.func.max(CONSENTS.at).label("at"))
        agreed_at = agreed.group_by(CONSENTS.reader).subquery()
        query = (
            sa.select(*_COLUMNS, READERS.changed, agreed_at.c.at)
            .outerjoin_from(schema.readers, agreed_at, agreed_at.c.reader == READERS.id)
            .where(READERS.status.in_(("confirmed", *LEFT)))
        )
        with self._database.reading() as connection:
            all_pages = pages(connection, query, READERS.id)
            return tuple(_listed_reader(row) for rows in all_pages for row in rows)

    @override
    def set_status(self, email: str, status: Status, *, now: datetime) -> bool:
        with self._database.writing() as connection:
            return set_status(connection, email, status, now=now)

    @override
    def readers(self, *, emails: Collection[str] | None = None) -> tuple[Reader, ...]:
        with self._database.reading() as connection:
            if emails is None:
                return tuple(all_readers(connection))
            rows = select_in(connection, sa.select(schema.readers), READERS.email, emails)
            return tuple(sorted(map(reader_of, rows), key=lambda reader: reader.id))

    @override
    def each_reader(self) -> Iterator[Reader]:
        query, last = sa.select(schema.readers).order_by(READERS.id).limit(BATCH), 0
        while True:
            with self._database.reading() as connection:
                rows = connection.execute(query.where(READERS.id > last)).all()
            if not rows:
                return
            yield from map(reader_of, rows)
            last = rows[-1].id

    @override
    def reader_by_id(self, id_: int) -> Reader | None:
        return next(iter(self.readers_by_id([id_])), None)

    @override
    def readers_by_id(self, ids: Sequence[int]) -> tuple[Reader, ...]:
        with self._database.reading() as connection:
            query = sa.select(schema.readers).order_by(READERS.id)
            return tuple(map(reader_of, select_in(connection, query, READERS.id, ids)))

    @override
    def reader_by_email(self, email: str) -> Reader | None:
        same = sa.select(schema.readers).where(sa.func.lower(READERS.email) == email.lower())
        with self._database.reading() as connection:
            row = connection.execute(same.order_by(READERS.id).limit(1)).one_or_none()
        return None if row is None else reader_of(row)

    @override
    def planned_readers(self, day: date, *, among: Collection[int] | None = None) -> frozenset[int]:
        reader = schema.deliveries.c.reader
        query = sa.select(reader).join(schema.issues).where(schema.issues.c.day == day)
        with self._database.reading() as connection:
            if among is None:
                return frozenset(connection.execute(query).scalars())
            return frozenset(row.reader for row in select_in(connection, query, reader, among))


def set_status(connection: sa.Connection, email: str, status: Status, *, now: datetime) -> bool:
    """Change a reader's status within a transaction; see :meth:`ReaderQueries.set_status`."""
    statement = sa.update(schema.readers).where(READERS.email == email)
    # A mark may have been written while this change waited for its turn: the change is later.
    changed = max(now, _last_open_mark(connection, email) or now)
    return bool(connection.execute(statement.values(status=status, changed=changed)).rowcount)


def _last_open_mark(connection: sa.Connection, email: str) -> datetime | None:
    """When the last letter to this reader without an answer was marked; None if there is none."""
    ledger, issues = schema.deliveries.c, schema.issues.c
    sending = sa.select(issues.id).where(issues.state.in_(sorted(OPEN_ISSUE)))
    reader = sa.select(READERS.id).where(READERS.email == email).scalar_subquery()
    query = sa.select(sa.func.max(ledger.marked)).where(
        ledger.issue.in_(sending), ledger.reader == reader, ledger.state == "committing"
    )
    marked: datetime | None = connection.execute(query).scalar()
    return marked


def all_readers(connection: sa.Connection) -> Iterator[Reader]:
    """All readers by id, loaded in batches."""
    all_pages = pages(connection, sa.select(schema.readers), READERS.id)
    return (reader_of(row) for rows in all_pages for row in rows)


def last_cutoff(connection: sa.Connection) -> int:
    """The cutoff of the last freeze; 0 if there is none."""
    last = sa.select(sa.func.coalesce(sa.func.max(schema.waves.c.cutoff), 0))
    cutoff: int = connection.execute(last).scalar_one()
    return cutoff


def reader_of(row: sa.Row[Any]) -> Reader:
    """The reader in this row of the table."""
    return Reader(
        id=row.id,
        subscriber=load(Subscriber, row.body),
        status=row.status,
        decided=row.decided,
        origin=row.origin,
    )


_COLUMNS = (
    READERS.id,
    READERS.email,
    READERS.status,
    READERS.decided,
    READERS.origin,
    READERS.body,
)
"""What :func:`reader_of` reads."""


def _listed_reader(row: sa.Row[Any]) -> ListedReader:
    since = None if row.status == "confirmed" else row.changed
    return ListedReader(reader_of(row).subscriber, row.status, since, row.at)


def _file_changes(
    known: Iterable[sa.Row[Any]], bodies: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    """The changes that the operator's file makes to known readers, as parameters of an update."""
    for row in known:
        listed = bodies.get(row.email)
        if listed is not None:
            after = (status_in_file(row.status), "file", _merge(row, listed), listed)
        elif row.origin == "file":
            after = (status_removed_from_file(row.status), "file", row.body, row.listed)
        else:
            continue
        if after != (row.status, row.origin, row.body, row.listed):
            status, _, body, listed_body = after
            yield {
                "reader": row.id,
                "new_status": status,
                "new_body": body,
                "new_listed": listed_body,
            }


def _merge(row: sa.Row[Any], listed: str) -> str:
    """A reader's settings after they changed in the operator's file."""
    if row.listed is None:
        return listed
    if row.listed == listed:
        body: str = row.body
        return body
    known, before, after = (load(Subscriber, text) for text in (row.body, row.listed, listed))
    return dump(merge_file_changes(known, before, after))


def _add_readers(
    connection: sa.Connection,
    bodies: Mapping[str, str],
    *,
    status: Status,
    origin: str,
    now: datetime,
) -> None:
    """Add readers; all papers up to the last freeze count as decided for them."""
    decided = last_cutoff(connection)
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
    connection.execute(sa.insert(schema.readers), rows)
