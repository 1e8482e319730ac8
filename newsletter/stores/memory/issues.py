"""Issues and who is planned for them, in memory."""

from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import date, datetime

from newsletter.errors import StoreError
from newsletter.model import (
    Counts,
    Delivery,
    DeliveryState,
    Edition,
    IssueState,
    PlannedEdition,
    ReaderHistory,
    Wave,
    state_after_freeze,
    state_by_counts,
)
from newsletter.stores.memory.readers import Readers
from newsletter.stores.memory.rows import DayIssue, Row
from newsletter.stores.rules import NO_ISSUE, numbers_of


class Issues(Readers):
    """The issues of a :class:`~newsletter.stores.memory.MemoryStore`, frozen in waves."""

    def __init__(self) -> None:
        super().__init__()
        self._waves = 0

    def freeze(self, wave: Wave, plans: Iterable[PlannedEdition]) -> Wave:
        """See :meth:`newsletter.ports.Store.freeze`."""
        with self._lock:
            made = list(plans)
            issue = self._issues.setdefault(wave.issue.day, DayIssue("frozen"))
            stored = self._stored(issue, wave)
            if numbers_of(stored.issue) == numbers_of(wave.issue):
                for plan in made:
                    self._plan(issue, stored, plan)
            issue.state, issue.reason = state_after_freeze(issue.counts, issue.state), ""
            return stored

    def _stored(self, issue: DayIssue, wave: Wave) -> Wave:
        for stored in issue.waves:
            if stored.due == wave.due:
                return stored
        self._waves += 1
        issue.waves.append(replace(wave, id=self._waves))
        return issue.waves[-1]

    def _plan(self, issue: DayIssue, wave: Wave, plan: PlannedEdition) -> None:
        state: DeliveryState = "pending" if plan.edition.papers else "empty"
        row = Row(wave, plan.history, plan.edition, state)
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
        row = self._row(day, email)
        return None if row is None else (row.wave.id, row.edition)

    def history_of(self, day: date, email: str) -> tuple[int, ReaderHistory] | None:
        """See :meth:`newsletter.ports.Store.history_of`."""
        row = self._row(day, email)
        return None if row is None else (row.wave.id, row.history)

    def _row(self, day: date, email: str) -> Row | None:
        with self._lock:
            return next((row for row in self._rows(day) if row.email == email), None)

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

    def planned(self, day: date, *, among: Collection[int] | None = None) -> frozenset[int]:
        """See :meth:`newsletter.ports.Store.planned`."""
        with self._lock:
            found = frozenset(row.reader for row in self._rows(day))
        return found if among is None else found.intersection(among)

    def rule(
        self, day: date, state: IssueState, *, reason: str, among: Collection[IssueState | None]
    ) -> bool:
        """See :meth:`newsletter.ports.Store.rule`."""
        with self._lock:
            there = self._issues.get(day)
            if (None if there is None else there.state) not in among:
                return False
            issue = self._issues.setdefault(day, DayIssue(state))
            issue.state, issue.reason = state_by_counts(issue.counts, state), reason
            return True

    def finish(self, day: date) -> IssueState:
        """See :meth:`newsletter.ports.Store.finish`."""
        with self._lock:
            issue = self._issues.get(day)
            if issue is None:
                raise StoreError(NO_ISSUE.format(day))
            issue.state = state_by_counts(issue.counts, issue.state)
            return issue.state

    def counts(self, day: date) -> Counts:
        """See :meth:`newsletter.ports.Store.counts`."""
        with self._lock:
            return self._issues[day].counts if day in self._issues else Counts()

    def deliveries(
        self, day: date, *, states: Collection[DeliveryState] | None = None
    ) -> tuple[Delivery, ...]:
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
                if states is None or row.state in states
            ]
            return tuple(sorted(found, key=lambda delivery: delivery.email))
