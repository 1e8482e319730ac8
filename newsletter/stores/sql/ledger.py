"""The ledger of deliveries: claimed under a token, marked before the dot, settled by the answer.

Every change here reads its rows ``FOR UPDATE`` first: on PostgreSQL that is what makes it a
compare-and-set, and claims skip what others hold; on SQLite a writing transaction is alone.
"""

import json
from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Row,
    Select,
    and_,
    bindparam,
    or_,
    select,
)

from newsletter.model import (
    Accepted,
    Claim,
    Deferred,
    Edition,
    Settlement,
    Unknown,
)
from newsletter.stores.decisions import (
    FREE,
    SETTLED,
    UNDER_CLAIM,
    chunks,
    token_for,
    words_of,
)
from newsletter.stores.sql import issues, schema
from newsletter.stores.sql.codec import load
from newsletter.stores.sql.leases import doubt, expire, take_back
from newsletter.stores.sql.papers import MANY
from newsletter.stores.sql.rows import LEDGER, apply, change, unheld
from newsletter.stores.sql.statements import insert_new


def claim(
    connection: Connection,
    day: date,
    *,
    limit: int,
    now: datetime,
    lease: float,
    token: str,
    readers: Collection[int] | None = None,
) -> tuple[Claim, ...]:
    """See :meth:`newsletter.ports.Store.claim`."""
    issue = connection.execute(
        select(schema.issues.c.id).where(schema.issues.c.day == day)
    ).scalar()
    if issue is None:
        return ()
    take_back(connection, issue, now)
    expire(connection, issue, now)
    free = _free(issue, now, readers)
    _suppress(connection, free, now)
    # What is in doubt comes last: whatever stops this run too soon again must not meet it twice.
    in_turn = unheld(free).order_by(None).order_by(LEDGER.state == "unknown", LEDGER.reader)
    rows = _take(connection, in_turn.limit(limit), token, now=now, lease=lease)
    if rows:
        issues.begin_sending(connection, issue)
    return _claims(connection, rows, token)


def _free(issue: int, now: datetime, readers: Collection[int] | None) -> ColumnElement[bool]:
    """What is there to be claimed. The ids stand in the statement: there may be any number."""
    due = or_(LEDGER.next_try.is_(None), LEDGER.next_try <= now)
    free = and_(LEDGER.issue == issue, LEDGER.state.in_(sorted(FREE)), due)
    if readers is None:
        return free
    ids = bindparam("ids", sorted(readers), Integer, expanding=True, literal_execute=True)
    return and_(free, LEDGER.reader.in_(ids))


def _suppress(connection: Connection, free: ColumnElement[bool], now: datetime) -> None:
    """End the free deliveries of readers who are not confirmed any more."""
    gone = select(schema.readers.c.id).where(schema.readers.c.status != "confirmed")
    rows = connection.execute(unheld(free, LEDGER.reader.in_(gone))).all()
    apply(connection, [change(row, state="suppressed", settled=now) for row in rows])


def _take(
    connection: Connection, free: Select[Any], token: str, *, now: datetime, lease: float
) -> Sequence[Row[Any]]:
    rows = connection.execute(free).all()
    until = now + timedelta(seconds=lease)
    changes = [
        change(
            row,
            state="claimed",
            token=token_for(token, row.reader),
            lease_until=until,
            attempts=row.attempts + 1,
            next_try=None,
            claimed=now,
            marked=None,
        )
        for row in rows
    ]
    apply(connection, changes)
    return rows


def _claims(connection: Connection, rows: Sequence[Row[Any]], token: str) -> tuple[Claim, ...]:
    editions = {
        (row.wave, row.reader): load(Edition, row.body)
        for some in chunks(rows, MANY)
        for row in connection.execute(
            select(schema.editions).where(
                schema.editions.c.wave.in_({row.wave for row in some}),
                schema.editions.c.reader.in_([row.reader for row in some]),
            )
        )
    }
    return tuple(
        Claim(
            wave=row.wave,
            reader=row.reader,
            token=token_for(token, row.reader),
            edition=editions[row.wave, row.reader],
            attempt=row.attempts + 1,
        )
        for row in rows
    )


