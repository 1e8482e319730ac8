"""Set the edition: a reader's letter is a choice of the sheet's pieces, with the holes filled."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from markupsafe import escape

from newsletter.edition import opening_length
from newsletter.model import Edition, Length, Part, Rendering
from newsletter.render.display import shown, wrap
from newsletter.render.sheet import REASON_BYTES, Face, Piece, Sheet, hole
from newsletter.text import shorten
from newsletter.tokens import Links

T = TypeVar("T")

WORDS_A_MINUTE = 220
"""How fast people read a text of this kind."""

_REASONS = 4_096
"""Reasons kept as they were set; readers who want the same get papers for the same."""

_BETWEEN = "\ue002"
"""Stands between values that are escaped at once; a private character, which none of them has."""

REASON_INDENT = " " * 15
"""Under what the template puts before a reason in the text part, its other lines stand."""


@dataclass(frozen=True, slots=True)
class Personal:
    """What of a letter is one reader's alone.

    ``reader`` is their id, which names the letter; ``links`` are made for this issue.
    """

    reader: int
    email: str
    name: str
    links: Links


def set_edition(sheet: Sheet, edition: Edition, personal: Personal) -> Rendering:
    """Set one reader's letter.

    Pieces that readers share are the sheet's own strings; personal ones stand alone.
    """
    papers = edition.papers
    counted = {
        "papers": len(papers),
        "minutes": _minutes(sheet, edition) if papers else 0,
        "left_out": edition.left_out,
        "more": len(edition.more),
    }
    numbers = {_HOLES[name]: str(count) for name, count in counted.items()}
    preheader = _preheader(sheet, papers)
    own = _own(personal)
    html = {**numbers, _PREHEADER: _shared_html(preheader)}
    text = {**numbers, _PREHEADER: preheader}
    return Rendering(
        subject=_subject(sheet, papers),
        html=Part(_pieces(sheet.html, edition, counted, html, _html_reason), _escaped(own)),
        text=Part(_pieces(sheet.text, edition, counted, text, _text_reason), own),
    )


_HOLES = {name: hole(name) for name in ("papers", "minutes", "left_out", "more")}
_PREHEADER = hole("preheader")
_OWN = tuple(
    map(hole, ("email", "name", "preferences", "pause", "weekly", "unsubscribe", "edition"))
)


def _own(personal: Personal) -> dict[str, str]:
    """What fills the holes that are this reader's alone."""
    links = personal.links
    values = (
        shown(personal.email),
        shown(personal.name),
        links.preferences,
        links.pause,
        links.weekly,
        links.unsubscribe,
        links.edition,
    )
    return dict(zip(_OWN, values, strict=True))


def _escaped(values: dict[str, str]) -> dict[str, str]:
    """The values as HTML has them, escaped at once; the same object where that changes nothing."""
    together = _BETWEEN.join(values.values())
    html = str(escape(together))
    return values if html == together else dict(zip(values, html.split(_BETWEEN), strict=True))


Reasoned = Callable[[Piece, str], str]
"""Sets a card's reason, between the two halves of its frame."""


def _pieces(
    face: Face,
    edition: Edition,
    counted: Mapping[str, int],
    values: Mapping[str, str],
    reasoned: Reasoned,
) -> tuple[str, ...]:
    """The pieces in their order, of which only the reader's own holes are left open."""
    frame = face.frame
    pieces = [*frame["opening"]]
    for name in ("papers", "minutes", "left_out"):
        if counted[name] or name == "papers":
            pieces += face.counts[name][min(counted[name], 2)]
    pieces += frame["dateline_end"]
    if not counted["papers"]:
        pieces += frame["quiet"]
    pieces += frame["masthead_end"]
    _add_sections(pieces, face, edition, reasoned)
    if edition.more:
        pieces += face.counts["more"][min(counted["more"], 2)]
    pieces += frame["ending"]
    return tuple(filter(None, map(values.get, pieces, pieces)))


def _add_sections(pieces: list[str], face: Face, edition: Edition, reasoned: Reasoned) -> None:
    rows, cards_of = face.rows, _lengths(face.cards, edition)
    because = _reason_frame(face)
    closing = face.frame["closing"]
    for section in edition.sections:
        pieces += face.headings[section.name]
        cards = cards_of[section.leads]
        for placed in section.cards:
            pieces += (cards[placed.paper], reasoned(because, placed.because))
        pieces += [rows[placed.paper] for placed in section.rows]
        pieces += closing


def _minutes(sheet: Sheet, edition: Edition) -> int:
    """Minutes the cards take to read, at least one."""
    words_of, read = _lengths(sheet.words, edition), 0
    for section in edition.sections:
        words = words_of[section.leads]
        read += sum([words[placed.paper] for placed in section.cards])
    return max(1, round(read / WORDS_A_MINUTE))


def _lengths(by_length: Mapping[Length, T], edition: Edition) -> tuple[T, T]:
    """What stands for the summary this reader gets, and for that of papers that open a letter."""
    summary = edition.summary
    return by_length[summary], by_length[opening_length(summary)]


def _subject(sheet: Sheet, papers: Sequence[int]) -> Piece:
    if not papers:
        return (sheet.quiet_subject,)
    alone, several = sheet.subjects[papers[0]]
    more = len(papers) - 1
    values = {_HOLES["more"]: str(more)}
    return tuple(map(values.get, several, several)) if more else alone


def _preheader(sheet: Sheet, papers: Sequence[int]) -> str:
    """A line on the second paper, since the subject has the first; on the first if it is alone."""
    if not papers:
        return sheet.quiet_preheader
    return sheet.preheaders[papers[1]][1] if len(papers) > 1 else sheet.preheaders[papers[0]][0]


@lru_cache(maxsize=4096)
def _shared_html(text: str) -> str:
    return str(escape(text))


def _reason_frame(face: Face) -> Piece:
    """What stands around a reason, down to the end of its card."""
    before, *_, after = face.frame["because"]
    return before, after + "".join(face.frame["card_end"])


@lru_cache(maxsize=_REASONS)
def _html_reason(frame: Piece, because: str) -> str:
    before, after = frame
    return f"{before}{_bounded(because)}{after}"


@lru_cache(maxsize=_REASONS)
def _text_reason(frame: Piece, because: str) -> str:
    before, after = frame
    return f"{before}{wrap(shown(because), REASON_INDENT)}{after}"


def _bounded(because: str) -> str:
    """A reason as HTML, shortened to the bytes the cut reckons with."""
    text = shorten(shown(because), REASON_BYTES)
    while len(str(escape(text)).encode()) > REASON_BYTES:
        text = shorten(text, len(text) - 8)
    return str(escape(text))
