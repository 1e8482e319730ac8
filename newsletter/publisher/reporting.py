"""Report: an issue in counts, as ``send --json`` and ``status --json`` give it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from newsletter.model import TROUBLED, Counts, IssueState, SourceReport
from newsletter.ports import Issues, Store


@dataclass(frozen=True, slots=True)
class IssueReport:
    """Where a day's issue stands.

    ``state`` is None where the day has no issue; ``papers`` counts those in question for
    somebody; ``sources`` are this run's reports, or the last words the store has of each, which
    are no news of an issue that another has followed: of that it has none.
    """

    day: date
    state: IssueState | None
    reason: str
    papers: int
    counts: Counts
    sources: tuple[SourceReport, ...]

    @property
    def troubled(self) -> bool:
        """Whether a delivery failed or is in doubt."""
        return bool(self.counts.of(TROUBLED))


def report(store: Store, day: date, sources: Sequence[SourceReport] | None = None) -> IssueReport:
    """Where the issue of ``day`` stands now."""
    state, reason = store.issue_state(day) or (None, "")
    return IssueReport(
        day=day,
        state=state,
        reason=reason,
        papers=len({paper.number for wave in store.waves(day) for paper in wave.issue.in_question}),
        counts=store.counts(day),
        sources=tuple(sources) if sources is not None else _remembered(store, day),
    )


def so_far(store: Issues, now: datetime) -> Iterator[date]:
    """The days that have an issue, newest first, but for those to come that were called off.

    A holiday may be cancelled long ahead: that is no news, and hides no issue that is at work.
    """
    for day in store.issue_days():
        called_off = day > now.date() and _is_cancelled(store, day)
        if not called_off or store.counts(day).planned:
            yield day


def _is_cancelled(store: Issues, day: date) -> bool:
    state = store.issue_state(day)
    return state is not None and state[0] == "cancelled"


def _remembered(store: Store, day: date) -> tuple[SourceReport, ...]:
    """The sources' last words, but for an issue that has one after it: they are of that one."""
    if any(other > day and not _is_cancelled(store, other) for other in store.issue_days()):
        return ()
    return tuple(
        SourceReport(health.name, health.state, detail=health.detail)
        for health in store.sources().values()
    )
