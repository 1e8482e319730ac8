"""The order of one reader's papers, and what their wishes in plain words find.

Papers come in bands: first those that a topic, a rule of words or a wish surely finds, then those
that a wish likely finds, then the others. Within a band they keep the issue's order.
"""

from dataclasses import dataclass
from functools import reduce
from itertools import chain
from operator import or_

from newsletter.issue.composing import IssueMasks
from newsletter.model import Filter
from newsletter.papers.topics import bit_indexes


@dataclass(frozen=True, slots=True)
class Ranking:
    """Which of a reader's papers come first, as bitmasks.

    Attributes:
        sure: the first band.
        likely: the second one, apart from papers of the first.
        titles: papers that are titles at most: only wishes find them, and each finds better ones.
        alike: for each wish, the papers that it finds surely, and no topic or rule of words.
    """

    sure: int = -1
    likely: int = 0
    titles: int = 0
    alike: tuple[int, ...] = ()

    def order(self, papers: int) -> list[int]:
        """The places of these papers, in order."""
        first = papers & self.sure
        if first == papers:
            return bit_indexes(papers)
        likely = papers & self.likely & ~first
        return [i for band in (first, likely, papers & ~first & ~likely) for i in bit_indexes(band)]

    def first(self, papers: int) -> int:
        """The mask of the first one of these papers."""
        best = papers & self.sure or papers & self.likely or papers
        return best & -best

    def leads(self, papers: int, count: int) -> int:
        """The first of these papers that are sure and may be cards, at most one for each wish."""
        papers &= self.sure & ~self.titles
        leads = 0
        while papers and leads.bit_count() < count:
            best = papers & -papers
            leads |= best
            papers ^= best
            for others in self.alike:
                if others & best:
                    papers &= ~others
        return leads


BY_ISSUE = Ranking()
"""The issue's own order."""


def rank_wishes(masks: IssueMasks, wants: Filter, sure: int, among: int) -> tuple[int, Ranking]:
    """What a reader's wishes find, and the order of their papers.

    ``sure`` are the papers that their topics and rules of words find, ``among`` those that they
    can still get.
    """
    found = best = strong = likely = 0
    alike: list[int] = []
    for rule in wants.include:
        if (wish := masks.wish(rule)) is not None:
            papers, first = masks.found_by_wish(rule, wants.breadth, among)
            found |= papers
            best |= first
            strong |= wish.strong
            likely |= wish.likely
            alike.append(wish.strong & ~sure)
    if not alike:
        return 0, BY_ISSUE
    return found, Ranking(sure | strong, likely, found & ~sure & ~best, tuple(alike))


def near_wishes(masks: IssueMasks, wants: Filter) -> int:
    """The papers that a reader's wishes may find, and those that their unwanted parts keep out."""
    wishes = masks.wishes(wants.include)
    near = chain.from_iterable((wish.remote, *wish.unwanted.values()) for wish in wishes)
    return reduce(or_, near, 0)
