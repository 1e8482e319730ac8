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
from newsletter.papers.identity import do_differ, normalise_title, plain_words

_RUN = 4  # words of the runs that are compared
_LONG_RUN, _WINDOW = 8, 12  # a sketch keeps one of so many runs in a row, of so many words each

_COMPARED = 5  # the papers with which a new one is compared, at most

_SAME = 0.5  # the part of the shorter abstract that the other has, whatever the titles are
_ALIKE = 0.2  # the same, if the titles are equal or nearly so
_NEARLY_ALL = 0.8  # the same, if one title is that of an answer to a paper
_FEWEST_RUNS = 18  # shorter abstracts, such as publishers' boilerplate, count as so long
_LONG = 30  # runs of an abstract that is more than boilerplate
_LITTLE = 3  # letters of words such as "the"
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
_ANSWER = re.compile(r"(?:comments?|reply|replies|response|rejoinder) (?:on|to)\b")
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
    def people(self) -> frozenset[str]:
        """The words in the names of the authors, without initials."""
        words = (word for name in self.item.authors for word in plain_words(name))
        return frozenset(word for word in words if len(word) > 1)

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
    if do_differ(one.names, other.names, "arxiv:") or _are_parts(one.words, other.words):
        return False
    shared = _containment(one, other)
    if _is_answer(one) != _is_answer(other):
        return shared >= _NEARLY_ALL
    if shared >= _SAME and _may_be_retitled(one, other):
        return True
    return shared >= _ALIKE and _are_nearly_equal(one.words, other.words)


def _are_apart(one: Wording, other: Wording) -> bool:
    """Whether no author is in common, or a publisher gave each a DOI of its own."""
    if one.people and other.people and one.people.isdisjoint(other.people):
        return True
    publishers = [
        {name.partition("/")[0] for name in each.names if name.startswith("doi:")}
        for each in (one, other)
    ]
    return do_differ(one.names, other.names, "doi:") and not publishers[0].isdisjoint(publishers[1])


def _are_same_titled(one: Wording, other: Wording) -> bool:
    """Whether papers with the same title are one, if nothing else is against it."""
    shared, people = _containment(one, other), bool(one.people & other.people)
    two_ids = do_differ(one.names, other.names, "doi:")
    if shared >= _SAME or do_differ(one.names, other.names, "arxiv:"):
        return shared >= _SAME
    if min(len(one.runs), len(other.runs)) >= _FEWEST_RUNS:
        return one.has_title_of(_SHORT) and (shared >= _ALIKE or (people and not two_ids))
    return one.has_title_of(_SHORT if people else _PLAIN) and (people or not two_ids)


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
