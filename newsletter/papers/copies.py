"""Which papers are the same by their texts, where their names say nothing.

Two keys are compared, those of the titles, and the runs of four words that both abstracts have. A
wrong "same" keeps a paper from its readers, a wrong "another" repeats one: in doubt, it is another.

:func:`sketch` gives the few numbers by which a store finds the papers that are worth comparing.
"""

import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from newsletter.model import Item
from newsletter.papers.identity import ARCHIVES, do_differ, normalise_title, plain_words

_RUN = 4  # words of the runs that are compared
_LONG_RUN, _WINDOW = 8, 12  # a sketch keeps one of so many runs in a row, of so many words each

_COMPARED = 5  # the papers with which a new one is compared, at most

_SAME = 0.5  # the part of the shorter abstract that the other has, whatever the titles are
_ALIKE = 0.2  # the same, if the titles are equal or nearly so
_REWRITTEN = 0.35  # of the longer words, if the titles are equal and an author is the same
_NEARLY_ALL = 0.8  # the same, if one title is that of an answer to a paper, or of a sequel
_FEWEST_RUNS = 18  # shorter abstracts, such as publishers' boilerplate, count as so long
_LONG = 30  # runs of an abstract that is more than boilerplate
_LITTLE = 3  # letters of words such as "the"
_COMMON = 4  # letters of most words that any abstract has
_NEARLY_EQUAL = 90.0  # of 100, for titles
_RESPELLED = 60.0  # of 100, for the words that only one of two nearly equal titles has

_SHORT = 4, 20  # words and letters; titles with fewer, as "Book review", are used again
_PLAIN = 5, 25  # the same, where nothing but the titles can be compared

_NOTICE = re.compile(
    r"\W*(?:(?:author|publisher|editor)(?:'?s|ial)? )?(?:correction(?: to\b|\W*:|$)|corrigend|errat"
    r"|addend(?:um|a)\b|retract(?:ed|ion)\b|withdrawn\b|withdrawal(?: of\b|\W*:|$)"
    r"|expression of concern|editorial\W*(?:$|:)|book review|issue information|obituary"
    r"|letter to the editor|(?:preface|foreword|front matter|table of contents)$)",
    re.IGNORECASE,
)
_GONE = re.compile(r"(?:this|the) [\w ]{4,40} (?:was|has been|have been|have) (?:withdraw|retract)")
_ANSWER = re.compile(
    r"(?:comment(?:s|ary)?|repl(?:y|ies)|responses?|rejoinder|discussion|correspondence) "
    r"(?:on|to|of)\b|.* (?:a comment|a reply|rejoinder)$"
)
_SERIES = re.compile(
    r"\b(?:daily|weekly|monthly|quarterly|annual|yearly|(?:this|the) (?:week|month|year)|biennial"
    r"|roundup|round up|digest|newsletter|bulletin|highlights|proceedings|minutes|abstracts"
    r"|editorial|introduction to|special issue|preface|foreword|acknowledge?ments?"
    r"|(?:report|letter|message|notes|news|overview|summary|recap) (?:of|from|by|on) the"
    r"|conference|workshop|symposium|colloquium|seminar|shared task|lecture notes|lectures on"
    r"|data release|release notes|status report|progress report|activity report)\b"
)
"""Titles that are used again for other texts, year after year."""

_SEQUEL = re.compile(r" (?:(?:part|paper|volume|no) )?(?:[2-9]|ii|iii|iv|vi{0,3}|ix|two|three)$")
_EDITION = re.compile(
    r"\b(?:(?:19|20)\d\d|\d+(?:st|nd|rd|th)"
    r"|(?:part|volume|vol|issue|number|no|edition|release|week|paper|version) (?:\d+|[ivx]+))\b"
)
"""What an abstract says of the year, or the part, that it is of."""
_ONE_TITLE = tuple(each for each in ARCHIVES if each not in {"doi", "preprint"})
"""Archives of which two ids are those of two papers, unless the titles are equal."""

_TELLING = re.compile(
    r"\d+|\b(?:part [a-h]|[ivx]+|first|second|third|fourth|one|two|three|four"
    r"|nano|mini|tiny|small|base|medium|large|ultra|super|pro|max|plus|lite|light|flash)\b"
)
"""Words that tell the parts of a series, or the versions of a model, from one another."""


