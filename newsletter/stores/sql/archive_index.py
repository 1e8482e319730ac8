"""The index of the archive's search, and the search for words without it, in SQL."""

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from typing_extensions import override

from newsletter.model import BLOCK_SIZE, IndexBlock, Paper
from newsletter.ports import ArchiveIndex
from newsletter.stores.logic import search_terms
from newsletter.stores.sql import schema
from newsletter.stores.sql.engine import Queries
from newsletter.stores.sql.known_papers import PAPERS, last_number, load_papers
from newsletter.stores.sql.statements import insert_new, is_postgres

BLOCKS = schema.index_blocks.c

BLOCKS_AT_ONCE = 16  # are read together: six megabytes


class ArchiveIndexQueries(Queries, ArchiveIndex):
    """Implements :class:`newsletter.ports.ArchiveIndex`."""

    @override
    def search_papers(
        self, words: Sequence[str], *, limit: int, after: int = 0
    ) -> tuple[Paper, ...]:
        terms = search_terms(words)
        if not terms:
            return ()
        with self._database.reading() as connection:
            position = sa.func.strpos if is_postgres(connection) else sa.func.instr
            has = [
                sa.or_(*(position(schema.wordings.c.words, each) > 0 for each in either))
                for either in terms
            ]
            query = (
                sa.select(schema.papers)
                .join(schema.wordings)
                .where(PAPERS.number > after, ~PAPERS.muted, *has)
                .order_by(PAPERS.number.desc())
                .limit(limit)
            )
            return load_papers(connection, query)

    @override
    def index_blocks(self, form: str, *, first: int = 0) -> Iterator[IndexBlock]:
        query = sa.select(BLOCKS.start, BLOCKS.last, BLOCKS.changes, BLOCKS.body)
        query = query.where(BLOCKS.format == form).order_by(BLOCKS.start).limit(BLOCKS_AT_ONCE)
        last = first - 1
        while True:
            with self._database.reading() as connection:
                rows = _fetch(connection, query.where(BLOCKS.start > last))
            yield from (IndexBlock(*row) for row in rows)
            if len(rows) < BLOCKS_AT_ONCE:
                return
            last = rows[-1][0]

    @override
    def stale_block(self, form: str) -> IndexBlock | None:
        query = sa.select(BLOCKS.start, BLOCKS.last, BLOCKS.changes).where(
            BLOCKS.format == form, BLOCKS.made == BLOCKS.changes
        )
        with self._database.reading() as connection:
            newest = last_number(connection)
            made = {row.start: row.last for row in connection.execute(query)}
        for start in range(0, newest + 1 if newest else 0, BLOCK_SIZE):
            last = min(start + BLOCK_SIZE - 1, newest)
            if made.get(start, -1) < last:
                return IndexBlock(start, last, self._changes_of(start))
        return None

    def _changes_of(self, start: int) -> int:
        """How often the papers of a block have changed; from now on that is counted."""
        empty = {"start": start, "last": -1, "body": b""}
        changes = sa.select(BLOCKS.changes).where(BLOCKS.start == start)
        with self._database.writing() as connection:
            connection.execute(insert_new(connection, schema.index_blocks).values(empty))
            return int(connection.execute(changes).scalar_one())

    @override
    def save_block(self, block: IndexBlock, form: str) -> None:
        statement = sa.update(schema.index_blocks).where(BLOCKS.start == block.start)
        values = {"last": block.last, "made": block.changes, "format": form, "body": block.body}
        with self._database.writing() as connection:
            connection.execute(statement.values(values))


def _fetch(connection: sa.Connection, query: sa.Select[Any]) -> Sequence[Sequence[Any]]:
    """The rows of a query; from PostgreSQL bytes come as they are, not as hexadecimal text."""
    if not is_postgres(connection):
        return connection.execute(query).all()
    compiled = query.compile(connection, compile_kwargs={"literal_binds": True})
    driver: Any = connection.connection.driver_connection
    rows: Sequence[Sequence[Any]] = driver.execute(str(compiled), binary=True).fetchall()
    return rows
