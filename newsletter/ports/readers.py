"""The store's ports for papers, readers and the readers' pages.

The rules of :mod:`newsletter.ports.store` hold for every method here.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Literal, Protocol

from newsletter.model import (
    Consent,
    Correction,
    Coverage,
    Delivery,
    FileEffect,
    IdentifiedItem,
    IndexBlock,
    IngestCounts,
    Like,
    ListedReader,
    MailEvent,
    Paper,
    PublishedIssue,
    Reader,
    ReaderFault,
    RequestLimits,
    SourceHealth,
    Status,
    Subscriber,
)
from newsletter.ports.mail_events import MailEvents


class Papers(Protocol):
    """Papers and the sources that list them: for fetching, drafting and the archive."""

    def ingest(
        self,
        day: date,
        source: SourceHealth,
        entries: Sequence[IdentifiedItem],
        coverage: Sequence[Coverage] = (),
        *,
        now: datetime,
    ) -> IngestCounts:
        """Record what a source listed on ``day``, how the source fared, and which lists were read.

        - An entry without a known name becomes a paper with the next ingest number. It is muted if
          the entry is ``past`` and the source never answered before (it has no ``last_ok``).
        - An entry with a known name is that paper; ``is_same_paper`` and ``do_texts_agree`` decide
          where names conflict or are weak. Its new names become aliases, ``merge_items`` updates
          its item, and its key and number stay.
        - A muted paper that another source lists as news is new: it gets the next number.
        - An entry that joins several known papers puts them into one group.
        - A replacement (``item.announcement``) of an unknown paper is ignored: it is no news.

        Each paper is recorded as listed on ``day``, counted as new, revised (new version) or seen.
        """

    def sources(self) -> Mapping[str, SourceHealth]:
        """The last recorded health of every source, by name."""

    def coverage(self, source: str) -> tuple[Coverage, ...]:
        """The coverage record of a source, the newest dates first, of its last 65 days."""

    def gaps(self, *, lost_since: date) -> tuple[Coverage, ...]:
        """The lists of all sources that are missing, or lost since a date, the newest first."""

    def papers(self, *, after: int, since: datetime) -> tuple[Paper, ...]:
        """Papers with numbers above ``after`` first seen at or after ``since``, by number."""

    def papers_by_number(self, numbers: Collection[int]) -> tuple[Paper, ...]:
        """The papers with these ingest numbers, by number; unknown numbers are skipped."""

    def papers_listed(self, day: date, *, first: bool = False) -> tuple[Paper, ...]:
        """The papers that any source listed for the issue of ``day``, by number.

        With ``first`` only those that no earlier day had: a source may list a paper for days.
        """

    def upvotes_by_day(
        self, papers: Iterable[Paper], *, since: date
    ) -> Mapping[int, Mapping[date, int]]:
        """What each of these papers had on the days for which it was listed, by its group.

        Days before ``since``, and those on which no upvotes were counted, are omitted.
        """

    def corrections(self, *, since: datetime) -> tuple[Correction, ...]:
        """The withdrawals and new titles of known papers recorded since then, oldest first."""

    def cutoff(self) -> int:
        """The highest ingest number so far; 0 without papers."""

    def papers_to_reconsider(self, *, day: date) -> Mapping[int, int]:
        """The ingest numbers in any reader's ``again`` for an issue; see ``reader_histories``.

        For each, the fewest upvotes that one of these readers asks for at present.
        """

    def find_paper(self, name: str) -> Paper | None:
        """The paper with this key or alias."""

    def other_versions(self, paper: Paper) -> tuple[Paper, ...]:
        """The other papers that turned out to be this one, each with a name of its own."""

    def new_in(self, issue: PublishedIssue, *, first: int) -> tuple[int, tuple[Paper, ...]]:
        """How many papers were new in a published issue, and its first ones in its frozen order."""


class ArchiveIndex(Protocol):
    """The archive's search: an index in blocks, and a search for words without it."""

    def search_papers(
        self, words: Sequence[str], *, limit: int, after: int = 0
    ) -> tuple[Paper, ...]:
        """The newest papers whose title, abstract or authors have a word beginning with each word.

        Case and accents are ignored, a plural finds the singular, too, and no character has a
        special meaning. Muted papers are left out, and those with numbers up to ``after``; without
        any word nothing is found.
        """

    def index_blocks(self, form: str, *, first: int = 0) -> Iterator[IndexBlock]:
        """The blocks that were made in a form, by their numbers, a few at a time in memory.

        ``first`` is the lowest number that they may start at.
        """

    def stale_block(self, form: str) -> IndexBlock | None:
        """The first block, without body, that has to be made in this form; None if none has.

        It is missing, or in another form, or papers came to it, or their words have changed.
        """

    def save_block(self, block: IndexBlock, form: str) -> None:
        """Keep a block that :meth:`stale_block` gave, with its body.

        If the words of its papers have changed meanwhile, it has to be made again.
        """


