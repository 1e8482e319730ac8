"""Returned mail, in SQL: its effect on readers, refused addresses, and what was read before."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

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
from newsletter.stores.sql.statements import batches, insert_new, select_in, upsert

READERS = schema.readers.c
EVENTS = schema.returns.c
REFUSED = schema.refused_addresses.c
FORMER = schema.former_addresses.c
MAILS = schema.mails.c
LEDGER = schema.deliveries.c

_MAILBOX = ""  # in place of a mail's name: the row says when the mailbox itself was read
RECENT = 10  # issues among which the letters of many readers are looked for together


class MailEventQueries(Queries, MailEvents):
    """Implements :class:`newsletter.ports.MailEvents`."""

    @override
    def record_mail_event(self, event: MailEvent, *, now: datetime) -> MailEventEffect:
        return self.record_mail_events([event], now=now)[0]

    @override
    def record_mail_events(
        self, events: Sequence[MailEvent], *, now: datetime
    ) -> tuple[MailEventEffect, ...]:
        if not events:
            return ()
        with self._database.writing() as connection:
            effects, others = _take_in(connection, events, now)
        ended = (
            event.reader
            for event, effect in zip(events, effects, strict=True)
            if effect in {"suppressed", "unsubscribed"}
        )
        self._statuses_changed({*ended, *others}, now)
        return effects

    def _statuses_changed(self, readers: Collection[int], now: datetime) -> None:
        """Called when returned mail may have changed the statuses of these readers."""

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
    def last_letters(self, readers: Collection[int], *, by: date) -> Mapping[int, SentLetter]:
        found = dict[int, SentLetter]()
        with self._database.reading() as connection:
            issues = schema.issues.c
            recent = sa.select(issues.id, issues.day).where(issues.day <= by)
            newest = connection.execute(recent.order_by(issues.day.desc()).limit(RECENT)).all()
            days = {row.id: row.day for row in reversed(newest)}
            sent = LEDGER.recipient.is_not(None) & LEDGER.issue.in_(days)
            query = sa.select(LEDGER.reader, LEDGER.issue, LEDGER.recipient).where(sent)
            rows = select_in(connection, query, LEDGER.reader, readers)
            for row in sorted(rows, key=lambda row: days[row.issue]):
                found[row.reader] = SentLetter(days[row.issue], row.recipient)
            for reader in set(readers) - found.keys():
                if (letter := _older_letter(connection, reader, by)) is not None:
                    found[reader] = letter
        return found

    @override
    def former_addresses(self, readers: Collection[int]) -> Mapping[int, frozenset[str]]:
        query, found = sa.select(FORMER.reader, FORMER.address), defaultdict[int, set[str]](set)
        with self._database.reading() as connection:
            for row in select_in(connection, query, FORMER.reader, readers):
                found[row.reader].add(row.address)
        return {reader: frozenset(addresses) for reader, addresses in found.items()}

    @override
    def readers_of_addresses(self, addresses: Collection[str]) -> Mapping[str, int]:
        with self._database.reading() as connection:
            found = _numbers(connection, READERS.email, READERS.id, addresses)
            rest = {address.lower() for address in addresses if address not in found}
            known, former = sa.func.lower(READERS.email), sa.func.lower(FORMER.address)
            others = _numbers(connection, former, FORMER.reader, rest)
            others |= _numbers(connection, known, READERS.id, rest)
        return found | {a: others[a.lower()] for a in addresses if a.lower() in others}

    @override
    def last_consents(self, readers: Collection[int]) -> Mapping[int, datetime]:
        consents = schema.consents.c
        query = sa.select(consents.reader, consents.at).order_by(consents.at)
        with self._database.reading() as connection:
            rows = select_in(connection, query, consents.reader, readers)
            return {row.reader: row.at for row in rows}

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
        mails = (MAILS.mailbox == mailbox) & (MAILS.name != _MAILBOX)
        query = sa.select(MAILS.name, MAILS.left).where(mails)
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
    def record_mailbox_read(self, mailbox: str, *, now: datetime) -> None:
        self.remember_mails(mailbox, {_MAILBOX: ""}, now=now)

    @override
    def mailbox_reads(self) -> Mapping[str, datetime]:
        query = sa.select(MAILS.mailbox, MAILS.noted).where(MAILS.name == _MAILBOX)
        with self._database.reading() as connection:
            return {row.mailbox: row.noted for row in connection.execute(query)}

    @override
    def left_mails(self) -> tuple[LeftMail, ...]:
        query = sa.select(MAILS.mailbox, MAILS.name, MAILS.left, MAILS.noted)
        query = query.where(MAILS.left != "").order_by(MAILS.noted, MAILS.mailbox, MAILS.name)
        with self._database.reading() as connection:
            return tuple(LeftMail(*row) for row in connection.execute(query))


def _older_letter(connection: sa.Connection, reader: int, by: date) -> SentLetter | None:
    """A reader's newest letter of that day or before; the database looks at issue after issue."""
    issues = schema.issues.c
    query = (
        sa.select(issues.day, LEDGER.recipient)
        .join_from(schema.issues, schema.deliveries)
        .where(issues.day <= by, LEDGER.reader == reader, LEDGER.recipient.is_not(None))
        .order_by(issues.day.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else SentLetter(*row)


def _numbers(
    connection: sa.Connection,
    text: sa.ColumnElement[str],
    number: sa.ColumnElement[int],
    values: Collection[str],
) -> dict[str, int]:
    """The number of each text that is one of these values."""
    query: Any = sa.select(text.label("text"), number.label("number"))
    return {row.text: row.number for row in select_in(connection, query, text, values)}


def _take_in(
    connection: sa.Connection, events: Sequence[MailEvent], now: datetime
) -> tuple[tuple[MailEventEffect, ...], Collection[int]]:
    """Record events; their effects, and the other readers whose status they have changed."""
    if any(event.kind == "hard" for event in events):
        lock_task(connection, Task.COUNT_BOUNCES)
    readers = _lock_readers(connection, {event.reader for event in events})
    known = [event for event in events if event.reader in readers]
    elsewhere = {event.digest for event in known if not _is_about(event, readers[event.reader])}
    new = _record(connection, known, elsewhere, now)
    hard = [event for event in known if event.kind == "hard" and event.digest in new - elsewhere]
    verdicts = {day: _judge(connection, day, now) for day in sorted(set(map(_letter_of, hard)))}
    mass = {event.digest for event in hard if verdicts[_letter_of(event)][0]}
    others = {reader for _, corrected in verdicts.values() for reader in corrected}
    statuses = {number: row.status for number, row in readers.items()}
    if others:  # some of them may be in this batch
        locked = _lock_readers(connection, others & readers.keys())
        statuses |= {number: row.status for number, row in locked.items()}
    readers_of_hard = {event.reader for event in hard}
    hard_days = _hard_days(connection, readers_of_hard, without={event.digest for event in hard})
    effects, before = list[MailEventEffect](), dict(statuses)
    for event in events:
        if event.reader not in readers:
            effects.append("unknown")
        elif event.digest not in new:
            effects.append("again")
        elif event.digest in elsewhere:
            effects.append("elsewhere")
        elif event.digest in mass:
            effects.append("mass")
        else:
            days = hard_days.setdefault(event.reader, [])
            if event.kind == "hard":
                days.append(event.day)
            after = status_after(statuses[event.reader], event.kind, days)
            statuses[event.reader] = after
            effects.append(effect_of(after))
        new.discard(event.digest)
    for status in set(statuses.values()):
        changed = [n for n, after in statuses.items() if after == status != before[n]]
        set_reader_status(connection, changed, status, now)
    return tuple(effects), others


def _judge(connection: sa.Connection, letter: date, now: datetime) -> tuple[bool, Collection[int]]:
    """Whether the hard bounces of a letter are many; earlier ones are corrected."""
    of_letter = _of_letter(letter)
    count = sa.select(sa.func.count(EVENTS.reader.distinct())).where(of_letter)
    number = connection.execute(count).scalar_one()
    # Whether they are many is clear as soon as there are more than three letters for each.
    mass = is_mass(number, _letters_of(connection, letter, at_most=3 * number + 1))
    corrected = sa.update(schema.returns).where(of_letter, EVENTS.mass != mass)
    rows = connection.execute(corrected.values(mass=mass).returning(EVENTS.reader))
    readers = sorted({row.reader for row in rows})
    return mass, [reader for reader in readers if _correct(connection, reader, now)]


def set_reader_status(
    connection: sa.Connection, readers: Collection[int], status: Status, now: datetime
) -> None:
    """Change the status of the readers with these ids within a transaction."""
    changed = sa.update(schema.readers).values(status=status, changed=now)
    for some in batches(sorted(readers)):
        connection.execute(changed.where(READERS.id.in_(some)))


def forgive(connection: sa.Connection, reader: int, now: datetime) -> bool:
    """Let a reader's mail events count no more; returns whether they were enough to block."""
    counting = (EVENTS.reader == reader) & EVENTS.forgiven.is_(None)
    blocked = _has_complained(connection, reader) or are_too_many(_hard_days_of(connection, reader))
    connection.execute(sa.update(schema.returns).where(counting).values(forgiven=now))
    return blocked


def forget_about(connection: sa.Connection, readers: sa.Select[tuple[int]]) -> None:
    """Delete mail events, former addresses, likes and the operator's acts about these readers."""
    for table in (schema.returns, schema.former_addresses, schema.likes, schema.operator_acts):
        connection.execute(sa.delete(table).where(table.c.reader.in_(readers)))


def _lock_readers(connection: sa.Connection, numbers: Collection[int]) -> dict[int, sa.Row[Any]]:
    query = sa.select(READERS.id, READERS.status, READERS.email).order_by(READERS.id)
    rows = select_in(connection, query.with_for_update(), READERS.id, numbers)
    return {row.id: row for row in rows}


def _is_about(event: MailEvent, reader: sa.Row[Any]) -> bool:
    """Whether an event counts for the reader: who leaves does so whatever the address."""
    same = not event.address or event.address.casefold() == reader.email.casefold()
    return event.kind == "unsubscribe" or same


def _letter_of(event: MailEvent) -> date:
    return event.letter or event.day


def _record(
    connection: sa.Connection,
    events: Sequence[MailEvent],
    forgiven: Collection[str],
    now: datetime,
) -> set[str]:
    """Record events; returns the digests of those that were not recorded before."""
    rows = {
        event.digest: {
            **asdict(event),
            "noted": now,
            "forgiven": now if event.digest in forgiven else None,
        }
        for event in reversed(events)
    }
    statement = insert_new(connection, schema.returns).returning(EVENTS.digest)
    return set(connection.execute(statement, list(rows.values())).scalars()) if rows else set()


def _of_letter(letter: date) -> sa.ColumnElement[bool]:
    """The hard bounces of a day's letters; where the letter is not known, those of that day."""
    that_day = EVENTS.letter.is_(None) & (EVENTS.day == letter)
    return (EVENTS.kind == "hard") & ((EVENTS.letter == letter) | that_day)


def _letters_of(connection: sa.Connection, day: date, at_most: int | None = None) -> int:
    """How many letters the issue of a day has, or the last one before it; else the readers.

    Counting stops at ``at_most``.
    """
    issues, ledger = schema.issues.c, schema.deliveries.c
    last = sa.select(issues.id).where(issues.day <= day).order_by(issues.day.desc()).limit(1)
    letters = sa.select(ledger.reader).where(
        ledger.issue == last.scalar_subquery(), ledger.state.not_in(("empty", "suppressed"))
    )
    readers = sa.select(READERS.id).where(READERS.status.in_(("confirmed", "blocked")))
    counts = (
        connection.execute(sa.select(sa.func.count()).select_from(rows.limit(at_most).subquery()))
        for rows in (letters, readers)
    )
    return next((n for count in counts if (n := int(count.scalar_one()))), 0)


def _correct(connection: sa.Connection, reader: int, now: datetime) -> bool:
    """Block or unblock a reader some of whose bounces count or no longer count; True if so."""
    row = _lock_readers(connection, {reader}).get(reader)
    if row is None or _has_complained(connection, reader):
        return False
    now_blocks = are_too_many(_hard_days_of(connection, reader))
    any_blocks = are_too_many(_hard_days_of(connection, reader, mass=True))
    if row.status == "confirmed" and now_blocks:
        set_reader_status(connection, [reader], "blocked", now)
    elif row.status == "blocked" and any_blocks and not now_blocks:
        set_reader_status(connection, [reader], "confirmed", now)
    else:
        return False
    return True


def _has_complained(connection: sa.Connection, reader: int) -> bool:
    query = sa.select(EVENTS.digest).where(
        EVENTS.reader == reader, EVENTS.kind == "complaint", EVENTS.forgiven.is_(None)
    )
    return connection.execute(query.limit(1)).first() is not None


def _hard_days_of(connection: sa.Connection, reader: int, *, mass: bool = False) -> Sequence[date]:
    return _hard_days(connection, {reader}, mass=mass).get(reader, [])


def _hard_days(
    connection: sa.Connection,
    readers: Collection[int],
    *,
    mass: bool = False,
    without: Collection[str] = (),
) -> dict[int, list[date]]:
    """The days of readers' hard bounces that count; with ``mass`` also of those of many.

    Those of the events ``without`` are left out.
    """
    query = sa.select(EVENTS.reader, EVENTS.day, EVENTS.digest).where(
        EVENTS.kind == "hard", EVENTS.forgiven.is_(None)
    )
    if not mass:
        query = query.where(sa.not_(EVENTS.mass))
    days = defaultdict[int, list[date]](list)
    for row in select_in(connection, query, EVENTS.reader, readers):
        if row.digest not in without:
            days[row.reader].append(row.day)
    return days
