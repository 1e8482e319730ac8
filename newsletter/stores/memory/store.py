"""Issues and the ledger, in memory."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

from newsletter.errors import StoreError
from newsletter.model import (
    Accepted,
    Claim,
    Counts,
    Deferred,
    Delivery,
    Edition,
    Heartbeat,
    IssueState,
    Settlement,
    Unknown,
    Wave,
)
from newsletter.stores.decisions import (
    SETTLED,
    UNDER_CLAIM,
    closed,
    numbers_of,
    reopened,
    run_of,
    token_for,
    words_of,
)
from newsletter.stores.memory.returns import Returns
from newsletter.stores.memory.rows import DayIssue, Row


class MemoryStore(Returns):
    """:class:`newsletter.ports.Store` in this process' memory."""

    def __init__(self) -> None:
        super().__init__()
        self._waves = 0
        self._heartbeats: dict[str, Heartbeat] = {}

    def close(self) -> None:
        """Nothing to let go of."""

    def freeze(self, wave: Wave, editions: Iterable[Edition]) -> Wave:
        """See :meth:`newsletter.ports.Store.freeze`."""
        with self._lock:
            cut = list(editions)
            issue = self._issues.setdefault(wave.issue.day, DayIssue("frozen"))
            stored = self._stored(issue, wave)
            if numbers_of(stored.issue) == numbers_of(wave.issue):
                for edition in cut:
                    self._plan(issue, stored, edition)
            issue.state, issue.reason = reopened(issue.counts, issue.state), ""
            return stored

    def _stored(self, issue: DayIssue, wave: Wave) -> Wave:
        for stored in issue.waves:
            if stored.due == wave.due:
                return stored
        self._waves += 1
        issue.waves.append(replace(wave, id=self._waves))
        return issue.waves[-1]

    def _plan(self, issue: DayIssue, wave: Wave, edition: Edition) -> None:
        row = Row(wave, edition, "pending" if edition.papers else "empty")
        if issue.rows.setdefault(row.reader, row) is row and row.state == "empty":
            self._decide(row)

    def _decide(self, row: Row) -> None:
        reader = self._readers[row.email]
        decided = max(reader.decided, row.wave.issue.cutoff)
        self._readers[row.email] = replace(reader, decided=decided)

    def skip(self, day: date, *, reason: str, now: datetime) -> None:  # noqa: ARG002
        """See :meth:`newsletter.ports.Store.skip`."""
        with self._lock:
            issue = self._issues.setdefault(day, DayIssue("skipped"))
            if issue.state == "skipped":
                issue.reason = reason

    def waves(self, day: date) -> tuple[Wave, ...]:
        """See :meth:`newsletter.ports.Store.waves`."""
        with self._lock:
            return tuple(self._issues[day].waves) if day in self._issues else ()

    def edition(self, day: date, email: str) -> tuple[int, Edition] | None:
        """See :meth:`newsletter.ports.Store.edition`."""
        with self._lock:
            for row in self._rows(day):
                if row.email == email:
                    return row.wave.id, row.edition
            return None

    def _rows(self, day: date) -> list[Row]:
        issue = self._issues.get(day)
        return [] if issue is None else list(issue.rows.values())

    def issue_state(self, day: date) -> tuple[IssueState, str] | None:
        """See :meth:`newsletter.ports.Store.issue_state`."""
        with self._lock:
            issue = self._issues.get(day)
            return None if issue is None else (issue.state, issue.reason)

    def days(self) -> tuple[date, ...]:
        """See :meth:`newsletter.ports.Store.days`."""
        with self._lock:
            return tuple(sorted(self._issues, reverse=True))

    def planned(self, day: date) -> frozenset[int]:
        """See :meth:`newsletter.ports.Store.planned`."""
        with self._lock:
            return frozenset(row.reader for row in self._rows(day))

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
        """See :meth:`newsletter.ports.Store.claim`."""
        with self._lock:
            rows = list(self._rows(day))
            _take_back(rows, now)
            rows.sort(key=lambda row: (row.state == "unknown", row.reader))
            asked = [row for row in rows if readers is None or row.reader in readers]
            free = [row for row in asked if row.is_free(now) and self._is_still_reading(row)]
            taken = free[:limit]
            for row in taken:
                row.state, row.token, row.next_try = "claimed", token_for(token, row.reader), None
                row.lease_until, row.attempts = now + timedelta(seconds=lease), row.attempts + 1
            if taken and self._issues[day].state == "frozen":
                self._issues[day].state = "sending"
            return tuple(
                Claim(row.wave.id, row.reader, row.token, row.edition, row.attempts)
                for row in taken
            )

    def _is_still_reading(self, row: Row) -> bool:
        """Whether the reader is confirmed; the delivery of one who is not is suppressed."""
        if self._readers[row.email].status != "confirmed":
            row.state = "suppressed"
        return row.state != "suppressed"

    def owners(self, day: date) -> frozenset[str]:
        """See :meth:`newsletter.ports.Store.owners`."""
        with self._lock:
            return frozenset(run_of(row.token) for row in self._rows(day) if row.is_under_claim)

    def abandon(self, day: date, runs: Collection[str], *, now: datetime) -> None:
        """See :meth:`newsletter.ports.Store.abandon`."""
        with self._lock:
            for row in self._rows(day):
                if row.is_under_claim and run_of(row.token) in runs:
                    row.lease_until = now

    def mark(self, claims: Sequence[Claim], *, now: datetime, lease: float) -> frozenset[str]:
        """See :meth:`newsletter.ports.Store.mark`."""
        with self._lock:
            granted = set()
            for row in filter(None, map(self._held, claims)):
                confirmed = self._readers[row.email].status == "confirmed"
                if row.state == "claimed" and confirmed and not row.runs_out(now):
                    row.state, row.lease_until = "committing", now + timedelta(seconds=lease)
                    granted.add(row.token)
            return frozenset(granted)

    def _held(self, claim: Claim) -> Row | None:
        """The delivery a claim holds; a void claim has none."""
        for issue in self._issues.values():
            row = issue.rows.get(claim.reader)
            if row is not None and (row.wave.id, row.token) == (claim.wave, claim.token):
                return row
        return None

    def settle(self, settlements: Sequence[Settlement], *, now: datetime) -> None:  # noqa: ARG002
        """See :meth:`newsletter.ports.Store.settle`."""
        with self._lock:
            for settlement in settlements:
                row = self._held(settlement.claim)
                if row is not None and row.state in UNDER_CLAIM:
                    self._end(row, settlement)

    def _end(self, row: Row, settlement: Settlement) -> None:
        outcome = settlement.outcome
        row.reply = words_of(outcome)
        if isinstance(outcome, Unknown):
            row.doubt()
        else:
            row.state = SETTLED[type(outcome)]
        row.next_try = settlement.next_try if isinstance(outcome, Deferred) else None
        row.token, row.lease_until = "", None
        if isinstance(outcome, Accepted):
            self._sent.setdefault(row.reader, set()).update(row.numbers(row.edition.papers))
            self._decide(row)

    def finish(self, day: date) -> IssueState:
        """See :meth:`newsletter.ports.Store.finish`."""
        with self._lock:
            issue = self._issues.get(day)
            if issue is None:
                raise StoreError(f"there is no issue of {day}; newsletter send makes one.")
            issue.state = closed(issue.counts, issue.state)
            return issue.state

    def counts(self, day: date) -> Counts:
        """See :meth:`newsletter.ports.Store.counts`."""
        with self._lock:
            return self._issues[day].counts if day in self._issues else Counts()

    def deliveries(self, day: date) -> tuple[Delivery, ...]:
        """See :meth:`newsletter.ports.Store.deliveries`."""
        with self._lock:
            found = [
                Delivery(
                    day,
                    row.email,
                    row.state,
                    row.attempts,
                    row.reply,
                    row.next_try,
                )
                for row in self._rows(day)
            ]
            return tuple(sorted(found, key=lambda delivery: delivery.email))

    def beat(self, heartbeat: Heartbeat) -> None:
        """See :meth:`newsletter.ports.Store.beat`."""
        with self._lock:
            self._heartbeats[heartbeat.name] = heartbeat

    def heartbeats(self) -> tuple[Heartbeat, ...]:
        """See :meth:`newsletter.ports.Store.heartbeats`."""
        with self._lock:
            by_name = sorted(self._heartbeats.values(), key=lambda beat: beat.name)
            return tuple(sorted(by_name, key=lambda beat: beat.seen, reverse=True))


def _take_back(rows: Iterable[Row], now: datetime) -> None:
    """End the claims whose lease ran out, and what was deferred long enough.

    Those in doubt keep their token.
    """
    for row in rows:
        if row.runs_out(now) and row.state == "claimed":
            row.state, row.token, row.lease_until = "pending", "", None
        elif row.runs_out(now) and row.state == "committing":
            row.lease_until = None
            row.doubt()
        elif row.is_past(now):
            row.state = "expired"
