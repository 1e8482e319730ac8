"""Who reads, and where each stands, in SQL."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime

from newsletter.model import Paper, Reader, ReaderHistory, Status, Subscriber
from newsletter.stores.sql import reader_history, readers
from newsletter.stores.sql.engine import Database


class ReaderQueries:
    """The readers of a :class:`~newsletter.stores.sql.SqlStore`, as issues are cut for them."""

    _database: Database

    def sync_subscribers(self, listed_subscribers: Sequence[Subscriber], *, now: datetime) -> None:
        """See :meth:`newsletter.ports.Store.sync_subscribers`."""
        with self._database.writing() as connection:
            return readers.sync_subscribers(connection, listed_subscribers, now=now)

    def save_reader(self, subscriber: Subscriber, *, status: Status, now: datetime) -> Reader:
        """See :meth:`newsletter.ports.Store.save_reader`."""
        with self._database.writing() as connection:
            return readers.save_reader(connection, subscriber, status=status, now=now)

    def set_status(self, email: str, status: Status, *, now: datetime) -> bool:
        """See :meth:`newsletter.ports.Store.set_status`."""
        with self._database.writing() as connection:
            return readers.set_status(connection, email, status, now=now)

    def readers(self, *, emails: Collection[str] | None = None) -> tuple[Reader, ...]:
        """See :meth:`newsletter.ports.Store.readers`."""
        with self._database.reading() as connection:
            return readers.readers(connection, emails=emails)

    def each_reader(self) -> Iterator[Reader]:
        """See :meth:`newsletter.ports.Store.each_reader`."""
        last: int | None = None
        while True:
            with self._database.reading() as connection:
                some = readers.readers_after(connection, last)
            yield from some
            if not some:
                return
            last = some[-1].id

    def readers_by_id(self, ids: Sequence[int]) -> tuple[Reader, ...]:
        """See :meth:`newsletter.ports.Store.readers_by_id`."""
        with self._database.reading() as connection:
            return readers.readers_numbered(connection, ids)

    def lowest_decided(self, ids: Sequence[int]) -> int | None:
        """See :meth:`newsletter.ports.Store.lowest_decided`."""
        with self._database.reading() as connection:
            return readers.decided_by_all(connection, ids)

    def reader_histories(
        self, readers: Sequence[Reader], papers: Sequence[Paper], *, since: datetime
    ) -> tuple[ReaderHistory, ...]:
        """See :meth:`newsletter.ports.Store.reader_histories`."""
        with self._database.reading() as connection:
            return reader_history.histories(connection, readers, papers, since=since)

    def papers_to_reconsider(self, *, since: datetime) -> frozenset[int]:
        """See :meth:`newsletter.ports.Store.papers_to_reconsider`."""
        with self._database.reading() as connection:
            return reader_history.recent_short(connection, since=since)
