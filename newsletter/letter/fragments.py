"""The sheet: every piece of an issue's letters, set once and frozen with the issue."""

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from newsletter.issue.editions import HtmlSizes
from newsletter.model import Length, Publication

Fragment = tuple[str, ...]
"""A text with holes: fixed text at even places, at odd ones a hole (see :func:`placeholder`)."""

Forms = tuple[Fragment, Fragment, Fragment]
"""A line that counts, set for none, for one, and for more."""


REASON_BYTES = 240
"""Most bytes of HTML a reason has; a longer one is shortened."""

LINK_BYTES = 160
"""Most bytes of a signed link besides its site or mailbox: a path and a token."""

_PER_SECTION = frozenset({"because", "card_end", "closing"})
"""Blocks of the frame that stand once a card or a section, not once a letter."""


def placeholder(name: str) -> str:
    """What stands where a value goes that is not every reader's; no other text has its like."""
    return f"\ue000{name}\ue001"


_BARE = {0xE000: None, 0xE001: None}
"""Takes from a hole what makes it one."""

_SHORT_HOLES = {
    placeholder("papers"): 6,
    placeholder("minutes"): 6,
    placeholder("left_out"): 6,
    placeholder("more"): 6,
    placeholder("email"): 320,
    placeholder("name"): 320,
    placeholder("preheader"): 560,
}
"""Most bytes of HTML what is filled into a hole has; all others are links."""


@dataclass(frozen=True, slots=True)
class PartFragments:
    """One part of the letter, HTML or text, in pieces.

    Attributes:
        frame: the pieces around the papers, by the name of their block.
        counts: the lines that count something, by the name of their block.
        headings: what begins a section, by the section's name.
        cards: for each length a card for every paper, by its place in the issue.
        rows: a one-line title for every paper.
    """

    frame: Mapping[str, Fragment]
    counts: Mapping[str, Forms]
    headings: Mapping[str, Fragment]
    cards: Mapping[Length, tuple[str, ...]]
    rows: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class IssueFragments:
    """All that an issue's letters are made of, so that each can be made again byte for byte.

    Attributes:
        publication: the newsletter as it was named when the issue was frozen.
        day: the issue's day.
        frozen_at: when it was frozen (UTC): every letter's Date, and when its links are signed.
        signed_by: the fingerprint of the key that signs the links; empty for the newest one.
        html: the pieces of the HTML part.
        text: the pieces of the text part.
        subjects: for every paper the subject of a letter it leads, alone and with more.
        quiet_subject: the subject of a letter without papers.
        preheaders: for every paper the preheader of a letter it leads alone, and of one in which
            it comes second.
        quiet_preheader: the preheader of a letter without papers.
        words: for each length of summary the words every paper's card gives to read.
    """

    publication: Publication
    day: date
    frozen_at: datetime
    signed_by: str
    html: PartFragments
    text: PartFragments
    subjects: tuple[tuple[Fragment, Fragment], ...]
    quiet_subject: str
    preheaders: tuple[tuple[str, str], ...]
    quiet_preheader: str
    words: Mapping[Length, tuple[int, ...]]

    @property
    def sizes(self) -> HtmlSizes:
        """The bytes of HTML an edition is cut by, personal values at their longest."""
        face = self.html
        frame = [piece for name, piece in face.frame.items() if name not in _PER_SECTION]
        lines = [form for forms in face.counts.values() for form in forms[-1:]]
        return HtmlSizes(
            frame=sum(self._most(piece) for piece in (*frame, *lines)),
            heading=max(map(self._most, face.headings.values()))
            + self._most(face.frame["closing"]),
            because=REASON_BYTES
            + self._most(face.frame["card_end"])
            + sum(map(_bytes, face.frame["because"][::2])),
            cards={length: tuple(map(_bytes, cards)) for length, cards in face.cards.items()},
            rows=tuple(map(_bytes, face.rows)),
        )

    def _most(self, piece: Fragment) -> int:
        """The bytes of a piece whose holes are filled with the longest there is."""
        return sum(map(_bytes, piece[::2])) + sum(map(self._filled, piece[1::2]))

    def _filled(self, place: str) -> int:
        home = self.publication.url or self.publication.bounces or self.publication.sender_email
        return _SHORT_HOLES.get(place) or LINK_BYTES + len(home)

    def dump(self) -> bytes:
        """The sheet as it is stored: compressed JSON, in which a hole is its bare name."""
        fields = asdict(self) | {
            "day": self.day.isoformat(),
            "frozen_at": self.frozen_at.isoformat(),
        }
        text = json.dumps(fields, ensure_ascii=False).translate(_BARE)
        return zlib.compress(text.encode(), level=1)

    @classmethod
    def load(cls, stored: bytes) -> "IssueFragments":
        """The sheet that was stored as these bytes."""
        fields: dict[str, Any] = json.loads(zlib.decompress(stored))
        return cls(
            publication=Publication(**fields["publication"]),
            day=date.fromisoformat(fields["day"]),
            frozen_at=datetime.fromisoformat(fields["frozen_at"]),
            signed_by=fields["signed_by"],
            html=_face(fields["html"]),
            text=_face(fields["text"]),
            subjects=tuple((_piece(alone), _piece(more)) for alone, more in fields["subjects"]),
            quiet_subject=fields["quiet_subject"],
            preheaders=tuple((alone, second) for alone, second in fields["preheaders"]),
            quiet_preheader=fields["quiet_preheader"],
            words={summary: tuple(words) for summary, words in fields["words"].items()},
        )


def _bytes(text: str) -> int:
    return len(text.encode())


def _face(fields: Mapping[str, Any]) -> PartFragments:
    return PartFragments(
        frame={name: _piece(stored) for name, stored in fields["frame"].items()},
        counts={name: _forms(forms) for name, forms in fields["counts"].items()},
        headings={name: _piece(stored) for name, stored in fields["headings"].items()},
        cards={summary: tuple(cards) for summary, cards in fields["cards"].items()},
        rows=tuple(fields["rows"]),
    )


def _forms(stored: Sequence[Sequence[str]]) -> Forms:
    none, one, many = map(_piece, stored)
    return none, one, many


def _piece(stored: Sequence[str]) -> Fragment:
    return tuple(placeholder(part) if place % 2 else part for place, part in enumerate(stored))
