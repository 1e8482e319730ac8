"""The editions of a wave: stored with a freeze, and read again, packed as in ``packed_editions``.

The settings that a reader had at a freeze are in ``choices``, once for all editions until they
change.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from newsletter.model import Edition, Issue, PlannedEdition, Reader
from newsletter.stores.logic import OwedCounter
from newsletter.stores.sql import schema
from newsletter.stores.sql.codec import dump, read_numbers
from newsletter.stores.sql.deliveries import DELIVERIES, record_decided
from newsletter.stores.sql.engine import Queries
from newsletter.stores.sql.packed_editions import (
    StoredEdition,
    WaveWords,
    pack_places,
    unpack_places,
)
from newsletter.stores.sql.planning import Rows
from newsletter.stores.sql.statements import Driver, batches, insert_rows, json_rows, run

PLANS_AT_ONCE = 200
"""How many plans are stored together; each takes some kilobytes in several forms meanwhile."""

WAVES_KEPT = 4
"""Waves whose words are in memory: those of the letters that leave, and of pages asked for."""

WAVES, EDITIONS, CHOICES = schema.waves.c, schema.editions.c, schema.choices.c

STORED = (
    EDITIONS.reader,
    EDITIONS.body,
    EDITIONS.own,
    EDITIONS.again,
    EDITIONS.left_out,
    CHOICES.body.label("settings"),
)
"""The columns of a :class:`StoredEdition`; the settings are those of the edition's choices."""

SETTINGS = CHOICES.id == EDITIONS.choices

WITHOUT_DETAILS = {"body": None, "own": None, "again": None, "choices": None}
"""What becomes of an edition whose details are removed: which papers it had stays."""


class EditionQueries(Queries):
    """Reads editions; what the editions of a wave have in common is kept in memory."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._words: dict[int, WaveWords] = {}

    def _edition(self, wave: int, row: StoredEdition) -> Edition:
        """The edition in a row of a wave.

        Raises:
            LookupError, ValueError, TypeError: it is damaged.
        """
        known = self._words.get(wave)
        if known is not None:
            try:
                return known.unpack(row)
            except LookupError:
                pass  # readers were added to the wave, with reasons of their own
        with self._database.reading() as connection:
            known = self._words[wave] = words_of(connection, wave)
        for other in list(self._words)[:-WAVES_KEPT]:
            self._words.pop(other, None)
        return known.unpack(row)


def words_of(connection: sa.Connection, wave: int) -> WaveWords:
    """What the editions of a wave have in common so far."""
    row = connection.execute(sa.select(WAVES.numbers, WAVES.words).where(WAVES.id == wave)).one()
    return WaveWords(len(read_numbers(row.numbers)), row.words)


def numbers_of_waves(connection: sa.Connection, waves: Collection[int]) -> dict[int, list[int]]:
    """The ingest numbers of these waves' papers, by place."""
    query = sa.select(WAVES.id, WAVES.numbers).where(WAVES.id.in_(waves))
    return {row.id: read_numbers(row.numbers) for row in connection.execute(query)}


def papers_as_json(numbers: Sequence[int], packed: bytes) -> str:
    """The ingest numbers of an edition's papers; ``numbers`` are those of its wave."""
    return json.dumps([numbers[place] for place in unpack_places(packed)])


def packed_rows(issue: Issue, words: WaveWords, plans: Iterable[PlannedEdition]) -> Iterator[Rows]:
    """The editions as rows, a few at a time, packed with words that grow.

    In place of their wave and choices they have their reader's address and settings.
    """
    owed = OwedCounter(issue)
    for batch in batches(plans, PLANS_AT_ONCE):
        yield [_edition_row(plan, words, owed.count(plan.history)) for plan in batch]


