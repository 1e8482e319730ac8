"""Papers, the names they answer to, and the sources that list them."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    bindparam,
    func,
    insert,
    select,
    update,
)

from newsletter.model import IdentifiedItem, Identity, IngestCounts, Item, Paper, SourceHealth
from newsletter.papers.identity import identify
from newsletter.stores.paper_index import PaperIndex, names_of
from newsletter.stores.rules import chunks, wording
from newsletter.stores.sql import schema
from newsletter.stores.sql.codec import dump, load
from newsletter.stores.sql.engine import alone
from newsletter.stores.sql.statements import insert_new, upsert

INGEST = 1
"""The task of giving out numbers: a lower one must never become visible after a higher."""

MANY = 500
"""How many values one statement asks for."""


def ingest(
    connection: Connection,
    day: date,
    source: SourceHealth,
    entries: Sequence[IdentifiedItem],
    *,
    now: datetime,
) -> IngestCounts:
    """See :meth:`newsletter.ports.Store.ingest`."""
    alone(connection, INGEST)
    before = _concerned(connection, names_of(entries))
    after = PaperIndex(before.papers.values(), before.names, last=before.last)
    mute_past = not _heard_of(connection, source.name)
    ingest_counts, numbers = after.take_all(entries, mute_past=mute_past, now=now)
    _save(connection, before, after)
    _record_readings(connection, day, numbers)
    _save_source(connection, source)
    return ingest_counts


def take_back_in(connection: Connection, forgotten: Collection[Paper]) -> dict[int, Paper]:
    """Know papers again that an older store has forgotten; what they are now, by their old numbers.

    Those it knows stay as they are; the others get the next numbers in their old order.
    """
    alone(connection, INGEST)
    entries = {paper.number: _entry(paper) for paper in forgotten}
    before = _concerned(connection, names_of(entries.values()))
    after = PaperIndex(before.papers.values(), before.names, last=before.last)
    found = {}
    for paper in sorted(forgotten, key=lambda paper: paper.number):
        entry = entries[paper.number]
        _, numbers = after.take_all([entry], mute_past=True, now=paper.first_seen)
        found[paper.number] = min(numbers)
    _save(connection, before, after)
    return {old: after.papers[new] for old, new in found.items()}


def _entry(paper: Paper) -> IdentifiedItem:
    """A paper as a source would list it, muted if it was."""
    names = identify(paper.item).aliases | {paper.key}
    item = replace(paper.item, announcement="new")
    return IdentifiedItem(item, Identity(paper.key, names), past=paper.muted)


def sources(connection: Connection) -> Mapping[str, SourceHealth]:
    """See :meth:`newsletter.ports.Store.sources`."""
    rows = connection.execute(select(schema.sources).order_by(schema.sources.c.name))
    return {row.name: SourceHealth(**row._mapping) for row in rows}  # noqa: SLF001 - public


def papers(connection: Connection, *, after: int, since: datetime) -> tuple[Paper, ...]:
    """See :meth:`newsletter.ports.Store.papers`."""
    columns = schema.papers.c
    query = select(schema.papers).where(columns.number > after, columns.first_seen >= since)
    return read_papers(connection.execute(query.order_by(columns.number)))


def papers_numbered(connection: Connection, numbers: Collection[int]) -> tuple[Paper, ...]:
    """See :meth:`newsletter.ports.Store.papers_numbered`."""
    column = schema.papers.c.number
    return tuple(
        paper
        for some in chunks(sorted(set(numbers)), MANY)
        for paper in read_papers(
            connection.execute(select(schema.papers).where(column.in_(some)).order_by(column))
        )
    )


def papers_read(connection: Connection, day: date) -> tuple[Paper, ...]:
    """See :meth:`newsletter.ports.Store.papers_read`."""
    query = (
        select(schema.papers)
        .join(schema.readings)
        .where(schema.readings.c.day == day)
        .order_by(schema.papers.c.number)
    )
    return read_papers(connection.execute(query))


def cutoff(connection: Connection) -> int:
    """See :meth:`newsletter.ports.Store.cutoff`."""
    highest = select(func.coalesce(func.max(schema.papers.c.number), 0))
    found: int = connection.execute(highest).scalar_one()
    return found


def _concerned(connection: Connection, names: Collection[str]) -> PaperIndex:
    """The known papers that bear one of these names, their groups, and all of their names."""
    groups = _known(connection, schema.papers.c.group, names)
    known = [
        paper
        for some in chunks(groups, MANY)
        for paper in read_papers(
            connection.execute(select(schema.papers).where(schema.papers.c.group.in_(some)))
        )
    ]
    theirs = {
        row.name: row.paper
        for some in chunks([paper.number for paper in known], MANY)
        for row in connection.execute(
            select(schema.aliases).where(schema.aliases.c.paper.in_(some))
        )
    }
    return PaperIndex(known, theirs, last=cutoff(connection))


def _known(connection: Connection, column: Any, names: Collection[str]) -> list[int]:  # noqa: ANN401
    """A column of the papers that bear one of these names."""
    joined = schema.aliases.join(schema.papers)
    return sorted(
        {
            value
            for some in chunks(sorted(names), MANY)
            for (value,) in connection.execute(
                select(column).select_from(joined).where(schema.aliases.c.name.in_(some))
            )
        }
    )


def _heard_of(connection: Connection, name: str) -> bool:
    last_ok = select(schema.sources.c.last_ok).where(schema.sources.c.name == name)
    return connection.execute(last_ok).scalar() is not None


def _save(connection: Connection, before: PaperIndex, after: PaperIndex) -> None:
    """Write what the catalogue has learned."""
    new = [paper for paper in after.papers.values() if paper.number not in before.papers]
    changed = [
        paper
        for number, paper in before.papers.items()
        if after.papers[number] is not paper and after.papers[number] != paper
    ]
    if new:
        connection.execute(insert(schema.papers), [_row(paper) for paper in new])
        rows = [{"paper": paper.number, "words": wording(paper.item)} for paper in new]
        connection.execute(insert(schema.wordings), rows)
    if changed:
        _update_papers(connection, [after.papers[paper.number] for paper in changed])
    names = sorted(after.names.keys() - before.names.keys())
    if names:
        connection.execute(
            insert(schema.aliases), [{"name": n, "paper": after.names[n]} for n in names]
        )


def _update_papers(connection: Connection, papers: Sequence[Paper]) -> None:
    rows = [_row(paper) for paper in papers]
    words = [{"number": paper.number, "said": wording(paper.item)} for paper in papers]
    statement = (
        update(schema.papers)
        .where(schema.papers.c.number == bindparam("paper"))
        .values(group=bindparam("joined"), body=bindparam("text"))
    )
    connection.execute(
        statement,
        [{"paper": r["number"], "joined": r["group"], "text": r["body"]} for r in rows],
    )
    reworded = (
        update(schema.wordings)
        .where(schema.wordings.c.paper == bindparam("number"))
        .values(words=bindparam("said"))
    )
    connection.execute(reworded, words)


def _record_readings(connection: Connection, day: date, numbers: Iterable[int]) -> None:
    rows = [{"day": day, "paper": number} for number in sorted(numbers)]
    if rows:
        connection.execute(insert_new(connection, schema.readings), rows)


def _save_source(connection: Connection, source: SourceHealth) -> None:
    values = {
        "name": source.name,
        "state": source.state,
        "detail": source.detail,
        "checked": source.checked,
        "last_ok": source.last_ok,
        "digest": source.digest,
    }
    connection.execute(upsert(connection, schema.sources, values))


def _row(paper: Paper) -> dict[str, Any]:
    return {
        "number": paper.number,
        "key": paper.key,
        "first_seen": paper.first_seen,
        "group": paper.group,
        "muted": paper.muted,
        "body": dump(paper.item),
    }


def read_papers(rows: Iterable[Row[Any]]) -> tuple[Paper, ...]:
    """The papers these rows tell of."""
    return tuple(
        Paper(
            number=row.number,
            key=row.key,
            item=load(Item, row.body),
            first_seen=row.first_seen,
            group=row.group,
            muted=row.muted,
        )
        for row in rows
    )
