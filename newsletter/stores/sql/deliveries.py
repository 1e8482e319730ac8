"""Changes of deliveries that several queries share: locking, updating, recording as decided."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from typing_extensions import override

from newsletter.model import Settlement
from newsletter.ports import Ledger
from newsletter.stores.sql import schema
from newsletter.stores.sql.statements import Driver, Given, batches, change_each, given, lock

DELIVERIES = schema.deliveries.c  # the columns of the ledger

_LETTER = {"wave": sa.Integer, "reader": sa.Integer}


class KeptOutcomes(Ledger):
    """Outcomes that could not be recorded, in memory until the next claim."""

    _kept: tuple[Settlement, ...] = ()

    @override
    def keep(self, settlements: Sequence[Settlement]) -> None:
        self._kept += tuple(settlements)

    def _record_kept(self, now: datetime) -> None:
        """Record the outcomes that were kept; a second time changes nothing."""
        if kept := self._kept:
            self.settle(kept, now=now)
            self._kept = self._kept[len(kept) :]


def lock_deliveries(
    connection: sa.Connection, *conditions: sa.ColumnElement[bool]
) -> Sequence[int]:
    """Lock the deliveries that fulfil all conditions and are not locked; return their readers."""
    query = sa.select(DELIVERIES.reader).where(*conditions).order_by(DELIVERIES.reader)
    return connection.execute(query.with_for_update(skip_locked=True)).scalars().all()


def update_deliveries(
    connection: sa.Connection, issue: int, readers: Collection[int], **values: object
) -> None:
    """Set the same values in these readers' deliveries of an issue."""
    for batch in batches(sorted(readers)):
        theirs = (DELIVERIES.issue == issue) & DELIVERIES.reader.in_(batch)
        connection.execute(sa.update(schema.deliveries).where(theirs).values(values))


def doubt_values(
    doubts: sa.ColumnElement[int] = DELIVERIES.doubts,
) -> dict[str, sa.ColumnElement[Any]]:
    """The changes of a delivery whose outcome is unknown; ``doubts`` is its column.

    A letter is sent again once, with the same bytes and Message-ID; in doubt again, it is held.
    """
    return {
        "state": sa.case((doubts > 0, "held"), else_="unknown"),
        "doubts": doubts + 1,
        "lease_until": sa.null(),
    }


def attempts_without_mark() -> sa.ColumnElement[Any]:
    """The number of attempts after a claim ended without a mark, which was no attempt.

    A letter in doubt keeps its number, by which the send journal knows which attempt was answered.
    """
    return sa.case((DELIVERIES.doubts == 0, DELIVERIES.attempts - 1), else_=DELIVERIES.attempts)


def record_decided(driver: Driver, letters: Iterable[tuple[int, int]]) -> None:
    """Move ``decided`` of readers up to a wave's cutoff, whose delivery of it is decided now.

    Args:
        driver: a writing transaction.
        letters: pairs of a wave and a reader.
    """
    rows = sorted(letters, key=lambda letter: letter[1])
    if rows:
        lock(driver, _select_behind, rows)
        change_each(driver, _update_behind, rows)


def _select_behind(dialect: sa.Dialect) -> sa.Select[tuple[int]]:
    readers = schema.readers.c
    query = sa.select(readers.id).where(_is_behind(given(dialect, **_LETTER))).order_by(readers.id)
    return query.with_for_update(of=schema.readers)


def _update_behind(dialect: sa.Dialect) -> sa.Update:
    row = given(dialect, **_LETTER)
    update = sa.update(schema.readers).where(_is_behind(row))
    return update.values(decided=of_wave(schema.waves.c.cutoff, row))


def _is_behind(row: Given) -> sa.ColumnElement[bool]:
    """The condition that the reader's earlier cutoff is lower."""
    readers = schema.readers.c
    return (readers.id == row["reader"]) & (readers.decided < of_wave(schema.waves.c.cutoff, row))


def of_wave(column: sa.ColumnElement[Any], row: Given) -> sa.ScalarSelect[Any]:
    """A column of the wave that is named in a given row."""
    query = sa.select(column).where(schema.waves.c.id == row["wave"])
    return query.correlate_except(schema.waves).scalar_subquery()
