"""The papers that listings may be about, read into an index, and what the index changed, in SQL."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from newsletter.model import BLOCK_SIZE, IdentifiedItem, Identity, Item, Paper
from newsletter.model.windows import MAX_PAPER_AGE
from newsletter.papers.copies import Sketches, Wording, sketch
from newsletter.papers.identity import identify
from newsletter.stores.logic import search_text
from newsletter.stores.paper_index import PaperIndex, names_of
from newsletter.stores.sql import schema
from newsletter.stores.sql.codec import dump, load
from newsletter.stores.sql.engine import Task, lock_task
from newsletter.stores.sql.statements import select_in

PAPERS = schema.papers.c

SKETCHED = 500
"""After so many new papers the sketches of old abstracts are removed, which reads all the others:
a fiftieth of a second in a store with 500 new papers a day."""


def add_forgotten(connection: sa.Connection, forgotten: Collection[Paper]) -> dict[int, Paper]:
    """Add papers that a restored store has forgotten; return each paper by its old number.

    Known papers stay as they are; the others get the next numbers in their old order.
    """
    entries = {paper.number: _entry(paper) for paper in forgotten}
    before, after = read_indexes(connection, entries.values())
    new_numbers = {}
    for paper in sorted(forgotten, key=lambda paper: paper.number):
        entry = entries[paper.number]
        _, numbers = after.add_all([entry], source="", mute_past=True, now=paper.first_seen)
        new_numbers[paper.number] = min(numbers)
    save_changes(connection, before, after)
    return {old: after.papers[new] for old, new in new_numbers.items()}


def _entry(paper: Paper) -> IdentifiedItem:
    """A paper as a source would list it; as ``past`` if it was muted."""
    names = identify(paper.item).aliases | {paper.key}
    item = replace(paper.item, announcement="new")
    return IdentifiedItem(item, Identity(paper.key, names), past=paper.muted)


def read_indexes(
    connection: sa.Connection, entries: Iterable[IdentifiedItem]
) -> tuple[PaperIndex, PaperIndex]:
    """Two equal indexes of the papers that share a name with these entries, and of their groups."""
    lock_task(connection, Task.INGEST)
    entries = tuple(entries)
    of_names = sa.select(PAPERS.group, schema.aliases.c.name).join(schema.aliases)
    known = tuple(select_in(connection, of_names, schema.aliases.c.name, names_of(entries)))
    sketches, compared = _alike(connection, entries, {row.name for row in known})
    alike = select_in(connection, sa.select(PAPERS.group), PAPERS.number, compared)
    groups = {row.group for row in (*known, *alike)}
    papers = list(
        map(as_paper, select_in(connection, sa.select(schema.papers), PAPERS.group, groups))
    )
    numbers = [paper.number for paper in papers]
    aliases = select_in(connection, sa.select(schema.aliases), schema.aliases.c.paper, numbers)
    paper_of = {row.name: row.paper for row in aliases}
    muted = [paper.number for paper in papers if paper.muted]
    muted_by = _pairs_of(connection, schema.muted_by, muted)
    copies = dict(_pairs_of(connection, schema.copies, numbers))
    last = last_number(connection)
    before, after = (
        PaperIndex(papers, paper_of, muted_by, last=last, sketches=sketches, copies=copies)
        for _ in range(2)
    )
    return before, after


def _pairs_of(
    connection: sa.Connection, table: sa.Table, papers: Iterable[int]
) -> list[tuple[int, Any]]:
    """The rows of these papers, in a table of two columns."""
    rows = select_in(connection, sa.select(table), table.c.paper, papers)
    return [(paper, other) for paper, other in map(tuple, rows)]


def _alike(
    connection: sa.Connection, entries: Iterable[IdentifiedItem], known: Collection[str]
) -> tuple[Sketches, set[int]]:
    """What is needed to compare the entries whose keys are unknown, and the papers to compare."""
    unknown = (entry.item for entry in entries if entry.identity.key not in known)
    sketched = {item: sketch(Wording(item)) for item in unknown}
    query, column = sa.select(schema.sketches), schema.sketches.c.number
    found = select_in(connection, query, column, frozenset().union(*sketched.values()))
    rows = [(row.number, row.paper) for row in found]
    sketches = Sketches(rows)
    compared = {paper for each in sketched.values() for paper in sketches.most_alike(each)}
    return Sketches((row for row in rows if row[1] in compared), sketched), compared


def last_number(connection: sa.Connection) -> int:
    """The highest ingest number so far; 0 without papers."""
    last: int = connection.execute(
        sa.select(sa.func.coalesce(sa.func.max(PAPERS.number), 0))
    ).scalar_one()
    return last


def save_changes(connection: sa.Connection, before: PaperIndex, after: PaperIndex) -> None:
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
    _save_copies(connection, before, after)
    if before.last // SKETCHED < after.last // SKETCHED:
        newest = max(paper.first_seen for paper in new)
        _forget_sketches(connection, newest - MAX_PAPER_AGE)


def _save_copies(connection: sa.Connection, before: PaperIndex, after: PaperIndex) -> None:
    added = [
        {"number": number, "paper": paper}
        for paper, numbers in after.sketches.added.items()
        for number in sorted(numbers)
    ]
    if added:
        connection.execute(sa.insert(schema.sketches), added)
    column = schema.copies.c.paper
    if no_more := before.copies.keys() - after.copies.keys():
        connection.execute(sa.delete(schema.copies).where(column.in_(no_more)))
    if new := after.copies.keys() - before.copies.keys():
        rows = [{"paper": paper, "original": after.copies[paper]} for paper in sorted(new)]
        connection.execute(sa.insert(schema.copies), rows)


def _forget_sketches(connection: sa.Connection, before: datetime) -> None:
    """Remove the sketches of abstracts of papers first seen before then; those of titles stay."""
    older = sa.select(PAPERS.number).where(PAPERS.first_seen < before)
    last = connection.execute(older.order_by(PAPERS.number.desc()).limit(1)).scalar()
    sketches = schema.sketches.c
    old = (sketches.number >= 0) & (sketches.paper <= (last or 0))
    connection.execute(sa.delete(schema.sketches).where(old))


def save_corrections(connection: sa.Connection, index: PaperIndex, now: datetime) -> None:
    """Record which papers were withdrawn or have a new title, at this instant."""
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
    return tuple(map(as_paper, connection.execute(query)))


def as_paper(row: sa.Row[Any]) -> Paper:
    """The paper in a row of the table."""
    return Paper(
        number=row.number,
        key=row.key,
        item=load(Item, row.body),
        first_seen=row.first_seen,
        group=row.group,
        muted=row.muted,
    )
