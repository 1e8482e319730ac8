"""What is reported to the operator, in SQL: growth, bounces, notices, heartbeats."""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import date, datetime, timedelta
from itertools import groupby, islice
from typing import Any

import sqlalchemy as sa
from typing_extensions import override

from newsletter.model import (
    DailyGrowth,
    Heartbeat,
    IssueSize,
    OperatorAct,
    Reader,
    Status,
    Suppression,
)
from newsletter.ports import Operator
from newsletter.readers.erasing import ERASED
from newsletter.stores.logic import GONE, growth, why_blocked
from newsletter.stores.sql import schema
from newsletter.stores.sql.deliveries import DELIVERIES
from newsletter.stores.sql.engine import Queries
from newsletter.stores.sql.mail_events import EVENTS, forgive, set_reader_status
from newsletter.stores.sql.reader_rows import COLUMNS, READERS, reader_of
from newsletter.stores.sql.statements import insert_into, is_postgres, upsert
from newsletter.text import fold

NOTICES = schema.notices.c
ISSUES, WAVES = schema.issues.c, schema.waves.c

NOTICE_LEASE = timedelta(minutes=10)
"""After so long the process that was telling an event has crashed; an email takes less."""


_NAME = re.compile(r'"name":("(?:[^"\\]|\\.)*")')  # decoding all of the settings takes longer


