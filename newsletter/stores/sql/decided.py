"""How far each reader has decided: no paper up to there is owed to them any more."""

from collections.abc import Iterable

from sqlalchemy import ColumnElement, Dialect, Integer, Select, Update, select, update

from newsletter.model import DECIDING
from newsletter.stores.sql import schema
from newsletter.stores.sql.bulk import Driver, given, hold, run

"""States of a delivery that decide its freeze for its reader."""


def decide(driver: Driver, letters: Iterable[tuple[int, int]]) -> None:
    """Record a wave as decided for its reader where their letter of it is at its end.

    Args:
        driver: of a transaction that writes.
        letters: waves with a reader each.
    """
    rows = sorted(letters, key=lambda letter: letter[1])
    if rows:
        hold(driver, _who_is_behind, rows)
        run(driver, _catch_up, rows)


def _who_is_behind(dialect: Dialect) -> Select[tuple[int]]:
    columns = schema.readers.c
    query = select(columns.id).where(_behind(dialect)).order_by(columns.id)
    return query.with_for_update(of=schema.readers)


def _catch_up(dialect: Dialect) -> Update:
    return update(schema.readers).where(_behind(dialect)).values(decided=schema.waves.c.cutoff)


def _behind(dialect: Dialect) -> ColumnElement[bool]:
    """That a reader's letter is one of the given and decides more than they had decided."""
    rows = given(dialect, wave=Integer, reader=Integer)
    waves, readers, ledger = schema.waves.c, schema.readers.c, schema.deliveries.c
    return (
        (waves.id == rows.c.wave)
        & (readers.id == rows.c.reader)
        & (readers.decided < waves.cutoff)
        & (ledger.issue == waves.issue)
        & (ledger.reader == rows.c.reader)
        & (ledger.wave == rows.c.wave)
        & ledger.state.in_(sorted(DECIDING))
    )
