"""The ledger of deliveries: marked before the dot, settled by the answer.

Every change is a compare-and-set: its statement names the claim's token and the states it may
change. Rows are changed in the order of their readers, so that two never wait for each other.
"""

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import (
    ColumnElement,
    Connection,
    Dialect,
    Integer,
    Select,
    Subquery,
    Text,
    Update,
    case,
    exists,
    func,
    not_,
    select,
    update,
)
from sqlalchemy.sql.dml import ReturningUpdate

from newsletter.model import (
    OPEN_ISSUE,
    SETTLEABLE,
    STATE_AFTER,
    Accepted,
    Claim,
    Deferred,
    Letter,
    Settlement,
)
from newsletter.stores.rules import OTHER_BYTES, chunks, resolved, words_of
from newsletter.stores.sql import schema
from newsletter.stores.sql.bulk import Driver, given, hold, run
from newsletter.stores.sql.decided import decide
from newsletter.stores.sql.papers import MANY
from newsletter.stores.sql.rows import LEDGER, doubt, put, without_a_try
from newsletter.stores.sql.schema import Instant, spelled

_PLACE = {"wave": Integer, "reader": Integer, "token": Text}
"""What a claim is known by; every row given to the statements here begins with it."""


def mark(
    driver: Driver, letters: Sequence[Letter], *, now: datetime, lease: float
) -> frozenset[str]:
    """See :meth:`newsletter.ports.Store.mark`."""
    at = spelled(now, driver.dialect)
    until = spelled(now + timedelta(seconds=lease), driver.dialect)
    rows = [
        (*_place(letter.claim), mail.message_id, mail.recipient, mail.digest, at, until)
        for letter in sorted(letters, key=lambda letter: letter.claim.reader)
        for mail in (letter.envelope,)
    ]
    hold(driver, _to_stay, rows)
    hold(driver, _to_be_marked, rows)
    granted = frozenset(token for (token,) in run(driver, _commit, rows))
    if len(granted) < len(rows):
        run(driver, _hold_changed, rows)
    return granted


def _markable(dialect: Dialect) -> tuple[Subquery, ColumnElement[bool]]:
    """The letters given, and that a delivery is claimed for one and may be sent."""
    columns = {"message_id": Text, "recipient": Text, "digest": Text, "now": Instant}
    rows = given(dialect, **_PLACE, **columns, until=Instant)
    issues, readers = schema.issues.c, schema.readers.c
    is_open = exists().where(issues.id == LEDGER.issue, issues.state.in_(sorted(OPEN_ISSUE)))
    confirmed = exists().where(readers.id == LEDGER.reader, readers.status == "confirmed")
    claimed = (LEDGER.state == "claimed") & (LEDGER.lease_until > rows.c.now)
    return rows, _held_by(rows) & claimed & is_open & confirmed


def _to_be_marked(dialect: Dialect) -> Select[tuple[int]]:
    _, markable = _markable(dialect)
    query = select(LEDGER.reader).where(markable).order_by(LEDGER.reader)
    return query.with_for_update(of=schema.deliveries)


def _to_stay(dialect: Dialect) -> Select[tuple[int]]:
    """The readers: who is confirmed stays so until we commit."""
    rows, readers = given(dialect, **_PLACE), schema.readers
    query = select(readers.c.id).where(readers.c.id == rows.c.reader).order_by(readers.c.id)
    return query.with_for_update(of=readers, read=True)


def _commit(dialect: Dialect) -> ReturningUpdate[tuple[str | None]]:
    """Marks those that may be sent, and tells their tokens."""
    rows, markable = _markable(dialect)
    return (
        update(schema.deliveries)
        .where(markable, not_(_has_changed(rows)))
        .values(
            state="committing",
            lease_until=rows.c.until,
            marked=rows.c.now,
            message_id=rows.c.message_id,
            recipient=rows.c.recipient,
            digest=rows.c.digest,
        )
        .returning(LEDGER.token)
    )


def _has_changed(rows: Subquery) -> ColumnElement[bool]:
    """That other bytes may have left before, under the letter's name."""
    before = func.coalesce(LEDGER.digest, rows.c.digest)
    return (LEDGER.doubts > 0) & (before != rows.c.digest)


