"""Claims that have ended without a settlement: their leases, and the runs that held them."""

from collections.abc import Collection
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, select, update

from newsletter.stores.decisions import PATIENCE, in_doubt, run_of
from newsletter.stores.sql import schema
from newsletter.stores.sql.rows import LEDGER, apply, change, unheld


def take_back(connection: Connection, issue: int, now: datetime) -> None:
    """End the claims whose lease ran out; those in doubt keep their token (see UNDER_CLAIM)."""
    over = and_(LEDGER.issue == issue, LEDGER.lease_until <= now)
    claimed = connection.execute(unheld(over, LEDGER.state == "claimed")).all()
    unsent = [change(row, state="pending", token=None, lease_until=None) for row in claimed]
    marked = connection.execute(unheld(over, LEDGER.state == "committing")).all()
    apply(connection, unsent + [change(row, **doubt(row), lease_until=None) for row in marked])


def doubt(row: Row[Any]) -> dict[str, Any]:
    """What changes when nobody knows what became of a letter."""
    return {"state": in_doubt(row.doubts), "doubts": row.doubts + 1}


def expire(connection: Connection, issue: int, now: datetime) -> None:
    """End the deferred deliveries that were tried long enough."""
    old = select(schema.waves.c.id).where(
        schema.waves.c.issue == issue, schema.waves.c.frozen <= now - PATIENCE
    )
    deferred = unheld(LEDGER.state == "deferred", LEDGER.wave.in_(old))
    rows = connection.execute(deferred).all()
    apply(connection, [change(row, state="expired", settled=now) for row in rows])


def owners(connection: Connection, day: date) -> frozenset[str]:
    """See :meth:`newsletter.ports.Store.owners`."""
    issue = select(schema.issues.c.id).where(schema.issues.c.day == day).scalar_subquery()
    under = LEDGER.state.in_(("claimed", "committing"))
    tokens = connection.execute(select(LEDGER.token).where(LEDGER.issue == issue, under))
    return frozenset(run_of(token) for token in tokens.scalars())


def abandon(connection: Connection, day: date, runs: Collection[str], *, now: datetime) -> None:
    """See :meth:`newsletter.ports.Store.abandon`."""
    issue = select(schema.issues.c.id).where(schema.issues.c.day == day).scalar_subquery()
    under = LEDGER.state.in_(("claimed", "committing"))
    for run in sorted(runs):
        theirs = LEDGER.token.startswith(f"{run}.", autoescape=True)
        connection.execute(
            update(schema.deliveries)
            .where(LEDGER.issue == issue, under, theirs)
            .values(lease_until=now)
        )
