"""The door to what is remembered."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Protocol

from newsletter.model import (
    Audit,
    Claim,
    Counts,
    Delivery,
    DeliveryState,
    Edition,
    Heartbeat,
    IdentifiedItem,
    IngestCounts,
    IssueState,
    Letter,
    MailEvent,
    MailEventEffect,
    Paper,
    PlannedEdition,
    ReaderHistory,
    Settlement,
    SourceHealth,
    Suppression,
    Wave,
)
from newsletter.ports.pages import Archive, Subscribing
from newsletter.ports.readers import Readership


class Store(Readership, Subscribing, Archive, Protocol):
    """What the newsletter remembers. Every method is one transaction: all of it or nothing.

    Methods are synchronous and may be called from any thread. All instants are aware UTC.

    Raises:
        StoreError: from any method: the store cannot be read or written; the message names it.
    """

    def close(self) -> None:
        """Let go of every connection and file."""

    # -- diff: papers and sources ------------------------------------------------------------

    def ingest(
        self, day: date, source: SourceHealth, entries: Sequence[IdentifiedItem], *, now: datetime
    ) -> IngestCounts:
        """Remember what a source listed for the issue of ``day``, and how the source fared.

        An entry that answers to no known name becomes a paper under the next ingest number; it
        is muted when the entry is ``past`` and the source was never heard from before (it has no
        recorded ``last_ok``). One that answers to a known name is that paper (``identity.same``
        decides where names conflict): its new names become aliases, its item is brought up to
        date (``identity.merge``), its key and number stay. One that joins several known papers
        puts them in one group. A replacement (``item.announcement``) of a paper nobody knows is
        passed over: a new version of an old paper is no news. All papers of the entries are
        recorded as read on ``day``. A paper is counted once: new, or revised (its version rose),
        or seen.
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

    # -- what comes back by mail ------------------------------------------------------------------

    def record_mail_event(self, returned: MailEvent, *, now: datetime) -> MailEventEffect:
        """Note a mail that came back, once under its digest, and do what it asks for.

        An ``unsubscribe`` ends the subscription. A ``complaint`` blocks the reader, and so does a
        ``hard`` bounce where hard bounces that count came on three days within ninety. An
        ``unsubscribed`` reader is never blocked.
        """

    def suppressed(self) -> tuple[Suppression, ...]:
        """The blocked readers and why they are, by address."""

    def unsuppress(self, email: str, *, now: datetime) -> bool:
        """Confirm a blocked reader again: what came back so far counts no longer.

        False where no blocked reader has this address.
        """

    # -- what the operator is told -----------------------------------------------------------

    def announce(self, events: Collection[str], *, now: datetime) -> frozenset[str]:
        """Those of these events that were not announced before; from now on they are.

        Two that announce at once do not both get an event.
        """

    def retract(self, events: Collection[str]) -> None:
        """Take back that these were announced: nobody could be told."""

    # -- issue: frozen in waves -----------------------------------------------------------------

    def freeze(
        self,
        wave: Wave,
        plans: Iterable[PlannedEdition],
    ) -> Wave:
        """Store a wave with everybody's edition, and one delivery for each reader.

        ``wave.id`` is ignored; the stored wave is returned under its own. Deliveries of
        editions without a paper start as ``empty`` (and decide the freeze at once), the others
        as ``pending``; a reader who already has a delivery of that day is left out. The issue
        becomes ``frozen`` (or stays ``sending``), or ``done`` when nothing is open.
        Where a wave of that day and due instant is stored already, that one is returned, and the
        plans count only if they speak of the same papers in the same order. The plans are taken
        a few at a time, and may be made from what the store is asked for meanwhile.
        """

    def skip(self, day: date, *, reason: str, now: datetime) -> None:
        """Record that the issue of ``day`` was not composed, and why. Frozen ones stay."""

    def waves(self, day: date) -> tuple[Wave, ...]:
        """The frozen waves of a day's issue, oldest first."""

    def edition(self, day: date, email: str) -> tuple[int, Edition] | None:
        """A reader's frozen edition of that day, with its wave's id."""

    def history_of(self, day: date, email: str) -> tuple[int, ReaderHistory] | None:
        """Where a reader stood when their edition of that day was cut, with its wave's id."""

    def issue_state(self, day: date) -> tuple[IssueState, str] | None:
        """The state of a day's issue and its reason; None where there is none."""

    def days(self) -> tuple[date, ...]:
        """The days that have an issue, newest first."""

    def planned(self, day: date, *, among: Collection[int] | None = None) -> frozenset[int]:
        """The readers, all or these (by id), who have a delivery of that day's issue."""

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
        resend: bool = True,
    ) -> tuple[Claim, ...]:
        """Take up to ``limit`` deliveries that are pending, deferred and due, or unknown.

        The claims carry tokens made from ``token`` (its part before the first dot names the run)
        and the reader's id. Rows whose lease (in seconds) ran out are taken back first: claimed
        ones become pending; committing ones ``unknown``, or ``held`` when they were in doubt
        before, so that a letter is sent again once at most. Deferred ones whose wave was frozen
        20 hours ago are ``expired``; so are open ones whose reader is in a wave of another issue
        frozen later, but for those in doubt, which are ``held``: their papers are in that
        letter. A reader who is not ``confirmed`` any more
        becomes ``suppressed`` instead. ``readers`` restricts the claim to those ids. Of an issue
        that is held or cancelled nothing is taken. Where doubts are not to be sent again
        (``resend``), those that are ``unknown`` become ``held`` instead of being taken.
        """

    def owners(self, day: date) -> frozenset[str]:
        """The runs that have deliveries of that day's issue in hand, as their tokens name them."""

    def abandon(self, day: date, runs: Collection[str], *, now: datetime) -> None:
        """End the leases of these runs' claims: they are gone, and the next claim takes over."""

    def renew(self, day: date, run: str, *, now: datetime, lease: float) -> None:
        """Lengthen the leases of what this run has in hand to ``lease`` seconds from now.

        ``run`` is what its tokens begin with, up to a dot. A longer lease stays, and one that has
        ended is over: whoever slept through it may have been given up.
        """

    def mark(
        self,
        letters: Sequence[Letter],
        *,
        now: datetime,
        lease: float,
        settled: Sequence[Settlement] = (),
    ) -> frozenset[str]:
        """Record, before their dots, that these are about to be sent; the tokens that may be.

        What is ``settled`` is recorded first, as by :meth:`settle` and in the same transaction.
        A token is granted when its claim still holds, its reader is still confirmed and its issue
        neither held nor cancelled. A letter that was in doubt before and has other bytes now is
        ``held`` instead.
        """

    def settle(self, settlements: Sequence[Settlement], *, now: datetime) -> None:
        """Record what became of claims; void tokens change nothing.

        A claim taken back as ``unknown`` is not void: a late answer still ends the doubt.

        ``Accepted`` records every paper of the edition as sent to the reader and moves their
        ``decided`` up to the issue's cutoff. ``Deferred`` waits for its ``next_try``; ``NotSent``
        is pending again; ``Refused`` is ``failed``; ``Unknown`` is ``unknown``, the second time
        ``held``.
        """

    def finish(self, day: date) -> IssueState:
        """Close the issue if nothing is open: ``done``, or ``done_with_errors``; the state.

        Raises:
            StoreError: the day has no issue.
        """

    def rule(
        self, day: date, state: IssueState, *, reason: str, among: Collection[IssueState | None]
    ) -> bool:
        """Put a day's issue into another state by the operator's word, if it is in one of these.

        None among them stands for a day that has no issue; it gets one. The answer is whether it
        was so. An issue that is let go again opens, or closes if nothing of it is open.
        """

    def resolve(
        self, day: date, emails: Collection[str], *, arrived: bool, now: datetime
    ) -> frozenset[str]:
        """End the doubt about these readers' ``held`` letters; the addresses of those it ended.

        Those that arrived are ``accepted``; the papers of the others stay owed, and the letters
        are ``failed``.
        """

    def audit(self, day: date) -> Audit:
        """Look in the ledger of a day's issue for whatever breaks an invariant.

        Raises:
            StoreError: the day has no issue.
        """

    def counts(self, day: date) -> Counts:
        """The day's deliveries by state."""

    def deliveries(
        self, day: date, *, states: Collection[DeliveryState] | None = None
    ) -> tuple[Delivery, ...]:
        """The day's ledger, or its lines in these states, by address."""

    # -- who is at work -----------------------------------------------------------------------

    def beat(self, heartbeat: Heartbeat) -> None:
        """Record a sign of life, in the place of the last one under its name."""

    def heartbeats(self) -> tuple[Heartbeat, ...]:
        """The last sign of life of each, latest first."""