def _hold_changed(dialect: Dialect) -> Update:
    rows, markable = _markable(dialect)
    return (
        update(schema.deliveries)
        .where(markable, _has_changed(rows))
        .values(state="held", reply=OTHER_BYTES, token=None, lease_until=None, settled=rows.c.now)
    )


def settle(driver: Driver, settlements: Sequence[Settlement], *, now: datetime) -> None:
    """See :meth:`newsletter.ports.Store.settle`."""
    at = spelled(now, driver.dialect)
    rows = [
        (
            *_place(one.claim),
            STATE_AFTER[type(one.outcome)],
            words_of(one.outcome),
            spelled(one.next_try, driver.dialect) if isinstance(one.outcome, Deferred) else None,
            at,
        )
        for one in sorted(settlements, key=lambda settlement: settlement.claim.reader)
    ]
    hold(driver, _to_be_settled, rows)
    run(driver, _end, rows)
    accepted = [one.claim for one in settlements if isinstance(one.outcome, Accepted)]
    decide(driver, [(claim.wave, claim.reader) for claim in accepted])


def _place(claim: Claim) -> tuple[int, int, str]:
    return claim.wave, claim.reader, claim.token


def _held_by(rows: Subquery) -> ColumnElement[bool]:
    """That a delivery is under one of the claims given."""
    waves = schema.waves.c
    here = (waves.id == rows.c.wave) & (LEDGER.issue == waves.issue)
    return (
        here
        & (LEDGER.reader == rows.c.reader)
        & (LEDGER.wave == rows.c.wave)
        & (LEDGER.token == rows.c.token)
    )


def _settleable(dialect: Dialect) -> tuple[Subquery, ColumnElement[bool]]:
    """The settlements given, and that a delivery may be ended by one."""
    rows = given(dialect, **_PLACE, state=Text, reply=Text, next_try=Instant, now=Instant)
    return rows, _held_by(rows) & LEDGER.state.in_(sorted(SETTLEABLE))


def _to_be_settled(dialect: Dialect) -> Select[tuple[int]]:
    _, settleable = _settleable(dialect)
    query = select(LEDGER.reader).where(settleable).order_by(LEDGER.reader)
    return query.with_for_update(of=schema.deliveries)


def _end(dialect: Dialect) -> Update:
    rows, settleable = _settleable(dialect)
    unclear = rows.c.state == "unknown"
    in_doubt = doubt()
    no_try = (LEDGER.state == "claimed") & (rows.c.state == "pending")
    return (
        update(schema.deliveries)
        .where(settleable)
        .values(
            state=case((unclear, in_doubt["state"]), else_=rows.c.state),
            doubts=case((unclear, in_doubt["doubts"]), else_=LEDGER.doubts),
            attempts=case((no_try, without_a_try()["attempts"]), else_=LEDGER.attempts),
            reply=rows.c.reply,
            next_try=rows.c.next_try,
            token=None,
            lease_until=None,
            settled=rows.c.now,
        )
    )


def resolve(
    connection: Connection, day: date, emails: Collection[str], *, arrived: bool, now: datetime
) -> frozenset[str]:
    """See :meth:`newsletter.ports.Store.resolve`."""
    issue = select(schema.issues.c.id).where(schema.issues.c.day == day).scalar_subquery()
    rows = [
        row
        for some in chunks(sorted(emails), MANY)
        for row in connection.execute(
            select(LEDGER.issue, LEDGER.wave, LEDGER.reader, schema.readers.c.email)
            .join(schema.readers, schema.readers.c.id == LEDGER.reader)
            .where(LEDGER.issue == issue, LEDGER.state == "held", schema.readers.c.email.in_(some))
            .order_by(LEDGER.reader)
            .with_for_update(of=schema.deliveries)
        )
    ]
    state, reply = resolved(arrived=arrived)
    for at in {row.issue for row in rows}:
        readers = [row.reader for row in rows]
        put(connection, at, readers, state=state, reply=reply, token=None, settled=now)
    if arrived:
        decide(Driver.of(connection), [(row.wave, row.reader) for row in rows])
    return frozenset(row.email for row in rows)
