"""Readers' histories before a freeze, in SQL: what they were sent, and what is judged again.

An edition lists the papers that lacked upvotes for its reader for the first time, and those that
had no room. The last one that was decided is that whose wave's cutoff is the reader's ``decided``.
"""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from typing import NamedTuple

import sqlalchemy as sa
from typing_extensions import override

from newsletter.model import (
    ARRIVED,
    DECIDING,
    Correction,
    Issue,
    Paper,
    PlannedEdition,
    Reader,
    ReaderHistory,
    Subscriber,
    Wave,
)
from newsletter.model.windows import JUDGED_AGAIN, MAX_PAPER_AGE
from newsletter.ports import Issues, Papers
from newsletter.stores.sql import schema
from newsletter.stores.sql.codec import load, read_numbers
from newsletter.stores.sql.editions import SETTINGS, STORED, EditionQueries
from newsletter.stores.sql.packed_editions import StoredEdition, unpack_places, waiting_places
from newsletter.stores.sql.reader_rows import read_settings
from newsletter.stores.sql.statements import batches, pages, select_in

EDITIONS, DELIVERIES, WAVES = schema.editions.c, schema.deliveries.c, schema.waves.c
PAPERS = schema.papers.c
_SAME_DELIVERY = (DELIVERIES.wave == EDITIONS.wave) & (DELIVERIES.reader == EDITIONS.reader)


class HistoryQueries(EditionQueries, Papers, Issues):
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
        self, readers: Sequence[Reader], papers: Sequence[Paper], *, day: date
    ) -> tuple[ReaderHistory, ...]:
        groups = {paper.number: paper.group for paper in papers}
        with self._database.reading() as connection:
            members = _members(connection, groups.values())
            return tuple(
                history
                for batch in batches(readers)
                for history in _histories(connection, batch, groups, members, day)
            )

    @override
    def plans_at_freeze(self, wave: Wave, readers: Sequence[int]) -> tuple[PlannedEdition, ...]:
        issue, plans = wave.issue, list[PlannedEdition]()
        with self._database.reading() as connection:
            groups = _present_groups(connection, issue)
            members = _members(connection, groups)
            for batch in batches(readers):
                sent = _sent(connection, batch, members, wave.id)
                again = _again(connection, batch, issue.day, wave.id)
                rows = _frozen_editions(connection, wave.id, batch)
                for reader, decided, stored in rows:
                    then = Reader(
                        reader,
                        load(Subscriber, stored.settings or ""),
                        "confirmed",
                        decided,
                        "store",
                    )
                    edition = self._edition(wave.id, stored)
                    history = ReaderHistory(
                        then,
                        frozenset(again.get(reader, ())),
                        frozenset(groups[group] for group in sent[reader]),
                        edition.corrections,
                    )
                    plans.append(PlannedEdition(history, edition))
        return tuple(plans)

    @override
    def papers_to_reconsider(self, *, day: date) -> Mapping[int, int]:
        found: dict[int, int] = {}
        readers = schema.readers.c
        with self._database.reading() as connection:
            for rows in pages(connection, sa.select(readers.id), readers.id):
                short = _again(connection, [row.id for row in rows], day)
                asked = _upvotes_asked(connection, short)
                new = {
                    reader: fewer
                    for reader, numbers in short.items()
                    if (fewer := {n for n in numbers if asked[reader] < found.get(n, math.inf)})
                }
                for reader, numbers in _not_sent(connection, new):
                    fewest = asked[reader]
                    found |= {n: min(fewest, found.get(n, fewest)) for n in numbers}
        return found

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


def _frozen_editions(
    connection: sa.Connection, wave: int, readers: Sequence[int]
) -> list[tuple[int, int, StoredEdition]]:
    """The editions of these readers, in their order, each with what was decided before."""
    query = (
        sa.select(EDITIONS.decided, *STORED)
        .join(schema.choices, SETTINGS)
        .where(EDITIONS.wave == wave, EDITIONS.reader.in_(readers), EDITIONS.body.is_not(None))
    )
    rows = (tuple(row) for row in connection.execute(query))
    found = {row[1]: (row[1], row[0], StoredEdition(*row[1:])) for row in rows}
    return [found[reader] for reader in readers if reader in found]


def _present_groups(connection: sa.Connection, issue: Issue) -> dict[int, int]:
    """For the present group of each of an issue's papers, the group that it had in the issue."""
    then = {paper.number: paper.group for paper in issue.papers}
    query = sa.select(PAPERS.number, PAPERS.group)
    now = select_in(connection, query, PAPERS.number, then)
    return {row.group: then[row.number] for row in now}


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
    day: date,
) -> Iterator[ReaderHistory]:
    ids = [reader.id for reader in readers]
    sent = _sent(connection, ids, members)
    judged = _again(connection, ids, day)
    for reader in readers:
        had = sent[reader.id]
        again = (n for n in judged.get(reader.id, ()) if n in groups and groups[n] not in had)
        yield ReaderHistory(reader, frozenset(again), had)


def _members(connection: sa.Connection, groups: Collection[int]) -> dict[int, int]:
    """The group of every paper in one of these groups, by the paper's number."""
    query = sa.select(PAPERS.number, PAPERS.group)
    return {row.number: row.group for row in select_in(connection, query, PAPERS.group, groups)}


