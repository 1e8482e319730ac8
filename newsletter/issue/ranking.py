"""The order of one reader's papers, and what their wishes in plain words find.

Papers come in bands: first those that a topic, a rule of words or a wish surely finds, then those
that a wish likely finds, then the others. Within a band they keep the issue's order.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
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
    wishes = masks.wishes(wants.include)
    if not wishes:
        return 0, BY_ISSUE
    found = [wish.found(wants.breadth, among) for wish in wishes]
    best = _union(w.best(papers & among) for w, papers in zip(wishes, found, strict=True))
    every = _union(found)
    return every, Ranking(
        sure | _union(wish.strong for wish in wishes),
        _union(wish.likely for wish in wishes),
        every & ~sure & ~best,
        tuple(wish.strong & ~sure for wish in wishes),
    )


def near_wishes(masks: IssueMasks, wants: Filter) -> int:
    """The papers that a reader's wishes may find, and those that their unwanted parts keep out."""
    wishes = masks.wishes(wants.include)
    unwanted = (papers for wish in wishes for papers in wish.unwanted.values())
    return _union((*unwanted, *(1 << index for wish in wishes for index in wish.ranked)))


def _union(papers: Iterable[int]) -> int:
    return reduce(or_, papers, 0)
