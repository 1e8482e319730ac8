"""Assemble one reader's letter: a list of encoded blocks, and the reader's few tokens."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Generic

from newsletter.letter.compiling import (
    COUNTS,
    READABLE,
    Above,
    Below,
    Block,
    Cache,
    CompiledIssue,
    Piece,
    escape_html,
    links_by_place,
)
from newsletter.letter.fragments import Fragment, IssueFragments, placeholder
from newsletter.letter.inbox import (
    NAMED,
    SUBJECT_WIDTH,
    fitting_names,
    index_entries,
    names_to_try,
    preheader,
    quiet_preheader,
    topic_counts,
)
from newsletter.letter.links import Links
from newsletter.letter.views import printable
from newsletter.model import Edition, Rendering

WORDS_A_MINUTE = 220  # how fast people read a text of this kind

_PREHEADER, _INDEX, _EMAIL, _NAME, _NAMES = map(
    placeholder, ("preheader", "index", "email", "name", "names")
)


@dataclass(frozen=True, slots=True)
class AssembledLetter(Generic[Piece]):
    """A letter as pieces to be joined.

    ``digests`` tell its blocks from all others, and ``own`` has the values that are not in them.
    """

    subject: tuple[str, ...]
    html: list[Piece]
    text: list[Piece]
    digests: Sequence[bytes]
    own: list[Piece]


class LetterAssembler(Generic[Piece]):
    """Assembles the letters of one issue."""

    def __init__(self, compiled: CompiledIssue[Piece]) -> None:
        self._compiled, self._fragments = compiled, compiled.fragments
        self._inbox = InboxLines(compiled.fragments)

    def assemble(self, edition: Edition, links: Mapping[str, str]) -> AssembledLetter[Piece]:
        """One reader's letter; ``links`` are what it has at the placeholders for them."""
        compiled, fragments = self._compiled, self._fragments
        weekly = edition.to.is_weekly(fragments.day, fragments.publication.cadence)
        papers, sections = edition.papers, compiled.sections(edition)
        html, text, digests, words = _columns(sections)
        counts = _counts(fragments, edition, len(papers), sum(words))
        subject, line = self._inbox.of(papers, weekly=weekly)
        if edition.popular and fragments.names:
            line = quiet_preheader(fragments.names[edition.popular[0]], edition.left_out)
        index = self._index(edition, weekly=weekly)
        above = compiled.above[_above(edition, counts, weekly=weekly, has_index=bool(index))]
        below = compiled.below[self._below(edition, counts, weekly=weekly)]
        both, in_html, in_text = self._values(edition, links, counts, line, index)
        return AssembledLetter(
            subject,
            _filled((above.html, *html, below.html), both | in_html),
            _filled((above.text, *text, below.text), both | in_text),
            (above.digest, *digests, below.digest),
            [*both.values(), *in_html.values(), *in_text.values()],
        )

    def _index(self, edition: Edition, *, weekly: bool) -> list[str]:
        """The entries of the letter's index of topics."""
        counts, without = topic_counts(edition, self._compiled.order)
        shown = {printable(name): count for name, count in counts.items()}
        when = "this week" if weekly else "today"
        return index_entries(shown, [printable(name) for name in without], when)

    def _below(self, edition: Edition, counts: Mapping[str, int], *, weekly: bool) -> Below:
        by_machine = edition.summary == "brief" and any(
            not section.leads and not self._compiled.machine_written.isdisjoint(section.cards)
            for section in edition.sections
        )
        has_sections, more = bool(edition.sections), min(counts["more"], 2)
        return Below(weekly, has_sections, more, edition.corrections, by_machine)

    def _values(
        self,
        edition: Edition,
        links: Mapping[str, str],
        counts: Mapping[str, int],
        preheader: str,
        index: Sequence[str],
    ) -> tuple[dict[Piece, Piece], dict[Piece, Piece], dict[Piece, Piece]]:
        """What a letter has in place of placeholders: in both parts, in the HTML, in the text."""
        compiled, encode, places = self._compiled, self._compiled.encode, self._compiled.places
        both = {place: compiled.numbers[counts[name]] for place, name in compiled.counts}
        html: dict[Piece, Piece] = {}
        text: dict[Piece, Piece] = {}
        for part, values in ((compiled.html, html), (compiled.text, text)):
            if _PREHEADER in part.places:
                values[places[_PREHEADER]] = part.lines[preheader]
            if index:
                values[places[_INDEX]] = part.index(index)
        own = {**links, _EMAIL: printable(edition.to.email), _NAME: printable(edition.to.name)}
        for name, value in own.items():
            if (place := places.get(name)) is not None:
                piece, escaped = encode(value), escape_html(value)
                if escaped == value:
                    both[place] = piece
                else:
                    text[place], html[place] = piece, encode(escaped)
        return both, html, text