def _sent(
    connection: sa.Connection,
    readers: Sequence[int],
    members: Mapping[int, int],
    before: int | None = None,
) -> dict[int, frozenset[int]]:
    """For each of these readers, the groups from which they were sent a paper.

    ``before`` is a wave: then only letters of earlier ones count.
    """
    found: dict[int, set[int]] = {reader: set() for reader in readers}
    groups = _groups_by_place(connection, members, before)
    query = (
        sa.select(EDITIONS.reader, EDITIONS.wave, EDITIONS.papers)
        .join(schema.deliveries, _SAME_DELIVERY)
        .where(
            EDITIONS.reader.in_(readers),
            EDITIONS.wave.in_(groups),
            DELIVERIES.state.in_(sorted(ARRIVED)),
        )
    )
    for reader, wave, papers in connection.execute(query):
        of_wave = groups[wave]
        if had := of_wave.keys() & unpack_places(papers):
            found[reader].update(map(of_wave.__getitem__, had))
    return {reader: frozenset(groups) for reader, groups in found.items()}


def _groups_by_place(
    connection: sa.Connection, members: Mapping[int, int], before: int | None
) -> dict[int, dict[int, int]]:
    """For each wave that has one of these papers, their groups by their places in it."""
    recent = sa.select(WAVES.id, WAVES.numbers).where(WAVES.cutoff >= min(members, default=0))
    if before is not None:
        recent = recent.where(WAVES.id < before)
    groups = {
        row.id: {
            place: members[number]
            for place, number in enumerate(read_numbers(row.numbers))
            if number in members
        }
        for row in connection.execute(recent)
    }
    return {wave: places for wave, places in groups.items() if places}


def _upvotes_asked(connection: sa.Connection, readers: Collection[int]) -> dict[int, int]:
    """The fewest upvotes that each of these readers asks for; 0 where it cannot be read."""
    columns = schema.readers.c
    query = sa.select(columns.id, columns.body)
    settings = {row.id: row.body for row in select_in(connection, query, columns.id, readers)}
    asked = {reader: read_settings(body).get("min_upvotes") for reader, body in settings.items()}
    return {reader: least if isinstance(least, int) else 0 for reader, least in asked.items()}


def _not_sent(
    connection: sa.Connection, short: Mapping[int, set[int]]
) -> Iterator[tuple[int, set[int]]]:
    """For each of these readers, the papers, of those listed for them, that they were not sent."""
    numbers = set().union(*short.values())
    if not numbers:
        return
    groups = select_in(connection, sa.select(PAPERS.group), PAPERS.number, numbers)
    members = _members(connection, [row.group for row in groups])
    sent = _sent(connection, list(short), members)
    for reader, mine in short.items():
        yield reader, {number for number in mine if members[number] not in sent[reader]}


def _again(
    connection: sa.Connection, readers: Sequence[int], day: date, before: int | None = None
) -> dict[int, set[int]]:
    """The papers that an issue of ``day`` judges again, for each of these readers who has some.

    ``before`` is a wave: then as it was when that one was frozen.
    """
    waves = _waves_since(connection, day - MAX_PAPER_AGE, before)
    recent = [wave for wave, row in waves.items() if row.day >= day - JUDGED_AGAIN]
    decided = _decided(readers, before)
    # The conditions are on all tables, because the planner does not carry them over the joins.
    query = (
        sa.select(EDITIONS.reader, EDITIONS.wave, EDITIONS.again, EDITIONS.body)
        .join(schema.deliveries, _SAME_DELIVERY)
        .where(
            EDITIONS.reader.in_(readers),
            DELIVERIES.reader.in_(readers),
            DELIVERIES.state.in_(sorted(DECIDING)),
            EDITIONS.again.is_not(None),
        )
    )
    last = query.join(schema.waves, WAVES.id == EDITIONS.wave).join(
        decided, (decided.c.id == EDITIONS.reader) & (decided.c.decided == WAVES.cutoff)
    )
    found: dict[int, set[int]] = {}
    for asked, among in ((query, recent), (last, waves.keys() - recent)):
        issues = {waves[wave].issue for wave in among}
        theirs = EDITIONS.wave.in_(among) & DELIVERIES.issue.in_(issues)
        for reader, wave, again, body in connection.execute(asked.where(theirs)) if among else ():
            numbers = waves[wave].numbers
            places = unpack_places(again) if asked is query else waiting_places(body, len(numbers))
            known = (numbers[place] for place in places if place < len(numbers))
            found.setdefault(reader, set()).update(known)
    return found


class _RecentWave(NamedTuple):
    issue: int
    day: date
    numbers: Sequence[int]


def _waves_since(
    connection: sa.Connection, day: date, before: int | None
) -> dict[int, _RecentWave]:
    """The waves of issues from this day on; ``before`` is one that they were frozen before."""
    issues = schema.issues.c
    query = (
        sa.select(WAVES.id, WAVES.issue, issues.day, WAVES.numbers)
        .join(schema.issues, issues.id == WAVES.issue)
        .where(issues.day >= day)
    )
    if before is not None:
        query = query.where(WAVES.id < before)
    return {
        row.id: _RecentWave(row.issue, row.day, read_numbers(row.numbers))
        for row in connection.execute(query)
    }


def _decided(readers: Sequence[int], at: int | None) -> sa.Subquery:
    """The last paper decided for each of these readers: now, or when a wave was frozen."""
    if at is None:
        columns = schema.readers.c
        return sa.select(columns.id, columns.decided).where(columns.id.in_(readers)).subquery()
    query = sa.select(EDITIONS.reader.label("id"), EDITIONS.decided)
    return query.where(EDITIONS.wave == at, EDITIONS.reader.in_(readers)).subquery()
