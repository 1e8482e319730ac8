"""The doors of the house, as those inside need them: Source, Store, Transport, Clock, Matcher.

Each docstring is the law its adapters keep; ``tests/contract`` runs one suite a port over every
adapter.
"""

from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Mapping,
    Sequence,
)
from datetime import date, datetime
from typing import Protocol

from newsletter.model import (
    Claim,
    Counts,
    Delivery,
    Edition,
    Entry,
    Heartbeat,
    Intake,
    IssueState,
    Item,
    Letter,
    Listing,
    Outcome,
    Paper,
    Reader,
    Settlement,
    SourceHealth,
    Standing,
    Status,
    Subscriber,
    Term,
    Wave,
)


class Clock(Protocol):
    """The only reader of time, and the only waiting."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""

    async def sleep(self, seconds: float) -> None:
        """Wait that long, letting others run."""


class Source(Protocol):
    """A door for listings."""

    @property
    def name(self) -> str:
        """The name reports and letters call it by; unique in a configuration."""

    @property
    def daily(self) -> bool:
        """Whether it lists afresh every working day, so that the same list again is stale."""

    async def fetch(self, day: date) -> tuple[Listing, ...]:
        """Read the listings for the issue of ``day``, the current one and what lies behind it.

        A day without papers is an empty tuple or listings without items, never an error.

        Raises:
            SourceError: the source did not answer, or not with a listing; the message names the
                source's address and what came instead.
        """


class Matcher(Protocol):
    """What matches what."""

    def masks(self, items: Sequence[Item], terms: Collection[Term]) -> Mapping[Term, int]:
        """For each term the items it occurs in, as a bitmask: bit *i* stands for ``items[i]``.

        Every term asked for has an entry.
        """


Mark = Callable[[Letter], Awaitable[bool]]
"""Called when all but the final dot is on the wire; False: the letter must not be sent."""

Settle = Callable[[Letter, Outcome], Awaitable[None]]
"""Called once for every letter taken, with what became of it."""


class Transport(Protocol):
    """A door for letters."""

    async def send(self, letters: AsyncIterator[Letter], mark: Mark, settle: Settle) -> None:
        """Send every letter of the stream.

        For each letter: everything up to the final dot, then ``await mark(letter)``, then the
        dot if it said True (if not, the connection is dropped before the dot and nothing is
        settled: the claim was lost), then ``await settle(letter, outcome)``. A letter cut off
        before its dot settles as ``NotSent``; one cut off between dot and answer as
        ``Unknown``. A refusal that names one recipient or message is that letter's
        ``Refused`` or ``Deferred``.

        Raises:
            TransportError: the server as a whole refuses us or is gone. Letters already taken
                from the stream have been settled; no more are taken.
        """


class Store(Protocol):
    """What the newsletter remembers. Every method is one transaction: all of it or nothing.

    Methods are synchronous and may be called from any thread. All instants are aware UTC.

    Raises:
        StoreError: from any method: the store cannot be read or written; the message names it.
    """

    def close(self) -> None:
        """Let go of every connection and file."""

    # -- diff: papers and sources ------------------------------------------------------------

    def ingest(
        self, day: date, source: SourceHealth, entries: Sequence[Entry], *, now: datetime
    ) -> Intake:
        """Remember what a source listed for the issue of ``day``, and how the source fared.

        An entry that answers to no known name becomes a paper under the next ingest number; it
        is muted when the entry is ``past`` and the source was never heard from before (it has no
        recorded ``last_ok``). One that answers to a known name is that paper (``identity.same``
        decides where names conflict): its new names become aliases, its item is brought up to
        date (``identity.merge``), its key and number stay. One that joins several known papers
        puts them in one group. All papers of the entries are recorded as read on ``day``.
        A paper is counted once: new, or revised (its version rose), or seen.
        """

    def sources(self) -> Mapping[str, SourceHealth]:
        """The last word of every source, by name."""

    def papers(self, *, after: int, since: datetime) -> tuple[Paper, ...]:
        """Papers numbered above ``after`` and first seen at or after ``since``, by number."""

    def papers_numbered(self, numbers: Collection[int]) -> tuple[Paper, ...]:
        """The papers under these ingest numbers, by number."""

    def papers_read(self, day: date) -> tuple[Paper, ...]:
        """The papers listed by any source for the issue of ``day``, by number."""

    def cutoff(self) -> int:
        """The highest ingest number given out, 0 where there is none."""

    # -- readers ------------------------------------------------------------------------------

    def sync_roster(self, roster: Sequence[Subscriber], *, now: datetime) -> None:
        """Make the readers of the operator's file exactly these.

        New ones join confirmed (their ``decided`` is the last freeze's cutoff, or 0); known ones
        take the file's words and are the file's from then on; those of origin ``file`` no longer
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

    def standings(
        self, readers: Sequence[Reader], papers: Sequence[Paper], *, since: datetime
    ) -> tuple[Standing, ...]:
        """Where each reader stands regarding these papers, in the readers' order.

        ``again`` is taken from their editions frozen at or after ``since``, accepted or empty.
        """

    def recent_short(self, *, since: datetime) -> frozenset[int]:
        """Ingest numbers in anyone's ``again`` for editions frozen at or after ``since``."""

    # -- issue: frozen in waves -----------------------------------------------------------------

    def freeze(
        self,
        wave: Wave,
        editions: Iterable[Edition],
    ) -> Wave:
        """Store a wave with its editions, and one delivery for each reader.

        ``wave.id`` is ignored; the stored wave is returned under its own. Deliveries of
        editions without a paper start as ``empty`` (and decide the freeze at once), the others
        as ``pending``; a reader who already has a delivery of that day is left out. The issue
        becomes ``frozen`` (or stays ``sending``), or ``done`` when nothing is open.
        Where a wave of that day and due instant is stored already, that one is returned, and the
        editions count only if they speak of the same papers in the same order.
        """

    def skip(self, day: date, *, reason: str, now: datetime) -> None:
        """Record that the issue of ``day`` was not composed, and why. Frozen ones stay."""

    def waves(self, day: date) -> tuple[Wave, ...]:
        """The frozen waves of a day's issue, oldest first."""

    def edition(self, day: date, email: str) -> tuple[int, Edition] | None:
        """A reader's frozen edition of that day, with its wave's id."""

    def issue_state(self, day: date) -> tuple[IssueState, str] | None:
        """The state of a day's issue and its reason; None where there is none."""

    def days(self) -> tuple[date, ...]:
        """The days that have an issue, newest first."""

    def planned(self, day: date) -> frozenset[int]:
        """The readers (by id) who have a delivery of that day's issue."""

    # -- delivery ---------------------------------------------------------------------------------

    def claim(
        self,
        day: date,
        *,
        limit: int,
        now: datetime,
        lease: float,
        token: str,
        readers: Collection[int] | None = None,
    ) -> tuple[Claim, ...]:
        """Take up to ``limit`` deliveries that are pending, or deferred and due, under a token.

        The claims carry tokens made from ``token`` and the reader's id. Rows whose lease (in
        seconds) ran out are taken back first: claimed ones become pending, committing ones
        ``unknown``. A reader who is not ``confirmed`` any more becomes ``suppressed`` instead.
        ``readers`` restricts the claim to those ids.
        """

    def mark(self, claims: Sequence[Claim], *, now: datetime, lease: float) -> frozenset[str]:
        """Record, before their dots, that these are about to be sent; the tokens that may be.

        A token is granted when its claim still holds and its reader is still confirmed.
        """

    def settle(self, settlements: Sequence[Settlement], *, now: datetime) -> None:
        """Record what became of claims; void tokens change nothing.

        A claim taken back as ``unknown`` is not void: a late answer still ends the doubt.

        ``Accepted`` records every paper of the edition as sent to the reader and moves their
        ``decided`` up to the issue's cutoff. ``Deferred`` waits for its ``next_try``; ``NotSent``
        is pending again; ``Refused`` is ``failed``; ``Unknown`` is ``unknown``.
        """

    def finish(self, day: date) -> IssueState:
        """Close the issue if nothing is open: ``done``, or ``done_with_errors``; the state.

        Raises:
            StoreError: the day has no issue.
        """

    def counts(self, day: date) -> Counts:
        """The day's deliveries by state."""

    def deliveries(self, day: date) -> tuple[Delivery, ...]:
        """The day's ledger, by address."""

    # -- who is at work -----------------------------------------------------------------------

    def beat(self, heartbeat: Heartbeat) -> None:
        """Record a sign of life, in the place of the last one under its name."""

    def heartbeats(self) -> tuple[Heartbeat, ...]:
        """The last sign of life of each, latest first."""
