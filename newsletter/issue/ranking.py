"""The order of one reader's papers, and what their wishes in plain words find.

Papers come in bands: first those that a topic, a rule of words or a wish surely finds, then those
that a wish likely finds, then the others. Within a band they keep the issue's order. A paper like
those that the reader liked comes a band earlier, one like those of which they want less a band
later.
"""

from functools import reduce
from itertools import chain
from operator import or_
from typing import NamedTuple

from newsletter.issue.composing import IssueMasks
from newsletter.model import NO_TASTE, Filter, Taste
from newsletter.papers.topics import bit_indexes, first_bits


class Ranking(NamedTuple):  # made for each reader: a dataclass takes three times as long
    """Which of a reader's papers come first, as bitmasks.

    Attributes:
        sure: the first band.
        likely: the second one, apart from papers of the first.
        titles: papers that are titles at most: only wishes find them, and each finds better ones.
        alike: for each wish, the papers that it finds surely, and no topic or rule of words.
        liked: papers that come a band earlier.
        unliked: papers that come a band later.
    """

    sure: int = -1
    likely: int = 0
    titles: int = 0
    alike: tuple[int, ...] = ()
    liked: int = 0
    unliked: int = 0

    def order(self, papers: int) -> list[int]:
        """The places of these papers, in order."""
        if self is BY_ISSUE:
            return bit_indexes(papers)
        if papers & self.sure == papers and not papers & (self.liked | self.unliked):
            return bit_indexes(papers)
        return [i for band in self._bands(papers) for i in bit_indexes(band)]

    def _bands(self, papers: int) -> tuple[int, ...]:
        """These papers by band, the first band first."""
        sure = papers & self.sure
        likely = papers & self.likely & ~sure
        bands, moved = (sure, likely, papers & ~sure & ~likely), self.liked | self.unliked
        if not papers & moved:
            return bands
        liked, kept, unliked = (
            [band & which for band in bands] for which in (self.liked, ~moved, self.unliked)
        )
        columns = zip((*liked, 0, 0), (0, *kept, 0), (0, 0, *unliked), strict=True)
        return tuple(earlier | same | later for earlier, same, later in columns)

    def first(self, papers: int) -> int:
        """The mask of the first one of these papers."""
        if self is BY_ISSUE:
            return papers & -papers
        best = next(filter(None, self._bands(papers)), 0)
        return best & -best

    def moved_by(self, taste: Taste) -> "Ranking":
        """This order, changed by what the reader's likes say."""
        if taste is NO_TASTE:
            return self
        liked, unliked = (
            sum(1 << index for index in each) for each in (taste.earlier, taste.later)
        )
        return self._replace(liked=liked, unliked=unliked, titles=self.titles & ~liked)

    def leads(self, papers: int, count: int) -> int:
        """The first of these papers that are sure and may be cards, at most one for each wish."""
        if self is BY_ISSUE:
            return first_bits(papers, count)
        papers &= (self.sure | self.likely & self.liked) & ~self.titles
        leads = 0
        while papers and leads.bit_count() < count:
            best = self.first(papers)
            leads |= best
            papers ^= best
            for others in self.alike:
                if others & best:
                    papers &= ~others
        return leads


BY_ISSUE = Ranking()
"""The issue's own order."""


def find_by_rules(
    masks: IssueMasks, wants: Filter, in_topics: int, among: int
) -> tuple[int, Ranking]:
    """The papers in a reader's topics, with those that their includes find, and their order.

    ``among`` are the papers that the reader can still get: a wish finds the best of these.
    """
    by_rule, together = masks.find(wants, among), 0
    for each in by_rule:
        together |= each
    width, every = masks.width, masks.all_papers
    sure = in_topics | together >> width & every
    if not together & every:
        return sure, BY_ISSUE
    found = together >> 2 * width & every
    strong, likely = together >> 4 * width & every, together >> 5 * width
    titles = found & ~(sure | together >> 3 * width)
    others, strongly = every & ~sure, 4 * width
    alike = tuple([each >> strongly & others for each in by_rule])
    return sure | found, Ranking(sure | strong, likely, titles, alike)


def near_wishes(masks: IssueMasks, wants: Filter) -> int:
    """The papers that a reader's wishes may find, and those that their unwanted parts keep out."""
    wishes = masks.wishes(wants.include)
    near = chain.from_iterable((wish.remote, *wish.unwanted.values()) for wish in wishes)
    return reduce(or_, near, 0)


def nearest_first(masks: IssueMasks, wants: Filter, papers: int) -> list[int]:
    """The places of these papers, in the order of how near a wish is to each; others come first."""
    places = dict.fromkeys(bit_indexes(papers & near_wishes(masks, wants)), masks.all_papers)
    for wish in masks.wishes(wants.include):
        for place, index in enumerate(wish.ranked):
            places[index] = min(place, places.get(index, place))
    return sorted(bit_indexes(papers), key=lambda index: places.get(index, -1))
