"""Changes of deliveries that several queries share: locking, updating, recording as decided."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from typing_extensions import override

from newsletter.model import DECIDING, Settlement
from newsletter.ports import Ledger
from newsletter.stores.sql import schema
from newsletter.stores.sql.statements import Driver, batches, json_rows, lock, run

DELIVERIES = schema.deliveries.c  # the columns of the ledger


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
    """Move ``decided`` of readers up to a wave's cutoff if their delivery of it is decided.

    Args:
        driver: a writing transaction.
        letters: pairs of a wave and a reader.
    """
    rows = sorted(letters, key=lambda letter: letter[1])
    if rows:
        lock(driver, _select_behind, rows)
        run(driver, _update_behind, rows)


def _select_behind(dialect: sa.Dialect) -> sa.Select[tuple[int]]:
    readers = schema.readers.c
    query = sa.select(readers.id).where(_is_behind(dialect)).order_by(readers.id)
    return query.with_for_update(of=schema.readers)


def _update_behind(dialect: sa.Dialect) -> sa.Update:
    return (
        sa.update(schema.readers).where(_is_behind(dialect)).values(decided=schema.waves.c.cutoff)
    )


def _is_behind(dialect: sa.Dialect) -> sa.ColumnElement[bool]:
    """The condition that one of these deliveries is decided beyond the reader's earlier cutoff."""
    rows = json_rows(dialect, wave=sa.Integer, reader=sa.Integer)
    waves, readers = schema.waves.c, schema.readers.c
    return (
        (waves.id == rows.c.wave)
        & (readers.id == rows.c.reader)
        & (readers.decided < waves.cutoff)
        & (DELIVERIES.issue == waves.issue)
        & (DELIVERIES.reader == rows.c.reader)
        & (DELIVERIES.wave == rows.c.wave)
        & DELIVERIES.state.in_(sorted(DECIDING))
    )
