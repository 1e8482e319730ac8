"""Claims that have ended without a settlement: their leases, and the runs that held them."""

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, exists, not_, select, update

from newsletter.model import LEASED
from newsletter.stores.rules import PATIENCE, run_of
from newsletter.stores.sql import schema
from newsletter.stores.sql.rows import (
    LEDGER,
    doubt,
    give_up,
    put,
    unheld,
    without_a_try,
)


def take_back(connection: Connection, issue: int, now: datetime, boot: str | None) -> None:
    """End the claims whose lease ran out; those in doubt keep their token (see SETTLEABLE).

    One made before this start of the machine is in doubt too: a power cut may have taken its mark.
    """
    over = (LEDGER.issue == issue, LEDGER.lease_until <= now)
    before = LEDGER.boot.is_not(None) & LEDGER.boot.is_distinct_from(boot)
    claimed = unheld(connection, *over, LEDGER.state == "claimed", not_(before))
    put(
        connection,
        issue,
        [row.reader for row in claimed],
        state="pending",
        token=None,
        lease_until=None,
        **without_a_try(),
    )
    # A query a state: asked for both at once in their readers' order, SQLite reads the whole issue.
    for perhaps_sent in (LEDGER.state == "committing", (LEDGER.state == "claimed") & before):
        marked = unheld(connection, *over, perhaps_sent)
        put(connection, issue, [row.reader for row in marked], **doubt())


def hold_doubts(connection: Connection, day: date, now: datetime, boot: str | None) -> None:
    """Hold what is in doubt; it keeps its token, as a late answer would still end the doubt."""
    issue = _issue(connection, day)
    if issue is None:
        return
    take_back(connection, issue, now, boot)
    doubts = unheld(connection, LEDGER.issue == issue, LEDGER.state == "unknown")
    put(connection, issue, [row.reader for row in doubts], state="held", settled=now)


def _issue(connection: Connection, day: date) -> int | None:
    found = connection.execute(select(schema.issues.c.id).where(schema.issues.c.day == day))
    return found.scalar()


def expire(connection: Connection, issue: int, now: datetime) -> None:
    """End the open deliveries that are past: deferred too long, or with a later letter."""
    waves = schema.waves.c
    here = select(waves.id, waves.frozen).where(waves.issue == issue)
    found = connection.execute(here).all()
    if old := [wave.id for wave in found if wave.frozen <= now - PATIENCE]:
        deferred = unheld(connection, LEDGER.state == "deferred", LEDGER.wave.in_(old))
        put(connection, issue, [row.reader for row in deferred], state="expired", settled=now)
    if later := _frozen_later(connection, issue, [wave.id for wave in found]):
        other = schema.deliveries.alias()
        give_up(
            connection,
            issue,
            exists().where(
                other.c.issue.in_(later),
                other.c.reader == LEDGER.reader,
                other.c.wave > LEDGER.wave,
            ),
            now=now,
        )


def _frozen_later(connection: Connection, issue: int, own: Sequence[int]) -> Sequence[int]:
    """The other issues that have waves frozen after one of these."""
    waves = schema.waves.c
    query = select(waves.issue).where(waves.issue != issue, waves.id > min(own, default=0))
    return connection.execute(query.distinct()).scalars().all()


def owners(connection: Connection, day: date) -> frozenset[str]:
    """See :meth:`newsletter.ports.Store.owners`."""
    issue = select(schema.issues.c.id).where(schema.issues.c.day == day).scalar_subquery()
    under = LEDGER.state.in_(LEASED)
    tokens = connection.execute(select(LEDGER.token).where(LEDGER.issue == issue, under))
    return frozenset(run_of(token) for token in tokens.scalars())


def renew(connection: Connection, day: date, run: str, *, now: datetime, lease: float) -> None:
    """See :meth:`newsletter.ports.Store.renew`."""
    issue, until = _issue(connection, day), now + timedelta(seconds=lease)
    if issue is None:
        return
    ours = unheld(
        connection,
        LEDGER.issue == issue,
        LEDGER.state.in_(LEASED),
        LEDGER.token.startswith(f"{run}.", autoescape=True),
        LEDGER.lease_until > now,
        LEDGER.lease_until < until,
    )
    put(connection, issue, [row.reader for row in ours], lease_until=until)


def abandon(connection: Connection, day: date, runs: Collection[str], *, now: datetime) -> None:
    """See :meth:`newsletter.ports.Store.abandon`."""
    issue = select(schema.issues.c.id).where(schema.issues.c.day == day).scalar_subquery()
    under = LEDGER.state.in_(LEASED)
    for run in sorted(runs):
        theirs = LEDGER.token.startswith(f"{run}.", autoescape=True)
        connection.execute(
            update(schema.deliveries)
            .where(LEDGER.issue == issue, under, theirs)
            .values(lease_until=now)
        )
