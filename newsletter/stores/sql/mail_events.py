"""Returned mail, in SQL: its effect on readers, refused addresses, and what was read before."""

from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime

import sqlalchemy as sa
from typing_extensions import override

from newsletter.model import (
    LeftMail,
    MailEvent,
    MailEventEffect,
    MassReport,
    SentLetter,
    Status,
)
from newsletter.ports import MailEvents
from newsletter.stores.logic import (
    HARD_WITHIN,
    are_too_many,
    effect_of,
    is_mass,
    status_after,
)
from newsletter.stores.sql import schema
from newsletter.stores.sql.engine import Queries, Task, lock_task
from newsletter.stores.sql.statements import batches, insert_new, upsert

READERS = schema.readers.c
EVENTS = schema.returns.c
REFUSED = schema.refused_addresses.c
FORMER = schema.former_addresses.c
MAILS = schema.mails.c


class MailEventQueries(Queries, MailEvents):
    """Implements :class:`newsletter.ports.MailEvents`."""

    @override
    def record_mail_event(self, event: MailEvent, *, now: datetime) -> MailEventEffect:
        with self._database.writing() as connection:
            effect, others = _take_in(connection, event, now)
        self._statuses_changed(others, now)
        return effect

    def _statuses_changed(self, readers: Collection[int], now: datetime) -> None:
        """Called when returned mail about others has changed the status of these readers."""

    @override
    def mass_reports(self, *, since: date) -> tuple[MassReport, ...]:
        letter = sa.func.coalesce(EVENTS.letter, EVENTS.day)
        query = (
            sa.select(letter, sa.func.count(EVENTS.reader.distinct()))
            .where(EVENTS.mass, EVENTS.day >= since)
            .group_by(letter)
            .order_by(letter)
        )
        with self._database.reading() as connection:
            # SQLite returns the day of an expression as text.
            found = [(date.fromisoformat(str(day)), n) for day, n in connection.execute(query)]
            return tuple(MassReport(day, n, _letters_of(connection, day)) for day, n in found)

    @override
    def last_letter(self, reader: int, *, by: date) -> SentLetter | None:
        ledger, issues = schema.deliveries.c, schema.issues.c
        query = (
            sa.select(issues.day, ledger.recipient)
            .join_from(schema.issues, schema.deliveries)
            .where(issues.day <= by, ledger.reader == reader, ledger.recipient.is_not(None))
            .order_by(issues.day.desc())
            .limit(1)
        )
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else SentLetter(*row)

    @override
    def former_addresses(self, reader: int) -> frozenset[str]:
        query = sa.select(FORMER.address).where(FORMER.reader == reader)
        with self._database.reading() as connection:
            return frozenset(connection.execute(query).scalars())

    @override
    def reader_of_address(self, address: str) -> int | None:
        lower = address.lower()
        queries = (
            sa.select(READERS.id).where(READERS.email == address),
            sa.select(READERS.id).where(sa.func.lower(READERS.email) == lower),
            sa.select(FORMER.reader).where(sa.func.lower(FORMER.address) == lower),
        )
        with self._database.reading() as connection:
            found = (connection.execute(query.limit(1)).scalar() for query in queries)
            return next((reader for reader in found if reader is not None), None)

    @override
    def refuse_address(self, address: str, *, lasting: bool, now: datetime) -> None:
        row = {"address": address, "lasting": lasting, "noted": now}
        with self._database.writing() as connection:
            if lasting:
                connection.execute(upsert(connection, schema.refused_addresses, row))
            else:
                new = insert_new(connection, schema.refused_addresses).values(row)
                connection.execute(new)

    @override
    def is_refused(self, addresses: Collection[str], *, now: datetime) -> bool:
        holds = REFUSED.lasting | (REFUSED.noted > now - HARD_WITHIN)
        query = sa.select(REFUSED.address).where(REFUSED.address.in_(addresses), holds)
        with self._database.reading() as connection:
            return connection.execute(query).first() is not None

    @override
    def accept_address(self, addresses: Collection[str]) -> bool:
        lifted = sa.delete(schema.refused_addresses).where(REFUSED.address.in_(addresses))
        with self._database.writing() as connection:
            return bool(connection.execute(lifted).rowcount)

    @override
    def known_mails(self, mailbox: str) -> Mapping[str, str]:
        query = sa.select(MAILS.name, MAILS.left).where(MAILS.mailbox == mailbox)
        with self._database.reading() as connection:
            return {row.name: row.left for row in connection.execute(query)}

    @override
    def remember_mails(self, mailbox: str, mails: Mapping[str, str], *, now: datetime) -> None:
        with self._database.writing() as connection:
            for name, left in mails.items():
                row = {"mailbox": mailbox, "name": name, "left": left, "noted": now}
                connection.execute(upsert(connection, schema.mails, row))

    @override
    def forget_mails(self, mailbox: str, names: Collection[str]) -> None:
        with self._database.writing() as connection:
            for some in batches(sorted(names)):
                gone = (MAILS.mailbox == mailbox) & MAILS.name.in_(some)
                connection.execute(sa.delete(schema.mails).where(gone))

    @override
    def left_mails(self) -> tuple[LeftMail, ...]:
        query = sa.select(MAILS.mailbox, MAILS.name, MAILS.left, MAILS.noted)
        query = query.where(MAILS.left != "").order_by(MAILS.noted, MAILS.mailbox, MAILS.name)
        with self._database.reading() as connection:
            return tuple(LeftMail(*row) for row in connection.execute(query))