@dataclass(frozen=True)
class Wording:
    """The texts of a paper, as they are compared, with all of its names."""

    item: Item
    names: frozenset[str] = frozenset()

    @cached_property
    def key(self) -> str:
        """The letters and digits of the title."""
        return normalise_title(self.item.title)

    @cached_property
    def words(self) -> list[str]:
        """The words of the title, numbers without commas."""
        return plain_words(re.sub(r"(?<=\d),(?=\d)", "", self.item.title))

    @cached_property
    def runs(self) -> frozenset[int]:
        """A number for each four words in a row of the abstract."""
        return frozenset(_hashes(self.abstract, _RUN))

    @cached_property
    def abstract(self) -> list[str]:
        """The words of the abstract."""
        return plain_words(self.item.abstract)

    @cached_property
    def authors(self) -> frozenset[frozenset[str]]:
        """The words of each author's name, without initials."""
        names = (plain_words(name) for name in self.item.authors)
        words = (frozenset(word for word in name if len(word) > 1) for name in names)
        return frozenset(filter(None, words))

    @cached_property
    def people(self) -> frozenset[str]:
        """The words in the names of all authors."""
        return frozenset[str]().union(*self.authors)

    @cached_property
    def editions(self) -> frozenset[str]:
        """The years and parts that title and abstract name."""
        return frozenset(_EDITION.findall(" ".join((*self.words, "|", *self.abstract))))

    @cached_property
    def is_notice(self) -> bool:
        """Whether it is about another paper or a journal, or only says that it is withdrawn."""
        gone = _GONE.match(self.item.abstract[:100].lower())
        return bool(self.item.withdrawn or gone or _NOTICE.match(self.item.title))

    def has_title_of(self, least: tuple[int, int]) -> bool:
        """Whether the title has at least so many words, and so many letters."""
        return len(self.words) >= least[0] and len(self.key) >= least[1]


def sketch(paper: Wording) -> frozenset[int]:
    """Numbers of which two papers that are the same have at least one in common.

    A negative one is of the title. The others are of the abstract: the lowest number of each
    ``_WINDOW`` runs in a row, so that no common passage of so many runs is missed (winnowing:
    Schleimer, Wilkerson and Aiken, SIGMOD 2003). A notice has none.
    """
    if paper.is_notice:
        return frozenset()
    hashes = _hashes(paper.abstract, _LONG_RUN)
    windows = range(max(len(hashes) - _WINDOW + 1, min(len(hashes), 1)))
    lowest = {min(hashes[at : at + _WINDOW]) for at in windows}
    return frozenset(
        lowest | ({-1 - _hashes([paper.key], 1)[0]} if paper.has_title_of(_SHORT) else set())
    )


class Sketches:
    """The papers that have each number of a sketch, to find those worth comparing with another.

    Attributes:
        added: the sketches of new papers, by ingest number.
    """

    def __init__(
        self,
        rows: Iterable[tuple[int, int]] = (),
        sketched: Mapping[Item, frozenset[int]] | None = None,
    ) -> None:
        self._papers: defaultdict[int, set[int]] = defaultdict(set)
        for number, paper in rows:
            self._papers[number].add(paper)
        self._sketched = sketched or {}
        self.added: dict[int, frozenset[int]] = {}

    def of(self, paper: Wording) -> frozenset[int]:
        """The sketch of a paper, which may have been made before."""
        made = self._sketched.get(paper.item)
        return sketch(paper) if made is None else made

    def add(self, paper: int, numbers: frozenset[int]) -> None:
        """Add the sketch of a new paper."""
        self.added[paper] = numbers
        for number in numbers:
            self._papers[number].add(paper)

    def most_alike(self, numbers: frozenset[int]) -> list[int]:
        """The papers that have the most of a sketch, the earliest first among equals."""
        found = Counter(paper for number in numbers for paper in self._papers.get(number, ()))
        return sorted(found, key=lambda paper: (-found[paper], paper))[:_COMPARED]


def is_copy(one: Wording, other: Wording) -> bool:
    """Whether two papers without a name in common are the same one by their texts."""
    if one.is_notice or other.is_notice or _are_apart(one, other):
        return False
    if one.key == other.key:
        return _are_same_titled(one, other)
    two_ids = any(do_differ(one.names, other.names, f"{archive}:") for archive in _ONE_TITLE)
    if two_ids or _are_parts(one.words, other.words) or _are_of_one_mould(one, other):
        return False
    shared = _containment(one, other)
    if _is_answer(one) != _is_answer(other) or _is_sequel(one) != _is_sequel(other):
        return shared >= _NEARLY_ALL
    if shared >= _SAME and _may_be_retitled(one, other):
        return True
    return shared >= _ALIKE and _are_nearly_equal(one.words, other.words)


def _are_apart(one: Wording, other: Wording) -> bool:
    """Whether no author is in common, the years differ, or a publisher gave each its own DOI."""
    if one.people and other.people and one.people.isdisjoint(other.people):
        return True
    if one.editions - other.editions and other.editions - one.editions:
        return True
    publishers = [
        {name.partition("/")[0] for name in each.names if name.startswith("doi:")}
        for each in (one, other)
    ]
    return do_differ(one.names, other.names, "doi:") and not publishers[0].isdisjoint(publishers[1])


