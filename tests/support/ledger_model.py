"""A model of the store in plain Python, row by row: the oracle the SQL store is compared with.

It has what ``tests/contract/test_store_model.py`` compares: papers, readers, issues and the ledger.
Which listed papers are new is decided by :class:`newsletter.stores.paper_index.PaperIndex`, as in
the SQL store.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from newsletter.model import (
    DECIDING,
    FREE,
    OPEN_ISSUE,
    SETTLEABLE,
    STATE_AFTER,
    Accepted,
    Claim,
    Counts,
    Deferred,
    Delivery,
    DeliveryState,
    Edition,
    IdentifiedItem,
    IngestCounts,
    IssueState,
    Letter,
    NotSent,
    Origin,
    Paper,
    PlannedEdition,
    Reader,
    ReaderHistory,
    Settlement,
    SourceHealth,
    Status,
    Subscriber,
    Unknown,
    Wave,
    state_after_freeze,
    state_by_counts,
)
from newsletter.model.windows import JUDGED_AGAIN, RETRY_PERIOD
from newsletter.stores.logic import (
    OwnChoices,
    claim_token,
    follow_file,
    merge_file_changes,
    named_fields,
    numbers_of,
    reply_of,
    status_in_file,
    status_removed_from_file,
)
from newsletter.stores.paper_index import PaperIndex
from newsletter.stores.sql.readers_file import OWN


@dataclass(slots=True)
class Row:
    """One delivery."""

    wave: Wave
    history: ReaderHistory
    edition: Edition
    state: DeliveryState
    token: str = ""
    lease_until: datetime | None = None
    attempts: int = 0
    doubts: int = 0
    reply: str = ""
    next_try: datetime | None = None

    @property
    def reader(self) -> int:
        """The reader's id."""
        return self.edition.to.id

    @property
    def email(self) -> str:
        """The reader's address."""
        return self.edition.to.email

    def numbers(self, places: Iterable[int]) -> frozenset[int]:
        """The ingest numbers of the papers at these places of the issue."""
        return frozenset(self.wave.issue.papers[place].number for place in places)

    def is_over(self, now: datetime) -> bool:
        """Whether the claim's lease has ended."""
        return self.lease_until is not None and self.lease_until <= now

    def take_back(self) -> None:
        """End a claim without a mark: it does not count as an attempt, unless it was in doubt."""
        self.state, self.attempts = "pending", self.attempts - (not self.doubts)

    def doubt(self) -> None:
        """Record that the outcome is unknown."""
        self.state, self.doubts = "held" if self.doubts else "unknown", self.doubts + 1


@dataclass(slots=True)
class DayIssue:
    """A day's issue: its waves, and its deliveries by reader."""

    state: IssueState
    reason: str = ""
    waves: list[Wave] = field(default_factory=list)
    rows: dict[int, Row] = field(default_factory=dict)

    @property
    def counts(self) -> Counts:
        """The deliveries by state."""
        return Counts(**Counter[str](row.state for row in self.rows.values()))


class ModelPapers:
    """Papers and sources."""

    def __init__(self) -> None:
        self._index = PaperIndex()
        self._read: dict[date, set[int]] = {}
        self._sources: dict[str, SourceHealth] = {}

    def ingest(
        self, day: date, source: SourceHealth, entries: Sequence[IdentifiedItem], *, now: datetime
    ) -> IngestCounts:
        known = self._sources.get(source.name)
        mute_past = known is None or known.last_ok is None
        counts, numbers = self._index.add_all(
            entries, source=source.name, mute_past=mute_past, now=now
        )
        self._read.setdefault(day, set()).update(numbers)
        self._sources[source.name] = source
        return counts

    def sources(self) -> Mapping[str, SourceHealth]:
        return dict(sorted(self._sources.items()))

    def papers(self, *, after: int, since: datetime) -> tuple[Paper, ...]:
        known = self._index.papers
        return tuple(known[n] for n in sorted(known) if n > after and known[n].first_seen >= since)

    def papers_listed(self, day: date, *, first: bool = False) -> tuple[Paper, ...]:
        earlier = {n for at, numbers in self._read.items() if first and at < day for n in numbers}
        listed = self._read.get(day, set()) - earlier
        return tuple(self._index.papers[n] for n in sorted(listed))