def mark(
    connection: Connection, claims: Sequence[Claim], *, now: datetime, lease: float
) -> frozenset[str]:
    """See :meth:`newsletter.ports.Store.mark`."""
    rows = [
        row
        for row in _held(connection, claims).values()
        if row.state == "claimed" and row.lease_until > now
    ]
    confirmed = _confirmed(connection, [row.reader for row in rows])
    granted = [row for row in rows if row.reader in confirmed]
    until = now + timedelta(seconds=lease)
    apply(
        connection,
        [change(row, state="committing", lease_until=until, marked=now) for row in granted],
    )
    return frozenset(row.token for row in granted)


def _confirmed(connection: Connection, readers: Sequence[int]) -> frozenset[int]:
    """Which of these readers are confirmed, and stay so until we commit."""
    columns = schema.readers.c
    return frozenset(
        reader
        for some in chunks(sorted(readers), MANY)
        for reader in connection.execute(
            select(columns.id)
            .where(columns.id.in_(some), columns.status == "confirmed")
            .order_by(columns.id)
            .with_for_update(read=True)
        ).scalars()
    )


_Key = tuple[int, int, str]
"""What a claim is known by: its wave, its reader and its token."""


def _held(connection: Connection, claims: Iterable[Claim]) -> dict[_Key, Row[Any]]:
    """The rows these claims hold; void claims have none."""
    wanted = {_key(claim) for claim in claims}
    rows = (
        row
        for some in chunks(sorted(wanted), MANY)
        for row in connection.execute(
            select(schema.deliveries)
            .where(LEDGER.token.in_([token for _, _, token in some]))
            .order_by(LEDGER.reader)
            .with_for_update()
        )
    )
    found: dict[_Key, Row[Any]] = {(row.wave, row.reader, row.token): row for row in rows}
    return {key: row for key, row in found.items() if key in wanted}


def _key(claim: Claim) -> _Key:
    return claim.wave, claim.reader, claim.token


def settle(connection: Connection, settlements: Sequence[Settlement], *, now: datetime) -> None:
    """See :meth:`newsletter.ports.Store.settle`."""
    held = _held(connection, [settlement.claim for settlement in settlements])
    changes: list[dict[str, Any]] = []
    accepted: list[Claim] = []
    for settlement in settlements:
        row = held.pop(_key(settlement.claim), None)
        if row is None or row.state not in UNDER_CLAIM:
            continue
        changes.append(change(row, **_end(row, settlement), settled=now))
        if isinstance(settlement.outcome, Accepted):
            accepted.append(settlement.claim)
    apply(connection, changes)
    _record_sent(connection, accepted)


def _end(row: Row[Any], settlement: Settlement) -> dict[str, Any]:
    outcome = settlement.outcome
    known = {"state": SETTLED[type(outcome)]}
    return {
        **(doubt(row) if isinstance(outcome, Unknown) else known),
        "reply": words_of(outcome),
        "next_try": settlement.next_try if isinstance(outcome, Deferred) else None,
        "token": None,
        "lease_until": None,
    }


def _record_sent(connection: Connection, claims: Sequence[Claim]) -> None:
    """Every paper of these editions is sent, and their freeze decided."""
    columns = schema.waves.c
    for wave in sorted({claim.wave for claim in claims}):
        theirs = [claim for claim in claims if claim.wave == wave]
        query = select(columns.cutoff, columns.numbers).where(columns.id == wave)
        cutoff, text = connection.execute(query).one()
        numbers = json.loads(text)
        rows = [
            {"reader": claim.reader, "paper": numbers[place]}
            for claim in theirs
            for place in claim.edition.papers
        ]
        connection.execute(insert_new(connection, schema.sent), rows)
        issues.decide(connection, [claim.reader for claim in theirs], cutoff)
