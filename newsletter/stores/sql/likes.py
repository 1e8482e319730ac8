"""What readers said of single papers, in SQL."""

from collections.abc import Collection, Mapping
from datetime import datetime

import sqlalchemy as sa
from typing_extensions import override

from newsletter.model import MAX_LIKES, Like
from newsletter.ports import Likes
from newsletter.stores.sql import schema
from newsletter.stores.sql.engine import Queries
from newsletter.stores.sql.statements import select_in, upsert

LIKES = schema.likes.c
_NEWEST = (LIKES.at.desc(), LIKES.paper.desc())


class LikeQueries(Queries, Likes):
    """Implements :class:`newsletter.ports.Likes`."""

    @override
    def like(self, reader: int, paper: int, *, more: bool, now: datetime) -> None:
        values = {"reader": reader, "paper": paper, "more": more, "at": now}
        kept = sa.select(LIKES.paper).where(LIKES.reader == reader)
        kept = kept.order_by(*_NEWEST).limit(MAX_LIKES)
        with self._database.writing() as connection:
            connection.execute(upsert(connection, schema.likes, values))
            oldest = (LIKES.reader == reader) & LIKES.paper.not_in(kept)
            connection.execute(sa.delete(schema.likes).where(oldest))

    @override
    def forget_likes(self, reader: int, paper: int | None = None) -> None:
        which = LIKES.reader == reader
        if paper is not None:
            which &= LIKES.paper == paper
        with self._database.writing() as connection:
            connection.execute(sa.delete(schema.likes).where(which))

    @override
    def likes(self, readers: Collection[int]) -> Mapping[int, tuple[Like, ...]]:
        found: dict[int, tuple[Like, ...]] = {}
        query = sa.select(LIKES.reader, LIKES.paper, LIKES.more, LIKES.at).order_by(*_NEWEST)
        with self._database.reading() as connection:
            if connection.execute(sa.select(LIKES.reader).limit(1)).first() is None:
                return {}  # as in most newsletters: nothing to look up for each reader
            for row in select_in(connection, query, LIKES.reader, readers):
                said = Like(row.paper, row.more, row.at)
                found[row.reader] = (*found.get(row.reader, ()), said)
        return found