def _take_in(
    connection: sa.Connection, event: MailEvent, now: datetime
) -> tuple[MailEventEffect, Collection[int]]:
    """Record an event; its effect, and the other readers whose status it has changed."""
    if event.kind == "hard":
        lock_task(connection, Task.COUNT_BOUNCES)
    row = _status_of(connection, event.reader)
    if row is None:
        return "unknown", ()
    about_reader = event.kind == "unsubscribe" or _is_at(event.address, row.email)
    if not _is_new(connection, event, None if about_reader else now, now):
        return "again", ()
    if not about_reader:
        return "elsewhere", ()
    mass, others = _judge(connection, event, now) if event.kind == "hard" else (False, ())
    if mass:
        return "mass", others
    after = status_after(row.status, event.kind, _hard_days(connection, event.reader))
    if after != row.status:
        set_reader_status(connection, event.reader, after, now)
    return effect_of(after), others


def _judge(
    connection: sa.Connection, event: MailEvent, now: datetime
) -> tuple[bool, Collection[int]]:
    """Whether the hard bounces of this event's letter are many; earlier ones are corrected."""
    letter = event.letter or event.day
    of_letter = _of_letter(letter)
    count = sa.select(sa.func.count(EVENTS.reader.distinct())).where(of_letter)
    number = connection.execute(count).scalar_one()
    mass = is_mass(number, _letters_of(connection, letter))
    corrected = sa.update(schema.returns).where(of_letter, EVENTS.mass != mass)
    rows = connection.execute(corrected.values(mass=mass).returning(EVENTS.reader))
    readers = sorted({row.reader for row in rows})
    return mass, [reader for reader in readers if _correct(connection, reader, now)]


def set_reader_status(
    connection: sa.Connection, reader: int, status: Status, now: datetime
) -> None:
    """Change the status of the reader with this id within a transaction."""
    changed = sa.update(schema.readers).where(READERS.id == reader)
    connection.execute(changed.values(status=status, changed=now))


def forgive(connection: sa.Connection, reader: int, now: datetime) -> bool:
    """Let a reader's mail events count no more; returns whether they were enough to block."""
    counting = (EVENTS.reader == reader) & EVENTS.forgiven.is_(None)
    blocked = _has_complained(connection, reader) or are_too_many(_hard_days(connection, reader))
    connection.execute(sa.update(schema.returns).where(counting).values(forgiven=now))
    return blocked


def forget_mail_events(connection: sa.Connection, readers: sa.Select[tuple[int]]) -> None:
    """Delete all mail events and former addresses of these readers."""
    for table in (schema.returns, schema.former_addresses):
        connection.execute(sa.delete(table).where(table.c.reader.in_(readers)))


def _status_of(connection: sa.Connection, reader: int) -> sa.Row[Status, str] | None:
    query = sa.select(READERS.status, READERS.email).where(READERS.id == reader)
    return connection.execute(query.with_for_update()).one_or_none()


def _is_at(address: str, email: str) -> bool:
    return not address or address.casefold() == email.casefold()


def _is_new(
    connection: sa.Connection, event: MailEvent, forgiven: datetime | None, now: datetime
) -> bool:
    """Record a mail event; False if it was recorded before."""
    statement = insert_new(connection, schema.returns).values(
        digest=event.digest,
        reader=event.reader,
        kind=event.kind,
        day=event.day,
        said=event.said,
        noted=now,
        forgiven=forgiven,
        address=event.address,
        letter=event.letter,
    )
    return connection.execute(statement.returning(EVENTS.digest)).first() is not None


def _of_letter(letter: date) -> sa.ColumnElement[bool]:
    """The hard bounces of a day's letters; where the letter is not known, those of that day."""
    that_day = EVENTS.letter.is_(None) & (EVENTS.day == letter)
    return (EVENTS.kind == "hard") & ((EVENTS.letter == letter) | that_day)


def _letters_of(connection: sa.Connection, day: date) -> int:
    """How many letters the issue of a day has, or the last one before it; else the readers."""
    issues, ledger = schema.issues.c, schema.deliveries.c
    last = sa.select(issues.id).where(issues.day <= day).order_by(issues.day.desc()).limit(1)
    letters = sa.select(sa.func.count()).where(
        ledger.issue == last.scalar_subquery(), ledger.state.not_in(("empty", "suppressed"))
    )
    readers = sa.select(sa.func.count()).where(READERS.status.in_(("confirmed", "blocked")))
    return int(connection.execute(letters).scalar_one() or connection.execute(readers).scalar_one())


def _correct(connection: sa.Connection, reader: int, now: datetime) -> bool:
    """Block or unblock a reader some of whose bounces count or no longer count; True if so."""
    row = _status_of(connection, reader)
    if row is None or _has_complained(connection, reader):
        return False
    now_blocks = are_too_many(_hard_days(connection, reader))
    any_blocks = are_too_many(_hard_days(connection, reader, mass=True))
    if row.status == "confirmed" and now_blocks:
        set_reader_status(connection, reader, "blocked", now)
    elif row.status == "blocked" and any_blocks and not now_blocks:
        set_reader_status(connection, reader, "confirmed", now)
    else:
        return False
    return True


def _has_complained(connection: sa.Connection, reader: int) -> bool:
    query = sa.select(EVENTS.digest).where(
        EVENTS.reader == reader, EVENTS.kind == "complaint", EVENTS.forgiven.is_(None)
    )
    return connection.execute(query.limit(1)).first() is not None


def _hard_days(connection: sa.Connection, reader: int, *, mass: bool = False) -> Iterable[date]:
    """The days of a reader's hard bounces that count; with ``mass`` also of those of many."""
    query = sa.select(EVENTS.day).where(
        EVENTS.reader == reader, EVENTS.kind == "hard", EVENTS.forgiven.is_(None)
    )
    if not mass:
        query = query.where(sa.not_(EVENTS.mass))
    return connection.execute(query).scalars().all()
