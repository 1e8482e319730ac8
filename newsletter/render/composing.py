"""Set the edition: a reader's letter is a choice of the sheet's pieces, with the holes filled."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

from markupsafe import escape

from newsletter.edition import opening_length
from newsletter.model import Edition, Length, Rendering
from newsletter.render.display import shown, wrap
from newsletter.render.sheet import REASON_BYTES, Face, Piece, Sheet
from newsletter.text import shorten
from newsletter.tokens import Links

T = TypeVar("T")

WORDS_A_MINUTE = 220
"""How fast people read a text of this kind."""

_CARDS = 8_192
"""Cards kept with the reasons they were set with; readers who want the same get the same."""

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
    numbers = {name: str(count) for name, count in counted.items()}
    preheader = _preheader(sheet, papers)
    own = _own(personal)
    plain = {**own, **numbers, "preheader": preheader}
    at_once = str(escape(_BETWEEN.join(own.values()))).split(_BETWEEN)
    escaped = dict(zip(own, at_once, strict=True))
    safe = {**escaped, **numbers, "preheader": _shared_html(preheader)}
    return Rendering(
        subject=_subject(sheet, papers),
        html=tuple(_pieces(sheet.html, edition, counted, safe, _html_card)),
        text=tuple(_pieces(sheet.text, edition, counted, plain, _text_card)),
    )


def _own(personal: Personal) -> dict[str, str]:
    """What fills the holes that are this reader's alone."""
    links = personal.links
    return {
        "email": shown(personal.email),
        "name": shown(personal.name),
        "preferences": links.preferences,
        "pause": links.pause,
        "weekly": links.weekly,
        "unsubscribe": links.unsubscribe,
        "edition": links.edition,
    }


Reasoned = Callable[[str, Piece, str], str]
"""Sets a card's reason behind it, between the two halves of its frame."""


def _pieces(
    face: Face,
    edition: Edition,
    counted: Mapping[str, int],
    values: Mapping[str, str],
    reasoned: Reasoned,
) -> list[str]:
    frame = face.frame
    pieces = _filled(frame["opening"], values)
    for name in ("papers", "minutes", "left_out"):
        if counted[name] or name == "papers":
            pieces += _filled(face.counts[name][min(counted[name], 2)], values)
    pieces += frame["dateline_end"]
    if not counted["papers"]:
        pieces += frame["quiet"]
    pieces += frame["masthead_end"]
    pieces += _sections(face, edition, values, reasoned)
    if edition.more:
        pieces += _filled(face.counts["more"][min(counted["more"], 2)], values)
    pieces += _filled(frame["ending"], values)
    return [piece for piece in pieces if piece]


def _sections(
    face: Face, edition: Edition, values: Mapping[str, str], reasoned: Reasoned
) -> list[str]:
    rows, cards_of = face.rows, _lengths(face.cards, edition)
    because = _reason_frame(face)
    closing = face.frame["closing"]
    pieces: list[str] = []
    for section in edition.sections:
        pieces += _filled(face.headings[section.name], values)
        cards = cards_of[section.leads]
        pieces += [reasoned(cards[p.paper], because, p.because) for p in section.cards]
        pieces += [rows[placed.paper] for placed in section.rows]
        pieces += closing
    return pieces


def _filled(piece: Piece, values: Mapping[str, str]) -> list[str]:
    """A piece with its holes filled; fixed text and values stay apart, to be encoded apart."""
    if len(piece) == 1:
        return [*piece]
    return [values[part] if place % 2 else part for place, part in enumerate(piece)]


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
    return tuple(_filled(several, {"more": str(more)})) if more else alone


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


@lru_cache(maxsize=_CARDS)
def _html_card(card: str, frame: Piece, because: str) -> str:
    before, after = frame
    return f"{card}{before}{_bounded(because)}{after}"


@lru_cache(maxsize=_CARDS)
def _text_card(card: str, frame: Piece, because: str) -> str:
    before, after = frame
    return f"{card}{before}{wrap(shown(because), REASON_INDENT)}{after}"


def _bounded(because: str) -> str:
    """A reason as HTML, shortened to the bytes the cut reckons with."""
    text = shorten(shown(because), REASON_BYTES)
    while len(str(escape(text)).encode()) > REASON_BYTES:
        text = shorten(text, len(text) - 8)
    return str(escape(text))
