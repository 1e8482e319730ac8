"""Readers and where they stand, in memory."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime

from newsletter.model import DECIDING, Origin, Paper, Reader, ReaderHistory, Status, Subscriber
from newsletter.stores.memory.papers import Papers
from newsletter.stores.memory.rows import DayIssue
from newsletter.stores.rules import listed, struck, taken_in

"""The ends of a delivery that decide a freeze."""


class Readers(Papers):
    """The readers of a :class:`~newsletter.stores.memory.MemoryStore`, and what they were sent."""

    def __init__(self) -> None:
        super().__init__()
        self._readers: dict[str, Reader] = {}
        self._listed: dict[str, Subscriber] = {}
        self._issues: dict[date, DayIssue] = {}
        self._sent: dict[int, set[int]] = {}
        self._joined: dict[int, datetime] = {}
        self._changed: dict[int, datetime] = {}

    def sync_subscribers(self, listed_subscribers: Sequence[Subscriber], *, now: datetime) -> None:
        """See :meth:`newsletter.ports.Store.sync_subscribers`."""
        with self._lock:
            there = {subscriber.email for subscriber in listed_subscribers}
            for email, reader in self._readers.items():
                after = struck(reader.status)
                if reader.origin == "file" and email not in there and after != reader.status:
                    self._readers[email] = replace(reader, status=after)
                    self._touch(reader.id, now)
            for subscriber in listed_subscribers:
                known = self._readers.get(subscriber.email)
                status = "confirmed" if known is None else listed(known.status)
                changed = self._put(self._taken_in(known, subscriber), status, "file")
                if changed != known:
                    self._touch(changed.id, now)
                self._listed[subscriber.email] = subscriber

    def _taken_in(self, known: Reader | None, said: Subscriber) -> Subscriber:
        """What a reader's words become when the file says this of them."""
        before = self._listed.get(said.email)
        if known is None or before is None:
            return said
        return taken_in(known.subscriber, before, said)

    def save_reader(
        self,
        subscriber: Subscriber,
        *,
        status: Status,
        now: datetime,
    ) -> Reader:
        """See :meth:`newsletter.ports.Store.save_reader`."""
        with self._lock:
            known = self._readers.get(subscriber.email)
            saved = self._put(subscriber, status, "store" if known is None else known.origin)
            self._touch(saved.id, now)
            return saved

    def _touch(self, reader: int, now: datetime) -> None:
        """Something about a reader changed, if only that they are there."""
        self._joined.setdefault(reader, now)
        self._changed[reader] = now

    def _put(self, subscriber: Subscriber, status: Status, origin: Origin) -> Reader:
        """Add a reader, for whom all up to the last freeze is decided, or change one."""
        new = Reader(
            id=max((reader.id for reader in self._readers.values()), default=0) + 1,
            subscriber=subscriber,
            status=status,
            decided=self._last_decided(),
            origin=origin,
        )
        known = self._readers.get(subscriber.email, new)
        changed = replace(known, subscriber=subscriber, status=status, origin=origin)
        self._readers[subscriber.email] = changed
        return changed

    def _last_decided(self) -> int:
        """The cutoff of the last freeze, 0 where there is none."""
        cutoffs = [wave.issue.cutoff for issue in self._issues.values() for wave in issue.waves]
        return max(cutoffs, default=0)

    def set_status(self, email: str, status: Status, *, now: datetime) -> bool:
        """See :meth:`newsletter.ports.Store.set_status`."""
        with self._lock:
            known = self._readers.get(email)
            if known is not None:
                self._readers[email] = replace(known, status=status)
                self._touch(known.id, now)
            return known is not None

    def readers(self, *, emails: Collection[str] | None = None) -> tuple[Reader, ...]:
        """See :meth:`newsletter.ports.Store.readers`."""
        with self._lock:
            asked = self._readers.keys() if emails is None else self._readers.keys() & set(emails)
            return tuple(sorted((self._readers[e] for e in asked), key=lambda reader: reader.id))

    def each_reader(self) -> Iterator[Reader]:
        """See :meth:`newsletter.ports.Store.each_reader`."""
        yield from self.readers()

    def readers_numbered(self, numbers: Sequence[int]) -> tuple[Reader, ...]:
        """See :meth:`newsletter.ports.Store.readers_numbered`."""
        asked = set(numbers)
        return tuple(reader for reader in self.readers() if reader.id in asked)

    def decided_by_all(self, numbers: Sequence[int]) -> int | None:
        """See :meth:`newsletter.ports.Store.decided_by_all`."""
        return min((reader.decided for reader in self.readers_numbered(numbers)), default=None)

    def histories(
        self, readers: Sequence[Reader], papers: Sequence[Paper], *, since: datetime
    ) -> tuple[ReaderHistory, ...]:
        """See :meth:`newsletter.ports.Store.histories`."""
        with self._lock:
            groups = {paper.group for paper in papers}
            numbers = {paper.number for paper in papers}
            return tuple(
                ReaderHistory(
                    reader=reader,
                    again=self._again(reader.id, since) & numbers,
                    sent=self._sent_groups(reader.id) & groups,
                )
                for reader in readers
            )

    def recent_short(self, *, since: datetime) -> frozenset[int]:
        """See :meth:`newsletter.ports.Store.recent_short`."""
        with self._lock:
            return frozenset().union(
                *(self._again(reader.id, since) for reader in self._readers.values())
            )

    def _again(self, reader: int, since: datetime) -> frozenset[int]:
        """What fell short of upvotes alone in editions decided since, and was not sent."""
        rows = (issue.rows[reader] for issue in self._issues.values() if reader in issue.rows)
        short = (
            row.numbers(row.edition.short)
            for row in rows
            if row.state in DECIDING and row.wave.issue.frozen_at >= since
        )
        sent = self._sent_groups(reader)
        numbers = frozenset[int]().union(*short)
        return frozenset(n for n in numbers if self._catalogue.papers[n].group not in sent)

    def _sent_groups(self, reader: int) -> frozenset[int]:
        sent = self._sent.get(reader, set())
        return frozenset(self._catalogue.papers[number].group for number in sent)
