"""Papers like another one: of one of its topics, with the rarer words of its title."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import chain
from math import log, sqrt

from newsletter.text import word_text

MIN_LETTERS = 3  # of a word that is compared

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

    def __len__(self) -> int:
        """How many papers there are."""
        return len(self._papers)

    def find(
        self, key: str, title: str, topics: Collection[str], limit: int
    ) -> tuple[TitledPaper, ...]:
        """The papers most like the one with this key, title and topics, best first.

        Papers of no topic of it are left out, unless it has none.
        """
        own = _features(title, topics)
        scores = [
            (self._likeness(own, features), paper)
            for paper, features in self._papers
            if paper.key != key and (not topics or paper.topic in topics)
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
