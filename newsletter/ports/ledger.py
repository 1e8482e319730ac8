"""The store's ports for issues, deliveries and the operator.

The rules of :mod:`newsletter.ports.store` hold for every method here.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Protocol

from newsletter.model import (
    Audit,
    Broadcast,
    BroadcastReport,
    Claim,
    Correction,
    Counts,
    DailyGrowth,
    Delivery,
    DeliveryState,
    Edition,
    Heartbeat,
    IssueSize,
    IssueState,
    Letter,
    OperatorAct,
    Paper,
    PlannedEdition,
    PublishedIssue,
    Reader,
    ReaderHistory,
    Settlement,
    Status,
    Suppression,
    Wave,
    WaveHead,
)


class Progress(Protocol):
    """How far the delivery of an issue is."""

    def counts(self, day: date) -> Counts:
        """The number of a day's deliveries in each state."""

    def close_issue(self, day: date) -> IssueState:
        """Set the state to ``done`` or ``done_with_errors`` if nothing is open; return the state.

        Raises:
            StoreError: the day has no issue.
        """


class Issues(Progress, Protocol):
    """Issues, frozen in waves: for composing, freezing, controlling and reporting."""

    def lowest_decided(self, ids: Sequence[int]) -> int | None:
        """The number up to which papers are decided for all these readers; None without any."""

    def reader_histories(
        self, readers: Sequence[Reader], papers: Sequence[Paper], *, day: date
    ) -> tuple[ReaderHistory, ...]:
        """Which of these papers each reader was sent, and which are judged again; same order.

        ``day`` is that of the issue that is planned. ``again`` comes from the editions of the days
        before that were accepted or empty: papers that only lacked upvotes, for ``JUDGED_AGAIN``,
        and those that had no room in the last one.
        """

    def corrections_due(
        self, readers: Sequence[int], corrections: Sequence[Correction]
    ) -> Mapping[int, tuple[int, ...]]:
        """Which of these corrections, as indexes, to tell each of these readers who has some.

        They are about papers that the reader was sent, and newer than their last accepted letter.
        """

    def freeze(self, wave: Wave, plans: Iterable[PlannedEdition]) -> Wave:
        """Store a wave with every reader's edition, and one delivery for each reader.

        ``wave.id`` is ignored; the stored wave is returned with its own. Deliveries of editions
        without papers start as ``empty`` and count as decided at once, the others as ``pending``.
        Who has a delivery of that day already, or is one of :meth:`Readers.busy_readers`, is
        skipped. The issue becomes ``frozen``
        (or stays ``sending``), or ``done`` if nothing is open.

        If a wave of that day and due instant exists, it is returned, and the plans are stored only
        if both have the same papers in the same order. Plans are consumed in small batches, and may
        be made by reading from this store; those of an iterator within the transaction. Other ones
        are consumed before it, while others write, and readers are left out for whom that has
        changed what they got or where they are: who calls plans them again.
        """

    def skip_issue(self, day: date, *, reason: str, now: datetime) -> None:
        """Record that the issue of ``day`` was not composed, and why; a frozen issue stays."""

    def waves(self, day: date) -> tuple[Wave, ...]:
        """The frozen waves of a day's issue, oldest first."""

    def wave_heads(self, day: date) -> tuple[WaveHead, ...]:
        """What is small of the frozen waves of a day's issue, oldest first."""

    def wave(self, wave: int) -> Wave:
        """The frozen wave with this id, which exists."""

    def edition(self, day: date, email: str) -> tuple[int, Edition] | None:
        """The id of the wave and the frozen edition of a reader on that day."""

    def edition_page(self, day: date, email: str) -> tuple[datetime, Edition, Sequence[int]] | None:
        """A reader's edition of that day, when it was frozen, and its papers' ingest numbers.

        The numbers are in the order of the edition's papers.
        """

    def plans_at_freeze(self, wave: Wave, readers: Sequence[int]) -> tuple[PlannedEdition, ...]:
        """The editions of these readers in a wave, in their order, with each reader's history.

        Readers without an edition in it, or whose details were removed, are left out. A history is
        found anew, from the settings and the ``decided`` of then and the letters before.
        """

    def issue_state(self, day: date) -> tuple[IssueState, str] | None:
        """The state of a day's issue and its reason; None without an issue."""

    def issue_days(self) -> tuple[date, ...]:
        """The days that have an issue, newest first."""

    def published_issues(self) -> tuple[PublishedIssue, ...]:
        """The frozen issues that are neither held nor cancelled, newest first."""

    def is_cleared(self, day: date) -> bool:
        """Whether the letters of every reader of a frozen issue may leave: see ``clear_issue``."""

    def clear_issue(self, day: date) -> None:
        """Record that an issue that was sent to a few readers first may be sent to all."""

    def set_issue_state(
        self,
        day: date,
        state: IssueState,
        *,
        reason: str,
        from_states: Collection[IssueState | None],
    ) -> bool:
        """Change an issue's state by the operator's command; False if it is in another state.

        None in ``from_states`` stands for a day without an issue, which gets one. A released issue
        opens again, or closes if nothing of it is open.
        """

    def undo_issue(self, day: date, *, now: datetime) -> bool:
        """Remove an issue of which no letter has left, as if there had never been one.

        Its readers' papers are undecided again. Returns False, and changes nothing, if there is no
        issue of that day, a letter may have left, or a run is sending one.
        """

    def resolve(
        self, day: date, emails: Collection[str], *, arrived: bool, now: datetime
    ) -> frozenset[str]:
        """End the doubt about ``held`` deliveries to these addresses; return those resolved.

        They become ``accepted`` if they arrived, else ``failed``: then their papers stay owed.
        """

    def deliveries(
        self,
        day: date,
        *,
        states: Collection[DeliveryState] | None = None,
        reply: str = "",
        limit: int | None = None,
    ) -> tuple[Delivery, ...]:
        """A day's deliveries, all or those in these states, by address.

        ``reply`` leaves out those whose reply does not begin with it. ``limit`` is how many are
        returned, whichever; None: all.
        """


