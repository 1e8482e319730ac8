"""Claims: the right to send, taken in the order in which letters are to leave."""

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, Text, cast, literal, or_, select

from newsletter.model import FREE, OPEN_ISSUE, Claim, Edition
from newsletter.stores.rules import token_for
from newsletter.stores.sql import issues, schema
from newsletter.stores.sql.codec import load
from newsletter.stores.sql.leases import expire, take_back
from newsletter.stores.sql.rows import LEDGER, only, put


class Free(NamedTuple):
    """A delivery that may be claimed: a plain tuple, as a row finds its columns slowly by name."""

    reader: int
    wave: int
    attempts: int
    body: str
    status: str


def take(  # noqa: PLR0913 - the port's own, and the start of the machine
    connection: Connection,
    day: date,
    *,
    limit: int,
    now: datetime,
    lease: float,
    token: str,
    boot: str | None,
    readers: Collection[int] | None = None,
) -> Sequence[Free]:
    """Take what may be claimed; ``boot`` is the start of the machine it is.

    :func:`read` makes claims of it once others may write again. For the rest see
    :meth:`newsletter.ports.Store.claim`.
    """
    there = select(schema.issues.c.id, schema.issues.c.state).where(schema.issues.c.day == day)
    issue = connection.execute(there).one_or_none()
    if issue is None:
        return ()
    take_back(connection, issue.id, now, boot)
    if issue.state not in OPEN_ISSUE:
        return ()
    expire(connection, issue.id, now)
    rows = _free(connection, issue.id, limit, now, only(readers))
    if rows:
        until = now + timedelta(seconds=lease)
        _put_under_claim(connection, issue.id, rows, token, now=now, until=until, boot=boot)
        issues.begin_sending(connection, issue.id)
    return rows


def read(rows: Sequence[Free], token: str) -> tuple[Claim, ...]:
    """The claims to what was taken under this token."""
    return tuple(_claim(row, token) for row in rows)


def _free(
    connection: Connection,
    issue: int,
    limit: int,
    now: datetime,
    asked: Sequence[ColumnElement[bool]],
) -> list[Free]:
    """What is there to be claimed, a state at a time, each along its index.

    What is in doubt comes last: whatever stops this run too soon again must not meet it twice.
    """
    found: list[Free] = []
    for state in FREE:
        while len(found) < limit and (
            rows := _candidates(connection, issue, state, limit - len(found), now, asked)
        ):
            staying = [row for row in rows if row.status == "confirmed"]
            found += staying
            gone = [row.reader for row in rows if row.status != "confirmed"]
            put(connection, issue, gone, state="suppressed", settled=now)
            if not gone:
                break
            asked = [*asked, LEDGER.reader.not_in([row.reader for row in staying])]
    return found


def _candidates(
    connection: Connection,
    issue: int,
    state: str,
    limit: int,
    now: datetime,
    asked: Sequence[ColumnElement[bool]],
) -> list[Free]:
    editions, readers = schema.editions, schema.readers
    due = or_(LEDGER.next_try.is_(None), LEDGER.next_try <= now)
    query = (
        select(LEDGER.reader, LEDGER.wave, LEDGER.attempts, editions.c.body, readers.c.status)
        .join(readers, readers.c.id == LEDGER.reader)
        .join(editions, (editions.c.wave == LEDGER.wave) & (editions.c.reader == LEDGER.reader))
        .where(LEDGER.issue == issue, LEDGER.state == state, due, *asked)
        .order_by(LEDGER.reader)
        .limit(limit)
        .with_for_update(of=schema.deliveries, skip_locked=True)
    )
    return [Free(*row) for row in connection.execute(query)]


def _put_under_claim(
    connection: Connection,
    issue: int,
    rows: Sequence[Free],
    token: str,
    *,
    now: datetime,
    until: datetime,
    boot: str | None,
) -> None:
    put(
        connection,
        issue,
        [row.reader for row in rows],
        state="claimed",
        token=literal(token_for(token, "")) + cast(LEDGER.reader, Text),
        lease_until=until,
        attempts=LEDGER.attempts + 1,
        next_try=None,
        claimed=now,
        boot=boot,
        marked=None,
    )


def _claim(row: Free, token: str) -> Claim:
    return Claim(
        wave=row.wave,
        reader=row.reader,
        token=token_for(token, row.reader),
        edition=load(Edition, row.body),
        attempt=row.attempts + 1,
    )
