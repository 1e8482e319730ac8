"""The forme: a sheet's pieces as a letter is put together from them, as text or as sent bytes.

Everything readers share becomes a piece once, when a letter first needs it; a letter then takes
pieces by their place, and looks none of them up by what it says.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from markupsafe import escape

from newsletter.letter.display import shown, wrap
from newsletter.letter.fragments import REASON_BYTES, Fragment, IssueFragments, PartFragments
from newsletter.model import Length
from newsletter.text import shorten

P = TypeVar("P")
"""What a piece is: a text, or the lines it is sent as."""

Make = Callable[[str], P]
"""Makes a piece of a text."""

_MOST_KEPT = 1_024
"""Values kept as pieces; readers who want the same get papers for the same reasons."""

REASON_INDENT = " " * 15
"""Under what the template puts before a reason in the text part, its other lines stand."""


class Kept(dict[str, P], Generic[P]):
    """Pieces made of texts, each when it is first asked for."""

    def __init__(self, make: Make[P]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, text: str) -> P:
        """Make it, and keep it for the next letter."""
        if len(self) >= _MOST_KEPT:
            self.clear()
        self[text] = piece = self._make(text)
        return piece


class _Cards(dict[Length, tuple[P, ...]], Generic[P]):
    """The cards by length; a length nobody chose is not made."""

    def __init__(self, cards: Mapping[Length, Sequence[str]], make: Make[P]) -> None:
        super().__init__()
        self._texts, self._make = cards, make

    def __missing__(self, length: Length) -> tuple[P, ...]:
        """Make every paper's card of this length."""
        self[length] = cards = tuple(map(self._make, self._texts[length]))
        return cards


@dataclass(frozen=True, slots=True)
class CompiledPart(Generic[P]):
    """One part of the letter, HTML or text, in pieces.

    Attributes:
        frame: the pieces around the papers, by the name of their block.
        counts: the lines that count something, for none, one and more.
        headings: what begins a section, by the section's name.
        cards: for each length a card for every paper, by its place in the issue.
        rows: a one-line title for every paper.
        reasons: for a reason's words, what follows the card it is the reason of.
    """

    frame: Mapping[str, tuple[P, ...]]
    counts: Mapping[str, tuple[tuple[P, ...], ...]]
    headings: Mapping[str, tuple[P, ...]]
    cards: Mapping[Length, tuple[P, ...]]
    rows: tuple[P, ...]
    reasons: Mapping[str, P]


class CompiledIssue(Generic[P]):
    """A sheet made ready to put letters together from.

    Args:
        sheet: the issue's.
        make: makes a piece of a text that is shared, and of one reader's own.
    """

    def __init__(self, sheet: IssueFragments, make: Make[P]) -> None:
        self.sheet, self.make = sheet, make
        self.kept = Kept(make)
        self.html = _part(sheet.html, self.kept, make, _bounded)
        self.text = _part(sheet.text, self.kept, make, _wrapped)


def _part(
    face: PartFragments, kept: Kept[P], make: Make[P], said: Callable[[str], str]
) -> CompiledPart[P]:
    def made(piece: Fragment) -> tuple[P, ...]:
        return tuple(kept[text] for text in piece if text)

    before, *_, after = face.frame["because"]
    after += "".join(face.frame["card_end"])
    return CompiledPart(
        frame={name: made(piece) for name, piece in face.frame.items()},
        counts={name: tuple(map(made, forms)) for name, forms in face.counts.items()},
        headings={name: made(piece) for name, piece in face.headings.items()},
        cards=_Cards(face.cards, make),
        rows=tuple(map(make, face.rows)),
        reasons=Kept(lambda because: make(f"{before}{said(because)}{after}")),
    )


def _wrapped(because: str) -> str:
    """A reason as the text part has it."""
    return wrap(shown(because), REASON_INDENT)


def _bounded(because: str) -> str:
    """A reason as HTML, shortened to the bytes the cut reckons with."""
    text = shorten(shown(because), REASON_BYTES)
    while len(str(escape(text)).encode()) > REASON_BYTES:
        text = shorten(text, len(text) - 8)
    return str(escape(text))