class ModelReaders(ModelPapers):
    """Readers and their history."""

    def __init__(self) -> None:
        super().__init__()
        self._readers: dict[str, Reader] = {}
        self._listed: dict[str, Subscriber] = {}
        self._own: dict[str, OwnChoices] = {}
        self._issues: dict[date, DayIssue] = {}
        self._sent: dict[int, set[int]] = {}

    def sync_subscribers(self, listed_subscribers: Sequence[Subscriber], *, now: datetime) -> None:  # noqa: ARG002
        emails = {subscriber.email for subscriber in listed_subscribers}
        for email, reader in self._readers.items():
            if reader.origin == "file" and email not in emails:
                self._readers[email] = self._struck(reader)
        for subscriber in listed_subscribers:
            known = self._readers.get(subscriber.email)
            status = "confirmed" if known is None else status_in_file(known.status)
            settings = subscriber if known is None else self._followed(known, subscriber)
            self._put(settings, status, "file")
            self._listed[subscriber.email] = subscriber

    def _followed(self, known: Reader, entry: Subscriber) -> Subscriber:
        """A known reader's settings once the file lists them."""
        before = self._listed.get(entry.email)
        if known.origin == "store" and known.status in OWN:
            self._own.setdefault(entry.email, OwnChoices(known.subscriber))
        if (own := self._own.get(entry.email)) is not None:
            settings, self._own[entry.email] = follow_file(
                known.subscriber, own, before or entry, entry, named_fields(entry) - {"email"}
            )
            return settings
        return entry if before is None else merge_file_changes(known.subscriber, before, entry)

    def _struck(self, reader: Reader) -> Reader:
        """A reader of the file who is not listed any more: the store's again, if they were."""
        email = reader.subscriber.email
        if (own := self._own.pop(email, None)) is None:
            return replace(reader, status=status_removed_from_file(reader.status))
        before = self._listed.pop(email)
        settings, _ = follow_file(reader.subscriber, own, before, before, ())
        return replace(reader, subscriber=settings, origin="store")

    def save_reader(self, subscriber: Subscriber, *, status: Status, now: datetime) -> Reader:  # noqa: ARG002
        known = self._readers.get(subscriber.email)
        return self._put(subscriber, status, "store" if known is None else known.origin)

    def _put(self, subscriber: Subscriber, status: Status, origin: Origin) -> Reader:
        """Change a reader, or add one for whom everything up to the last freeze is decided."""
        cutoffs = [wave.issue.cutoff for issue in self._issues.values() for wave in issue.waves]
        new = Reader(
            id=max((reader.id for reader in self._readers.values()), default=0) + 1,
            subscriber=subscriber,
            status=status,
            decided=max(cutoffs, default=0),
            origin=origin,
        )
        known = self._readers.get(subscriber.email, new)
        changed = replace(known, subscriber=subscriber, status=status, origin=origin)
        self._readers[subscriber.email] = changed
        return changed

    def set_status(self, email: str, status: Status, *, now: datetime) -> bool:  # noqa: ARG002
        known = self._readers.get(email)
        if known is not None:
            self._readers[email] = replace(known, status=status)
        return known is not None

    def readers(self) -> tuple[Reader, ...]:
        return tuple(sorted(self._readers.values(), key=lambda reader: reader.id))

    def reader_histories(
        self, readers: Sequence[Reader], papers: Sequence[Paper], *, day: date
    ) -> tuple[ReaderHistory, ...]:
        groups = {paper.group for paper in papers}
        numbers = {paper.number for paper in papers}
        return tuple(
            ReaderHistory(
                reader,
                again=self._again(reader.id, day) & numbers,
                sent=self._sent_groups(reader.id) & groups,
            )
            for reader in readers
        )

    def papers_to_reconsider(self, *, day: date) -> dict[int, int]:
        fewest: dict[int, int] = {}
        for known in self._readers.values():
            asked = known.subscriber.filter.min_upvotes or 0
            for number in self._again(known.id, day):
                fewest[number] = min(asked, fewest.get(number, asked))
        return fewest

    def _again(self, reader: int, day: date) -> frozenset[int]:
        """The papers that an issue of ``day`` judges again, unless they were sent."""
        rows = [issue.rows[reader] for issue in self._issues.values() if reader in issue.rows]
        rows = [row for row in rows if row.state in DECIDING]
        decided = max(known.decided for known in self._readers.values() if known.id == reader)
        lacking = (
            row.numbers((*row.edition.short, *row.edition.waiting))
            for row in rows
            if row.wave.issue.day >= day - JUDGED_AGAIN
        )
        waiting = (
            row.numbers(row.edition.waiting) for row in rows if row.wave.issue.cutoff == decided
        )
        short = frozenset[int]().union(*lacking, *waiting)
        sent = self._sent_groups(reader)
        return frozenset(n for n in short if self._index.papers[n].group not in sent)

    def _sent_groups(self, reader: int) -> frozenset[int]:
        return frozenset(self._index.papers[number].group for number in self._sent.get(reader, ()))