class Readers(MailEvents, Protocol):
    """Readers, their settings and their status: for the readers' file, commands and bounces."""

    def sync_subscribers(
        self,
        listed_subscribers: Sequence[Subscriber],
        *,
        named: Mapping[str, Collection[str]] = {},
        now: datetime,
    ) -> tuple[FileEffect, ...]:
        """Update the store to the readers in the operator's file.

        - A new reader joins as confirmed; papers up to the last freeze count as decided for them.
        - A known reader gets the origin ``file``. A value that changed in the file replaces theirs;
          every other field keeps what they chose themselves.
        - A reader who had subscribed themselves keeps every choice in fields that the file does not
          name. Once they are not listed any more, they are the store's with their own choices.
        - Another reader of origin ``file`` who is not listed becomes ``removed``, and confirmed
          again on return. ``unsubscribed`` and ``blocked`` readers stay so.

        Returns who gets no letters any more, and whose own choices were replaced.

        ``named`` has the fields that the file names, by address; by default those that are not at
        their default.
        """

    def save_reader(self, subscriber: Subscriber, *, status: Status, now: datetime) -> Reader:
        """Add a reader of origin ``store``, or replace the settings and status of a known one.

        A reader of the file keeps the origin ``file``.
        """

    def import_departure(self, listed: ListedReader, *, now: datetime) -> bool:
        """Store that somebody has left or is blocked, as a list from elsewhere says.

        Somebody unknown is added with that status, so that nothing adds them as confirmed later. A
        known reader leaves, except if they gave a consent after that departure. Returns whether
        this changed anything.
        """

    def import_readers(self, listed: Sequence[ListedReader], *, now: datetime) -> Mapping[str, int]:
        """Store readers of a list, all of them or, on an error, none; return their ids by address.

        Confirmed ones are added; known ones get the settings in the fields ``named``, and are
        confirmed. One who was removed from the operator's file is the store's from then on. The
        others leave as by ``import_departure``, compared with case. The consents that the list has
        are kept.
        """

    def record_faults(self, day: date, faults: Collection[ReaderFault]) -> None:
        """Record whom the issue of ``day`` skipped, or serves otherwise than they chose."""

    def faulty_readers(
        self, first: date, last: date | None = None
    ) -> tuple[tuple[Reader, str], ...]:
        """The confirmed readers recorded as faulty for the issues of these days, by id.

        The text says why one could not be planned; it is empty if they have a delivery by now, or
        if the fault is in their settings: then the reader, as they are now, says it.
        """

    def listed_readers(self) -> tuple[ListedReader, ...]:
        """The readers who are confirmed, have left or are blocked, with the dates of that, by id.

        The ones who were erased are among them: their aliases keep them from being added again.
        """

    def set_status(self, email: str, status: Status, *, now: datetime) -> bool:
        """Change a reader's status. False, and nothing changes, if the address is unknown."""

    def readers(self, *, emails: Collection[str] | None = None) -> tuple[Reader, ...]:
        """All readers, or those with these addresses, by id, of any status."""

    def each_reader(self) -> Iterator[Reader]:
        """Every reader by id, of any status, read in small batches to save memory.

        Each batch is a transaction; a reader who changes meanwhile appears once, old or new.
        """

    def followed_topics(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """The address of each confirmed reader with topics, and the topics; nothing else is read.

        Each batch is a transaction. A value that is no text, in damaged settings, is left out.
        """

    def reader_by_id(self, id_: int) -> Reader | None:
        """The reader with this id, of any status."""

    def readers_by_id(self, ids: Sequence[int]) -> tuple[Reader, ...]:
        """The readers with these ids, by id, of any status; unknown ids are skipped."""

    def reader_by_email(self, email: str) -> Reader | None:
        """The reader with this address, compared without case."""

    def planned_readers(self, day: date, *, among: Collection[int] | None = None) -> frozenset[int]:
        """The ids of readers, all or among these, who have a delivery of that day's issue."""

    def busy_readers(self, day: date, *, now: datetime) -> frozenset[int]:
        """The ids of readers to whom a letter of another day's issue is being sent.

        A run holds it under a lease; until its outcome is known, a freeze would repeat its papers.
        """


class Pages(Readers, Protocol):
    """What readers do on the newsletter's pages, and the data stored about them."""

    def record_request(
        self, address: str, client: str, limits: RequestLimits, *, now: datetime
    ) -> bool:
        """Count a sign-up request if every limit allows it; return whether it is allowed.

        ``address`` and ``client`` are keyed hashes, and the client's is deleted after a day. One
        that is empty is not limited: requests of clients and notes to addresses may be counted each
        on their own. A refused request is not counted.
        """

    def forget_requests(self, addresses: Collection[str]) -> None:
        """Forget what was counted for these; the counts of clients stay."""

    def next_request(
        self, client: str, limits: RequestLimits, *, now: datetime
    ) -> tuple[datetime, bool]:
        """When the hourly limits allow this client's next request; whether others used them up."""

    def forget_unconfirmed(self, *, before: datetime) -> int:
        """Delete unconfirmed readers who were last changed before then; return how many."""

    def record_consent(
        self,
        reader: int,
        consent: Consent,
        *,
        status: Literal["confirmed", "waiting"] = "confirmed",
    ) -> bool:
        """Confirm a reader, or let them wait for approval, and keep their consent as proof.

        Papers up to the last freeze count as decided for them. A reader removed from the operator's
        file becomes the store's. False, and nothing changes, if the reader has that status already,
        or is confirmed, blocked or unknown.
        """

    def approve(self, reader: int, *, now: datetime) -> bool:
        """Confirm a reader who waits; papers up to the last freeze count as decided for them.

        False, and nothing changes, if they do not wait.
        """

    def consents(self, reader: int) -> tuple[Consent, ...]:
        """A reader's consents, oldest first."""

    def deliveries_to(self, reader: int) -> tuple[Delivery, ...]:
        """A reader's deliveries of all issues, oldest first."""

    def leaving_reasons(self, *, limit: int, reader: int | None = None) -> tuple[MailEvent, ...]:
        """Why readers (or one reader) left, in their own words, newest first."""

    def stored_settings(self, reader: int) -> Mapping[str, object]:
        """What is stored in each field of a reader's settings, whether it can be used or not.

        Fields at their default are left out; so is everything of a text that is no JSON object.
        """

    def change_settings(
        self,
        reader: int,
        wanted: Subscriber,
        names: Collection[str],
        *,
        seen: Subscriber | None = None,
        now: datetime,
    ) -> Reader:
        """Replace these fields of a known reader's settings by those of ``wanted``.

        Everything else stays as it is stored, what this version cannot read included. With
        ``seen``, nothing changes unless the settings are still these. Returns the reader as stored.
        """

    def erased_aliases(self) -> tuple[str, ...]:
        """The aliases of the readers who were erased."""

    def change_email(self, reader: int, email: str, *, now: datetime) -> bool:
        """Give a reader of the store another address.

        False, and nothing changes, if the address is taken, or the reader is unknown or listed in
        the operator's file.
        """

    def erase(self, reader: int, alias: str, *, now: datetime) -> None:
        """Replace a reader's personal data by ``alias``, with the status ``unsubscribed``.

        Nothing of the address stays in rows, or in an SQLite file's free pages; the ledger's counts
        stay true.
        """


class Likes(Protocol):
    """What readers said of single papers: that they want more like it, or less."""

    def like(self, reader: int, paper: int, *, more: bool, now: datetime) -> None:
        """Record it in place of what they said of this paper before.

        Of more than :data:`~newsletter.model.MAX_LIKES` papers of a reader the oldest are dropped.
        """

    def forget_likes(self, reader: int, paper: int | None = None) -> None:
        """Delete what a reader said of one paper, or of all."""

    def likes(self, readers: Collection[int]) -> Mapping[int, tuple[Like, ...]]:
        """What each of these readers said, the newest first; only of those who said something."""
