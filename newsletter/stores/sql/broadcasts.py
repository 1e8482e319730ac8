"""Notes to all readers, and the ledger of each, in SQL.

The rules are those of :class:`newsletter.ports.Ledger`. A note is rare and its deliveries are
simple: so each change is a whole transaction that is alone, and reaches the disk before it ends.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from typing_extensions import override

from newsletter.model import (
    FREE,
    IN_DOUBT,
    LEASED,
    SETTLEABLE,
    STATE_AFTER,
    Broadcast,
    BroadcastReport,
    Claim,
    Counts,
    Deferred,
    Delivery,
    Edition,
    IssueState,
    Letter,
    NotSent,
    Publication,
    Recipient,
    Settlement,
    Unknown,
)
from newsletter.model.windows import RETRY_PERIOD
from newsletter.ports import Broadcasts, Ledger
from newsletter.stores.logic import OTHER_BYTES, claim_token, reply_of, run_of
from newsletter.stores.sql import schema
from newsletter.stores.sql.deliveries import KeptOutcomes, doubt_values
from newsletter.stores.sql.engine import Database, Queries, Task, lock_task
from newsletter.stores.sql.statements import batches, insert_new, select_in

_NOTES, _ROWS, _READERS = (
    schema.broadcasts.c,
    schema.broadcast_deliveries.c,
    schema.readers.c,
)


class BroadcastQueries(Queries, Broadcasts):
    """:class:`newsletter.ports.Broadcasts` in SQL."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._ledgers: dict[int, BroadcastLedger] = {}

    @override
    def plan_broadcast(
        self, broadcast: Broadcast, readers: Collection[int], *, now: datetime
    ) -> int:
        fields = asdict(broadcast) | {"at": broadcast.at.isoformat()}
        row = {"key": broadcast.key, "at": broadcast.at, "body": json.dumps(fields)}
        with self._database.writing() as connection:
            lock_task(connection, Task.BROADCAST)
            connection.execute(insert_new(connection, schema.broadcasts).values(row))
            known = sa.select(_NOTES.id).where(_NOTES.key == broadcast.key)
            number: int = connection.execute(known).scalar_one()
            insert = insert_new(connection, schema.broadcast_deliveries)
            plain = {"broadcast": number, "planned": now, "state": "pending"}
            for batch in batches(sorted(readers)):
                connection.execute(insert, [{**plain, "reader": reader} for reader in batch])
            return number

    @override
    def told_by_broadcast(self, key: str) -> frozenset[int]:
        query = sa.select(_ROWS.reader).join(schema.broadcasts).where(_NOTES.key == key)
        with self._database.reading() as connection:
            return frozenset(connection.execute(query).scalars())

    @override
    def broadcast(self, number: int) -> Broadcast:
        query = sa.select(_NOTES.body).where(_NOTES.id == number)
        with self._database.reading() as connection:
            return _load(connection.execute(query).scalar_one())

    @override
    def broadcasts(self) -> tuple[BroadcastReport, ...]:
        query = sa.select(_NOTES.id, _NOTES.body).order_by(_NOTES.id.desc())
        counting = sa.select(_ROWS.broadcast, _ROWS.state, sa.func.count())
        counts = defaultdict[int, dict[str, int]](dict)
        with self._database.reading() as connection:
            for number, state, count in connection.execute(
                counting.group_by(_ROWS.broadcast, _ROWS.state)
            ):
                counts[number][state] = count
            notes = [(number, _load(body)) for number, body in connection.execute(query)]
        return tuple(
            BroadcastReport(number, note.subject, note.at, Counts(**counts[number]))
            for number, note in notes
        )

    @override
    def due_broadcasts(self, *, now: datetime, limit: int) -> Mapping[int, Collection[int]]:
        query = sa.select(_ROWS.broadcast, _ROWS.reader).where(_is_due(now)).limit(limit)
        due = defaultdict[int, list[int]](list)
        with self._database.reading() as connection:
            for number, reader in connection.execute(query):
                due[number].append(reader)
        return due

    @override
    def broadcast_deliveries(self, number: int) -> tuple[Delivery, ...]:
        query = (
            sa.select(
                _NOTES.at, _READERS.email, _ROWS.state, _ROWS.attempts, _ROWS.reply, _ROWS.next_try
            )
            .select_from(schema.broadcast_deliveries.join(schema.broadcasts))
            .join(schema.readers, _READERS.id == _ROWS.reader)
            .where(_ROWS.broadcast == number)
            .order_by(_READERS.email)
        )
        with self._database.reading() as connection:
            return tuple(Delivery(at.date(), *rest) for at, *rest in connection.execute(query))

    @override
    def broadcast_ledger(self, number: int) -> Ledger:
        # One for each note: it keeps the outcomes that could not be recorded.
        return self._ledgers.setdefault(number, BroadcastLedger(self._database, number))