class ModelIssues(ModelReaders):
    """Issues, frozen in waves."""

    def __init__(self) -> None:
        super().__init__()
        self._last_wave = 0

    def freeze(self, wave: Wave, plans: Iterable[PlannedEdition]) -> Wave:
        planned = list(plans)
        issue = self._issues.setdefault(wave.issue.day, DayIssue("frozen"))
        stored = self._stored(issue, wave)
        if numbers_of(stored.issue) == numbers_of(wave.issue):
            for plan in planned:
                state: DeliveryState = "pending" if plan.edition.papers else "empty"
                row = Row(stored, plan.history, plan.edition, state)
                if issue.rows.setdefault(row.reader, row) is row and state == "empty":
                    self._decide(row)
        issue.state, issue.reason = state_after_freeze(issue.counts, issue.state), ""
        return stored

    def _stored(self, issue: DayIssue, wave: Wave) -> Wave:
        for stored in issue.waves:
            if stored.due == wave.due:
                return stored
        self._last_wave += 1
        issue.waves.append(replace(wave, id=self._last_wave))
        return issue.waves[-1]

    def _decide(self, row: Row) -> None:
        reader = self._readers[row.email]
        decided = max(reader.decided, row.wave.issue.cutoff)
        self._readers[row.email] = replace(reader, decided=decided)

    def skip_issue(self, day: date, *, reason: str, now: datetime) -> None:  # noqa: ARG002
        issue = self._issues.setdefault(day, DayIssue("skipped"))
        if issue.state == "skipped":
            issue.reason = reason

    def waves(self, day: date) -> tuple[Wave, ...]:
        return tuple(self._issues[day].waves) if day in self._issues else ()

    def issue_state(self, day: date) -> tuple[IssueState, str] | None:
        issue = self._issues.get(day)
        return None if issue is None else (issue.state, issue.reason)

    def issue_days(self) -> tuple[date, ...]:
        return tuple(sorted(self._issues, reverse=True))

    def planned_readers(self, day: date) -> frozenset[int]:
        return frozenset(row.reader for row in self._rows(day))

    def close_issue(self, day: date) -> IssueState:
        issue = self._issues[day]
        issue.state = state_by_counts(issue.counts, issue.state)
        return issue.state

    def counts(self, day: date) -> Counts:
        return self._issues[day].counts if day in self._issues else Counts()

    def deliveries(self, day: date) -> tuple[Delivery, ...]:
        found = [
            Delivery(day, row.email, row.state, row.attempts, row.reply, row.next_try)
            for row in self._rows(day)
        ]
        return tuple(sorted(found, key=lambda delivery: delivery.email))

    def _rows(self, day: date) -> list[Row]:
        issue = self._issues.get(day)
        return [] if issue is None else list(issue.rows.values())


