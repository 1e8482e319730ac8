"""Where readers stand before a freeze: what they were sent, and what is to be judged again."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, select

from newsletter.model import DECIDING, Paper, Reader, ReaderHistory
from newsletter.stores.rules import chunks
from newsletter.stores.sql import schema
from newsletter.stores.sql.papers import MANY

"""The ends of a delivery that decide a freeze."""


def histories(
    connection: Connection, readers: Sequence[Reader], papers: Sequence[Paper], *, since: datetime
) -> tuple[ReaderHistory, ...]:
    """See :meth:`newsletter.ports.Store.histories`."""
    groups = {paper.number: paper.group for paper in papers}
    members = _members(connection, frozenset(groups.values()))
    return tuple(
        history
        for some in chunks(readers, MANY)
        for history in _standings(connection, some, groups, members, since)
    )


def _standings(
    connection: Connection,
    readers: Sequence[Reader],
    groups: Mapping[int, int],
    members: Mapping[int, int],
    since: datetime,
) -> Iterator[ReaderHistory]:
    ids = [reader.id for reader in readers]
    sent = _sent(connection, ids, members)
    short = _short(connection, ids, since)
    for reader in readers:
        had = sent[reader.id]
        again = (n for n in short.get(reader.id, ()) if n in groups and groups[n] not in had)
        yield ReaderHistory(reader, frozenset(again), had)


def recent_short(connection: Connection, *, since: datetime) -> frozenset[int]:
    """See :meth:`newsletter.ports.Store.recent_short`."""
    missing = _short_of_anyone(connection, since)
    members = _members(connection, _groups(connection, missing))
    found: set[int] = set()
    for some in _everybody(connection) if missing else ():
        short = _short(connection, some, since)
        sent = _sent(connection, list(short), members)
        for reader, numbers in short.items():
            found |= {n for n in numbers & missing if members[n] not in sent[reader]}
        missing -= found
        if not missing:
            break
    return frozenset(found)


def _everybody(connection: Connection) -> Iterator[Sequence[int]]:
    """The ids of all readers, a few at a time."""
    ids = schema.readers.c.id
    query = select(ids).order_by(ids).limit(MANY)
    some = connection.execute(query).scalars().all()
    while some:
        yield some
        some = connection.execute(query.where(ids > some[-1])).scalars().all()


def _groups(connection: Connection, numbers: Collection[int]) -> frozenset[int]:
    columns = schema.papers.c
    return frozenset(
        group
        for some in chunks(sorted(numbers), MANY)
        for group in connection.execute(
            select(columns.group).where(columns.number.in_(some))
        ).scalars()
    )


def _members(connection: Connection, groups: frozenset[int]) -> dict[int, int]:
    """The group of every paper in one of these groups."""
    columns = schema.papers.c
    return {
        row.number: row.group
        for some in chunks(sorted(groups), MANY)
        for row in connection.execute(
            select(columns.number, columns.group).where(columns.group.in_(some))
        )
    }


def _sent(
    connection: Connection, readers: Sequence[int], members: Mapping[int, int]
) -> dict[int, frozenset[int]]:
    """The groups each of these readers was sent a member of."""
    editions, deliveries = schema.editions.c, schema.deliveries.c
    found: dict[int, set[int]] = {reader: set() for reader in readers}
    query = (
        select(editions.reader, editions.papers)
        .join(
            schema.deliveries,
            (deliveries.wave == editions.wave) & (deliveries.reader == editions.reader),
        )
        .where(
            editions.reader.in_(readers),
            editions.wave.in_(_waves_with(connection, members)),
            editions.highest >= min(members, default=0),
            editions.lowest <= max(members, default=0),
            deliveries.state == "accepted",
        )
    )
    for reader, papers in connection.execute(query):
        found[reader].update(members[n] for n in json.loads(papers) if n in members)
    return {reader: frozenset(had) for reader, had in found.items()}


def _waves_with(connection: Connection, members: Mapping[int, int]) -> list[int]:
    """The waves that have one of these papers."""
    columns = schema.waves.c
    recent = select(columns.id, columns.numbers).where(columns.cutoff >= min(members, default=0))
    return [
        row.id
        for row in connection.execute(recent)
        if not members.keys().isdisjoint(json.loads(row.numbers))
    ]


def _short_of_anyone(connection: Connection, since: datetime) -> set[int]:
    """What fell short of upvotes alone for anybody, in decided editions since then."""
    rows = connection.execute(_falling_short(connection, since).execution_options(yield_per=MANY))
    return {number for row in rows for number in json.loads(row.short)}


def _short(connection: Connection, readers: Sequence[int], since: datetime) -> dict[int, set[int]]:
    """What fell short of upvotes alone for each of these readers."""
    query = _falling_short(connection, since).where(
        schema.editions.c.reader.in_(readers), schema.deliveries.c.reader.in_(readers)
    )
    short: dict[int, set[int]] = {}
    for row in connection.execute(query):
        short.setdefault(row.reader, set()).update(json.loads(row.short))
    return short


def _falling_short(connection: Connection, since: datetime) -> Select[Any]:
    """The readers of decided editions since then, with what fell short in each."""
    editions, deliveries = schema.editions.c, schema.deliveries.c
    there = select(schema.waves.c.id, schema.waves.c.issue).where(schema.waves.c.frozen >= since)
    waves = connection.execute(there).all()
    return (
        select(editions.reader, editions.short)
        .join(
            schema.deliveries,
            (deliveries.wave == editions.wave) & (deliveries.reader == editions.reader),
        )
        .where(
            deliveries.issue.in_({wave.issue for wave in waves}),
            editions.wave.in_([wave.id for wave in waves]),
            deliveries.state.in_(sorted(DECIDING)),
            editions.short != "",
        )
    )