def render_letter(fragments: IssueFragments, edition: Edition, links: Links) -> Rendering:
    """One reader's letter as they read it."""
    assembler = LetterAssembler(CompiledIssue(fragments, READABLE))
    letter = assembler.assemble(edition, links_by_place(links))
    return Rendering(letter.subject, "".join(letter.html), "".join(letter.text))


_Columns = tuple[
    Sequence[tuple[Piece, ...]], Sequence[tuple[Piece, ...]], Sequence[bytes], Sequence[int]
]


def _columns(blocks: Sequence[Block[Piece]]) -> _Columns[Piece]:
    """The fields of the blocks, those of the same name together."""
    html, text, digests, words = zip(*blocks, strict=True) if blocks else ((), (), (), ())
    return html, text, digests, words


def _filled(blocks: Iterable[tuple[Piece, ...]], values: dict[Piece, Piece]) -> list[Piece]:
    """The pieces of the blocks with values in place of placeholders."""
    pieces = [*chain.from_iterable(blocks)]
    return [*map(values.get, pieces, pieces)]


def _above(edition: Edition, counts: Mapping[str, int], *, weekly: bool, has_index: bool) -> Above:
    papers, minutes, left_out, *_ = [min(count, 2) for count in counts.values()]
    return Above(weekly, papers, minutes, left_out, has_index, edition.popular)


def _counts(fragments: IssueFragments, edition: Edition, papers: int, words: int) -> dict[str, int]:
    """The numbers that a letter says, by the names of :data:`COUNTS` and in their order."""
    below = sum([section.more for section in edition.sections]) if fragments.html.more_in else 0
    return {
        "papers": papers,
        "minutes": max(1, round(words / WORDS_A_MINUTE)) if papers else 0,
        "left_out": edition.left_out,
        "more": len(edition.more) + len(edition.waiting) - below,
        "unmatched": 0 if papers else edition.left_out,
    }


class InboxLines:
    """What an inbox shows of the letters of one issue."""

    def __init__(self, fragments: IssueFragments) -> None:
        self._fragments = fragments
        self._tries: Cache[tuple[int, ...], list[tuple[str, int]]] = Cache(self._names_to_try)
        self._preheaders: Cache[tuple[int, tuple[int, ...]], str] = Cache(self._preheader)

    def of(self, papers: tuple[int, ...], *, weekly: bool = False) -> tuple[Fragment, str]:
        """The subject and the preheader of a letter with these papers."""
        fragments, total = self._fragments, len(papers)
        if not papers:
            return (fragments.quiet_subject,), fragments.quiet_preheader
        subjects = fragments.weekly_subjects if weekly else ()
        alone, several = (subjects or fragments.subjects)[papers[0]]
        values, named = {COUNTS["more"]: str(total - 1)}, 1
        if fragments.names:
            if _NAMES in several:
                room = SUBJECT_WIDTH - sum(map(len, several[::2]))
                tries = self._tries[papers[:NAMED]]
                values[_NAMES], named = fitting_names(tries, total, room)
            line = self._preheaders[papers[0], papers[named : named + NAMED]]
        else:  # stored by an earlier version: a line on the second paper
            line = fragments.preheaders[papers[total > 1]][total > 1]
        return tuple([values.get(text, text) for text in several]) if total > 1 else alone, line

    def _names_to_try(self, papers: tuple[int, ...]) -> list[tuple[str, int]]:
        return names_to_try([self._fragments.names[paper] for paper in papers])

    def _preheader(self, key: tuple[int, tuple[int, ...]]) -> str:
        first, following = key
        names = [self._fragments.names[paper] for paper in following]
        return preheader(names, self._fragments.preheaders[first][0])
