"""What the store knows of its readers, and of where each stands."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Protocol

from newsletter.model import Paper, Reader, ReaderHistory, Status, Subscriber


class Readership(Protocol):
    """The part of :class:`newsletter.ports.Store` that issues are cut for."""

    def sync_subscribers(self, listed_subscribers: Sequence[Subscriber], *, now: datetime) -> None:
        """Make the readers of the operator's file exactly these.

        New ones join confirmed (their ``decided`` is the last freeze's cutoff, or 0); known ones
        take each of the file's words that is new to the file, what they chose themselves stays
        until then, and are the file's from then on; those of origin ``file`` no longer
        in it become ``removed``, and confirmed again when they come back. ``unsubscribed`` and
        ``blocked`` stay as they are.
        """

    def save_reader(self, subscriber: Subscriber, *, status: Status, now: datetime) -> Reader:
        """Add a reader of origin ``store`` under this status, or replace what is known of one.

        A reader of the file stays the file's.
        """

    def set_status(self, email: str, status: Status, *, now: datetime) -> bool:
        """Give a reader another status; False where there is no such reader.

        A departure of someone unknown is no departure: nothing is stored.
        """

    def readers(self, *, emails: Collection[str] | None = None) -> tuple[Reader, ...]:
        """All readers, or those under these addresses, by id, whatever their status."""

    def each_reader(self) -> Iterator[Reader]:
        """All readers, by id, whatever their status: a few at a time, however many there are.

        The few are one transaction; who changes meanwhile comes as they were or as they are.
        """

    def readers_numbered(self, numbers: Sequence[int]) -> tuple[Reader, ...]:
        """The readers of these ids, by id, whatever their status."""

    def decided_by_all(self, numbers: Sequence[int]) -> int | None:
        """Up to which ingest number each of these readers has decided; None of nobody."""

    def histories(
        self, readers: Sequence[Reader], papers: Sequence[Paper], *, since: datetime
    ) -> tuple[ReaderHistory, ...]:
        """Where each reader stands regarding these papers, in the readers' order.

        ``again`` is taken from their editions frozen at or after ``since``, accepted or empty.
        """

    def recent_short(self, *, since: datetime) -> frozenset[int]:
        """Ingest numbers in anyone's ``again`` for editions frozen at or after ``since``."""
