"""Readers' histories before a freeze, in SQL: what they were sent, and what is judged again.

A reader's last edition that was decided names all that is judged again for them: what it takes over
from an earlier one is in its own list. The reader's ``decided`` is its wave's cutoff.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from typing_extensions import override

from newsletter.model import ARRIVED, DECIDING, Correction, Paper, Reader, ReaderHistory
from newsletter.ports import Issues, Papers
from newsletter.stores.sql import schema
from newsletter.stores.sql.codec import read_numbers
from newsletter.stores.sql.engine import Queries
from newsletter.stores.sql.statements import batches, pages, select_in

EDITIONS, DELIVERIES, WAVES = schema.editions.c, schema.deliveries.c, schema.waves.c
PAPERS = schema.papers.c
_SAME_DELIVERY = (DELIVERIES.wave == EDITIONS.wave) & (DELIVERIES.reader == EDITIONS.reader)


class HistoryQueries(Queries, Papers, Issues):
    """The methods of the ports Papers and Issues that need readers' histories."""

    @override
    def lowest_decided(self, ids: Sequence[int]) -> int | None:
        readers = schema.readers.c
        query = sa.select(sa.func.min(readers.decided))
        with self._database.reading() as connection:
            lowest = [row[0] for row in select_in(connection, query, readers.id, ids)]
        return min((decided for decided in lowest if decided is not None), default=None)

    @override
    def reader_histories(
        self, readers: Sequence[Reader], papers: Sequence[Paper], *, since: datetime
    ) -> tuple[ReaderHistory, ...]:
        groups = {paper.number: paper.group for paper in papers}
        with self._database.reading() as connection:
            members = _members(connection, groups.values())
            return tuple(
                history
                for batch in batches(readers)
                for history in _histories(connection, batch, groups, members, since)
            )

    @override
    def papers_to_reconsider(self, *, since: datetime) -> frozenset[int]:
        found: set[int] = set()
        with self._database.reading() as connection:
            ids = schema.readers.c.id
            for rows in pages(connection, sa.select(ids), ids):
                short = _short(connection, [row.id for row in rows], since)
                new = {reader: numbers - found for reader, numbers in short.items()}
                new = {reader: numbers for reader, numbers in new.items() if numbers}
                found |= _not_sent(connection, new)
        return frozenset(found)

    @override
    def corrections_due(
        self, readers: Sequence[int], corrections: Sequence[Correction]
    ) -> Mapping[int, tuple[int, ...]]:
        due: dict[int, tuple[int, ...]] = {}
        with self._database.reading() as connection:
            members = _members(connection, {each.group for each in corrections})
            for batch in batches(readers):
                told = _last_told(connection, batch, min(each.number for each in corrections))
                for reader, groups in _sent(connection, batch, members).items():
                    news = tuple(
                        index
                        for index, each in enumerate(corrections)
                        if each.group in groups and each.number > told.get(reader, 0)
                    )
                    if news:
                        due[reader] = news
        return due


def _last_told(connection: sa.Connection, readers: Sequence[int], lowest: int) -> dict[int, int]:
    """Up to which correction the letters of these readers told them, from number ``lowest`` on."""
    query = sa.select(WAVES.id, WAVES.issue).where(WAVES.corrected >= lowest)
    waves = connection.execute(query).all()
    told = (
        sa.select(DELIVERIES.reader, sa.func.max(WAVES.corrected).label("number"))
        .join(schema.waves, WAVES.id == DELIVERIES.wave)
        .where(
            DELIVERIES.issue.in_({wave.issue for wave in waves}),
            DELIVERIES.wave.in_([wave.id for wave in waves]),
            DELIVERIES.reader.in_(readers),
            DELIVERIES.state.in_(sorted(ARRIVED)),
        )
        .group_by(DELIVERIES.reader)
    )
    return {row.reader: row.number for row in connection.execute(told)}


def _histories(
    connection: sa.Connection,
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


def _members(connection: sa.Connection, groups: Collection[int]) -> dict[int, int]:
    """The group of every paper in one of these groups, by the paper's number."""
    query = sa.select(PAPERS.number, PAPERS.group)
    return {row.number: row.group for row in select_in(connection, query, PAPERS.group, groups)}


def _sent(
    connection: sa.Connection, readers: Sequence[int], members: Mapping[int, int]
) -> dict[int, frozenset[int]]:
    """For each of these readers, the groups from which they were sent a paper."""
    found: dict[int, set[int]] = {reader: set() for reader in readers}
    query = (
        sa.select(EDITIONS.reader, EDITIONS.papers)
        .join(schema.deliveries, _SAME_DELIVERY)
        .where(
            EDITIONS.reader.in_(readers),
            EDITIONS.wave.in_(_waves_with(connection, members)),
            EDITIONS.highest >= min(members, default=0),
            EDITIONS.lowest <= max(members, default=0),
            DELIVERIES.state.in_(sorted(ARRIVED)),
        )
    )
    for reader, papers in connection.execute(query):
        found[reader].update(members[n] for n in read_numbers(papers) if n in members)
    return {reader: frozenset(groups) for reader, groups in found.items()}


def _waves_with(connection: sa.Connection, papers: Mapping[int, int]) -> list[int]:
    """The waves that have one of these papers."""
    recent = sa.select(WAVES.id, WAVES.numbers).where(WAVES.cutoff >= min(papers, default=0))
    return [
        row.id
        for row in connection.execute(recent)
        if not papers.keys().isdisjoint(read_numbers(row.numbers))
    ]


def _not_sent(connection: sa.Connection, short: Mapping[int, set[int]]) -> set[int]:
    """The papers, of those listed for each reader, that some of them was not sent."""
    if not short:
        return set()
    numbers = set().union(*short.values())
    groups = select_in(connection, sa.select(PAPERS.group), PAPERS.number, numbers)
    members = _members(connection, [row.group for row in groups])
    sent = _sent(connection, list(short), members)
    return {n for reader, mine in short.items() for n in mine if members[n] not in sent[reader]}


def _short(
    connection: sa.Connection, readers: Sequence[int], since: datetime
) -> dict[int, set[int]]:
    """The papers that are judged again, for each of these readers who has some."""
    ids, decided = schema.readers.c.id, schema.readers.c.decided
    cutoffs = sa.select(decided).where(ids.in_(readers)).distinct()
    recent = sa.select(WAVES.id, WAVES.issue).where(
        WAVES.frozen >= since, WAVES.cutoff.in_(cutoffs)
    )
    waves = connection.execute(recent).all()
    # The conditions are on all tables, because the planner does not carry them over the joins.
    query = (
        sa.select(EDITIONS.reader, EDITIONS.short)
        .join(schema.deliveries, _SAME_DELIVERY)
        .join(schema.waves, WAVES.id == EDITIONS.wave)
        .join(schema.readers, (ids == EDITIONS.reader) & (decided == WAVES.cutoff))
        .where(
            DELIVERIES.issue.in_({wave.issue for wave in waves}),
            EDITIONS.wave.in_([wave.id for wave in waves]),
            EDITIONS.reader.in_(readers),
            DELIVERIES.reader.in_(readers),
            DELIVERIES.state.in_(sorted(DECIDING)),
            EDITIONS.short != "",
        )
    )
    short: dict[int, set[int]] = {}
    for row in connection.execute(query) if waves else ():
        short.setdefault(row.reader, set()).update(read_numbers(row.short))
    return short