def _load(body: str) -> Broadcast:
    fields: dict[str, Any] = json.loads(body)
    fields["publication"] = Publication(**fields["publication"])
    return Broadcast(**fields | {"at": datetime.fromisoformat(fields["at"]).astimezone(UTC)})


def _is_due(now: datetime) -> sa.ColumnElement[bool]:
    """The condition that a run may claim a delivery, or has lost it."""
    may_go = sa.or_(_ROWS.next_try.is_(None), _ROWS.next_try <= now)
    lost = _ROWS.state.in_(LEASED) & (_ROWS.lease_until <= now)
    return sa.or_(_ROWS.state.in_(FREE) & may_go, lost)


class BroadcastLedger(KeptOutcomes):
    """The ledger of one note."""

    def __init__(self, database: Database, number: int) -> None:
        self._database, self._number = database, number
        self._mine = _ROWS.broadcast == number

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        with self._database.writing() as connection:
            lock_task(connection, Task.BROADCAST)
            yield connection

    def _update(
        self, connection: sa.Connection, *conditions: sa.ColumnElement[bool], **values: object
    ) -> int:
        """Change this note's deliveries that fulfil all conditions; returns how many."""
        mine = sa.update(schema.broadcast_deliveries).where(self._mine, *conditions)
        return connection.execute(mine.values(values)).rowcount

    @override
    def counts(self, day: date) -> Counts:
        query = sa.select(_ROWS.state, sa.func.count().label("number")).where(self._mine)
        with self._database.reading() as connection:
            rows = connection.execute(query.group_by(_ROWS.state))
            return Counts(**{row.state: row.number for row in rows})

    @override
    def close_issue(self, day: date) -> IssueState:
        return "sending" if self.counts(day).open else "done"

    @override
    def claim(
        self,
        day: date,
        *,
        limit: int,
        now: datetime,
        lease: float,
        token: str,
        readers: Collection[int] | None = None,
        resend: bool = True,
    ) -> tuple[Claim, ...]:
        self._record_kept(now)
        with self._writing() as connection:
            self._end_what_is_over(connection, now, resend=resend)
            rows = self._free(connection, limit, now, readers)
            for reader, *_ in rows:
                self._update(
                    connection,
                    _ROWS.reader == reader,
                    state="claimed",
                    token=claim_token(token, reader),
                    lease_until=now + timedelta(seconds=lease),
                    next_try=None,
                )
        return tuple(
            Claim(
                self._number,
                reader,
                claim_token(token, reader),
                Edition(Recipient(reader, email), sections=()),
                attempts + 1,
            )
            for reader, email, attempts in rows
        )

    def _end_what_is_over(self, connection: sa.Connection, now: datetime, *, resend: bool) -> None:
        """End leases, deliveries deferred too long, and those of readers who left."""
        over = _ROWS.lease_until <= now
        nothing = {"token": None, "lease_until": None}
        self._update(connection, over, _ROWS.state == "claimed", state="pending", **nothing)
        self._update(connection, over, _ROWS.state == "committing", **doubt_values(_ROWS.doubts))
        if not resend:
            self._update(connection, _ROWS.state == "unknown", state="held", settled=now)
        old = (_ROWS.state == "deferred", _ROWS.planned <= now - RETRY_PERIOD)
        self._update(connection, *old, state="expired", settled=now)
        gone = sa.select(_READERS.id).where(_READERS.status != "confirmed")
        left = (_ROWS.state.in_(FREE), _ROWS.reader.in_(gone))
        self._update(connection, *left, state="suppressed", settled=now)

    def _free(
        self,
        connection: sa.Connection,
        limit: int,
        now: datetime,
        readers: Collection[int] | None,
    ) -> Sequence[tuple[int, str, int]]:
        query = (
            sa.select(_ROWS.reader, _READERS.email, _ROWS.attempts)
            .join(schema.readers, _READERS.id == _ROWS.reader)
            .where(self._mine, _is_due(now), _ROWS.state.in_(FREE))
            .order_by(_ROWS.state.in_(sorted(IN_DOUBT)), _ROWS.reader)
        )
        if readers is not None:
            chosen = sorted(readers)
            query = query.where(
                _ROWS.reader.in_(sa.bindparam("ids", chosen, expanding=True, literal_execute=True))
            )
        rows = connection.execute(query.limit(limit))
        return [(row.reader, row.email, row.attempts) for row in rows]

    @override
    def claiming_runs(self, day: date) -> frozenset[str]:
        query = sa.select(_ROWS.token).where(self._mine, _ROWS.state.in_(LEASED))
        with self._database.reading() as connection:
            return frozenset(run_of(token) for token in connection.execute(query).scalars())

    @override
    def end_leases(self, day: date, runs: Collection[str], *, now: datetime) -> None:
        with self._writing() as connection:
            for run in runs:
                self._update(connection, _is_of(run), _ROWS.state.in_(LEASED), lease_until=now)

    @override
    def renew_leases(self, day: date, run: str, *, now: datetime, lease: float) -> None:
        until = now + timedelta(seconds=lease)
        holds = (_is_of(run), _ROWS.state.in_(LEASED), _ROWS.lease_until > now)
        with self._writing() as connection:
            self._update(connection, *holds, _ROWS.lease_until < until, lease_until=until)

    @override
    def mark(
        self,
        letters: Sequence[Letter],
        *,
        now: datetime,
        lease: float,
        settled: Sequence[Settlement] = (),
    ) -> frozenset[str]:
        until = now + timedelta(seconds=lease)
        with self._writing() as connection:
            self._settle(connection, settled, now)
            staying = _confirmed(connection, [letter.claim.reader for letter in letters])
            return frozenset(
                letter.claim.token
                for letter in letters
                if letter.claim.reader in staying and self._mark(connection, letter, now, until)
            )

    def _mark(
        self, connection: sa.Connection, letter: Letter, now: datetime, until: datetime
    ) -> bool:
        """Mark one letter; hold it instead if it may have left before with other bytes."""
        claim, mail = letter.claim, letter.envelope
        claimed = (
            _ROWS.reader == claim.reader,
            _ROWS.token == claim.token,
            _ROWS.state == "claimed",
            _ROWS.lease_until > now,
        )
        changed = (_ROWS.doubts > 0) & (_ROWS.digest != mail.digest)
        ended = {"token": None, "lease_until": None, "settled": now}
        self._update(connection, *claimed, changed, state="held", reply=OTHER_BYTES, **ended)
        marked = self._update(
            connection,
            *claimed,
            state="committing",
            lease_until=until,
            message_id=mail.message_id,
            digest=mail.digest,
        )
        return bool(marked)

    @override
    def settle(self, settlements: Sequence[Settlement], *, now: datetime) -> None:
        with self._writing() as connection:
            self._settle(connection, settlements, now)

    def _settle(
        self, connection: sa.Connection, settlements: Sequence[Settlement], now: datetime
    ) -> None:
        for one in settlements:
            claim, outcome = one.claim, one.outcome
            values: dict[str, Any] = {"state": STATE_AFTER[type(outcome)], "lease_until": None}
            if isinstance(outcome, Unknown):
                values |= doubt_values(_ROWS.doubts)
            if not isinstance(outcome, NotSent):  # a claim given back was no attempt
                values["attempts"] = claim.attempt
            again = one.next_try if isinstance(outcome, Deferred) else None
            under_claim = (
                _ROWS.reader == claim.reader,
                _ROWS.token == claim.token,
                _ROWS.state.in_(SETTLEABLE),
            )
            values |= {"reply": reply_of(outcome), "next_try": again, "settled": now}
            self._update(connection, *under_claim, token=None, **values)


def _is_of(run: str) -> sa.ColumnElement[bool]:
    return _ROWS.token.startswith(f"{run}.", autoescape=True)


def _confirmed(connection: sa.Connection, readers: Collection[int]) -> frozenset[int]:
    """Those of these readers who are confirmed, and stay so until the commit."""
    query = sa.select(_READERS.id).where(_READERS.status == "confirmed").order_by(_READERS.id)
    query = query.with_for_update(read=True)
    return frozenset(row.id for row in select_in(connection, query, _READERS.id, readers))
