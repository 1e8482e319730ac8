"""The editions of a wave: stored with a freeze, and read again, packed as in ``packed_editions``.

The settings that a reader had at a freeze are in ``choices``, once for all editions until they
change.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from newsletter.model import Edition, PlannedEdition, Wave
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
from newsletter.stores.sql.statements import Driver, batches

PLANS_AT_ONCE = 200
"""How many plans are stored together; each takes some kilobytes in several forms meanwhile."""

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
            self._words[wave] = words_of(connection, wave)
        return self._words[wave].unpack(row)


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


def store_plans(
    connection: sa.Connection, issue: int, wave: Wave, plans: Iterable[PlannedEdition]
) -> None:
    """Store editions and deliveries of readers who have no delivery of this issue."""
    words, owed = words_of(connection, wave.id), OwedCounter(wave.issue)
    for batch in batches(plans, PLANS_AT_ONCE):
        new = _unplanned(connection, issue, batch)
        if not new:
            continue
        choices = _store_choices(connection, new)
        editions = [
            edition_row(wave.id, plan, words, owed.count(plan.history), choices[plan.edition.to.id])
            for plan in new
        ]
        connection.execute(sa.insert(schema.editions), editions)
        deliveries = [_delivery_row(issue, wave.id, plan.edition) for plan in new]
        connection.execute(sa.insert(schema.deliveries), deliveries)
        empty = [(wave.id, plan.edition.to.id) for plan in new if not plan.edition.papers]
        record_decided(Driver.of(connection), empty)
    this = sa.update(schema.waves).where(WAVES.id == wave.id)
    connection.execute(this.values(words=words.dump()))


def _unplanned(
    connection: sa.Connection, issue: int, plans: Sequence[PlannedEdition]
) -> Sequence[PlannedEdition]:
    """The first plan of each reader who has no delivery of this issue."""
    first: dict[int, PlannedEdition] = {}
    for plan in plans:
        first.setdefault(plan.edition.to.id, plan)
    query = sa.select(DELIVERIES.reader).where(
        DELIVERIES.issue == issue, DELIVERIES.reader.in_(first)
    )
    planned = set(connection.execute(query).scalars())
    return [plan for reader, plan in first.items() if reader not in planned]


def _store_choices(connection: sa.Connection, plans: Sequence[PlannedEdition]) -> Mapping[int, int]:
    """The ids of these readers' settings, by reader; those that have changed are added."""
    settings = {p.edition.to.id: dump(p.history.reader.subscriber) for p in plans}
    ids, new = latest_choices(connection, settings)
    if new:
        connection.execute(sa.insert(schema.choices), new)
        ids, new = latest_choices(connection, settings)
    assert not new
    return ids


def latest_choices(
    connection: sa.Connection, settings: Mapping[int, str]
) -> tuple[dict[int, int], list[dict[str, Any]]]:
    """The ids of readers' newest settings if they are these, and the rows of those that are not."""
    query = sa.select(CHOICES.reader, CHOICES.id, CHOICES.body).where(CHOICES.reader.in_(settings))
    newest = {row.reader: row for row in connection.execute(query.order_by(CHOICES.id))}
    same = {reader: row.id for reader, row in newest.items() if row.body == settings[reader]}
    rows = [{"reader": r, "body": text} for r, text in settings.items() if r not in same]
    return same, rows


def edition_row(
    wave: int, plan: PlannedEdition, words: WaveWords, owed: int, choices: int
) -> dict[str, Any]:
    """The row of an edition."""
    edition = plan.edition
    body, own = words.pack(edition)
    return {
        "wave": wave,
        "reader": edition.to.id,
        "papers": pack_places(edition.papers),
        "again": pack_places((*edition.short, *edition.waiting)) or None,
        "body": body,
        "own": own,
        "choices": choices,
        "decided": plan.history.reader.decided,
        "owed": owed,
        "left_out": edition.left_out + len(edition.waiting),
    }


def _delivery_row(issue: int, wave: int, edition: Edition) -> dict[str, Any]:
    return {
        "issue": issue,
        "reader": edition.to.id,
        "wave": wave,
        "state": "pending" if edition.papers else "empty",
        "attempts": 0,
        "reply": "",
    }
