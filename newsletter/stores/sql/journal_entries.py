"""What a witness is shown of a frozen wave."""

from array import array
from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import Connection, select

from newsletter.stores.journal import Named, SeenWave, SendJournal
from newsletter.stores.rules import chunks
from newsletter.stores.sql import schema
from newsletter.stores.sql.papers import MANY


def planned(connection: Connection, wave: int) -> tuple[str, Sequence[int]]:
    """When a wave was frozen, and for whom, by id."""
    there = select(schema.waves.c.frozen).where(schema.waves.c.id == wave)
    reader = schema.editions.c.reader
    readers = select(reader).where(schema.editions.c.wave == wave).order_by(reader)
    frozen: datetime = connection.execute(there).scalar_one()
    rows = connection.execute(readers.execution_options(yield_per=MANY))
    return frozen.isoformat(), array("q", rows.scalars())


def bodies(connection: Connection, wave: int) -> SeenWave:
    """A wave as it is stored."""
    columns = schema.waves.c
    there = select(columns.frozen, columns.due, columns.body, columns.pieces)
    row = connection.execute(there.where(columns.id == wave)).one()
    return SeenWave(row.frozen.isoformat(), row.due, row.body, row.pieces)


def people(
    connection: Connection, wave: int, readers: Sequence[int], journal: SendJournal
) -> Iterator[Named]:
    """These readers of a wave, some after others."""
    editions, columns = schema.editions, schema.readers.c
    theirs = select(columns.id, columns.email, editions.c.papers).join(editions)
    for some in chunks(readers, MANY):
        rows = connection.execute(
            theirs.where(editions.c.wave == wave, editions.c.reader.in_(some))
        )
        yield {row.id: (journal.names(row.email)[0], row.papers) for row in rows}
