"""Search the archive: in plain words, by their meaning and as words, by rules, or by an id."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import nlargest
from itertools import islice
from typing import TYPE_CHECKING, Protocol, get_args

from newsletter.errors import FilterError, Isolated
from newsletter.model import (
    BLOCK_SIZE,
    Field,
    IndexBlock,
    Item,
    Paper,
    Rule,
)
from newsletter.papers.filters import evaluate, iter_terms, parse_rule, read_signs
from newsletter.papers.matching import authors_asked_for, positive_terms
from newsletter.papers.meanings import describe_known
from newsletter.papers.names import parse_names
from newsletter.papers.searched_words import (
    BANDS,
    Band,
    Place,
    having_all,
    indexed_words,
    may_match,
    parts_of,
    place_of,
    words_of,
)
from newsletter.ports import ArchiveIndex, Matcher, Papers
from newsletter.text import clean, fold, shorten, tex_to_unicode, word_text

if TYPE_CHECKING:
    from newsletter.meaning import Engine, PaperBlock, PaperText, PreparedWish

BEGIN = (0.5, 0.3, 0.05)
"""From which probability on a paper is in each band."""
REMOTE = 0.01  # the probability of a paper where only words are compared

CLOSE = 60  # papers nearest to a search in meaning and words that are compared with it in full
WITH_WORDS = 30  # the same of papers that have all its words: the nearest, and the newest
WITH_RULE = 400  # the newest papers that may match a rule that are compared with it

COMPARED = 2000  # of the newest papers, about, may be related to one
NEAR = 4.5  # standard deviations that related papers are closer than papers in general, at least
MOST_RELATED = 20  # papers related to one
KNOWN = 0.5  # of a search's words, at least; with fewer the meaning is a guess

MAX_REASON = 160  # characters

FORM = 3  # of what the index has of a paper

_SIGNS = re.compile(rf'(?:^|[\s(])(?:{"|".join(get_args(Field))}):|"', re.IGNORECASE)
"""What a rule has and plain words have not."""
_ABOUT = re.compile(r"^\s*about:", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Found:
    """A paper that a search finds: why, in words, and how well it fits."""

    paper: Paper
    because: str = ""
    band: Band = "best"


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What a search finds, best first, and what its words lack, in words; empty if nothing.

    ``newest``: it found all papers that match alike, and the newest come first.
    """

    found: tuple[Found, ...]
    note: str = ""
    newest: bool = False


class ArchivedPapers(Papers, ArchiveIndex, Protocol):
    """What a search needs of the store."""


