"""Papers, their names, and the sources that list them, in SQL."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, time, timedelta

import sqlalchemy as sa
from typing_extensions import override

from newsletter.model import (
    Correction,
    Coverage,
    IdentifiedItem,
    IngestCounts,
    Item,
    Paper,
    PublishedIssue,
    SourceHealth,
)
from newsletter.model.windows import MAX_PAPER_AGE
from newsletter.ports import Papers
from newsletter.stores.sql import schema
from newsletter.stores.sql.codec import load, read_numbers
from newsletter.stores.sql.engine import Queries
from newsletter.stores.sql.known_papers import (
    PAPERS,
    as_paper,
    last_number,
    load_papers,
    read_indexes,
    save_changes,
    save_corrections,
)
from newsletter.stores.sql.statements import insert_into, select_in, upsert

ONE_DAY = timedelta(days=1)  # how far the newsletter's date may be from that of UTC

RECORD_READ = timedelta(days=65)
"""How much of a source's coverage record is read: twice as long as any list stays open."""


class PaperQueries(Queries, Papers):
    """Implements :class:`newsletter.ports.Papers`, except for what needs readers' histories."""

    @override
    def ingest(
        self,
        day: date,
        source: SourceHealth,
        entries: Sequence[IdentifiedItem],
        coverage: Sequence[Coverage] = (),
        *,
        now: datetime,
    ) -> IngestCounts:
        last_ok = sa.select(schema.sources.c.last_ok).where(schema.sources.c.name == source.name)
        with self._database.writing() as connection:
            before, after = read_indexes(connection, entries)
            never_answered = connection.execute(last_ok).scalar() is None
            counts, numbers = after.add_all(
                entries, source=source.name, mute_past=never_answered, now=now
            )
            save_changes(connection, before, after)
            save_corrections(connection, after, now)
            _save_readings(
                connection, day, [after.papers[number] for number in sorted(numbers)], now
            )
            health = asdict(source.after(counts))
            connection.execute(upsert(connection, schema.sources, health))
            for row in coverage:
                connection.execute(upsert(connection, schema.coverage, asdict(row)))
            return counts

    @override
    def sources(self) -> Mapping[str, SourceHealth]:
        query = sa.select(schema.sources).order_by(schema.sources.c.name)
        with self._database.reading() as connection:
            rows = connection.execute(query).mappings()
            return {row["name"]: SourceHealth(**row) for row in rows}

    @override
    def coverage(self, source: str) -> tuple[Coverage, ...]:
        record = schema.coverage.c
        newest = sa.select(sa.func.max(record.day)).where(record.source == source)
        with self._database.reading() as connection:
            last: date | None = connection.execute(newest).scalar()
            if last is None:
                return ()
            query = sa.select(schema.coverage).where(
                record.source == source, record.day > last - RECORD_READ
            )
            rows = connection.execute(query.order_by(record.day.desc(), record.part))
            return tuple(Coverage(**row) for row in rows.mappings())

    @override
    def gaps(self, *, lost_since: date) -> tuple[Coverage, ...]:
        record = schema.coverage.c
        lost = sa.and_(record.state == "lost", record.day >= lost_since)
        query = sa.select(schema.coverage).where(sa.or_(record.state == "missing", lost))
        with self._database.reading() as connection:
            rows = connection.execute(query.order_by(record.day.desc(), record.source, record.part))
            return tuple(Coverage(**row) for row in rows.mappings())

    @override
    def papers(self, *, after: int, since: datetime) -> tuple[Paper, ...]:
        query = sa.select(schema.papers).where(PAPERS.number > after, PAPERS.first_seen >= since)
        with self._database.reading() as connection:
            return load_papers(connection, query.order_by(PAPERS.number))

    @override
    def papers_by_number(self, numbers: Collection[int]) -> tuple[Paper, ...]:
        query = sa.select(schema.papers).order_by(PAPERS.number)
        with self._database.reading() as connection:
            return tuple(map(as_paper, select_in(connection, query, PAPERS.number, numbers)))

    @override
    def papers_listed(self, day: date, *, first: bool = False) -> tuple[Paper, ...]:
        listed = schema.readings.c
        query = sa.select(schema.papers).join(schema.readings).where(listed.day == day)
        if first:
            # No index has the days of a paper, but those of a few weeks are read quickly. A paper
            # that was first seen before is too old to be sent.
            oldest = day - MAX_PAPER_AGE
            earlier = sa.select(listed.paper).where(listed.day >= oldest, listed.day < day)
            since = datetime.combine(oldest, time.min, UTC)
            query = query.where(PAPERS.number.not_in(earlier), PAPERS.first_seen >= since)
        with self._database.reading() as connection:
            return load_papers(connection, query.order_by(PAPERS.number))

    @override
    def upvotes_by_day(
        self, papers: Iterable[Paper], *, since: date
    ) -> Mapping[int, Mapping[date, int]]:
        rows = schema.readings.c
        query = (
            sa.select(PAPERS.group, rows.day, rows.upvotes)
            .join(schema.papers, PAPERS.number == rows.paper)
            .where(rows.day >= since, rows.upvotes.is_not(None))
            .order_by(rows.upvotes)
        )
        counts: defaultdict[int, dict[date, int]] = defaultdict(dict)
        with self._database.reading() as connection:
            for row in select_in(connection, query, PAPERS.group, {p.group for p in papers}):
                counts[row.group][row.day] = row.upvotes
        return dict(counts)

    @override
    def corrections(self, *, since: datetime) -> tuple[Correction, ...]:
        columns = schema.corrections.c
        query = (
            sa.select(columns.number, columns.title, columns.was, PAPERS.group, PAPERS.body)
            .join(schema.papers, PAPERS.number == columns.paper)
            .where(columns.at >= since)
            .order_by(columns.number)
        )
        with self._database.reading() as connection:
            return tuple(
                Correction(row.number, row.group, row.title, row.was, load(Item, row.body).url)
                for row in connection.execute(query)
            )

    @override
    def cutoff(self) -> int:
        with self._database.reading() as connection:
            return last_number(connection)

    @override
    def find_paper(self, name: str) -> Paper | None:
        query = sa.select(schema.papers).join(schema.aliases).where(schema.aliases.c.name == name)
        with self._database.reading() as connection:
            return next(iter(load_papers(connection, query)), None)

    @override
    def other_versions(self, paper: Paper) -> tuple[Paper, ...]:
        named = sa.select(schema.aliases.c.paper)
        query = sa.select(schema.papers).where(
            PAPERS.group == paper.group, PAPERS.key != paper.key, PAPERS.number.in_(named)
        )
        with self._database.reading() as connection:
            return load_papers(connection, query.order_by(PAPERS.number))

    @override
    def new_in(self, issue: PublishedIssue, *, first: int) -> tuple[int, tuple[Paper, ...]]:
        query = sa.select(PAPERS.number, PAPERS.group).where(
            PAPERS.number.between(issue.after + 1, issue.cutoff),
            PAPERS.group > issue.after,
            ~PAPERS.muted,
        )
        waves = sa.select(schema.waves.c.numbers).join(schema.issues)
        last = waves.where(schema.issues.c.day == issue.day).order_by(schema.waves.c.id.desc())
        with self._database.reading() as connection:
            group_of = {row.number: row.group for row in connection.execute(query)}
            numbers = read_numbers(connection.execute(last.limit(1)).scalar() or "[]")
        place = {number: place for place, number in enumerate(numbers)}
        shown = sorted(group_of, key=lambda n: (place.get(n, len(place)), -n))[:first]
        papers = {paper.number: paper for paper in self.papers_by_number(shown)}
        return len({*group_of.values()}), tuple(papers[number] for number in shown)


def _save_readings(
    connection: sa.Connection, day: date, papers: Sequence[Paper], now: datetime
) -> None:
    """Record that a day had these papers; with their upvotes if it is the present one."""
    if not papers:
        return
    is_present = abs(day - now.date()) <= ONE_DAY
    insert = insert_into(connection, schema.readings)
    counted = sa.func.coalesce(insert.excluded.upvotes, schema.readings.c.upvotes)
    statement = insert.on_conflict_do_update(
        index_elements=["day", "paper"], set_={"upvotes": counted}
    )
    rows = [
        {"day": day, "paper": p.number, "upvotes": p.item.upvotes if is_present else None}
        for p in papers
    ]
    connection.execute(statement, rows)
