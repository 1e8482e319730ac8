"""Marks and settlements, in SQL: a letter is marked before its final dot, settled by the answer.

Every change compares and sets: its statement names the claim's token and the states it may change.
Rows are locked in the order of their readers, so that two runs cannot deadlock.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from typing_extensions import override

from newsletter.model import (
    OPEN_ISSUE,
    SETTLEABLE,
    STATE_AFTER,
    Claim,
    Deferred,
    Letter,
    Settlement,
)
from newsletter.ports import Ledger
from newsletter.stores.logic import OTHER_BYTES, reply_of
from newsletter.stores.sql import schema
from newsletter.stores.sql.column_types import UtcDateTime, utc_text
from newsletter.stores.sql.deliveries import (
    DELIVERIES,
    attempts_without_mark,
    doubt_values,
    of_wave,
    record_decided,
)
from newsletter.stores.sql.engine import Queries
from newsletter.stores.sql.statements import Driver, Given, change_each, given, is_one_of, lock

_CLAIM = {"wave": sa.Integer, "reader": sa.Integer, "token": sa.Text}
"""The columns that identify a claim; the rows of these statements begin with them."""


class LedgerQueries(Queries, Ledger):
    """The marks and settlements of :class:`newsletter.ports.Ledger`."""

    @override
    def mark(
        self,
        letters: Sequence[Letter],
        *,
        now: datetime,
        lease: float,
        settled: Sequence[Settlement] = (),
    ) -> frozenset[str]:
        with self._database.writing_fast() as driver:
            if settled:
                _settle(driver, settled, now)
            at = utc_text(now, driver.dialect)
            until = utc_text(now + timedelta(seconds=lease), driver.dialect)
            rows = [
                (*_claim(letter.claim), mail.message_id, mail.recipient, mail.digest, at, until)
                for letter in sorted(letters, key=lambda letter: letter.claim.reader)
                for mail in (letter.envelope,)
            ]
            lock(driver, _lock_readers, rows)
            lock(driver, _lock_markable, rows)
            granted = change_each(driver, _mark, rows)
            if len(granted) < len(rows):
                change_each(driver, _hold_changed, [row[:-1] for row in rows])
            return frozenset(row[2] for row in granted)

    @override
    def settle(self, settlements: Sequence[Settlement], *, now: datetime) -> None:
        with self._database.writing_fast() as driver:
            _settle(driver, settlements, now)


def _claim(claim: Claim) -> tuple[int, int, str]:
    return claim.wave, claim.reader, claim.token


def _is_under(row: Given) -> sa.ColumnElement[bool]:
    """The condition that a delivery belongs to the claim in this row."""
    return (
        (DELIVERIES.issue == of_wave(schema.waves.c.issue, row))
        & (DELIVERIES.reader == row["reader"])
        & (DELIVERIES.wave == row["wave"])
        & (DELIVERIES.token == row["token"])
    )


def _lock_readers(dialect: sa.Dialect) -> sa.Select[tuple[int]]:
    """Lock the readers, so that the confirmed ones stay confirmed until the commit."""
    row, readers = given(dialect, **_CLAIM), schema.readers
    query = sa.select(readers.c.id).where(readers.c.id == row["reader"]).order_by(readers.c.id)
    return query.with_for_update(of=readers, read=True)


def _markable(dialect: sa.Dialect) -> tuple[Given, sa.ColumnElement[bool]]:
    """The row of a letter, and the condition that its delivery may be marked."""
    columns = {"message_id": sa.Text, "recipient": sa.Text, "digest": sa.Text, "now": UtcDateTime}
    row = given(dialect, **_CLAIM, **columns, until=UtcDateTime)
    issues, readers = schema.issues.c, schema.readers.c
    is_open = sa.exists().where(issues.id == DELIVERIES.issue, issues.state.in_(sorted(OPEN_ISSUE)))
    confirmed = sa.exists().where(readers.id == DELIVERIES.reader, readers.status == "confirmed")
    claimed = (DELIVERIES.state == "claimed") & (DELIVERIES.lease_until > row["now"])
    return row, _is_under(row) & claimed & is_open & confirmed


def _lock_markable(dialect: sa.Dialect) -> sa.Select[tuple[int]]:
    _, markable = _markable(dialect)
    return _locked(markable)


def _locked(condition: sa.ColumnElement[bool]) -> sa.Select[tuple[int]]:
    query = sa.select(DELIVERIES.reader).where(condition).order_by(DELIVERIES.reader)
    return query.with_for_update(of=schema.deliveries)


def _mark(dialect: sa.Dialect) -> sa.Update:
    row, markable = _markable(dialect)
    return (
        sa.update(schema.deliveries)
        .where(markable, sa.not_(_has_other_bytes(row)))
        .values(
            state="committing",
            lease_until=row["until"],
            marked=row["now"],
            message_id=row["message_id"],
            recipient=row["recipient"],
            digest=row["digest"],
        )
    )


def _has_other_bytes(row: Given) -> sa.ColumnElement[bool]:
    """The condition that a letter in doubt may have left before with other bytes."""
    before = sa.func.coalesce(DELIVERIES.digest, row["digest"])
    return (DELIVERIES.doubts > 0) & (before != row["digest"])


def _hold_changed(dialect: sa.Dialect) -> sa.Update:
    """Hold the letters in doubt that have other bytes now."""
    row, markable = _markable(dialect)
    return (
        sa.update(schema.deliveries)
        .where(markable, _has_other_bytes(row))
        .values(state="held", reply=OTHER_BYTES, token=None, lease_until=None, settled=row["now"])
    )


def _settle(driver: Driver, settlements: Sequence[Settlement], now: datetime) -> None:
    at = utc_text(now, driver.dialect)
    rows = [
        (
            *_claim(one.claim),
            STATE_AFTER[type(one.outcome)],
            reply_of(one.outcome),
            utc_text(one.next_try, driver.dialect) if isinstance(one.outcome, Deferred) else None,
            at,
        )
        for one in sorted(settlements, key=lambda settlement: settlement.claim.reader)
    ]
    lock(driver, _lock_settleable, rows)
    ended = change_each(driver, _end_claims, rows)
    record_decided(
        driver, [(wave, reader) for wave, reader, _, state, *_ in ended if state == "accepted"]
    )


def _settleable(dialect: sa.Dialect) -> tuple[Given, sa.ColumnElement[bool]]:
    """The row of a settlement, and the condition that it may end a delivery."""
    columns = {"state": sa.Text, "reply": sa.Text, "next_try": UtcDateTime, "now": UtcDateTime}
    row = given(dialect, **_CLAIM, **columns)
    return row, _is_under(row) & is_one_of(DELIVERIES.state, SETTLEABLE)


def _lock_settleable(dialect: sa.Dialect) -> sa.Select[tuple[int]]:
    _, settleable = _settleable(dialect)
    return _locked(settleable)


def _end_claims(dialect: sa.Dialect) -> sa.Update:
    row, settleable = _settleable(dialect)
    unknown, doubt = row["state"] == "unknown", doubt_values()
    unmarked = (DELIVERIES.state == "claimed") & (row["state"] == "pending")
    return (
        sa.update(schema.deliveries)
        .where(settleable)
        .values(
            state=sa.case((unknown, doubt["state"]), else_=row["state"]),
            doubts=sa.case((unknown, doubt["doubts"]), else_=DELIVERIES.doubts),
            attempts=sa.case((unmarked, attempts_without_mark()), else_=DELIVERIES.attempts),
            reply=row["reply"],
            next_try=row["next_try"],
            token=None,
            lease_until=None,
            settled=row["now"],
            boot=None,
        )
    )
