"""The day's issue: its papers, each once, best first."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from math import log1p

from newsletter.model import Issue, Matching, Paper, Rule, Topic
from newsletter.papers.filters import evaluate
from newsletter.papers.topics import bit_indexes
from newsletter.text import shorten


def compose_issue(
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


MAX_PAPER_AGE = timedelta(days=14)
"""How far back an issue reaches for papers that are still owed."""

MAX_QUOTE = 80
"""Characters of a rule that a reason quotes; it stands on every card the rule brings."""


class IssueMasks:
    """An issue's masks that do not depend on the reader, worked out once.

    ``fresh`` are the papers numbered after an ingest number, ``outdated`` those first seen too
    long ago, ``muted`` those from before their source was known, ``broken`` those quarantined;
    ``topical`` has, for each topic in the issue's order, its papers with their reasons.
    """

    def __init__(self, issue: Issue, matching: Matching) -> None:
        self.issue, self.matching = issue, matching
        self.everything = (1 << len(issue.papers)) - 1
        self.muted = self._where(lambda place: issue.papers[place].muted)
        oldest = issue.frozen_at - MAX_PAPER_AGE
        self.outdated = self._where(lambda place: issue.papers[place].first_seen < oldest)
        quarantined = dict(issue.quarantined)
        self.broken = self._where(lambda place: issue.papers[place].key in quarantined)
        self.places = {paper.number: place for place, paper in enumerate(issue.papers)}
        self.groups = {paper.group: place for place, paper in enumerate(issue.papers)}
        self.topical = {
            topic.name: self._reasons(topic.name, matching.topics[topic.name])
            for topic in issue.topics
        }
        self.fresh = lru_cache(maxsize=1024)(self._fresh)
        self.popular = lru_cache(maxsize=1024)(self._popular)
        self.matches = lru_cache(maxsize=65536)(self._matches)

    def _where(self, holds: Callable[[int], bool]) -> int:
        return sum(1 << place for place in range(len(self.issue.papers)) if holds(place))

    def _reasons(self, topic: str, papers: int) -> Mapping[int, str]:
        """The papers in a topic with why, made once for all readers."""
        because = self.matching.because
        return {
            place: quote_rule(f"topic {topic}:", because[topic, place])
            for place in bit_indexes(papers)
        }

    def _fresh(self, decided: int) -> int:
        return self._where(lambda place: self.issue.papers[place].number > decided)

    def _popular(self, least: int) -> int:
        """Papers with so many upvotes, and those that carry none."""
        upvotes = self.matching.upvotes
        return self._where(lambda place: _at_least(upvotes[place], least))

    def _matches(self, rule: Rule) -> int:
        return evaluate(rule.expression, self.matching.terms, self.everything)


def quote_rule(kind: str, words: str) -> str:
    """A reason that quotes a rule: ``include “author:Shazeer”``."""
    return f"{kind} “{shorten(words, MAX_QUOTE)}”"


def _at_least(upvotes: int | None, least: int) -> bool:
    return upvotes is None or upvotes >= least
