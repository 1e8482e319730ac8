"""Issues, frozen in waves, with every reader's edition."""

import json
import zlib
from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Column, Connection, func, insert, select, update

from newsletter.errors import StoreError
from newsletter.model import (
    Counts,
    Delivery,
    DeliveryState,
    Edition,
    Issue,
    IssueState,
    PlannedEdition,
    ReaderHistory,
    Wave,
    state_after_freeze,
    state_by_counts,
)
from newsletter.stores.rules import NO_ISSUE, OwedCounter, chunks, numbers_of
from newsletter.stores.sql import schema
from newsletter.stores.sql.bulk import Driver
from newsletter.stores.sql.codec import dump, load, pack, unpack
from newsletter.stores.sql.decided import decide
from newsletter.stores.sql.papers import MANY
from newsletter.stores.sql.statements import insert_into, insert_new

FEW = 200
"""Plans stored at once: each is some kilobytes, in several forms while it is stored."""


def freeze(connection: Connection, wave: Wave, plans: Iterable[PlannedEdition]) -> Wave:
    """See :meth:`newsletter.ports.Store.freeze`."""
    day = wave.issue.day
    issue = _issue(connection, day)
    stored, fits = _wave(connection, issue, wave)
    if fits:
        _plan(connection, issue, stored, plans)
    (state,) = connection.execute(
        select(schema.issues.c.state).where(schema.issues.c.id == issue)
    ).one()
    set_state(connection, issue, state_after_freeze(counts(connection, day), state))
    return stored


def _issue(connection: Connection, day: date) -> int:
    """The issue of a day, made if need be, and held against other freezes until we commit."""
    values = {"day": day, "state": "frozen", "reason": ""}
    connection.execute(insert_new(connection, schema.issues), values)
    held = select(schema.issues.c.id).where(schema.issues.c.day == day).with_for_update()
    found: int = connection.execute(held).scalar_one()
    return found


def _wave(connection: Connection, issue: int, wave: Wave) -> tuple[Wave, bool]:
    """The stored wave of this due instant, and whether plans of ``wave`` speak of its papers."""
    there = select(schema.waves).where(
        schema.waves.c.issue == issue, schema.waves.c.due == wave.due
    )
    row = connection.execute(there).one_or_none()
    if row is not None:
        stored = Wave(row.id, unpack(Issue, row.body), row.due, zlib.decompress(row.pieces))
        return stored, numbers_of(stored.issue) == numbers_of(wave.issue)
    values = {
        "issue": issue,
        "due": wave.due,
        "cutoff": wave.issue.cutoff,
        "frozen": wave.issue.frozen_at,
        "numbers": json.dumps(numbers_of(wave.issue)),
        "body": pack(wave.issue),
        "pieces": zlib.compress(wave.pieces),
    }
    made = connection.execute(insert(schema.waves).values(values).returning(schema.waves.c.id))
    return Wave(made.scalar_one(), wave.issue, wave.due, wave.pieces), True


def _plan(connection: Connection, issue: int, wave: Wave, plans: Iterable[PlannedEdition]) -> None:
    """Store the editions of readers who have no delivery of this issue, and one for each."""
    owing = OwedCounter(wave.issue)
    for some in chunks(plans, FEW):
        new = _of_others(connection, issue, some)
        if new:
            editions = [plan.edition for plan in new]
            _store_editions(connection, wave, new, owing)
            _store_deliveries(connection, issue, wave, editions)
            decide(Driver.of(connection), [(wave.id, e.to.id) for e in editions if not e.papers])


def _of_others(
    connection: Connection, issue: int, plans: Sequence[PlannedEdition]
) -> Sequence[PlannedEdition]:
    """What is for readers who are not planned yet, the first for each."""
    first: dict[int, PlannedEdition] = {}
    for plan in plans:
        first.setdefault(plan.edition.to.id, plan)
    there = select(schema.deliveries.c.reader).where(
        schema.deliveries.c.issue == issue, schema.deliveries.c.reader.in_(first)
    )
    planned = set(connection.execute(there).scalars())
    return [plan for reader, plan in first.items() if reader not in planned]


def _store_editions(
    connection: Connection, wave: Wave, plans: Sequence[PlannedEdition], owing: OwedCounter
) -> None:
    numbers = numbers_of(wave.issue)
    rows = [
        {
            "wave": wave.id,
            "reader": edition.to.id,
            "short": json.dumps([numbers[i] for i in edition.short]) if edition.short else "",
            "body": dump(edition),
            "standing": dump(plan.history),
            **_papers([numbers[i] for i in edition.papers]),
            "owed": owing.to(plan.history),
            "left_out": edition.left_out,
            "email": edition.to.email,
        }
        for plan in plans
        for edition in (plan.edition,)
    ]
    connection.execute(insert(schema.editions), rows)


def _papers(numbers: Sequence[int]) -> dict[str, Any]:
    return {
        "papers": json.dumps(numbers),
        "lowest": min(numbers, default=None),
        "highest": max(numbers, default=None),
    }


def _store_deliveries(
    connection: Connection, issue: int, wave: Wave, editions: Sequence[Edition]
) -> None:
    rows = [
        {
            "issue": issue,
            "reader": edition.to.id,
            "wave": wave.id,
            "state": "pending" if edition.papers else "empty",
            "attempts": 0,
            "reply": "",
        }
        for edition in editions
    ]
    connection.execute(insert(schema.deliveries), rows)


def skip(connection: Connection, day: date, *, reason: str, now: datetime) -> None:
    """See :meth:`newsletter.ports.Store.skip`."""
    statement = insert_into(connection, schema.issues).values(
        day=day, state="skipped", reason=reason, skipped=now
    )
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["day"],
            set_={"reason": reason, "skipped": now},
            where=schema.issues.c.state == "skipped",
        )
    )