def store_rows(
    connection: sa.Connection, issue: int, wave: int, words: WaveWords, planned: Iterable[Rows]
) -> None:
    """Store the editions of readers who have no delivery of this issue, and their deliveries."""
    driver = Driver.of(connection)
    for rows in planned:
        new = _unplanned(connection, issue, rows) if rows else ()
        if not new:
            continue
        choices = _stored_choices(connection, {row["reader"]: row["settings"] for row in new})
        editions = [_stored(row, wave, choices[row["reader"]]) for row in new]
        insert_rows(driver, schema.editions, editions)
        insert_rows(driver, schema.deliveries, [_delivery_row(issue, wave, row) for row in new])
        record_decided(driver, [(wave, row["reader"]) for row in new if not row["is_sent"]])
    this = sa.update(schema.waves).where(WAVES.id == wave)
    connection.execute(this.values(words=words.dump()))


def _unplanned(connection: sa.Connection, issue: int, rows: Rows) -> Rows:
    """The first row of each reader who has no delivery of this issue.

    Without readers who were erased, or moved to another address, since they were planned.
    """
    first: dict[int, dict[str, Any]] = {}
    for row in rows:
        first.setdefault(row["reader"], row)
    query = sa.select(DELIVERIES.reader).where(
        DELIVERIES.issue == issue, DELIVERIES.reader.in_(first)
    )
    others = set(connection.execute(query).scalars())
    emails = [(reader, row["email"]) for reader, row in first.items()]
    others.update(row[0] for row in run(Driver.of(connection), _select_moved, emails).fetchall())
    return [row for reader, row in first.items() if reader not in others]


def _select_moved(dialect: sa.Dialect) -> sa.Select[tuple[int]]:
    given, readers = json_rows(dialect, reader=sa.Integer, email=sa.Text), schema.readers.c
    moved = (readers.id == given.c.reader) & (readers.email != given.c.email)
    return sa.select(readers.id).where(moved)


def _stored_choices(connection: sa.Connection, settings: Mapping[int, str]) -> dict[int, int]:
    """The ids of these readers' settings, as JSON, which are stored where the newest are others."""
    newest = sa.select(CHOICES.reader, sa.func.max(CHOICES.id)).group_by(CHOICES.reader)
    theirs = newest.where(CHOICES.reader.in_(settings)).subquery()
    rows = connection.execute(
        sa.select(CHOICES.reader, CHOICES.id, CHOICES.body).join(theirs, theirs.c[1] == CHOICES.id)
    )
    found = {row.reader: row.id for row in rows if row.body == settings[row.reader]}
    new = [{"reader": r, "body": body} for r, body in settings.items() if r not in found]
    if new:
        insert_rows(Driver.of(connection), schema.choices, new)
        added = newest.where(CHOICES.reader.in_([row["reader"] for row in new]))
        found.update(tuple(row) for row in connection.execute(added))
    return found


def _edition_row(plan: PlannedEdition, words: WaveWords, owed: int) -> dict[str, Any]:
    """The row of an edition; see :func:`packed_rows`."""
    edition, reader = plan.edition, plan.history.reader
    body, own = words.pack(edition)
    papers = edition.papers
    return {
        "reader": edition.to.id,
        "papers": pack_places(papers),
        "again": pack_places((*edition.short, *edition.waiting)) or None,
        "body": body,
        "own": own,
        "decided": reader.decided,
        "owed": owed,
        "left_out": edition.left_out + len(edition.waiting),
        "email": edition.to.email,
        "settings": _settings(reader),
        "is_sent": plan.even_empty or bool(papers),
    }


def _settings(reader: Reader) -> str:
    """A reader's settings as JSON: the text they were read from, unless others replaced them."""
    read, text = reader.stored or (None, "")
    return text if read is reader.subscriber else dump(reader.subscriber)


_NOT_STORED = frozenset({"email", "settings", "is_sent"})


def _stored(row: Mapping[str, Any], wave: int, choices: int) -> dict[str, Any]:
    columns = {name: value for name, value in row.items() if name not in _NOT_STORED}
    return columns | {"wave": wave, "choices": choices}


def _delivery_row(issue: int, wave: int, edition: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "issue": issue,
        "reader": edition["reader"],
        "wave": wave,
        "state": "pending" if edition["is_sent"] else "empty",
        "attempts": 0,
        "doubts": 0,
        "reply": "",
    }
