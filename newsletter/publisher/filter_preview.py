"""Try out: what a filter would have brought on the days the store holds, before anyone saves it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from newsletter.issue import composing as issues
from newsletter.issue.composing import IssueMasks
from newsletter.issue.selecting import explain
from newsletter.model import Issue, Paper, Reader, ReaderHistory, Subscriber, Verdict
from newsletter.publisher.drafting import match
from newsletter.publisher.publisher import Publisher

NEAR_MISSES = ("exclude ", "has ")
"""How the reasons begin of papers that were wanted and kept away by one rule."""


@dataclass(frozen=True, slots=True)
class FilterPreview:
    """One day's papers held against a filter: how many, those in, and those nearly in."""

    day: date
    papers: int
    included: tuple[Verdict, ...]
    near_misses: tuple[Verdict, ...]


def try_out(
    publisher: Publisher, subscriber: Subscriber, today: date, days: int
) -> tuple[FilterPreview, ...]:
    """What this subscriber's filter makes of the papers read on each of the last days.

    Days without papers are left out. Nothing of what was sent before counts, and nothing is
    stored.
    """
    reader = Reader(0, subscriber, "confirmed", 0, "store")
    return tuple(
        _trial(publisher, reader, day, papers) for day, papers in _read(publisher, today, days)
    )


def _read(publisher: Publisher, today: date, days: int) -> Iterator[tuple[date, Sequence[Paper]]]:
    for back in range(days):
        day = today - timedelta(days=back)
        papers = publisher.store.papers_listed(day)
        if papers:
            yield day, papers


def unsent(publisher: Publisher, day: date, papers: Sequence[Paper]) -> Issue:
    """The issue of a day's papers as if they were all new and nothing had ever been sent."""
    now = publisher.clock.now()
    fresh = [replace(paper, muted=False, first_seen=now) for paper in papers]
    cutoff = max((paper.number for paper in papers), default=0)
    return issues.compose_issue(
        fresh, publisher.topics, day=day, cutoff=cutoff, after=0, frozen_at=now
    )


def _trial(
    publisher: Publisher, reader: Reader, day: date, papers: Sequence[Paper]
) -> FilterPreview:
    made = unsent(publisher, day, papers)
    table = IssueMasks(made, match(publisher, made, [reader]))
    verdicts = tuple(explain(table, ReaderHistory(reader)))
    return FilterPreview(
        day=day,
        papers=len(made.papers),
        included=tuple(verdict for verdict in verdicts if verdict.included),
        near_misses=tuple(v for v in verdicts if v.reason.startswith(NEAR_MISSES)),
    )
