"""The forme: a sheet's pieces as a letter is put together from them, as text or as sent bytes.

Everything readers share becomes a piece once, when a letter first needs it; a letter then takes
pieces by their place, and looks none of them up by what it says.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, TypeVar

from markupsafe import escape

from newsletter.issue.editions import lead_length
from newsletter.letter.fragments import (
    REASON_BYTES,
    Fragment,
    IssueFragments,
    PartFragments,
    placeholder,
)
from newsletter.letter.links import Links
from newsletter.letter.views import printable, wrap
from newsletter.model import Edition, Length, Rendering
from newsletter.text import shorten

Piece = TypeVar("Piece")
"""What a piece is: a text, or the lines it is sent as."""

Encode = Callable[[str], Piece]
"""Makes a piece of a text."""

_MOST_KEPT = 1_024
"""Values kept as pieces; readers who want the same get papers for the same reasons."""

REASON_INDENT = " " * 15
"""Under what the template puts before a reason in the text part, its other lines stand."""


class PieceCache(dict[str, Piece], Generic[Piece]):
    """Pieces made of texts, each when it is first asked for."""

    def __init__(self, make: Encode[Piece]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, text: str) -> Piece:
        """Make it, and keep it for the next letter."""
        if len(self) >= _MOST_KEPT:
            self.clear()
        self[text] = piece = self._make(text)
        return piece


class _Cards(dict[Length, tuple[Piece, ...]], Generic[Piece]):
    """The cards by length; a length nobody chose is not made."""

    def __init__(self, cards: Mapping[Length, Sequence[str]], make: Encode[Piece]) -> None:
        super().__init__()
        self._texts, self._make = cards, make

    def __missing__(self, length: Length) -> tuple[Piece, ...]:
        """Make every paper's card of this length."""
        self[length] = cards = tuple(map(self._make, self._texts[length]))
        return cards


@dataclass(frozen=True, slots=True)
class CompiledPart(Generic[Piece]):
    """One part of the letter, HTML or text, in pieces.

    Attributes:
        frame: the pieces around the papers, by the name of their block.
        counts: the lines that count something, for none, one and more.
        headings: what begins a section, by the section's name.
        cards: for each length a card for every paper, by its place in the issue.
        rows: a one-line title for every paper.
        reasons: for a reason's words, what follows the card it is the reason of.
    """

    frame: Mapping[str, tuple[Piece, ...]]
    counts: Mapping[str, tuple[tuple[Piece, ...], ...]]
    headings: Mapping[str, tuple[Piece, ...]]
    cards: Mapping[Length, tuple[Piece, ...]]
    rows: tuple[Piece, ...]
    reasons: Mapping[str, Piece]


class CompiledIssue(Generic[Piece]):
    """A sheet made ready to put letters together from.

    Args:
        sheet: the issue's.
        make: makes a piece of a text that is shared, and of one reader's own.
    """

    def __init__(self, sheet: IssueFragments, make: Encode[Piece]) -> None:
        self.sheet, self.make = sheet, make
        self.kept = PieceCache(make)
        self.html = _part(sheet.html, self.kept, make, _bounded)
        self.text = _part(sheet.text, self.kept, make, _wrapped)


def _part(
    face: PartFragments, kept: PieceCache[Piece], make: Encode[Piece], said: Callable[[str], str]
) -> CompiledPart[Piece]:
    def made(piece: Fragment) -> tuple[Piece, ...]:
        return tuple(kept[text] for text in piece if text)

    before, *_, after = face.frame["because"]
    after += "".join(face.frame["card_end"])
    return CompiledPart(
        frame={name: made(piece) for name, piece in face.frame.items()},
        counts={name: tuple(map(made, forms)) for name, forms in face.counts.items()},
        headings={name: made(piece) for name, piece in face.headings.items()},
        cards=_Cards(face.cards, make),
        rows=tuple(map(make, face.rows)),
        reasons=PieceCache(lambda because: make(f"{before}{said(because)}{after}")),
    )


def _wrapped(because: str) -> str:
    """A reason as the text part has it."""
    return wrap(printable(because), REASON_INDENT)


def _bounded(because: str) -> str:
    """A reason as HTML, shortened to the bytes the cut reckons with."""
    text = shorten(printable(because), REASON_BYTES)
    while len(str(escape(text)).encode()) > REASON_BYTES:
        text = shorten(text, len(text) - 8)
    return str(escape(text))


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
class AssembledLetter(Generic[Piece]):
    """A letter in pieces that join; those that readers share are the same objects in each."""

    subject: tuple[str, ...]
    html: list[Piece]
    text: list[Piece]


def render_letter(sheet: IssueFragments, edition: Edition, personal: Personal) -> Rendering:
    """Set one reader's letter, as they see it."""
    made = assemble_letter(CompiledIssue(sheet, str), edition, personal)
    return Rendering(made.subject, "".join(made.html), "".join(made.text))


def assemble_letter(
    compiled: CompiledIssue[Piece], edition: Edition, personal: Personal
) -> AssembledLetter[Piece]:
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
    return AssembledLetter(
        subject=_subject(sheet, papers),
        html=_pieces(compiled.html, edition, counted, in_html),
        text=_pieces(compiled.text, edition, counted, in_text),
    )


_HOLES = {name: placeholder(name) for name in ("papers", "minutes", "left_out", "more")}
_PREHEADER = placeholder("preheader")
_OWN = tuple(
    map(placeholder, ("email", "name", "preferences", "pause", "weekly", "unsubscribe", "edition"))
)


def _own(personal: Personal) -> tuple[str, ...]:
    """What fills the holes that are this reader's alone."""
    links = personal.links
    return (
        printable(personal.email),
        printable(personal.name),
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


def _filled(compiled: CompiledIssue[Piece], own: tuple[str, ...]) -> dict[Piece, Piece]:
    """What stands for the holes that are a reader's own."""
    kept, make = compiled.kept, compiled.make
    return {kept[place]: make(value) for place, value in zip(_OWN, own, strict=True)}


def _pieces(
    part: CompiledPart[Piece],
    edition: Edition,
    counted: Mapping[str, int],
    values: Mapping[Piece, Piece],
) -> list[Piece]:
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

    def filled(pieces: Sequence[Piece]) -> Sequence[Piece]:
        return [value for value in map(values.get, pieces, pieces) if value]

    return [*filled(before), *_sections(part, edition, filled), *filled(after)]


def _sections(
    part: CompiledPart[Piece],
    edition: Edition,
    filled: Callable[[Sequence[Piece]], Sequence[Piece]],
) -> list[Piece]:
    pieces: list[Piece] = []
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
    return by_length[summary], by_length[lead_length(summary)]


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
