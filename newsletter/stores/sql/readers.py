"""Readers of the operator's file and of the store alone, in SQL."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from typing_extensions import override

from newsletter.model import (
    LEFT,
    OPEN_ISSUE,
    Consent,
    FileEffect,
    ListedReader,
    Reader,
    ReaderFault,
    Status,
    Subscriber,
)
from newsletter.ports import Readers
from newsletter.stores.sql import schema
from newsletter.stores.sql.codec import dump
from newsletter.stores.sql.engine import Task, lock_task
from newsletter.stores.sql.mail_events import MailEventQueries
from newsletter.stores.sql.planning import busy_readers
from newsletter.stores.sql.reader_rows import (
    COLUMNS,
    READERS,
    all_readers,
    reader_of,
    replace_settings,
    topics_of,
)
from newsletter.stores.sql.readers_file import FileEntry, effect_of_file, file_changes
from newsletter.stores.sql.statements import BATCH, pages, select_in, upsert

CONSENTS, FAULTS = schema.consents.c, schema.reader_faults.c

IMPORTED = "in another list, from which the reader was imported"
"""How an imported reader agreed to get the letters, as it is stored."""

FAULTS_KEPT = timedelta(days=30)  # how long it is kept which readers an issue skipped


class ReaderQueries(MailEventQueries, Readers):
    """Implements :class:`newsletter.ports.Readers`."""

    @override
    def sync_subscribers(
        self,
        listed_subscribers: Sequence[Subscriber],
        *,
        named: Mapping[str, Collection[str]] = {},
        now: datetime,
    ) -> tuple[FileEffect, ...]:
        entries = {s.email: FileEntry.of(s, named.get(s.email, ())) for s in listed_subscribers}
        new, changed, effects = dict(entries), list[dict[str, Any]](), list[FileEffect]()
        with self._database.writing() as connection:
            lock_task(connection, Task.ADD_READERS)
            query = sa.select(*COLUMNS, READERS.listed, READERS.own)
            for rows in pages(connection, query, READERS.id):
                for row in rows:
                    new.pop(row.email, None)
                by_id = {row.id: row for row in rows}
                for change in file_changes(rows, entries):
                    changed.append(change)
                    effects.extend(effect_of_file(by_id[change["reader"]], change))
            if new:
                bodies = {email: entry.body for email, entry in new.items()}
                _add_readers(connection, bodies, status="confirmed", origin="file", now=now)
            if changed:
                statement = sa.update(schema.readers).where(READERS.id == sa.bindparam("reader"))
                names = ("status", "origin", "body", "listed", "own")
                values: dict[str, Any] = {name: sa.bindparam(f"new_{name}") for name in names}
                connection.execute(statement.values(**values, changed=now), changed)
            return tuple(effects)

    @override
    def save_reader(self, subscriber: Subscriber, *, status: Status, now: datetime) -> Reader:
        email, body = subscriber.email, dump(subscriber)
        known = sa.update(schema.readers).where(READERS.email == email)
        with self._database.writing() as connection:
            lock_task(connection, Task.ADD_READERS)
            values = {"status": status, "body": body, "changed": now}
            if not connection.execute(known.values(values)).rowcount:
                _add_readers(connection, {email: body}, status=status, origin="store", now=now)
            row = connection.execute(sa.select(*COLUMNS).where(READERS.email == email)).one()
            return reader_of(row)

    @override
    def import_departure(self, listed: ListedReader, *, now: datetime) -> bool:
        same = sa.func.lower(READERS.email) == listed.subscriber.email.lower()
        known: sa.Select[Any] = sa.select(READERS.id, READERS.email, READERS.status).where(same)
        with self._database.writing() as connection:
            lock_task(connection, Task.ADD_READERS)
            row = connection.execute(known.order_by(READERS.id).limit(1)).one_or_none()
            if row is None:
                _add_listed(connection, [listed], now)
                return True
            return _depart(connection, row, listed, now)

    @override
    def import_readers(self, listed: Sequence[ListedReader], *, now: datetime) -> Mapping[str, int]:
        by_email = {each.subscriber.email: each for each in listed}
        columns = (READERS.id, READERS.email, READERS.status, READERS.origin, READERS.body)
        with self._database.writing() as connection:
            lock_task(connection, Task.ADD_READERS)
            known = {
                row.email: row
                for row in select_in(connection, sa.select(*columns), READERS.email, by_email)
            }
            _add_listed(
                connection, [each for each in listed if each.subscriber.email not in known], now
            )
            _subscribe_listed(connection, known, by_email, now)
            for email, row in known.items():
                if by_email[email].status != "confirmed":
                    _depart(connection, row, by_email[email], now)
            ids = select_in(connection, sa.select(*columns), READERS.email, by_email)
            found = {row.email: row.id for row in ids}
            _keep_consents(connection, {found[email]: each for email, each in by_email.items()})
            return found

    @override
    def record_faults(self, day: date, faults: Collection[ReaderFault]) -> None:
        with self._database.writing() as connection:
            old = FAULTS.day < day - FAULTS_KEPT
            connection.execute(sa.delete(schema.reader_faults).where(old))
            for fault in faults:
                row = {"day": day, "reader": fault.id, "said": "" if fault.stored else fault.words}
                connection.execute(upsert(connection, schema.reader_faults, row))

    @override
    def faulty_readers(
        self, first: date, last: date | None = None
    ) -> tuple[tuple[Reader, str], ...]:
        planned = (
            sa.select(schema.deliveries.c.reader)
            .join(schema.issues)
            .where(schema.issues.c.day == FAULTS.day, schema.deliveries.c.reader == FAULTS.reader)
        )
        said = sa.case((planned.exists(), ""), else_=FAULTS.said).label("said")
        query: sa.Select[Any] = (
            sa.select(*COLUMNS, said)
            .join(schema.reader_faults, FAULTS.reader == READERS.id)
            .where(READERS.status == "confirmed", FAULTS.day >= first)
            .order_by(READERS.id, FAULTS.day)
        )
        if last is not None:
            query = query.where(FAULTS.day <= last)
        with self._database.reading() as connection:
            found = {row.id: row for row in connection.execute(query)}
            return tuple((reader_of(row), row.said) for row in found.values())

    @override
    def listed_readers(self) -> tuple[ListedReader, ...]:
        agreed = sa.select(CONSENTS.reader, sa.func.max(CONSENTS.at).label("at"))
        agreed_at = agreed.group_by(CONSENTS.reader).subquery()
        query = (
            sa.select(*COLUMNS, READERS.changed, agreed_at.c.at)
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
            rows = select_in(connection, sa.select(*COLUMNS), READERS.email, emails)
            return tuple(sorted(map(reader_of, rows), key=lambda reader: reader.id))

    @override
    def each_reader(self) -> Iterator[Reader]:
        return map(reader_of, self._each_row(sa.select(*COLUMNS)))

    @override
    def followed_topics(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        query = sa.select(READERS.id, READERS.email, READERS.body)
        rows = self._each_row(query.where(READERS.status == "confirmed"))
        return ((row.email, topics) for row in rows if (topics := topics_of(row.body)))

    def _each_row(self, query: sa.Select[Any]) -> Iterator[sa.Row[Any]]:
        """The rows of a query for readers and their ids; between batches no transaction is open."""
        query, last = query.order_by(READERS.id).limit(BATCH), 0
        while True:
            with self._database.reading() as connection:
                rows = connection.execute(query.where(READERS.id > last)).all()
            if not rows:
                return
            yield from rows
            last = rows[-1].id

    @override
    def reader_by_id(self, id_: int) -> Reader | None:
        return next(iter(self.readers_by_id([id_])), None)

    @override
    def readers_by_id(self, ids: Sequence[int]) -> tuple[Reader, ...]:
        with self._database.reading() as connection:
            query = sa.select(*COLUMNS).order_by(READERS.id)
            return tuple(map(reader_of, select_in(connection, query, READERS.id, ids)))

    @override
    def reader_by_email(self, email: str) -> Reader | None:
        same = sa.select(*COLUMNS).where(sa.func.lower(READERS.email) == email.lower())
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

    @override
    def busy_readers(self, day: date, *, now: datetime) -> frozenset[int]:
        with self._database.reading() as connection:
            return busy_readers(connection, day, now)


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


def last_cutoff(connection: sa.Connection) -> int:
    """The cutoff of the last freeze; 0 if there is none."""
    last = sa.select(sa.func.coalesce(sa.func.max(schema.waves.c.cutoff), 0))
    cutoff: int = connection.execute(last).scalar_one()
    return cutoff


def _listed_reader(row: sa.Row[Any]) -> ListedReader:
    since = None if row.status == "confirmed" else row.changed
    return ListedReader(reader_of(row).subscriber, row.status, since, row.at)


def _add_listed(connection: sa.Connection, listed: Iterable[ListedReader], now: datetime) -> None:
    """Add readers of a list, some of whom may have left at a time that it says."""
    groups = defaultdict[tuple[Status, datetime], dict[str, str]](dict)
    for each in listed:
        at = now if each.status == "confirmed" else each.since or now
        groups[each.status, at][each.subscriber.email] = dump(each.subscriber)
    for (status, at), bodies in groups.items():
        _add_readers(connection, bodies, status=status, origin="store", now=at)


def _subscribe_listed(
    connection: sa.Connection,
    known: Mapping[str, sa.Row[Any]],
    listed: Mapping[str, ListedReader],
    now: datetime,
) -> None:
    """Confirm known readers with the settings of a list; who was struck from the file is ours."""
    wanted = {email: each for email, each in listed.items() if each.status == "confirmed"}
    changed = [
        {
            "reader": row.id,
            "new_body": body,
            "new_origin": "store" if row.status == "removed" else row.origin,
        }
        for email, each in wanted.items()
        if (row := known.get(email)) is not None
        and (body := replace_settings(row.body, each.subscriber, each.named))
        and (body != row.body or row.status != "confirmed")
    ]
    if changed:
        names = ("body", "origin")
        values: dict[str, Any] = {name: sa.bindparam(f"new_{name}") for name in names}
        update = sa.update(schema.readers).where(READERS.id == sa.bindparam("reader"))
        connection.execute(update.values(**values, status="confirmed", changed=now), changed)


def _depart(
    connection: sa.Connection, row: sa.Row[Any], listed: ListedReader, now: datetime
) -> bool:
    """Let a known reader leave as a list says, unless they agreed to get the letters since."""
    agreed = sa.select(sa.func.max(CONSENTS.at)).where(CONSENTS.reader == row.id)
    consent = connection.execute(agreed).scalar()
    if row.status in LEFT or (consent is not None and consent > (listed.since or now)):
        return False
    return set_status(connection, row.email, listed.status, now=now)


def _keep_consents(connection: sa.Connection, readers: Mapping[int, ListedReader]) -> None:
    """Keep the consents that a list has, by the reader's id, once for each instant."""
    agreed = {id_: each.consented for id_, each in readers.items() if each.consented is not None}
    rows = select_in(connection, sa.select(CONSENTS.reader, CONSENTS.at), CONSENTS.reader, agreed)
    kept = {(row.reader, row.at) for row in rows}
    new = [
        {"reader": id_, **asdict(Consent(at, IMPORTED, ""))}
        for id_, at in agreed.items()
        if (id_, at) not in kept
    ]
    if new:
        connection.execute(sa.insert(schema.consents), new)


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
