"""Try out: what a filter would have brought on the days the store holds, before anyone saves it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from newsletter.issue import composing as issues
from newsletter.issue.explaining import explain
from newsletter.issue.table import Table
from newsletter.model import Issue, Paper, Reader, Standing, Subscriber, Verdict
from newsletter.publisher.drafting import match
from newsletter.publisher.newsletter import Desk

NEAR_MISSES = ("exclude ", "has ")
"""How the reasons begin of papers that were wanted and kept away by one rule."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One day's papers held against a filter: how many, those in, and those nearly in."""

    day: date
    papers: int
    included: tuple[Verdict, ...]
    near_misses: tuple[Verdict, ...]


def try_out(desk: Desk, subscriber: Subscriber, today: date, days: int) -> tuple[Trial, ...]:
    """What this subscriber's filter makes of the papers read on each of the last days.

    Days without papers are left out. Nothing of what was sent before counts, and nothing is
    stored.
    """
    reader = Reader(0, subscriber, "confirmed", 0, "store")
    return tuple(_trial(desk, reader, day, papers) for day, papers in _read(desk, today, days))


def _read(desk: Desk, today: date, days: int) -> Iterator[tuple[date, Sequence[Paper]]]:
    for back in range(days):
        day = today - timedelta(days=back)
        papers = desk.store.papers_read(day)
        if papers:
            yield day, papers


def unsent(desk: Desk, day: date, papers: Sequence[Paper]) -> Issue:
    """The issue of a day's papers as if they were all new and nothing had ever been sent."""
    now = desk.clock.now()
    fresh = [replace(paper, muted=False, first_seen=now) for paper in papers]
    cutoff = max((paper.number for paper in papers), default=0)
    return issues.compose(fresh, desk.topics, day=day, cutoff=cutoff, after=0, frozen_at=now)


def _trial(desk: Desk, reader: Reader, day: date, papers: Sequence[Paper]) -> Trial:
    made = unsent(desk, day, papers)
    table = Table(made, match(desk, made, [reader]))
    verdicts = tuple(explain(table, Standing(reader)))
    return Trial(
        day=day,
        papers=len(made.papers),
        included=tuple(verdict for verdict in verdicts if verdict.included),
        near_misses=tuple(v for v in verdicts if v.reason.startswith(NEAR_MISSES)),
    )