def waves(connection: Connection, day: date) -> tuple[Wave, ...]:
    """See :meth:`newsletter.ports.Store.waves`."""
    query = select(schema.waves).join(schema.issues).where(schema.issues.c.day == day)
    return tuple(
        Wave(row.id, unpack(Issue, row.body), row.due, zlib.decompress(row.pieces))
        for row in connection.execute(query.order_by(schema.waves.c.id))
    )


def edition(connection: Connection, day: date, email: str) -> tuple[int, Edition] | None:
    """See :meth:`newsletter.ports.Store.edition`."""
    row = _planned(connection, schema.editions.c.body, day, email)
    return None if row is None else (row.wave, load(Edition, row.body))


def history_of(connection: Connection, day: date, email: str) -> tuple[int, ReaderHistory] | None:
    """See :meth:`newsletter.ports.Store.history_of`."""
    row = _planned(connection, schema.editions.c.standing, day, email)
    return None if row is None else (row.wave, load(ReaderHistory, row.standing))


def _planned(connection: Connection, what: Column[Any], day: date, email: str) -> Any:  # noqa: ANN401 - a row or None
    """A column of what was planned for a reader of a day's issue, with its wave's id."""
    editions, waves, readers = schema.editions, schema.waves, schema.readers
    query = (
        select(editions.c.wave, what)
        .select_from(editions.join(waves).join(schema.issues))
        .join(readers, readers.c.id == editions.c.reader)
        .where(schema.issues.c.day == day, readers.c.email == email)
    )
    return connection.execute(query).one_or_none()


def issue_state(connection: Connection, day: date) -> tuple[IssueState, str] | None:
    """See :meth:`newsletter.ports.Store.issue_state`."""
    query = select(schema.issues.c.state, schema.issues.c.reason)
    row = connection.execute(query.where(schema.issues.c.day == day)).one_or_none()
    return None if row is None else (row.state, row.reason)


def set_state(connection: Connection, issue: int, state: IssueState, *, reason: str = "") -> None:
    """Record where an issue stands."""
    there = update(schema.issues).where(schema.issues.c.id == issue)
    connection.execute(there.values(state=state, reason=reason))


def rule(
    connection: Connection,
    day: date,
    state: IssueState,
    *,
    reason: str,
    among: Collection[IssueState | None],
) -> bool:
    """See :meth:`newsletter.ports.Store.rule`."""
    if None in among:
        made = insert_new(connection, schema.issues).values(day=day, state=state, reason=reason)
        # PostgreSQL's driver counts no rows here: what comes back tells whether there was one.
        if connection.execute(made.returning(schema.issues.c.id)).first() is not None:
            return True
    query = select(schema.issues.c.id, schema.issues.c.state).where(schema.issues.c.day == day)
    row = connection.execute(query.with_for_update()).one_or_none()
    if row is None or row.state not in among:
        return False
    set_state(connection, row.id, state_by_counts(counts(connection, day), state), reason=reason)
    return True


def begin_sending(connection: Connection, issue: int) -> None:
    """Record that letters of a frozen issue begin to leave."""
    frozen = (schema.issues.c.id == issue) & (schema.issues.c.state == "frozen")
    connection.execute(update(schema.issues).where(frozen).values(state="sending"))


def days(connection: Connection) -> tuple[date, ...]:
    """See :meth:`newsletter.ports.Store.days`."""
    return tuple(
        connection.execute(
            select(schema.issues.c.day).order_by(schema.issues.c.day.desc())
        ).scalars()
    )


def planned(connection: Connection, day: date, among: Collection[int] | None) -> frozenset[int]:
    """See :meth:`newsletter.ports.Store.planned`."""
    reader = schema.deliveries.c.reader
    query = select(reader).join(schema.issues).where(schema.issues.c.day == day)
    asked = [query] if among is None else [query.where(reader.in_(c)) for c in chunks(among, MANY)]
    return frozenset(id_ for some in asked for id_ in connection.execute(some).scalars())


def counts(connection: Connection, day: date) -> Counts:
    """See :meth:`newsletter.ports.Store.counts`."""
    state = schema.deliveries.c.state
    query = (
        select(state, func.count().label("number"))
        .join(schema.issues)
        .where(schema.issues.c.day == day)
    )
    rows = connection.execute(query.group_by(state))
    return Counts(**{row.state: row.number for row in rows})


def finish(connection: Connection, day: date) -> IssueState:
    """See :meth:`newsletter.ports.Store.finish`."""
    query = select(schema.issues.c.id, schema.issues.c.state).where(schema.issues.c.day == day)
    row = connection.execute(query.with_for_update()).one_or_none()
    if row is None:
        raise StoreError(NO_ISSUE.format(day))
    state = state_by_counts(counts(connection, day), row.state)
    if state != row.state:
        set_state(connection, row.id, state)
    return state


def deliveries(
    connection: Connection, day: date, states: Collection[DeliveryState] | None
) -> tuple[Delivery, ...]:
    """See :meth:`newsletter.ports.Store.deliveries`."""
    query = (
        select(schema.deliveries, schema.readers.c.email)
        .join(schema.issues)
        .join(schema.readers)
        .where(schema.issues.c.day == day)
    )
    if states is not None:
        query = query.where(schema.deliveries.c.state.in_(states))
    found = [
        Delivery(day, row.email, row.state, row.attempts, row.reply, row.next_try)
        for row in connection.execute(query)
    ]
    return tuple(sorted(found, key=lambda delivery: delivery.email))
