"""Claims, the right to send letters, and their leases, in SQL."""

import logging
from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa
from typing_extensions import override

from newsletter.errors import Isolated, describe
from newsletter.model import (
    FREE,
    IN_DOUBT,
    LEASED,
    OPEN,
    OPEN_ISSUE,
    Claim,
    Deferred,
    Edition,
    Recipient,
    Settlement,
)
from newsletter.model.states import NOT_BUILT
from newsletter.model.windows import RETRY_PERIOD, RETRY_WAITS
from newsletter.stores.logic import claim_token, run_of
from newsletter.stores.sql import schema
from newsletter.stores.sql.column_types import UtcDateTime, utc_text
from newsletter.stores.sql.deliveries import (
    DELIVERIES,
    KeptOutcomes,
    attempts_without_mark,
    doubt_values,
    lock_deliveries,
    update_deliveries,
)
from newsletter.stores.sql.editions import SETTINGS, STORED, EditionQueries
from newsletter.stores.sql.packed_editions import StoredEdition
from newsletter.stores.sql.statements import Driver, json_rows, run

_log = logging.getLogger(__name__)

ISSUES, WAVES = schema.issues.c, schema.waves.c
_HOLDING = sorted(IN_DOUBT & OPEN)
_EXPIRING = sorted(set(FREE) - IN_DOUBT)


class _FoundIssue(NamedTuple):
    """An issue, and whether any of its deliveries may have to change before the next claim."""

    id: int
    state: str
    is_due: bool


class FreeDelivery(NamedTuple):
    """A delivery that may be claimed; a tuple, because rows look up columns by name slowly."""

    reader: int
    wave: int
    attempts: int
    status: str
    edition: StoredEdition


class ClaimQueries(EditionQueries, KeptOutcomes):
    """The claims of :class:`newsletter.ports.Ledger`."""

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
        boot = self._database.boot
        with self._database.writing() as connection:
            issue = _look_at(connection, day, now)
            if issue is None:
                return ()
            if issue.is_due:
                _end_leases(connection, issue.id, now, boot)
                if not resend:
                    _hold_doubts(connection, issue.id, now)
            if issue.state not in OPEN_ISSUE:
                return ()
            if issue.is_due:
                _expire(connection, issue.id, now)
            rows = _free(connection, issue.id, limit, now, _of_readers(readers))
            if rows:
                _store_claim(connection, issue.id, rows, token, now=now, lease=lease, boot=boot)
                _begin_sending(connection, issue.id)
        # Parsing the editions takes long, so others may write meanwhile.
        claims, unreadable = self._claims(rows, token, day)
        if not unreadable:
            return claims
        again = now + RETRY_WAITS[-1]
        self.settle([Settlement(claim, why, again) for claim, why in unreadable], now=now)
        if claims:
            return claims
        return self.claim(
            day, limit=limit, now=now, lease=lease, token=token, readers=readers, resend=resend
        )

    def _claims(
        self, rows: Iterable[FreeDelivery], token: str, day: date
    ) -> tuple[tuple[Claim, ...], list[tuple[Claim, Deferred]]]:
        """The claims of these rows; apart from them those whose stored edition cannot be read."""
        claims, unreadable = [], []
        attempt = Isolated()  # one for all rows: this loop is hot
        for row in rows:
            with attempt:
                claims.append(_claim(row, token, self._edition(row.wave, row.edition)))
                continue
            why = f"{NOT_BUILT} stored edition: {describe(attempt.error)}"
            _log.error("%s: reader %d: %s", day, row.reader, why, exc_info=attempt.error)
            nothing = Edition(Recipient(row.reader, ""), sections=())
            unreadable.append((_claim(row, token, nothing), Deferred(why)))
        return tuple(claims), unreadable

    @override
    def claiming_runs(self, day: date) -> frozenset[str]:
        query = sa.select(DELIVERIES.token).where(_is_leased(day))
        with self._database.reading() as connection:
            return frozenset(map(run_of, connection.execute(query).scalars()))

    @override
    def end_leases(self, day: date, runs: Collection[str], *, now: datetime) -> None:
        leased = sa.update(schema.deliveries).where(_is_leased(day)).values(lease_until=now)
        with self._database.writing() as connection:
            for run in sorted(runs):
                connection.execute(leased.where(_is_of_run(run)))

    @override
    def renew_leases(self, day: date, run: str, *, now: datetime, lease: float) -> None:
        until = now + timedelta(seconds=lease)
        with self._database.writing() as connection:
            issue = connection.execute(sa.select(ISSUES.id).where(ISSUES.day == day)).scalar()
            if issue is None:
                return
            theirs = lock_deliveries(
                connection,
                DELIVERIES.issue == issue,
                DELIVERIES.state.in_(LEASED),
                _is_of_run(run),
                DELIVERIES.lease_until > now,
                DELIVERIES.lease_until < until,
            )
            update_deliveries(connection, issue, theirs, lease_until=until)