class ArchiveSearch:
    """Searches all papers that are not muted.

    Its index is in the store, in blocks that :meth:`fill` makes one by one. Papers that are not yet
    in it are found by their words. Without ``load``, which returns the engine, only words are
    searched.
    """

    def __init__(
        self, store: "ArchivedPapers", matcher: Matcher, load: "Callable[[], Engine] | None"
    ) -> None:
        self._store, self._matcher, self._load = store, matcher, load

    @property
    def knows_meanings(self) -> bool:
        """Whether plain words are understood by their meaning."""
        return self._load is not None

    def find(self, text: str, limit: int) -> SearchResult:
        """The papers that a search finds, at most ``limit``, each under one of its numbers."""
        if self._load is None:
            papers = self._store.search_papers(text.split(), limit=limit)
            return SearchResult(tuple(map(Found, papers)), newest=True)
        text = clean(_ABOUT.sub("", text))
        result = self._found(self._load(), text, limit)
        found = {each.paper.group: each for each in self._named(text)}
        note = "" if found else result.note
        for each in result.found:
            found.setdefault(each.paper.group, each)
        if not found and parse_names(text):
            note = "the archive has no paper with this ID or address. Try its title"
        return replace(result, found=tuple(found.values())[:limit], note=note)

    def _found(self, engine: "Engine", text: str, limit: int) -> SearchResult:
        if not _SIGNS.search(read_signs(text)):
            return self._in_plain_words(engine, text, limit)
        try:
            rule = parse_rule(text)
        except FilterError as error:
            result = self._in_plain_words(engine, text, limit)  # a title may have quotes
            return result if result.found else SearchResult((), error.reason)
        return SearchResult(tuple(islice(self._matching(engine, rule), limit)), newest=True)

    def _named(self, text: str) -> Iterator[Found]:
        """The paper whose id or address the search is."""
        for name, _ in parse_names(text):
            paper = self._store.find_paper(name)
            if paper is not None and not paper.muted:
                yield Found(paper, f"this is “{text}”")

    def related(self, paper: Paper) -> list[Paper]:
        """The papers among the newest ones that are close to one in meaning, the closest first.

        Without the index there are none; better none than wrong ones.
        """
        if self._load is None:
            return []
        engine, newest = self._load(), self._store.cutoff()
        first = max(0, newest - newest % BLOCK_SIZE - COMPARED)
        close = list[tuple[float, int]]()
        for block in self._blocks(engine, first):
            row = engine.closeness_to(_text_of(paper.item), block).tolist()
            close += [(near, number) for number, near in enumerate(row, first) if near >= NEAR]
            first += len(row)
        nearest = {number: -near for near, number in nlargest(MOST_RELATED, close)}
        papers = self._store.papers_by_number(nearest)
        others = [each for each in papers if each.group != paper.group and not each.muted]
        return sorted(others, key=lambda other: nearest[other.number])

    # -- plain words ---------------------------------------------------------------------------

    def _in_plain_words(self, engine: "Engine", text: str, limit: int) -> SearchResult:
        known, asked = engine.known_words(text)
        wish, problem = None, ""
        try:
            wish = engine.prepare(text) if known else None
        except FilterError as error:
            problem = error.reason if asked else ""  # it says only what is not wanted
        words = words_of(text, wish.wish.wanted if wish else ())
        papers, with_words = self._candidates(engine, wish, words)
        places = {
            paper.number: place_of(paper.item, words if paper.number in with_words else ())
            for paper in papers
        }
        if problem:  # unless it is a title, such as “Not all speech is alike”
            papers = [paper for paper in papers if places[paper.number].is_title]
        found = tuple(islice(_judged(engine, wish, papers, places), limit))
        note = problem or _note(known, asked, text)
        return SearchResult(found, "" if any(each.band == "best" for each in found) else note)

    def _candidates(
        self, engine: "Engine", wish: "PreparedWish | None", words: Sequence[Sequence[str]]
    ) -> tuple[list[Paper], set[int]]:
        """The papers nearest to a search, and some that may have all words of one of the lists.

        The second part of the result has the numbers of those that may have the words.
        """
        import numpy as np  # noqa: PLC0415 - slow to import

        odds, hits = [np.zeros(0, np.float32)], [np.zeros(0, np.bool_)]
        lists = [[parts_of(fold(w), word_text(w)) for w in each] for each in words]
        for block in self._blocks(engine):
            none = block.scales < -1
            odds.append(block.odds(wish) if wish else block.scales * 0)
            hits.append(np.any([none, *(having_all(block, each) for each in lists)], axis=0))
        scores, having = np.concatenate(odds), np.flatnonzero(np.concatenate(hits))
        nearest = having[np.argsort(-scores[having], kind="stable")[:WITH_WORDS]]
        with_words = {*nearest.tolist(), *having[-WITH_WORDS:].tolist()}
        close = np.argsort(-scores, kind="stable")[:CLOSE].tolist() if wish else []
        papers = [*self._store.papers_by_number({*with_words, *close})]
        for each in words:  # papers that are not in the index yet
            newer = self._store.search_papers(each, limit=WITH_WORDS, after=len(scores) - 1)
            papers.extend(paper for paper in newer if paper.number not in with_words)
            with_words.update(paper.number for paper in newer)
        return [paper for paper in papers if not paper.muted], {*having.tolist(), *with_words}

    # -- rules ---------------------------------------------------------------------------------

    def _matching(self, engine: "Engine", rule: Rule) -> Iterator[Found]:
        """The papers that match a rule, the newest first."""
        import numpy as np  # noqa: PLC0415 - slow to import

        flags = [np.zeros(0, np.bool_)]
        flags.extend(may_match(rule.expression, block) for block in self._blocks(engine))
        possible = np.concatenate(flags)
        newer = range(len(possible), self._store.cutoff() + 1)
        numbers = [*np.flatnonzero(possible)[-WITH_RULE:].tolist(), *newer[-WITH_RULE:]]
        papers = [each for each in self._store.papers_by_number(numbers) if not each.muted][::-1]
        matches = self._matcher.match([p.item for p in papers], [*iter_terms(rule.expression)])
        asked = [[term.text] for term in positive_terms(rule.expression)]
        found = evaluate(rule.expression, matches.terms, (1 << len(papers)) - 1)
        for index, paper in enumerate(papers):
            if found >> index & 1:
                authors = ", ".join(authors_asked_for(rule, paper.item))
                because = f"by {authors}" if authors else place_of(paper.item, asked).because
                yield Found(paper, because)

    # -- the index -----------------------------------------------------------------------------

    def _blocks(self, engine: "Engine", first: int = 0) -> "Iterator[PaperBlock]":
        """The blocks from this number to the first one that is missing."""
        from newsletter.meaning import PaperBlock  # noqa: PLC0415 - imports numpy

        for block in self._store.index_blocks(_form_of(engine), first=first):
            if block.start != first:
                return
            yield PaperBlock.read(block.body)
            first = block.last + 1

    def fill(self) -> bool:
        """Make one block of the index that is missing or out of date; False if none is."""
        if self._load is None:
            return False
        engine = self._load()
        stale = self._store.stale_block(_form_of(engine))
        if stale is not None:
            self._store.save_block(self._packed(engine, stale), _form_of(engine))
        return stale is not None

    def _packed(self, engine: "Engine", block: IndexBlock) -> IndexBlock:
        from newsletter.meaning import IndexedPaper, pack_block  # noqa: PLC0415 - imports numpy

        numbers, papers = range(block.start, block.last + 1), dict[int, IndexedPaper]()
        for paper in self._store.papers_by_number(numbers):
            with Isolated(f"paper {paper.key} in the search's index"):
                if not paper.muted:
                    read = IndexedPaper(_text_of(paper.item), indexed_words(paper.item))
                    papers[paper.number - block.start] = read
        return replace(block, body=pack_block(engine.table, papers, len(numbers)))


