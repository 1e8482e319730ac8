"""What is found in an issue's papers: by words, by wishes in plain words, and by topics."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import assert_never

from newsletter.model.readers import Breadth
from newsletter.model.rules import Term

BEST_OF_WISH = 5  # papers of a wish that need less to be found than others, and become cards
MOST_OF_WISH = 30  # papers that a wish finds in the mode "broad"


@dataclass(frozen=True, slots=True)
class WishMasks:
    """The papers that a wish in plain words finds, as bitmasks.

    Attributes:
        ranked: all that it may find, the most probable first.
        remote: the same ones.
        possible: those of them that it finds if they are among the best.
        likely: those that it finds in any case.
        strong: those that are more probably right than not.
        unwanted: for each part that is not wanted, the papers that it keeps out of the others.
    """

    ranked: tuple[int, ...] = ()
    remote: int = 0
    possible: int = 0
    likely: int = 0
    strong: int = 0
    unwanted: Mapping[str, int] = field(default_factory=dict)

    def found(self, breadth: Breadth, among: int = -1) -> int:
        """The papers that it finds; the best are those that a reader can still get, ``among``."""
        match breadth:
            case "strict":
                return self.best(self.strong & among)
            case "normal":
                return self.likely | self.best(self.possible & among)
            case "broad":
                return self.found("normal", among) | self.best(among, MOST_OF_WISH)
            case _:
                assert_never(breadth)

    def best(self, among: int, count: int = BEST_OF_WISH) -> int:
        """The most probable of these papers, this many."""
        among &= self.remote
        if among.bit_count() <= count:
            return among
        best = 0
        for index in self.ranked:
            if among >> index & 1:
                best |= 1 << index
                count -= 1
                if not count:
                    break
        return best

    def within(self, papers: int) -> "WishMasks":
        """The wish if it can find these papers only."""
        return WishMasks(
            tuple(index for index in self.ranked if papers >> index & 1),
            self.remote & papers,
            self.possible & papers,
            self.likely & papers,
            self.strong & papers,
            {part: kept_out & papers for part, kept_out in self.unwanted.items()},
        )

    def without(self, part: str, papers: int) -> "WishMasks":
        """The wish if one of its unwanted parts keeps out these papers, too."""
        kept_out = papers & self.remote
        unwanted = {**self.unwanted, part: self.unwanted[part] | kept_out}
        return replace(self.within(~papers), unwanted=unwanted)


@dataclass(frozen=True, slots=True)
class Matches:
    """What a matcher finds: for each term the papers, and for each wish how sure it is of them.

    A wish is a term that asks for a meaning; ``terms`` has its normal mode.
    """

    terms: Mapping[Term, int]
    wishes: Mapping[Term, WishMasks]


@dataclass(frozen=True, slots=True)
class Advice:
    """What is wrong with a rule and what to write instead, and the place in it, from 0.

    ``certain``: it can never find what it asks for; a form refuses it. Otherwise it finds
    something, or would with another source.
    """

    problem: str
    column: int = 0
    certain: bool = True


@dataclass(frozen=True, slots=True)
class Matching:
    """Which papers of an issue match topics and terms, as bitmasks: bit *i* is paper *i*.

    Attributes:
        topics: for each topic, the papers in it.
        best: for each topic, the papers for which it is the best topic.
        because: for a topic and a paper, the rule that put the paper there.
        terms: for each term of any topic or filter, the papers it occurs in.
        upvotes: each paper's upvotes; None where its sources do not count them.
        wishes: for each term that asks for a meaning, how sure its papers are.
    """

    topics: Mapping[str, int]
    best: Mapping[str, int]
    because: Mapping[tuple[str, int], str]
    terms: Mapping[Term, int]
    upvotes: tuple[int | None, ...]
    wishes: Mapping[Term, WishMasks] = field(default_factory=dict)
