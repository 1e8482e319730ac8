"""The day's issue: its papers, each once, best first."""

from collections.abc import Sequence
from datetime import date, datetime
from math import log1p

from newsletter.model import Issue, Paper, Topic


def compose(
    papers: Sequence[Paper],
    topics: Sequence[Topic],
    *,
    day: date,
    cutoff: int,
    after: int,
    frozen_at: datetime,
    missing: Sequence[str] = (),
) -> Issue:
    """An issue of these papers.

    Papers that turned out to be one (a group) stand once, as the one numbered last, so that a
    reader who has decided the earlier one is still asked about the later; a muted one, which
    nobody is owed, gives way to any other. The order is by upvotes and comments, then the newest
    first; it depends on nothing else.
    """
    latest = {paper.group: paper for paper in sorted(papers, key=_precedence)}
    return Issue(
        day=day,
        papers=tuple(sorted(latest.values(), key=_rank)),
        topics=tuple(topics),
        cutoff=cutoff,
        after=after,
        frozen_at=frozen_at,
        missing=tuple(missing),
    )


def _precedence(paper: Paper) -> tuple[bool, int]:
    return not paper.muted, paper.number


def _rank(paper: Paper) -> tuple[float, int]:
    attention = (paper.item.upvotes or 0) + (paper.item.comments or 0)
    return -log1p(attention), -paper.number