def _form_of(engine: "Engine") -> str:
    """What blocks must have in common to be searched together."""
    return f"{FORM} {engine.table.checksum}"


# -- what is found -------------------------------------------------------------------------------


def _note(known: int, asked: int, text: str) -> str:
    """What a search for these words lacks, in words."""
    if known < KNOWN * asked:
        return f"{describe_known(known, asked)}. Try other words, in English"
    if not asked and not text.isascii():
        return "words that are not English are found only as typed. Try English"
    return ""


def _judged(
    engine: "Engine",
    wish: "PreparedWish | None",
    papers: Sequence[Paper],
    places: Mapping[int, Place],
) -> Iterator[Found]:
    """Those of the papers that a search finds, best first."""
    from newsletter.meaning import score  # noqa: PLC0415 - imports numpy

    signals = engine.read([_text_of(paper.item) for paper in papers], wish)
    chances = score(signals, [wish])[0].tolist() if wish else [REMOTE] * len(papers)
    ranked = list[tuple[int, bool, float, int, int]]()
    for index, (paper, chance) in enumerate(zip(papers, chances, strict=True)):
        place = places[paper.number]
        bands = [band for band, least in enumerate(BEGIN) if chance >= least]
        likely = chance if bands else 0
        bands.extend(() if place.band is None else [place.band])
        if bands and (chance or place.is_title):  # unwanted papers have no chance
            ranked.append((min(bands), not place.is_title, -likely, -paper.number, index))
    for band, _, minus, _, index in sorted(ranked):
        because = places[papers[index].number].because
        if wish and minus:
            because = engine.evidence(signals, index, wish.wish.text)
        yield Found(papers[index], shorten(because, MAX_REASON), BANDS[band])


def _text_of(item: Item) -> "PaperText":
    """What is read of a paper for its meaning."""
    from newsletter.meaning import PaperText  # noqa: PLC0415 - imports numpy

    return PaperText(tex_to_unicode(item.title), tex_to_unicode(item.abstract))