def _look_at(connection: sa.Connection, day: date, now: datetime) -> _FoundIssue | None:
    """The day's issue.

    One statement, which mostly saves those of :func:`_end_leases` and :func:`_expire`.
    """
    driver = Driver.of(connection)
    rows = [(day.isoformat(), utc_text(now, driver.dialect))]
    found = run(driver, _select_issue, rows).fetchone()
    return found and _FoundIssue(*found)


def _select_issue(dialect: sa.Dialect) -> sa.Select[tuple[int, str, bool]]:
    row = json_rows(dialect, day=sa.Date, now=UtcDateTime).c
    others = schema.waves.alias().c

    def has(state: str, *conditions: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
        theirs = (DELIVERIES.issue == ISSUES.id) & (DELIVERIES.state == state)
        return sa.exists().where(theirs, *conditions)

    # A term for each state, because for several at once SQLite would read the whole issue.
    is_over = [has(state, DELIVERIES.lease_until <= row.now) for state in sorted(LEASED)]
    may_end = map(has, ("unknown", "deferred"))
    has_later = sa.exists().where(
        WAVES.issue == ISSUES.id, others.issue != ISSUES.id, others.id > WAVES.id
    )
    is_due = sa.or_(*is_over, *may_end, has_later)
    return sa.select(ISSUES.id, ISSUES.state, is_due).where(ISSUES.day == row.day)


def _is_leased(day: date) -> sa.ColumnElement[bool]:
    issue = sa.select(ISSUES.id).where(ISSUES.day == day).scalar_subquery()
    return (DELIVERIES.issue == issue) & DELIVERIES.state.in_(LEASED)


def _is_of_run(run: str) -> sa.ColumnElement[bool]:
    return DELIVERIES.token.startswith(f"{run}.", autoescape=True)


def _of_readers(readers: Collection[int] | None) -> list[sa.ColumnElement[bool]]:
    """The condition that a delivery is for one of these readers; no condition for all readers.

    The ids are part of the statement's text, because the number of parameters is limited.
    """
    if readers is None:
        return []
    ids = sa.bindparam("ids", sorted(readers), sa.Integer, expanding=True, literal_execute=True)
    return [DELIVERIES.reader.in_(ids)]


def _end_leases(connection: sa.Connection, issue: int, now: datetime, boot: str | None) -> None:
    """End the claims whose lease is over; those in doubt keep their token (see SETTLEABLE).

    A claim made before this start of the machine is in doubt, too: a power cut may have lost its
    mark.
    """
    over = (DELIVERIES.issue == issue, DELIVERIES.lease_until <= now)
    before_boot = DELIVERIES.boot.is_not(None) & DELIVERIES.boot.is_distinct_from(boot)
    is_claimed = DELIVERIES.state == "claimed"
    unmarked = lock_deliveries(connection, *over, is_claimed, sa.not_(before_boot))
    update_deliveries(
        connection,
        issue,
        unmarked,
        state="pending",
        token=None,
        lease_until=None,
        attempts=attempts_without_mark(),
    )
    # One query for each state: for both at once, SQLite would read the whole issue.
    for may_have_left in (DELIVERIES.state == "committing", is_claimed & before_boot):
        doubtful = lock_deliveries(connection, *over, may_have_left)
        update_deliveries(connection, issue, doubtful, **doubt_values())


def _hold_doubts(connection: sa.Connection, issue: int, now: datetime) -> None:
    """Hold deliveries in doubt; they keep their token, because a late answer ends the doubt."""
    doubts = lock_deliveries(connection, DELIVERIES.issue == issue, DELIVERIES.state == "unknown")
    update_deliveries(connection, issue, doubts, state="held", settled=now)


def _expire(connection: sa.Connection, issue: int, now: datetime) -> None:
    """End open deliveries that were deferred too long, or whose reader has a later letter."""
    query = sa.select(WAVES.id, WAVES.frozen).where(WAVES.issue == issue)
    waves = connection.execute(query).all()
    if old := [wave.id for wave in waves if wave.frozen <= now - RETRY_PERIOD]:
        deferred = lock_deliveries(
            connection, DELIVERIES.state == "deferred", DELIVERIES.wave.in_(old)
        )
        update_deliveries(connection, issue, deferred, state="expired", settled=now)
    if later := _issues_frozen_after(connection, issue, [wave.id for wave in waves]):
        other = schema.deliveries.alias()
        has_later = sa.exists().where(
            other.c.issue.in_(later),
            other.c.reader == DELIVERIES.reader,
            other.c.wave > DELIVERIES.wave,
        )
        for states, end in ((_EXPIRING, "expired"), (_HOLDING, "held")):
            rows = lock_deliveries(
                connection, DELIVERIES.issue == issue, DELIVERIES.state.in_(states), has_later
            )
            update_deliveries(connection, issue, rows, state=end, settled=now)


def _issues_frozen_after(
    connection: sa.Connection, issue: int, waves: Sequence[int]
) -> Sequence[int]:
    """The other issues that have waves frozen after one of these."""
    query = sa.select(WAVES.issue).where(WAVES.issue != issue, WAVES.id > min(waves, default=0))
    return connection.execute(query.distinct()).scalars().all()


def _free(
    connection: sa.Connection,
    issue: int,
    limit: int,
    now: datetime,
    conditions: Sequence[sa.ColumnElement[bool]],
) -> list[FreeDelivery]:
    """The deliveries that may be claimed, state by state, each along the table's index.

    Those in doubt come last, so that a run that always stops early does not interrupt them twice.
    Deliveries of readers who are not confirmed are suppressed on the way.
    """
    found: list[FreeDelivery] = []
    for state in FREE:
        while len(found) < limit and (
            rows := _candidates(connection, issue, state, limit - len(found), now, conditions)
        ):
            staying = [row for row in rows if row.status == "confirmed"]
            found += staying
            gone = [row.reader for row in rows if row.status != "confirmed"]
            update_deliveries(connection, issue, gone, state="suppressed", settled=now)
            if not gone:
                break
            seen = DELIVERIES.reader.not_in([row.reader for row in staying])
            conditions = [*conditions, seen]
    return found


def _candidates(
    connection: sa.Connection,
    issue: int,
    state: str,
    limit: int,
    now: datetime,
    conditions: Sequence[sa.ColumnElement[bool]],
) -> list[FreeDelivery]:
    editions, readers = schema.editions.c, schema.readers.c
    due = sa.or_(DELIVERIES.next_try.is_(None), DELIVERIES.next_try <= now)
    same = (editions.wave == DELIVERIES.wave) & (editions.reader == DELIVERIES.reader)
    query = (
        sa.select(DELIVERIES.reader, DELIVERIES.wave, DELIVERIES.attempts, readers.status, *STORED)
        .select_from(schema.deliveries)
        .join(schema.readers, readers.id == DELIVERIES.reader)
        .join(schema.editions, same)
        .outerjoin(schema.choices, SETTINGS)  # erased readers have none
        .where(DELIVERIES.issue == issue, DELIVERIES.state == state, due, *conditions)
        .order_by(DELIVERIES.reader)
        .limit(limit)
        .with_for_update(of=schema.deliveries, skip_locked=True)
    )
    return [
        FreeDelivery(reader, wave, attempts, status, StoredEdition(*stored))
        for reader, wave, attempts, status, *stored in connection.execute(query)
    ]


def _store_claim(
    connection: sa.Connection,
    issue: int,
    rows: Sequence[FreeDelivery],
    token: str,
    *,
    now: datetime,
    lease: float,
    boot: str | None,
) -> None:
    update_deliveries(
        connection,
        issue,
        [row.reader for row in rows],
        state="claimed",
        token=sa.literal(claim_token(token, "")) + sa.cast(DELIVERIES.reader, sa.Text),
        lease_until=now + timedelta(seconds=lease),
        attempts=DELIVERIES.attempts + 1,
        next_try=None,
        boot=boot,
        marked=None,
    )


def _begin_sending(connection: sa.Connection, issue: int) -> None:
    frozen = (ISSUES.id == issue) & (ISSUES.state == "frozen")
    connection.execute(sa.update(schema.issues).where(frozen).values(state="sending"))


def _claim(row: FreeDelivery, token: str, edition: Edition) -> Claim:
    return Claim(row.wave, row.reader, claim_token(token, row.reader), edition, row.attempts + 1)
