"""The words of a search: which papers of a block may have them, and where a paper has them."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from newsletter.model import All, AnyOf, Expression, Item, Not, Term
from newsletter.text import clean, fold, phrases, tex_to_unicode, word_text

if TYPE_CHECKING:
    from newsletter.meaning import PaperBlock
    from newsletter.meaning.blocks import Flags

Band = Literal["best", "good", "more"]
BANDS: tuple[Band, ...] = get_args(Band)
"""How well a paper fits a search, the best first."""

_ENDS = ".,;:!?()[]{}\"'“”„«»"  # signs around a word
_WORD = re.compile(r"[^\W_]+")


def words_of(text: str, wanted: Sequence[str]) -> list[list[str]]:
    """The lists of words that a paper may have all of: all that are typed, and what is wanted."""
    texts = (text, " ".join(wanted))
    lists = [[*filter(_WORD.search, (w.strip(_ENDS) for w in t.split()))] for t in texts]
    return [each for place, each in enumerate(lists) if each and each not in lists[:place]]


def searched_texts(item: Item) -> Iterator[str]:
    """What a search by words looks through."""
    yield from (item.title, item.abstract, *item.authors, *item.keywords)
    yield from (item.organization or "", *item.categories)


def indexed_words(item: Item) -> set[str]:
    """The words of a paper, as they stand there and as rules compare them."""
    words = set[str]()
    for text in map(tex_to_unicode, searched_texts(item)):
        # Without the functions' caches, which would keep every abstract of the archive.
        words.update(_WORD.findall(fold.__wrapped__(text)))
        words.update(_WORD.findall(word_text.__wrapped__(text)))
    return words


class Place(NamedTuple):
    """Where a paper has all words of a search, in words, and the band of that."""

    band: int | None = None
    because: str = ""
    is_title: bool = False  # the title has the very words in their order


def place_of(item: Item, words: Sequence[Sequence[str]]) -> Place:
    """Where a paper has all words of one of these lists."""
    for asked in words:
        phrase = " ".join(asked)
        if _has_all([item.title], asked):
            is_title = asked is words[0] and _has_all([item.title], [phrase])
            return Place(0, f"“{phrase}”: in the title", is_title)
        for author in item.authors:
            if _has_all([author], asked):
                return Place(0, f"by {tex_to_unicode(author)}")
        if any(_has_all([keyword], asked) for keyword in item.keywords):
            return Place(0, f"“{phrase}”: a keyword")
        if _has_all([*searched_texts(item)], asked):
            what = "has" if len(asked) == 1 else "has all words of"
            return Place(len(BANDS) - 1, f"{what} “{phrase}”")
    return Place()


def _has_all(texts: Sequence[str], words: Iterable[str]) -> bool:
    """Whether for each word one of the texts has a word that begins with it, in any spelling."""
    folded = [f" {fold(clean(text))}" for text in texts]
    spelled = [word_text(tex_to_unicode(text)) for text in texts]
    return all(
        any(f" {fold(word)}" in text for text in folded)
        or any(word_text(word).rstrip() in text for text in spelled)
        for word in words
    )


Parts = frozenset[tuple[str, ...]]
"""What a paper must have words beginning with: all of one of these."""


def parts_of(*spellings: str) -> Parts:
    """What a paper must have for one of these spellings."""
    return frozenset(tuple(_WORD.findall(spelling)) for spelling in spellings)


def having_all(block: "PaperBlock", words: Iterable[Parts]) -> "Flags":
    """The papers that may have all of these words; some have only their parts."""
    found = block.scales > -1  # all
    for word in words:
        some = block.scales < -1  # none
        for parts in word:
            every = found
            for part in parts:
                every = every & block.having(part)
            some = some | every
        found = some
        if not found.any():
            break
    return found


def may_match(expression: Expression, block: "PaperBlock") -> "Flags":
    """The papers that may match a rule; the block does not know all that rules compare."""
    match expression:
        case Term(field="about") | Not():
            return block.scales > -1
        case Term():
            spellings = (*phrases(expression.text), fold(expression.text))
            return having_all(block, [parts_of(*spellings)])
        case AnyOf(of=parts):
            found = block.scales < -1
            for part in parts:
                found = found | may_match(part, block)
            return found
        case All(of=parts):
            found = block.scales > -1
            for part in parts:
                found = found & may_match(part, block)
            return found