class OperatorQueries(Queries, Operator):
    """Implements :class:`newsletter.ports.Operator`, except for the audit."""

    @override
    def count_readers(self) -> Mapping[Status, int]:
        query = sa.select(READERS.status, sa.func.count().label("number")).group_by(READERS.status)
        with self._database.reading() as connection:
            return {row.status: row.number for row in connection.execute(query)}

    @override
    def issue_sizes(self, *, limit: int) -> tuple[IssueSize, ...]:
        waves = (
            sa.select(
                ISSUES.id,
                ISSUES.day,
                sa.func.min(WAVES.frozen).label("frozen"),
                sa.func.max(WAVES.cutoff).label("cutoff"),
                sa.func.max(sa.func.length(WAVES.pieces)).label("size"),
            )
            .select_from(schema.issues.join(schema.waves))
            .group_by(ISSUES.id, ISSUES.day)
            .order_by(sa.func.min(WAVES.frozen).desc())
            .limit(limit + 1)
        )
        with self._database.reading() as connection:
            found = connection.execute(waves).all()
            before = [row.cutoff for row in found[1:]] + [0] * (len(found) <= limit)
            return tuple(
                IssueSize(
                    row.day,
                    row.frozen,
                    max(row.cutoff - cutoff, 0),
                    row.size,
                    *_planned_and_empty(connection, row.id),
                )
                for row, cutoff in zip(found, before, strict=False)
            )

    @override
    def search_readers(
        self, words: str, *, status: Status | None = None, before: int | None = None, limit: int
    ) -> tuple[Reader, ...]:
        query = sa.select(*COLUMNS).where(READERS.email.not_like(f"%{ERASED}"))
        if status is not None:
            query = query.where(READERS.status == status)
        if before is not None:
            query = query.where(READERS.id < before)
        query, wanted = query.order_by(READERS.id.desc()), fold(words)
        with self._database.reading() as connection:
            rows = connection.execute(query if wanted else query.limit(limit))
            found = (
                row
                for row in rows
                if wanted in row.email.lower() or wanted in fold(_name_in(row.body))
            )
            return tuple(map(reader_of, islice(found, limit)))

    @override
    def daily_growth(self) -> tuple[DailyGrowth, ...]:
        consents = schema.consents.c
        first = (
            sa.select(consents.reader, sa.func.min(consents.at).label("at"))
            .group_by(consents.reader)
            .subquery()
        )
        with self._database.reading() as connection:
            joined = _utc_day(connection, sa.func.coalesce(first.c.at, READERS.joined))
            left = _utc_day(connection, READERS.changed)
            joins = (
                sa.select(joined, sa.func.count())
                .select_from(schema.readers.outerjoin(first, first.c.reader == READERS.id))
                .where(READERS.status.not_in(("unconfirmed", "waiting")))
                .group_by(joined)
            )
            leaves = sa.select(left, sa.func.count()).where(READERS.status.in_(sorted(GONE)))
            return growth(
                _count_by_day(connection, joins),
                _count_by_day(connection, leaves.group_by(left)),
            )

    @override
    def suppressions(self) -> tuple[Suppression, ...]:
        counting = EVENTS.forgiven.is_(None) & sa.not_(EVENTS.mass)
        counting &= EVENTS.reader == READERS.id
        query = (
            sa.select(READERS.email, READERS.changed, EVENTS.kind, EVENTS.day, EVENTS.said)
            .outerjoin_from(schema.readers, schema.returns, counting)
            .where(READERS.status == "blocked")
            .order_by(READERS.email, EVENTS.day, EVENTS.noted)
        )
        with self._database.reading() as connection:
            rows = groupby(connection.execute(query), key=lambda row: (row.email, row.changed))
            return tuple(
                Suppression(
                    email,
                    changed,
                    why_blocked([(r.kind, r.day, r.said) for r in events if r.kind is not None]),
                )
                for (email, changed), events in rows
            )

    @override
    def unsuppress(self, email: str, *, now: datetime) -> bool:
        blocked = sa.select(READERS.id).where(READERS.email == email, READERS.status == "blocked")
        with self._database.writing() as connection:
            reader = connection.execute(blocked.with_for_update()).scalar()
            if reader is None:
                return False
            forgive(connection, reader, now)
            set_reader_status(connection, [reader], "confirmed", now)
            return True

    @override
    def record_acts(self, acts: Sequence[OperatorAct]) -> None:
        if acts:
            with self._database.writing() as connection:
                rows = [asdict(act) for act in acts]
                connection.execute(sa.insert(schema.operator_acts), rows)

    @override
    def operator_acts(self, *, limit: int, reader: int | None = None) -> tuple[OperatorAct, ...]:
        columns = schema.operator_acts.c
        query = sa.select(*(columns[field.name] for field in fields(OperatorAct)))
        if reader is not None:
            query = query.where(columns.reader == reader)
        newest = query.order_by(columns.at.desc(), columns.id.desc()).limit(limit)
        with self._database.reading() as connection:
            return tuple(OperatorAct(*row) for row in connection.execute(newest))

    @override
    def claim_notices(self, events: Collection[str], *, now: datetime) -> frozenset[str]:
        return self._take_notices(events, now, NOTICES.claimed < now - NOTICE_LEASE, claimed=now)

    @override
    def record_notices(self, events: Collection[str], *, now: datetime) -> frozenset[str]:
        return self._take_notices(events, now, NOTICES.claimed.is_not(None), claimed=None)

    def _take_notices(
        self,
        events: Collection[str],
        now: datetime,
        of_known: sa.ColumnElement[bool],
        *,
        claimed: datetime | None,
    ) -> frozenset[str]:
        """Insert the new events, and change the known ones that a condition is true of."""
        taken = frozenset[str]()
        if not events:
            return taken
        with self._database.writing() as connection:
            insert = insert_into(connection, schema.notices).on_conflict_do_update(
                index_elements=[NOTICES.event], set_={"claimed": claimed}, where=of_known
            )
            for event in sorted(set(events)):
                row = {"event": event, "told": now, "claimed": claimed}
                taken |= {
                    *connection.execute(insert.values(**row).returning(NOTICES.event)).scalars()
                }
        return taken

    @override
    def remove_notices(self, events: Collection[str]) -> None:
        with self._database.writing() as connection:
            connection.execute(sa.delete(schema.notices).where(schema.notices.c.event.in_(events)))

    @override
    def facts(self) -> Mapping[str, str]:
        columns = schema.facts.c
        with self._database.reading() as connection:
            rows = connection.execute(sa.select(columns.name, columns.value))
            return {row.name: row.value for row in rows if row.value}

    @override
    def record_fact(self, name: str, value: str) -> None:
        with self._database.writing() as connection:
            connection.execute(upsert(connection, schema.facts, {"name": name, "value": value}))

    @override
    def record_heartbeat(self, heartbeat: Heartbeat) -> None:
        with self._database.writing() as connection:
            connection.execute(upsert(connection, schema.heartbeats, asdict(heartbeat)))

    @override
    def heartbeats(self) -> tuple[Heartbeat, ...]:
        columns = schema.heartbeats.c
        query = sa.select(schema.heartbeats).order_by(columns.seen.desc(), columns.name)
        with self._database.reading() as connection:
            return tuple(Heartbeat(**row) for row in connection.execute(query).mappings())


def _planned_and_empty(connection: sa.Connection, issue: int) -> tuple[int, int]:
    is_empty = sa.case((DELIVERIES.state == "empty", 1))
    query = sa.select(sa.func.count(), sa.func.count(is_empty)).where(DELIVERIES.issue == issue)
    planned, empty = connection.execute(query).one()
    return planned, empty


def _name_in(body: str) -> str:
    """The name in a reader's stored settings; empty if there is none that can be read."""
    found = _NAME.search(body)
    try:
        return str(json.loads(found[1])) if found else ""
    except ValueError:
        return ""


def _utc_day(connection: sa.Connection, instant: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """The day of an instant in UTC, whatever the time zone of the session."""
    if is_postgres(connection):
        instant = sa.func.timezone(sa.literal_column("'UTC'"), instant)
    return sa.func.date(instant)


def _count_by_day(
    connection: sa.Connection, query: sa.Select[tuple[Any, int]]
) -> Mapping[date, int]:
    # SQLite returns a day as text, and for what is no instant, None or a day before the year 1.
    counted = ((str(day), count) for day, count in connection.execute(query))
    return {date.fromisoformat(day): count for day, count in counted if day[:1].isdecimal()}
