"""The rendered fragments that an issue's letters consist of; they are stored with the issue."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Annotated

from pydantic import AfterValidator, TypeAdapter

from newsletter.issue.editions import HtmlSizes
from newsletter.model import Length, Publication

MAX_REASON_BYTES = 240  # most bytes of HTML in a reason; a longer one is shortened

_MAX_LINK_BYTES = 160
"""Most bytes of a signed link, not counting its site or mailbox: a path and a token."""

_PER_SECTION = frozenset({"because", "card_end", "closing"})
"""Blocks of the frame that a letter repeats for each card or section."""


def placeholder(name: str) -> str:
    """Marks where a value goes that differs between readers.

    It is in private-use characters, which :func:`newsletter.letter.views.printable` removes from
    every text of a source, so that no paper can forge one.
    """
    return f"\ue000{name}\ue001"


_STORED_PLACEHOLDER = {0xE000: None, 0xE001: None}  # leaves a placeholder's name, as it is stored


def _restore_placeholders(stored: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(placeholder(text) if i % 2 else text for i, text in enumerate(stored))


Fragment = Annotated[tuple[str, ...], AfterValidator(_restore_placeholders)]
"""A rendered text: fixed text at even indexes, a :func:`placeholder` at each odd one."""

Forms = tuple[Fragment, ...]
"""A line that names a count, rendered for none, for one, and for more."""

_MAX_BYTES = {
    placeholder("papers"): 6,
    placeholder("minutes"): 6,
    placeholder("left_out"): 6,
    placeholder("more"): 6,
    placeholder("email"): 320,
    placeholder("name"): 320,
    placeholder("preheader"): 560,
}
"""Most bytes of HTML that replace a placeholder; the placeholders not listed are links."""


@dataclass(frozen=True, slots=True)
class PartFragments:
    """The fragments of one part of a letter, HTML or text.

    Attributes:
        frame: the blocks around the papers, by name.
        counts: the blocks that name a count, by name.
        headings: the beginning of each section, by the section's name.
        cards: for each length of summary, the card of every paper, by its index in the issue.
        rows: the one-line title of every paper.
    """

    frame: Mapping[str, Fragment]
    counts: Mapping[str, Forms]
    headings: Mapping[str, Fragment]
    cards: Mapping[Length, tuple[str, ...]]
    rows: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class IssueFragments:
    """Everything an issue's letters consist of, so that each can be rebuilt byte for byte.

    Attributes:
        publication: the newsletter as it was named when the issue was frozen.
        day: the issue's day.
        frozen_at: when it was frozen (UTC): the Date of every letter and of its links.
        signed_by: the fingerprint of the key that signs the links; empty for the newest one.
        html: the fragments of the HTML part.
        text: the fragments of the text part.
        subjects: for every paper the subject of a letter it leads, alone and with more.
        quiet_subject: the subject of a letter without papers.
        preheaders: for every paper the preheader of a letter that has it alone, and of one that
            has it second.
        quiet_preheader: the preheader of a letter without papers.
        words: for each length of summary the number of words on every paper's card.
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
        """The bytes of HTML by which an edition is limited."""
        part = self.html
        frame = [fragment for name, fragment in part.frame.items() if name not in _PER_SECTION]
        counts = [forms[-1] for forms in part.counts.values()]
        return HtmlSizes(
            frame=sum(map(self._max_bytes, (*frame, *counts))),
            heading=max(map(self._max_bytes, part.headings.values()))
            + self._max_bytes(part.frame["closing"]),
            reason=MAX_REASON_BYTES
            + self._max_bytes(part.frame["card_end"])
            + sum(map(_bytes, part.frame["because"][::2])),
            cards={length: tuple(map(_bytes, cards)) for length, cards in part.cards.items()},
            rows=tuple(map(_bytes, part.rows)),
        )

    def _max_bytes(self, fragment: Fragment) -> int:
        """The bytes of a fragment with the longest possible value at each placeholder."""
        home = self.publication.url or self.publication.bounces or self.publication.sender_email
        link = _MAX_LINK_BYTES + len(home)
        values = sum(_MAX_BYTES.get(place, link) for place in fragment[1::2])
        return values + sum(map(_bytes, fragment[::2]))

    def dump(self) -> bytes:
        """The fragments as they are stored: compressed JSON with bare names as placeholders."""
        text = _codec().dump_json(self).decode().translate(_STORED_PLACEHOLDER)
        return zlib.compress(text.encode(), level=1)

    @classmethod
    def load(cls, stored: bytes) -> "IssueFragments":
        """The fragments that :meth:`dump` made these bytes of."""
        return _codec().validate_json(zlib.decompress(stored))


@cache
def _codec() -> TypeAdapter[IssueFragments]:
    return TypeAdapter(IssueFragments)


def _bytes(text: str) -> int:
    return len(text.encode())