def _are_same_titled(one: Wording, other: Wording) -> bool:
    """Whether papers with the same title are one, if nothing else is against it."""
    shared, two_ids = _containment(one, other), do_differ(one.names, other.names, "doi:")
    used_again = _SERIES.search(" ".join(one.words)) or _is_answer(one)
    in_one_source = set(one.item.sources) & set(other.item.sources)
    if shared >= _SAME or used_again or in_one_source:
        return shared >= _SAME
    if do_differ(one.names, other.names, "arxiv:"):
        return False
    known = _have_author_in_common(one, other)
    if min(len(one.runs), len(other.runs)) >= _FEWEST_RUNS:
        alike = shared >= _ALIKE or (known and not two_ids and _is_rewritten(one, other))
        return one.has_title_of(_SHORT) and alike
    may_be_known = known or not (two_ids or (one.authors and other.authors))
    return may_be_known and one.has_title_of(_SHORT if known else _PLAIN)


def _have_author_in_common(one: Wording, other: Wording) -> bool:
    """Whether all words of an author's name are in one of the other paper."""
    return any(mine <= theirs or theirs <= mine for mine in one.authors for theirs in other.authors)


def _is_rewritten(one: Wording, other: Wording) -> bool:
    """Whether two abstracts say the same in other sentences: many of their words are the same.

    The most alike two of 15,500 abstracts have, as a rule, a quarter of these words in common.
    """
    titled = {*one.words}
    words, others = (
        {word for word in each.abstract if len(word) > _COMMON} - titled for each in (one, other)
    )
    return len(words & others) >= _REWRITTEN * max(min(len(words), len(others)), 1)


def _are_of_one_mould(one: Wording, other: Wording) -> bool:
    """Whether each has a word in title and abstract that the other has in neither.

    Abstracts such as those of genomes are written from a mould, with another species each.
    """
    texts = [{*each.words, *each.abstract} for each in (one, other)]
    own = [{*each.words} & {*each.abstract} for each in (one, other)]
    return bool(own[0] - texts[1] and own[1] - texts[0])


def _is_sequel(paper: Wording) -> bool:
    return bool(_SEQUEL.search(" ".join(paper.words)))


def _are_parts(words: list[str], others: list[str]) -> bool:
    """Whether each title has a number, or another telling word, that the other one lacks."""
    one, other = (set(_TELLING.findall(" ".join(each))) for each in (words, others))
    return bool(one - other and other - one)


def _containment(one: Wording, other: Wording) -> float:
    """The part of the shorter abstract's runs that the longer one has, too."""
    shorter = max(min(len(one.runs), len(other.runs)), _FEWEST_RUNS)
    return len(one.runs & other.runs) / shorter


def _may_be_retitled(one: Wording, other: Wording) -> bool:
    """Whether two papers with much of one abstract may have titles without a word in common.

    Entries of one source may begin with the same introduction, and short abstracts may be nothing
    else; then a third of the longer words of a title must be in the other one.
    """
    long = min(len(one.runs), len(other.runs)) >= _LONG
    if long and not set(one.item.sources) & set(other.item.sources):
        return True
    words, others = ({word for word in each.words if len(word) > _LITTLE} for each in (one, other))
    return 3 * len(words & others) >= max(min(len(words), len(others)), 1)


def _is_answer(paper: Wording) -> bool:
    return bool(_ANSWER.match(" ".join(paper.words)))


def _are_nearly_equal(words: list[str], others: list[str]) -> bool:
    """Whether two titles are equal but for a few letters, in whatever order their words are."""
    if _ratio(words, others) < _NEARLY_EQUAL:
        return False
    mine, theirs = (
        [w for w in one if w not in set(two)] for one, two in ((words, others), (others, words))
    )
    return not (mine and theirs) or _ratio(mine, theirs) >= _RESPELLED


def _ratio(words: list[str], others: list[str]) -> float:
    """The part of the letters of two texts, of 100, in their longest common subsequence.

    The words are sorted before. Bit-parallel (Hyyrö, 2004), as in RapidFuzz's
    ``token_sort_ratio``, which would be 12 MB more to install.
    """
    one, other = " ".join(sorted(words)), " ".join(sorted(others))
    places: dict[str, int] = {}
    for at, letter in enumerate(one):
        places[letter] = places.get(letter, 0) | 1 << at
    everywhere = row = (1 << len(one)) - 1
    for letter in other:
        found = row & places.get(letter, 0)
        row = (row + found) | (row - found)
    common = (~row & everywhere).bit_count()
    return 200 * common / max(len(one) + len(other), 1)


def _hashes(words: list[str], size: int) -> list[int]:
    """A number below 2³¹ for each so many words in a row, the same on every machine."""
    written = [word.encode() for word in words]
    runs = range(len(written) - size + 1)
    return [zlib.crc32(b" ".join(written[at : at + size])) >> 1 for at in runs]
