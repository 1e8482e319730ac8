"""Editions take a tenth: sections, reasons and readers' settings are stored once for many.

A large store takes about a second for every ten thousand editions. All happens in one transaction:
if it is interrupted, the store stays as it was, and the next start begins again.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

from newsletter.errors import Isolated
from newsletter.model import Edition
from newsletter.stores.sql.codec import load, read_numbers
from newsletter.stores.sql.packed_editions import WaveWords, pack_places

revision = "0019"
down_revision = "0018"

_NEXT = sa.text(
    "SELECT * FROM editions_before WHERE wave = :wave AND reader > :last ORDER BY reader LIMIT 500"
)


def upgrade() -> None:
    """Make the new tables, fill them from the old one, and drop that."""
    op.rename_table("editions", "editions_before")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER INDEX pk_editions RENAME TO pk_editions_before")
    _create_tables()
    choices = _Choices()
    waves = sa.text("SELECT id, numbers FROM waves ORDER BY id")
    for wave, numbers in op.get_bind().execute(waves).all():
        _move_wave(wave, read_numbers(numbers), choices)
    op.drop_table("editions_before")
    if op.get_bind().dialect.name == "postgresql":
        choices.restart_sequence()


def _create_tables() -> None:
    op.add_column("waves", sa.Column("words", sa.LargeBinary))
    op.create_table(
        "choices",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("reader", sa.Integer, sa.ForeignKey("readers.id"), nullable=False, index=True),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_table(
        "editions",
        sa.Column("wave", sa.Integer, sa.ForeignKey("waves.id"), primary_key=True),
        sa.Column("reader", sa.Integer, sa.ForeignKey("readers.id"), primary_key=True),
        sa.Column("papers", sa.LargeBinary, nullable=False),
        sa.Column("owed", sa.Integer),
        sa.Column("left_out", sa.Integer),
        sa.Column("body", sa.LargeBinary),
        sa.Column("own", sa.Text),
        sa.Column("again", sa.LargeBinary),
        sa.Column("decided", sa.Integer),
        sa.Column("choices", sa.Integer),
        sqlite_with_rowid=False,
    )


class _Choices:
    """The settings of each reader, as they were at the last edition."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[int, str]] = {}
        self._count = 0

    def ids(self, settings: Sequence[tuple[int, str]]) -> list[int]:
        """The ids of these readers' settings; new ones are stored."""
        new = []
        for reader, text in settings:
            if self._known.get(reader, (0, ""))[1] != text:
                self._count += 1
                self._known[reader] = (self._count, text)
                new.append({"id": self._count, "reader": reader, "body": text})
        if new:
            table = sa.table("choices", *map(sa.column, ("id", "reader", "body")))
            op.get_bind().execute(sa.insert(table), new)
        return [self._known[reader][0] for reader, _ in settings]

    def restart_sequence(self) -> None:
        """Let PostgreSQL count on."""
        named = "pg_get_serial_sequence('choices', 'id')"
        op.execute(f"SELECT setval({named}, {self._count + 1}, false)")


def _move_wave(wave: int, numbers: Sequence[int], choices: _Choices) -> None:
    connection, words = op.get_bind(), WaveWords(len(numbers))
    places = {number: place for place, number in enumerate(numbers)}
    columns = ("wave", "reader", "papers", "owed", "left_out", "body", "own", "again", "decided")
    table = sa.table("editions", *map(sa.column, (*columns, "choices")))
    for rows in _batches(wave):
        standings = [json.loads(row.standing)["reader"] for row in rows]
        settings = [_text(standing["subscriber"]) for standing in standings]
        ids = choices.ids([(row.reader, text) for row, text in zip(rows, settings, strict=True)])
        moved = [_moved(row, places, words) for row in rows]
        for row, standing, id_ in zip(moved, standings, ids, strict=True):
            row |= {"decided": standing["decided"], "choices": id_}
        connection.execute(sa.insert(table), moved)
    this = sa.text("UPDATE waves SET words = :words WHERE id = :wave")
    connection.execute(this, {"words": words.dump(), "wave": wave})


def _batches(wave: int) -> Iterator[Sequence[Any]]:
    last = -1
    while rows := op.get_bind().execute(_NEXT, {"wave": wave, "last": last}).all():
        yield rows
        last = rows[-1].reader


def _text(plain: object) -> str:
    return json.dumps(plain, separators=(",", ":"))


def _moved(row: Any, places: Mapping[int, int], words: WaveWords) -> dict[str, Any]:  # noqa: ANN401 - a row
    """The columns of an edition; a damaged one stays one that cannot be read."""
    body: bytes
    own: str | None
    body, own = b"", None
    with Isolated(f"wave {row.wave}, reader {row.reader}"):
        body, own = words.pack(load(Edition, row.body))
    return {
        "wave": row.wave,
        "reader": row.reader,
        "papers": pack_places(places[n] for n in read_numbers(row.papers) if n in places),
        "owed": row.owed,
        "left_out": row.left_out,
        "body": body,
        "own": own,
        "again": pack_places(places[n] for n in read_numbers(row.short) if n in places) or None,
    }