class LedgerModel(ModelIssues):
    """The whole model: claims, marks and settlements over everything above."""

    def close(self) -> None:
        """Do nothing: the model holds no resources."""

    def claim(
        self, day: date, *, limit: int, now: datetime, lease: float, token: str
    ) -> tuple[Claim, ...]:
        rows = self._rows(day)
        for row in rows:
            _end_lease(row, now)
        if day not in self._issues or self._issues[day].state not in OPEN_ISSUE:
            return ()
        self._expire(day, rows, now)
        free = [row for row in rows if row.state in FREE]
        free.sort(key=lambda row: (FREE.index(row.state), row.reader))
        taken: list[Row] = []
        for row in free:
            if len(taken) < limit and (row.next_try is None or row.next_try <= now):
                if self._readers[row.email].status == "confirmed":
                    taken.append(row)
                else:
                    row.state = "suppressed"
        for row in taken:
            row.state, row.token, row.next_try = "claimed", claim_token(token, row.reader), None
            row.lease_until, row.attempts = now + timedelta(seconds=lease), row.attempts + 1
        if taken and self._issues[day].state == "frozen":
            self._issues[day].state = "sending"
        return tuple(
            Claim(row.wave.id, row.reader, row.token, row.edition, row.attempts) for row in taken
        )

    def _expire(self, day: date, rows: Collection[Row], now: datetime) -> None:
        """End open deliveries that were deferred too long, or whose reader has a later wave."""
        newest: dict[int, int] = {}
        for other in (row for on in self._issues if on != day for row in self._rows(on)):
            newest[other.reader] = max(other.wave.id, newest.get(other.reader, 0))
        for row in rows:
            is_old = row.wave.issue.frozen_at <= now - RETRY_PERIOD
            if row.state == "deferred" and is_old:
                row.state = "expired"
            elif newest.get(row.reader, 0) > row.wave.id:
                if row.state in {"pending", "deferred"}:
                    row.state = "expired"
                elif row.state == "unknown":
                    row.state = "held"

    def mark(self, letters: Sequence[Letter], *, now: datetime, lease: float) -> frozenset[str]:
        granted = set[str]()
        for letter in letters:
            row = self._claimed(letter.claim)
            if row is not None and row.state == "claimed" and self._may_leave(row, now):
                row.state, row.lease_until = "committing", now + timedelta(seconds=lease)
                granted.add(row.token)
        return frozenset(granted)

    def _may_leave(self, row: Row, now: datetime) -> bool:
        is_open = self._issues[row.wave.issue.day].state in OPEN_ISSUE
        is_confirmed = self._readers[row.email].status == "confirmed"
        return is_open and is_confirmed and not row.is_over(now)

    def _claimed(self, claim: Claim) -> Row | None:
        """The delivery that this claim holds; None if the claim is void."""
        for issue in self._issues.values():
            row = issue.rows.get(claim.reader)
            if row is not None and (row.wave.id, row.token) == (claim.wave, claim.token):
                return row
        return None

    def settle(self, settlements: Sequence[Settlement], *, now: datetime) -> None:  # noqa: ARG002
        for settlement in settlements:
            row = self._claimed(settlement.claim)
            if row is not None and row.state in SETTLEABLE:
                self._end(row, settlement)

    def _end(self, row: Row, settlement: Settlement) -> None:
        outcome = settlement.outcome
        row.reply = reply_of(outcome)
        if isinstance(outcome, Unknown):
            row.doubt()
        elif isinstance(outcome, NotSent) and row.state == "claimed":
            row.take_back()
        else:
            row.state = STATE_AFTER[type(outcome)]
        row.next_try = settlement.next_try if isinstance(outcome, Deferred) else None
        row.token, row.lease_until = "", None
        if isinstance(outcome, Accepted):
            self._sent.setdefault(row.reader, set()).update(row.numbers(row.edition.papers))
            self._decide(row)


def _end_lease(row: Row, now: datetime) -> None:
    """End a claim whose lease is over; one in doubt keeps its token."""
    if row.is_over(now) and row.state == "claimed":
        row.take_back()
        row.token, row.lease_until = "", None
    elif row.is_over(now) and row.state == "committing":
        row.lease_until = None
        row.doubt()
