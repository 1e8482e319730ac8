"""What readers do on the newsletter's pages, in SQL."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, fields
from datetime import datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa
from typing_extensions import override

from newsletter.model import (
    Consent,
    Delivery,
    MailEvent,
    Reader,
    RequestLimits,
    Status,
    Subscriber,
)
from newsletter.ports import Pages
from newsletter.readers.erasing import ERASED
from newsletter.stores.logic import reply_without_names
from newsletter.stores.sql import schema
from newsletter.stores.sql.codec import dump
from newsletter.stores.sql.editions import WITHOUT_DETAILS
from newsletter.stores.sql.engine import Task, lock_task
from newsletter.stores.sql.issues import delivery_of
from newsletter.stores.sql.mail_events import (
    forget_about,
    forgive,
    set_reader_status,
)
from newsletter.stores.sql.reader_rows import (
    COLUMNS,
    READERS,
    read_settings,
    reader_of,
    replace_settings,
)
from newsletter.stores.sql.readers import ReaderQueries, last_cutoff
from newsletter.stores.sql.statements import insert_new

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


class PageQueries(ReaderQueries, Pages):
    """Implements :class:`newsletter.ports.Pages`."""

    @override
    def record_request(
        self, address: str, client: str, limits: RequestLimits, *, now: datetime
    ) -> bool:
        requests = schema.requests.c
        old = requests.at < now - DAY
        with self._database.writing() as connection:
            lock_task(connection, Task.COUNT_REQUESTS)
            connection.execute(sa.delete(schema.requests).where(old, requests.address == ""))
            named = old & (requests.client != "")
            connection.execute(sa.update(schema.requests).where(named).values(client=""))
            allowed = _is_within(limits, connection, address, client, now)
            if allowed:
                row = {"address": address, "client": client, "at": now}
                connection.execute(sa.insert(schema.requests), row)
            return allowed

    @override
    def forget_requests(self, addresses: Collection[str]) -> None:
        of_them = schema.requests.c.address.in_(addresses)
        with self._database.writing() as connection:
            connection.execute(sa.update(schema.requests).where(of_them).values(address=""))

    @override
    def next_request(
        self, client: str, limits: RequestLimits, *, now: datetime
    ) -> tuple[datetime, bool]:
        requests = schema.requests.c
        newest = sa.select(requests.at).where(requests.at > now - HOUR, requests.client != "")
        newest = newest.order_by(requests.at.desc()).limit(1)
        own = newest.where(requests.client == client).offset(limits.per_client_hourly - 1)
        with self._database.reading() as connection:
            by_client = connection.execute(own).scalar()
            by_all = connection.execute(newest.offset(limits.total_hourly - 1)).scalar()
        full = max(filter(None, (by_client, by_all)), default=now - HOUR)
        return full + HOUR, by_client is None

    @override
    def forget_unconfirmed(self, *, before: datetime) -> int:
        stale = (READERS.status == "unconfirmed") & (READERS.changed < before)
        with self._database.writing() as connection:
            forget_about(connection, sa.select(READERS.id).where(stale))
            return connection.execute(sa.delete(schema.readers).where(stale)).rowcount

    @override
    def record_consent(
        self,
        reader: int,
        consent: Consent,
        *,
        status: Literal["confirmed", "waiting"] = "confirmed",
    ) -> bool:
        allowed = READERS.status.not_in(("confirmed", "blocked", status))
        with self._database.writing() as connection:
            if not _admit(connection, (READERS.id == reader) & allowed, status, consent.at):
                return False
            connection.execute(sa.insert(schema.consents), {"reader": reader, **asdict(consent)})
            return True

    @override
    def approve(self, reader: int, *, now: datetime) -> bool:
        with self._database.writing() as connection:
            waits = (READERS.id == reader) & (READERS.status == "waiting")
            return _admit(connection, waits, "confirmed", now)

    @override
    def consents(self, reader: int) -> tuple[Consent, ...]:
        columns = schema.consents.c
        query = sa.select(columns.at, columns.how, columns.text).where(columns.reader == reader)
        with self._database.reading() as connection:
            return tuple(Consent(*row) for row in connection.execute(query.order_by(columns.id)))

    @override
    def deliveries_to(self, reader: int) -> tuple[Delivery, ...]:
        day = schema.issues.c.day
        query = (
            sa.select(schema.deliveries, day, READERS.email)
            .select_from(schema.deliveries.join(schema.issues).join(schema.readers))
            .where(schema.deliveries.c.reader == reader)
            .order_by(day)
        )
        with self._database.reading() as connection:
            return tuple(map(delivery_of, connection.execute(query)))

    @override
    def leaving_reasons(self, *, limit: int, reader: int | None = None) -> tuple[MailEvent, ...]:
        events = schema.returns.c
        columns = [events[field.name] for field in fields(MailEvent)]
        query = sa.select(*columns).where(events.kind == "unsubscribe", events.said != "")
        if reader is not None:
            query = query.where(events.reader == reader)
        newest = query.order_by(events.noted.desc(), events.digest).limit(limit)
        with self._database.reading() as connection:
            return tuple(MailEvent(*row) for row in connection.execute(newest))

    @override
    def stored_settings(self, reader: int) -> Mapping[str, object]:
        with self._database.reading() as connection:
            body = connection.execute(_body_of(reader)).scalar()
        return read_settings(body or "")

    @override
    def change_settings(
        self,
        reader: int,
        wanted: Subscriber,
        names: Collection[str],
        *,
        seen: Subscriber | None = None,
        now: datetime,
    ) -> Reader:
        this = READERS.id == reader
        with self._database.writing() as connection:
            row = connection.execute(sa.select(*COLUMNS).where(this).with_for_update()).one()
            if seen is not None and seen != (stored := reader_of(row)).subscriber:
                return stored
            values = {"body": replace_settings(row.body, wanted, names), "changed": now}
            connection.execute(sa.update(schema.readers).where(this).values(values))
            return reader_of(connection.execute(sa.select(*COLUMNS).where(this)).one())

    @override
    def erased_aliases(self) -> tuple[str, ...]:
        query = sa.select(READERS.email).where(READERS.email.like(f"%{ERASED}"))
        with self._database.reading() as connection:
            return tuple(connection.execute(query).scalars())

    @override
    def change_email(self, reader: int, email: str, *, now: datetime) -> bool:
        taken = sa.select(READERS.id).where(sa.func.lower(READERS.email) == email.lower())
        own = sa.select(READERS.email, READERS.status, READERS.body).where(
            READERS.id == reader, READERS.origin == "store"
        )
        with self._database.writing() as connection:
            lock_task(connection, Task.ADD_READERS)
            before = connection.execute(own).one_or_none()
            if before is None or connection.execute(taken).first() is not None:
                return False
            settings = replace_settings(before.body, Subscriber(email), ["email"])
            changed = sa.update(schema.readers).where(READERS.id == reader)
            connection.execute(changed.values(email=email, body=settings, changed=now))
            former = insert_new(connection, schema.former_addresses)
            connection.execute(former.values(reader=reader, address=before.email))
            if forgive(connection, reader, now) and before.status == "blocked":
                set_reader_status(connection, [reader], "confirmed", now)
        self._statuses_changed([reader], now)
        return True

    @override
    def erase(self, reader: int, alias: str, *, now: datetime) -> None:
        anonymous: dict[str, Any] = {
            "email": alias,
            "body": dump(Subscriber(alias)),
            "listed": None,
            "own": None,
            "status": "unsubscribed",
            "origin": "store",
            "changed": now,
        }
        with self._database.writing() as connection:
            faults = schema.reader_faults
            connection.execute(sa.delete(faults).where(faults.c.reader == reader))
            _erase_texts(connection, reader)
            _erase_deliveries(connection, reader, alias)
            _erase_editions(connection, reader)
            connection.execute(
                sa.update(schema.readers).where(READERS.id == reader).values(anonymous)
            )
        self._database.scrub()


def _admit(
    connection: sa.Connection, which: sa.ColumnElement[bool], status: Status, now: datetime
) -> bool:
    """Give a reader this status, as somebody who is new; returns whether there is one."""
    admitted = sa.update(schema.readers).values(
        status=status,
        origin=sa.case((READERS.status == "removed", "store"), else_=READERS.origin),
        decided=last_cutoff(connection),
        changed=now,
    )
    return bool(connection.execute(admitted.where(which)).rowcount)


def _body_of(reader: int) -> sa.Select[Any]:
    return sa.select(READERS.body).where(READERS.id == reader)


def _is_within(
    limits: RequestLimits, connection: sa.Connection, address: str, client: str, now: datetime
) -> bool:
    """Whether one more request stays within every limit."""
    requests = schema.requests.c
    own = requests.address == address
    recent = (requests.at > now - HOUR) & (requests.client != "")
    of_address = (
        (own & (requests.at > now - DAY), limits.per_address_daily),
        (own, limits.per_address_total),
    )
    of_client = (
        (recent & (requests.client == client), limits.per_client_hourly),
        (recent, limits.total_hourly),
    )
    counted = (of_address if address else ()) + (of_client if client else ())
    query = sa.select(sa.func.count()).select_from(schema.requests)
    return all(
        connection.execute(query.where(which)).scalar_one() < limit for which, limit in counted
    )


def _erase_texts(connection: sa.Connection, reader: int) -> None:
    """Delete a reader's consents and likes, and what they wrote when they left."""
    for table in (schema.consents, schema.former_addresses, schema.likes):
        connection.execute(sa.delete(table).where(table.c.reader == reader))
    events = sa.update(schema.returns).where(schema.returns.c.reader == reader)
    connection.execute(events.values(said="", address=""))
    acts = sa.update(schema.operator_acts).where(schema.operator_acts.c.reader == reader)
    connection.execute(acts.values(detail=""))


