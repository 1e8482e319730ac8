"""Set the edition: a reader's letter is a choice of the sheet's pieces, with the holes filled."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, TypeVar

from markupsafe import escape

from newsletter.issue.cutting import opening_length
from newsletter.letter.display import shown
from newsletter.letter.fragments import Fragment, IssueFragments, hole
from newsletter.letter.links import Links
from newsletter.letter.pieces import CompiledIssue, CompiledPart, P
from newsletter.model import Edition, Length, Rendering

T = TypeVar("T")

WORDS_A_MINUTE = 220
"""How fast people read a text of this kind."""

_BETWEEN = "\ue002"
"""Stands between values that are escaped at once; a private character, which none of them has."""


@dataclass(frozen=True, slots=True)
class Personal:
    """What of a letter is one reader's alone.

    ``reader`` is their id, which names the letter; ``links`` are made for this issue.
    """

    reader: int
    email: str
    name: str
    links: Links


@dataclass(frozen=True, slots=True)
class Composed(Generic[P]):
    """A letter in pieces that join; those that readers share are the same objects in each."""

    subject: tuple[str, ...]
    html: list[P]
    text: list[P]


def set_edition(sheet: IssueFragments, edition: Edition, personal: Personal) -> Rendering:
    """Set one reader's letter, as they see it."""
    made = compose(CompiledIssue(sheet, str), edition, personal)
    return Rendering(made.subject, "".join(made.html), "".join(made.text))


def compose(compiled: CompiledIssue[P], edition: Edition, personal: Personal) -> Composed[P]:
    """Put one reader's letter together."""
    sheet, papers = compiled.sheet, edition.papers
    counted = {
        "papers": len(papers),
        "minutes": _minutes(sheet, edition) if papers else 0,
        "left_out": edition.left_out,
        "more": len(edition.more),
    }
    preheader = _preheader(sheet, papers)
    own = _own(personal)
    escaped = _escaped(own)
    in_text = _filled(compiled, own)
    in_html = {**in_text} if escaped is own else _filled(compiled, escaped)
    kept = compiled.kept
    for name, count in counted.items():
        in_text[kept[_HOLES[name]]] = in_html[kept[_HOLES[name]]] = kept[str(count)]
    in_text[kept[_PREHEADER]] = kept[preheader]
    in_html[kept[_PREHEADER]] = kept[_shared_html(preheader)]
    return Composed(
        subject=_subject(sheet, papers),
        html=_pieces(compiled.html, edition, counted, in_html),
        text=_pieces(compiled.text, edition, counted, in_text),
    )


_HOLES = {name: hole(name) for name in ("papers", "minutes", "left_out", "more")}
_PREHEADER = hole("preheader")
_OWN = tuple(
    map(hole, ("email", "name", "preferences", "pause", "weekly", "unsubscribe", "edition"))
)


def _own(personal: Personal) -> tuple[str, ...]:
    """What fills the holes that are this reader's alone."""
    links = personal.links
    return (
        shown(personal.email),
        shown(personal.name),
        links.preferences,
        links.pause,
        links.weekly,
        links.unsubscribe,
        links.edition,
    )


def _escaped(values: tuple[str, ...]) -> tuple[str, ...]:
    """The values as HTML has them, escaped at once; the same object where that changes nothing."""
    together = _BETWEEN.join(values)
    html = str(escape(together))
    return values if html == together else tuple(html.split(_BETWEEN))


def _filled(compiled: CompiledIssue[P], own: tuple[str, ...]) -> dict[P, P]:
    """What stands for the holes that are a reader's own."""
    kept, make = compiled.kept, compiled.make
    return {kept[place]: make(value) for place, value in zip(_OWN, own, strict=True)}


def _pieces(
    part: CompiledPart[P], edition: Edition, counted: Mapping[str, int], values: Mapping[P, P]
) -> list[P]:
    """The pieces in their order, the holes filled; papers and reasons have none."""
    frame, counts = part.frame, part.counts
    before = [*frame["opening"]]
    for name in ("papers", "minutes", "left_out"):
        if counted[name] or name == "papers":
            before += counts[name][min(counted[name], 2)]
    before += frame["dateline_end"]
    if not counted["papers"]:
        before += frame["quiet"]
    before += frame["masthead_end"]
    after = [*counts["more"][min(counted["more"], 2)]] if edition.more else []
    after += frame["ending"]

    def filled(pieces: Sequence[P]) -> Sequence[P]:
        return [value for value in map(values.get, pieces, pieces) if value]

    return [*filled(before), *_sections(part, edition, filled), *filled(after)]


def _sections(
    part: CompiledPart[P], edition: Edition, filled: Callable[[Sequence[P]], Sequence[P]]
) -> list[P]:
    pieces: list[P] = []
    rows, reasons, cards_of = part.rows, part.reasons, _lengths(part.cards, edition)
    closing = filled(part.frame["closing"])
    for section in edition.sections:
        pieces += filled(part.headings[section.name])
        cards = cards_of[section.leads]
        for paper, because in zip(section.cards, section.because, strict=False):
            pieces += (cards[paper], reasons[because])
        pieces += [rows[paper] for paper in section.rows]
        pieces += closing
    return pieces


def _minutes(sheet: IssueFragments, edition: Edition) -> int:
    """Minutes the cards take to read, at least one."""
    words_of, read = _lengths(sheet.words, edition), 0
    for section in edition.sections:
        words = words_of[section.leads]
        read += sum([words[paper] for paper in section.cards])
    return max(1, round(read / WORDS_A_MINUTE))


def _lengths(by_length: Mapping[Length, T], edition: Edition) -> tuple[T, T]:
    """What stands for the summary this reader gets, and for that of papers that open a letter."""
    summary = edition.summary
    return by_length[summary], by_length[opening_length(summary)]


def _subject(sheet: IssueFragments, papers: Sequence[int]) -> Fragment:
    if not papers:
        return (sheet.quiet_subject,)
    alone, several = sheet.subjects[papers[0]]
    more = len(papers) - 1
    values = {_HOLES["more"]: str(more)}
    return tuple(map(values.get, several, several)) if more else alone


def _preheader(sheet: IssueFragments, papers: Sequence[int]) -> str:
    """A line on the second paper, since the subject has the first; on the first if it is alone."""
    if not papers:
        return sheet.quiet_preheader
    return sheet.preheaders[papers[1]][1] if len(papers) > 1 else sheet.preheaders[papers[0]][0]


@lru_cache(maxsize=4096)
def _shared_html(text: str) -> str:
    return str(escape(text))
