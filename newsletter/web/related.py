"""Papers like another one: of one of its topics, with several rarer words of its title."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import chain
from math import log, sqrt

from newsletter.text import word_text

MIN_LETTERS = 3  # of a word that is compared
SHARED = 2  # telling words that the titles of related papers have in common, at least
TELLING = 0.06  # of all titles have a telling word, at most
FEW = 3  # titles that may have it in any case

_COMMON = """
accurate across adaptive advancing all analysis and approach approaches are automatic aware
based benchmark benchmarking better beyond bridging building can case challenge collection
complex comprehensive construction cross data dataset design development driven dual dynamic
effect effective efficient elicit enabling end enhanced enhancing evaluating evaluation evidence
experiment exploring fast fidelity first for framework free from general generation global high
how human improved improving insight integrated into investigating its large learning leveraging
limit local long low making measuring method model modeling multi need new not novel open
optimal optimization over performance practical pushing quality report rethinking review robust
role scalable scale scaling self short simple single state strategy study survey system task
technical test that the their theory through time toward towards training type understanding
unified unifying universal unlocking use using via what when why with without work you your
"""
"""Words that titles in every field have: that papers share them says nothing."""

Features = frozenset[str]
"""The words of a title, and topics: a topic begins with ``#`` and a space, as no word does."""


@dataclass(frozen=True, slots=True)
class TitledPaper:
    """A paper that may be related to others: its key, its title, and the topic it is listed in."""

    key: str
    title: str
    topic: str


class RelatedPapers:
    """Finds among these papers those that are most like another one.

    What two papers share counts for more the rarer it is among all (inverse document frequency),
    relative to everything they have (cosine similarity).
    """

    def __init__(self, papers: Sequence[TitledPaper]) -> None:
        self._papers = [(paper, _features(paper.title, [paper.topic])) for paper in papers]
        counts = Counter(chain.from_iterable(features for _, features in self._papers))
        self._weights = {each: log(len(papers) / count) ** 2 for each, count in counts.items()}
        most = max(FEW, TELLING * len(papers))
        rare = {each for each, count in counts.items() if count <= most and each[0] != "#"}
        self._telling = rare.difference(_COMMON.split())

    def __len__(self) -> int:
        """How many papers there are."""
        return len(self._papers)

    def find(
        self, key: str, title: str, topics: Collection[str], limit: int
    ) -> tuple[TitledPaper, ...]:
        """The papers most like the one with this key, title and topics, best first.

        Papers of no topic of it are left out, unless it has none. So are those with which it shares
        fewer than ``SHARED`` telling words: better none than wrong ones.
        """
        own = _features(title, topics)
        scores = [
            (self._likeness(own, features), paper)
            for paper, features in self._papers
            if paper.key != key
            and (not topics or paper.topic in topics)
            and len(own & features & self._telling) >= SHARED
        ]
        best = sorted(scores, key=lambda scored: scored[0], reverse=True)[:limit]
        return tuple(paper for score, paper in best if score > 0)

    def _likeness(self, own: Features, other: Features) -> float:
        shared = self._weigh(own & other)
        return shared / sqrt(self._weigh(other)) if shared else 0

    def _weigh(self, features: Features) -> float:
        return sum(self._weights[each] for each in features)


def _features(title: str, topics: Collection[str]) -> Features:
    words = (word for word in word_text(title).split() if len(word) >= MIN_LETTERS)
    return frozenset(chain(words, (f"# {topic}" for topic in topics)))
