"""An issue as masks, worked out once for all its readers."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import lru_cache

from newsletter.model import Issue, Matching, Rule
from newsletter.papers.filters import mask
from newsletter.papers.topics import bits
from newsletter.text import shorten

REACH = timedelta(days=14)
"""How far back an issue reaches for papers that are still owed."""

MAX_WORDS = 80
"""Characters of a rule that a reason quotes; it stands on every card the rule brings."""


class Table:
    """An issue's masks that do not depend on the reader, worked out once.

    ``fresh`` are the papers numbered after an ingest number, ``outdated`` those first seen too
    long ago, ``muted`` those from before their source was known, ``broken`` those quarantined;
    ``topical`` has, for each topic in the issue's order, its papers with their reasons.
    """

    def __init__(self, issue: Issue, matching: Matching) -> None:
        self.issue, self.matching = issue, matching
        self.everything = (1 << len(issue.papers)) - 1
        self.muted = self._where(lambda place: issue.papers[place].muted)
        oldest = issue.frozen_at - REACH
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
        return {place: quoting(f"topic {topic}:", because[topic, place]) for place in bits(papers)}

    def _fresh(self, decided: int) -> int:
        return self._where(lambda place: self.issue.papers[place].number > decided)

    def _popular(self, least: int) -> int:
        """Papers with so many upvotes, and those that carry none."""
        upvotes = self.matching.upvotes
        return self._where(lambda place: _at_least(upvotes[place], least))

    def _matches(self, rule: Rule) -> int:
        return mask(rule.expression, self.matching.terms, self.everything)


def quoting(kind: str, words: str) -> str:
    """A reason that quotes a rule: ``include “author:Shazeer”``."""
    return f"{kind} “{shorten(words, MAX_WORDS)}”"


def _at_least(upvotes: int | None, least: int) -> bool:
    return upvotes is None or upvotes >= least
