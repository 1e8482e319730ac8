"""Papers, their names, and the sources that list them, in SQL."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import sqlalchemy as sa
from typing_extensions import override

from newsletter.model import (
    BLOCK_SIZE,
    Correction,
    Coverage,
    IdentifiedItem,
    Identity,
    IngestCounts,
    Item,
    Paper,
    PublishedIssue,
    SourceHealth,
)
from newsletter.model.windows import MAX_PAPER_AGE
from newsletter.papers.identity import identify
from newsletter.ports import Papers
from newsletter.stores.logic import search_text
from newsletter.stores.paper_index import PaperIndex, names_of
from newsletter.stores.sql import schema
from newsletter.stores.sql.codec import dump, load, read_numbers
from newsletter.stores.sql.engine import Queries, Task, lock_task
from newsletter.stores.sql.statements import insert_into, select_in, upsert

PAPERS = schema.papers.c

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
            before, after = _indexes(connection, entries)
            never_answered = connection.execute(last_ok).scalar() is None
            counts, numbers = after.add_all(
                entries, source=source.name, mute_past=never_answered, now=now
            )
            _save(connection, before, after)
            _save_corrections(connection, after, now)
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
            return tuple(map(_paper, select_in(connection, query, PAPERS.number, numbers)))

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


def add_forgotten(connection: sa.Connection, forgotten: Collection[Paper]) -> dict[int, Paper]:
    """Add papers that a restored store has forgotten; return each paper by its old number.

    Known papers stay as they are; the others get the next numbers in their old order.
    """
    entries = {paper.number: _entry(paper) for paper in forgotten}
    before, after = _indexes(connection, entries.values())
    new_numbers = {}
    for paper in sorted(forgotten, key=lambda paper: paper.number):
        entry = entries[paper.number]
        _, numbers = after.add_all([entry], source="", mute_past=True, now=paper.first_seen)
        new_numbers[paper.number] = min(numbers)
    _save(connection, before, after)
    return {old: after.papers[new] for old, new in new_numbers.items()}


def _entry(paper: Paper) -> IdentifiedItem:
    """A paper as a source would list it; as ``past`` if it was muted."""
    names = identify(paper.item).aliases | {paper.key}
    item = replace(paper.item, announcement="new")
    return IdentifiedItem(item, Identity(paper.key, names), past=paper.muted)


def _indexes(
    connection: sa.Connection, entries: Iterable[IdentifiedItem]
) -> tuple[PaperIndex, PaperIndex]:
    """Two equal indexes of the papers that share a name with these entries, and of their groups."""
    lock_task(connection, Task.INGEST)
    group_of = sa.select(PAPERS.group).join(schema.aliases)
    names = names_of(entries)
    groups = {row.group for row in select_in(connection, group_of, schema.aliases.c.name, names)}
    papers = list(
        map(_paper, select_in(connection, sa.select(schema.papers), PAPERS.group, groups))
    )
    numbers = [paper.number for paper in papers]
    aliases = select_in(connection, sa.select(schema.aliases), schema.aliases.c.paper, numbers)
    paper_of = {row.name: row.paper for row in aliases}
    muted = [paper.number for paper in papers if paper.muted]
    query = sa.select(schema.muted_by)
    rows = select_in(connection, query, schema.muted_by.c.paper, muted)
    muted_by = [(row.paper, row.source) for row in rows]
    last = last_number(connection)
    before, after = (PaperIndex(papers, paper_of, muted_by, last=last) for _ in range(2))
    return before, after


def last_number(connection: sa.Connection) -> int:
    """The highest ingest number so far; 0 without papers."""
    last: int = connection.execute(
        sa.select(sa.func.coalesce(sa.func.max(PAPERS.number), 0))
    ).scalar_one()
    return last


def _save(connection: sa.Connection, before: PaperIndex, after: PaperIndex) -> None:
    """Write the differences between two indexes."""
    changed = [
        after.papers[number]
        for number, paper in before.papers.items()
        if after.papers[number] is not paper and after.papers[number] != paper
    ]
    if changed:  # before the new ones, one of which may have the key of a muted paper
        _update_papers(connection, changed)
        _update_words(connection, [(before.papers[p.number].item, p) for p in changed])
    new = [paper for paper in after.papers.values() if paper.number not in before.papers]
    if new:
        connection.execute(sa.insert(schema.papers), [_row(paper) for paper in new])
        words = [{"paper": paper.number, "words": search_text(paper.item)} for paper in new]
        connection.execute(sa.insert(schema.wordings), words)
    _save_names(connection, before.names, after.names)
    muted = [
        {"paper": number, "source": source}
        for number, sources in after.muted_by.items()
        for source in sources - before.muted_by.get(number, set())
    ]
    if muted:
        connection.execute(sa.insert(schema.muted_by), muted)


def _save_corrections(connection: sa.Connection, index: PaperIndex, now: datetime) -> None:
    rows = [
        {"paper": number, "at": now, "title": index.papers[number].item.title, "was": was}
        for number, was in index.corrections
    ]
    if rows:
        connection.execute(sa.insert(schema.corrections), rows)


def _save_names(
    connection: sa.Connection, before: Mapping[str, int], after: Mapping[str, int]
) -> None:
    if names := sorted(after.keys() - before.keys()):
        rows = [{"name": name, "paper": after[name]} for name in names]
        connection.execute(sa.insert(schema.aliases), rows)
    if moved := [name for name, paper in before.items() if after[name] != paper]:
        alias = sa.update(schema.aliases).where(schema.aliases.c.name == sa.bindparam("of"))
        connection.execute(
            alias.values(paper=sa.bindparam("to")),
            [{"of": name, "to": after[name]} for name in moved],
        )


def _update_papers(connection: sa.Connection, papers: Sequence[Paper]) -> None:
    statement = sa.update(schema.papers).where(PAPERS.number == sa.bindparam("paper"))
    connection.execute(
        statement.values(
            key=sa.bindparam("name"), group=sa.bindparam("joined"), body=sa.bindparam("item")
        ),
        [
            {"paper": p.number, "name": p.key, "joined": p.group, "item": dump(p.item)}
            for p in papers
        ],
    )


def _update_words(connection: sa.Connection, papers: Iterable[tuple[Item, Paper]]) -> None:
    """Let searches know what these papers say now; each comes with what it said before."""
    changed = [paper for before, paper in papers if _searched(before) != _searched(paper.item)]
    if not changed:
        return
    words = sa.update(schema.wordings).where(schema.wordings.c.paper == sa.bindparam("number"))
    connection.execute(
        words.values(words=sa.bindparam("text")),
        [{"number": paper.number, "text": search_text(paper.item)} for paper in changed],
    )
    index = schema.index_blocks.c
    starts = {paper.number - paper.number % BLOCK_SIZE for paper in changed}
    blocks = sa.update(schema.index_blocks).where(index.start.in_(sorted(starts)))
    connection.execute(blocks.values(changes=index.changes + 1))


def _searched(item: Item) -> tuple[object, ...]:
    """What searches compare of an item."""
    return (
        item.title, item.abstract, item.authors, item.keywords, item.organization, item.categories
    )  # fmt: skip


def _row(paper: Paper) -> dict[str, Any]:
    return {
        "number": paper.number,
        "key": paper.key,
        "first_seen": paper.first_seen,
        "group": paper.group,
        "muted": paper.muted,
        "body": dump(paper.item),
    }


def load_papers(connection: sa.Connection, query: sa.Select[Any]) -> tuple[Paper, ...]:
    """The papers that a query of whole rows finds."""
    return tuple(map(_paper, connection.execute(query)))


def _paper(row: sa.Row[Any]) -> Paper:
    return Paper(
        number=row.number,
        key=row.key,
        item=load(Item, row.body),
        first_seen=row.first_seen,
        group=row.group,
        muted=row.muted,
    )