def _erase_deliveries(connection: sa.Connection, reader: int, alias: str) -> None:
    """Remove a reader's address, and texts that may name them, from their deliveries."""
    columns = schema.deliveries.c
    query = sa.select(columns.issue, columns.reply, columns.recipient)
    for row in connection.execute(query.where(columns.reader == reader)).all():
        recipient = None if row.recipient is None else alias
        connection.execute(
            sa.update(schema.deliveries)
            .where(columns.issue == row.issue, columns.reader == reader)
            .values(reply=reply_without_names(row.reply), recipient=recipient)
        )
    notes = schema.broadcast_deliveries
    theirs = notes.c.reader == reader
    for broadcast, reply in connection.execute(
        sa.select(notes.c.broadcast, notes.c.reply).where(theirs)
    ).all():
        one = sa.update(notes).where(theirs, notes.c.broadcast == broadcast)
        connection.execute(one.values(reply=reply_without_names(reply)))


def _erase_editions(connection: sa.Connection, reader: int) -> None:
    """Remove a reader's settings and reasons from their editions; which papers they had stays."""
    this = sa.update(schema.editions).where(schema.editions.c.reader == reader)
    connection.execute(this.values(WITHOUT_DETAILS))
    choices = schema.choices
    connection.execute(sa.delete(choices).where(choices.c.reader == reader))