class Ledger(Progress, Protocol):
    """Claims, marks and settlements: what a run needs to deliver each letter once."""

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
        """Claim up to ``limit`` deliveries that are pending, deferred and due, or unknown.

        Before that:

        - Outcomes that were kept (:meth:`keep`) are recorded.
        - Claims whose lease (in seconds) is over end: claimed ones become pending, committing ones
          ``unknown``, or ``held`` if they were in doubt before, so that a letter is sent again at
          most once.
        - Deferred ones whose wave was frozen 20 hours ago become ``expired``. So do open ones whose
          reader is in a later wave of another issue, because that letter has their papers; those
          in doubt become ``held``.
        - Deliveries to readers who are no longer ``confirmed`` become ``suppressed``.

        Nothing of a held or cancelled issue is claimed. ``readers`` restricts the claim to these
        ids. With ``resend=False``, ``unknown`` deliveries become ``held`` instead of being claimed.
        The claims' tokens are ``token`` and the reader's id; the part of ``token`` before its first
        dot names the run.
        """

    def claiming_runs(self, day: date) -> frozenset[str]:
        """The names of runs that hold claims of that day's issue."""

    def end_leases(self, day: date, runs: Collection[str], *, now: datetime) -> None:
        """End the leases of these ended runs, so that the next claim takes their letters over."""

    def renew_leases(self, day: date, run: str, *, now: datetime, lease: float) -> None:
        """Extend the running leases of this run's claims to ``lease`` seconds from now."""

    def mark(
        self,
        letters: Sequence[Letter],
        *,
        now: datetime,
        lease: float,
        settled: Sequence[Settlement] = (),
    ) -> frozenset[str]:
        """Record that these letters are about to be sent; return the tokens that may be sent.

        ``settled`` is recorded first, as by :meth:`settle`, in the same transaction. A token is
        granted if its claim still holds, its reader is confirmed and its issue is neither held nor
        cancelled. A letter that was in doubt before and has other bytes now becomes ``held``.
        """

    def settle(self, settlements: Sequence[Settlement], *, now: datetime) -> None:
        """Record the outcomes of claims; void tokens change nothing.

        A claim taken back as ``unknown`` is not void: a late answer still ends the doubt.

        - ``Accepted`` records the edition's papers as sent, and moves the reader's ``decided`` up
          to the issue's cutoff.
        - ``Deferred`` waits for its ``next_try``; ``NotSent`` is pending again.
        - ``Refused`` is ``failed``; ``Unknown`` is ``unknown``, and ``held`` the second time.
        """

    def keep(self, settlements: Sequence[Settlement]) -> None:
        """Keep outcomes that :meth:`settle` could not record, for the next :meth:`claim`.

        It does not raise. They are kept outside of the store if there is a place, so that another
        process can record them.
        """


class Acts(Protocol):
    """What the operator did."""

    def record_acts(self, acts: Sequence[OperatorAct]) -> None:
        """Record changes that an operator made."""

    def operator_acts(self, *, limit: int, reader: int | None = None) -> tuple[OperatorAct, ...]:
        """The last acts, or those about one reader, newest first."""


