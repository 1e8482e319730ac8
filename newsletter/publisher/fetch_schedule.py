"""Ask: which sources to fetch now, from what they said before and when their papers are due."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from newsletter.model import SourceReport
from newsletter.ports import Source
from newsletter.readers.due import AHEAD

WAITS = tuple(timedelta(minutes=minutes) for minutes in (1, 2, 4, 8, 15))
"""How long to wait after the first, second … vain attempt; the last repeats."""

LAST_CALL = timedelta(minutes=1)
"""This long before the time, sources that had nothing are asked once more."""

SOON_ENOUGH = timedelta(minutes=30)
"""A good answer younger than this serves the next wave too, whenever that is due."""

KEPT = timedelta(days=3)
"""Answers for days further back than this are forgotten."""


@dataclass(slots=True)
class Backoff:
    """Attempts in a row that came to nothing, and the instant of the last."""

    times: int = 0
    last: datetime | None = None

    def failed(self, now: datetime) -> None:
        """Count one more."""
        self.times, self.last = self.times + 1, now

    @property
    def wait(self) -> timedelta:
        """How long to wait after the last one."""
        return WAITS[min(max(self.times, 1), len(WAITS)) - 1]

    def may_try(self, now: datetime) -> bool:
        """Whether the wait after the last one is over, or the clock was set back since."""
        return self.last is None or not timedelta() <= now - self.last < self.wait


@dataclass(frozen=True, slots=True)
class LastFetch:
    """What a source last said of a day, when, and how often in a row it had nothing."""

    report: SourceReport
    at: datetime
    backoff: Backoff

    @property
    def good(self) -> bool:
        """Whether it gave its papers, or has a day off: there is no use in asking again."""
        return self.report.state in {"ok", "holiday"}

    def serves(self, due: datetime, now: datetime) -> bool:
        """Whether it is young enough for an issue that is due then."""
        return self.at >= due - AHEAD or timedelta() <= now - self.at < SOON_ENOUGH


@dataclass(slots=True)
class FetchSchedule:
    """What the sources said for each day."""

    _by: dict[tuple[date, str], LastFetch] = field(default_factory=dict)

    def to_ask(
        self, sources: Sequence[Source], day: date, due: datetime, now: datetime
    ) -> list[Source]:
        """The sources to fetch now for a day whose next issue is due at an instant.

        From an hour before each is asked once; one that failed, or had nothing new, again after
        1, 2, 4, 8, 15 minutes and in the last minute before the time. After it only those who
        were not asked, unless none is up.
        """
        patient = now < due or self.none_up(sources, day)
        return [s for s in sources if self._wanted((day, s.name), due, now, patient=patient)]

    def _wanted(
        self, place: tuple[date, str], due: datetime, now: datetime, *, patient: bool
    ) -> bool:
        answer = self._by.get(place)
        if answer is None:
            return True
        if answer.good or not patient:
            return not answer.serves(due, now)
        last_call = due - LAST_CALL <= now < due and answer.at < due - LAST_CALL
        return last_call or answer.backoff.may_try(now)

    def note(self, day: date, report: SourceReport, now: datetime) -> None:
        """Remember what a source said, and forget what is old."""
        self._by = {place: kept for place, kept in self._by.items() if place[0] >= day - KEPT}
        before = self._by.get((day, report.name))
        answer = LastFetch(
            report, now, Backoff() if before is None or before.good else before.backoff
        )
        if not answer.good:
            answer.backoff.failed(now)
        self._by[day, report.name] = answer

    def none_up(self, sources: Sequence[Source], day: date) -> bool:
        """Whether there are sources, and every one of them failed."""
        reports = self.reports(sources, day)
        return bool(reports) and all(report.missing for report in reports)

    def reports(self, sources: Sequence[Source], day: date) -> tuple[SourceReport, ...]:
        """The last word of each source for a day."""
        found = (self._by.get((day, source.name)) for source in sources)
        return tuple(answer.report for answer in found if answer is not None)