class Operator(Acts, Protocol):
    """What is reported to the operator: growth, bounces, heartbeats, notices, the audit."""

    def count_readers(self) -> Mapping[Status, int]:
        """The number of readers of each status that occurs."""

    def search_readers(
        self, words: str, *, status: Status | None = None, before: int | None = None, limit: int
    ) -> tuple[Reader, ...]:
        """Readers whose address or name has these words, the newest first; not the erased ones.

        Case and accents are ignored. ``before``: only readers with lower ids.
        """

    def issue_sizes(self, *, limit: int) -> tuple[IssueSize, ...]:
        """The sizes of the last frozen issues, newest first."""

    def daily_growth(self) -> tuple[DailyGrowth, ...]:
        """How many of the present readers joined and left on each day, oldest first.

        A reader joined on the day of their first consent, or of being added if there is none. A
        reader who gets no letters any more left on the day of their last change. Readers who never
        confirmed do not count; days without joins or leaves are omitted.
        """

    def suppressions(self) -> tuple[Suppression, ...]:
        """The blocked readers and why they are blocked, by address."""

    def unsuppress(self, email: str, *, now: datetime) -> bool:
        """Confirm a blocked reader again and ignore their bounces so far.

        False if no blocked reader has this address.
        """

    def claim_notices(self, events: Collection[str], *, now: datetime) -> frozenset[str]:
        """Claim events that are about to be told to the operator; return those not told before.

        If two callers claim an event at the same time, only one gets it. A claim that is neither
        recorded nor removed, because its process crashed, ends after ten minutes.
        """

    def record_notices(self, events: Collection[str], *, now: datetime) -> frozenset[str]:
        """Record that these events were told; return those that were not recorded before."""

    def remove_notices(self, events: Collection[str]) -> None:
        """Undo :meth:`claim_notices`, because the report could not be sent."""

    def facts(self) -> Mapping[str, str]:
        """What the store knows about itself, by name: see :mod:`newsletter.app.guards`."""

    def record_fact(self, name: str, value: str) -> None:
        """Record a fact about the store in place of the one of that name; an empty one is none."""

    def record_heartbeat(self, heartbeat: Heartbeat) -> None:
        """Record a sign of life; it replaces the last one of that name."""

    def heartbeats(self) -> tuple[Heartbeat, ...]:
        """The last sign of life of each name, latest first."""

    def audit(self, day: date) -> Audit:
        """Check every invariant in the ledger of a day's issue.

        Raises:
            StoreError: the day has no issue.
        """


class Pruning(Protocol):
    """Removing the details of old issues: what letters consisted of, and how each one left.

    The states of letters, and which paper each reader got, stay.
    """

    def issues_with_details(self, *, before: date) -> tuple[date, ...]:
        """The issues before this day that have details and no letter that is open or in doubt."""

    def has_no_details(self, day: date) -> bool:
        """Whether a day has an issue whose details were removed."""

    def size_of_details(self, day: date) -> tuple[int, int]:
        """How many letters of a day have details, and the bytes of all details of the issue."""

    def remove_details(self, day: date) -> bool:
        """Remove the details of some letters; False once none is left and the issue's are removed.

        Nothing happens to an issue that is being sent.
        """

    def forget_settings(self) -> None:
        """Forget settings of readers that no edition has any more, except for each one's newest."""

    def give_back(self) -> int:
        """Give some free space back to the disk; returns the bytes, 0 if that is all.

        Always 0 on PostgreSQL, which uses free space again, and for an SQLite file that is older
        than this, until :meth:`rewrite`.
        """

    def rewrite(self) -> bool:
        """Write an SQLite file anew, if it has free space; nothing else is written meanwhile.

        False if there is none, if the disk has no room for that, or for PostgreSQL.
        """


class Broadcasts(Protocol):
    """Notes to all readers: each reader gets each note once."""

    def plan_broadcast(
        self, broadcast: Broadcast, readers: Collection[int], *, now: datetime
    ) -> int:
        """Store a note, and a delivery for each of these readers who has none; return its number.

        A stored note with the same key stays as it was first.
        """

    def told_by_broadcast(self, key: str) -> frozenset[int]:
        """The ids of the readers who have a delivery of the note with this key."""

    def broadcast(self, number: int) -> Broadcast:
        """The note with this number, which exists."""

    def broadcasts(self) -> tuple[BroadcastReport, ...]:
        """Every note that was sent, newest first."""

    def due_broadcasts(self, *, now: datetime, limit: int) -> Mapping[int, Collection[int]]:
        """Some of the readers whose delivery a run may claim now, by the number of the note."""

    def broadcast_deliveries(self, number: int) -> tuple[Delivery, ...]:
        """The deliveries of a note, by address; their day is that of the note."""

    def broadcast_ledger(self, number: int) -> Ledger:
        """The ledger of this note; the days that it is asked about mean nothing."""
