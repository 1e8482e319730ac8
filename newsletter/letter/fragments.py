"""The rendered fragments that an issue's letters consist of; they are stored with the issue."""

import json
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from itertools import chain
from typing import Any, TypeVar

from newsletter.issue.editions import HtmlSizes
from newsletter.letter.inbox import Names
from newsletter.model import BY_FILTER, BY_FILTER_BEFORE, Length, Publication

T = TypeVar("T")

Fragment = tuple[str, ...]
"""A rendered text: fixed text at even indexes, a :func:`placeholder` at each odd one."""

Forms = tuple[Fragment, ...]
"""A line that names a count, rendered for none, for one, and for more."""

MAX_REASON_BYTES = 96  # most bytes of HTML in a reason; a longer one is shortened

_MAX_LINK_BYTES = 110  # most bytes of a signed link without its site
_MAX_MAILTO_BYTES = 160  # most bytes of a signed request by email without its mailbox

_PER_SECTION = frozenset({"because", "card_end", "closing"})  # blocks repeated in each section
_QUIET = frozenset({"quiet", "popular", "loosen", "unmatched"})  # of letters without papers
_CORRECTIONS = frozenset({"corrections", "corrections_end"})  # blocks of letters that have some


def placeholder(name: str) -> str:
    """Marks where a value goes that differs between readers.

    It is in private-use characters, which :func:`newsletter.letter.views.printable` removes from
    every text of a source, so that no paper can forge one.
    """
    return f"\ue000{name}\ue001"


_PLACEHOLDER = re.compile(f"({placeholder('[a-z_]+')})")


def split_at_placeholders(text: str) -> Fragment:
    """The fragment that a rendered text with placeholders is."""
    return tuple(_PLACEHOLDER.split(text))


_STORED_PLACEHOLDER = {0xE000: None, 0xE001: None}  # leaves a placeholder's name, as it is stored

_MAX_BYTES = {
    **dict.fromkeys(map(placeholder, ("papers", "minutes", "left_out", "more", "unmatched")), 6),
    **dict.fromkeys(map(placeholder, ("email", "name")), 320),
    placeholder("preheader"): 560,
    placeholder("index"): 480,
}
"""Most bytes of HTML that replace a placeholder; the placeholders not listed are links."""


@dataclass(frozen=True, slots=True)
class PartFragments:
    """The fragments of one part of a letter, HTML or text."""

    frame: Mapping[str, Fragment]  # the blocks around the papers, by name
    counts: Mapping[str, Forms]  # the blocks that name a count, by name
    headings: Mapping[str, Fragment]  # the beginning of each section, by the section's name
    cards: Mapping[Length, tuple[str, ...]]  # of every paper, by its index in the issue
    rows: tuple[str, ...]  # the one-line title of every paper
    corrections: tuple[str, ...] = ()  # of every correction, by its index in the issue
    likes: tuple[Fragment, ...] = ()
    """What each card asks its reader, after its links; earlier versions stored none."""
    more_in: Mapping[str, Fragment] = field(default_factory=dict)
    """A section's number of papers without room, by its name; earlier versions stored none."""
    weekly: Mapping[str, Fragment] = field(default_factory=dict)
    """The blocks around the papers that are others in a weekly letter."""

    def whole_card(self, length: Length, paper: int) -> Fragment:
        """A paper's card of this length, with what it asks its reader."""
        card = self.cards[length][paper]
        like = self.likes[paper] if self.likes else ("",)
        return (f"{card}{like[0]}", *like[1:])

    @property
    def placeholders(self) -> Mapping[str, None]:
        """Every placeholder of the fragments, but for that of a reason, in their order."""
        forms = chain.from_iterable(self.counts.values())
        blocks = (self.frame, self.weekly, self.headings, self.more_in)
        fragments = chain(*(block.values() for block in blocks), forms, self.likes)
        found = dict.fromkeys(text for fragment in fragments for text in fragment[1::2])
        return {text: None for text in found if text != placeholder("because")}


@dataclass(frozen=True, slots=True)
class IssueFragments:
    """Everything an issue's letters consist of, so that each can be rebuilt byte for byte."""

    publication: Publication  # as it was named when the issue was frozen
    day: date
    frozen_at: datetime  # UTC: the Date of every letter and of its links
    signed_by: str  # the fingerprint of the key that signs the links; empty for the newest one
    html: PartFragments
    text: PartFragments
    subjects: tuple[tuple[Fragment, Fragment], ...]  # of a letter a paper leads: alone, with more
    quiet_subject: str  # of a letter without papers
    preheaders: tuple[tuple[str, ...], ...]  # on each paper; earlier versions: alone, and second
    quiet_preheader: str
    words: Mapping[Length, tuple[int, ...]]  # the number of words on every paper's card
    machine_written: tuple[int, ...] = ()  # the papers whose ``brief`` card has the source's words
    names: tuple[Names, ...] = ()  # of every paper, for subjects and preheaders
    weekly_subjects: tuple[tuple[Fragment, Fragment], ...] = ()  # as ``subjects``
    sealed: bool = False
    """Whether one hash signs all links of a letter; earlier versions signed each apart."""

    @property
    def sizes(self) -> HtmlSizes:
        """The bytes of HTML by which an edition is limited."""
        part = self.html
        special = _PER_SECTION | _CORRECTIONS | _QUIET
        frame = [
            max((fragment, part.weekly.get(name, fragment)), key=self._max_bytes)
            for name, fragment in part.frame.items()
            if name not in special
        ]
        counts = [forms[-1] for name, forms in part.counts.items() if name not in special]
        card_end = self._max_bytes(part.frame["card_end"])
        closing = self._max_bytes(part.frame["closing"])
        return HtmlSizes(
            frame=sum(map(self._max_bytes, (*frame, *counts))),
            headings={
                name: self._max_bytes(heading) + closing for name, heading in part.headings.items()
            },
            reason=MAX_REASON_BYTES + sum(map(_bytes, part.frame["because"][::2])),
            cards={
                length: tuple(
                    self._max_bytes(part.whole_card(length, paper)) + card_end
                    for paper in range(len(part.rows))
                )
                for length in part.cards
            },
            rows=tuple(map(_bytes, part.rows)),
            corrections=tuple(map(_bytes, part.corrections)),
            more_in={name: self._max_bytes(part.more_in.get(name, ())) for name in part.headings},
            corrections_frame=sum(
                self._max_bytes(part.frame[name]) for name in _CORRECTIONS & part.frame.keys()
            ),
        )

    def _max_bytes(self, fragment: Fragment) -> int:
        """The bytes of a fragment with the longest possible value at each placeholder."""
        home = self.publication.url or self.publication.requests_to
        link = len(home) + (_MAX_LINK_BYTES if self.publication.url else _MAX_MAILTO_BYTES)
        values = sum(_MAX_BYTES.get(place, link) for place in fragment[1::2])
        return values + sum(map(_bytes, fragment[::2]))

    def dump(self) -> bytes:
        """The fragments as they are stored: compressed JSON with bare names as placeholders."""
        fields = asdict(self) | {
            "day": self.day.isoformat(),
            "frozen_at": self.frozen_at.isoformat(),
        }
        cards = [fields[part]["cards"] for part in ("html", "text")]
        if not self.machine_written:  # then every brief card is as the short one
            for by_length in (*cards, fields["words"]):
                del by_length["brief"]
        fields["lengths"] = [*cards[0]]
        # A paper's forms repeat one another: side by side they take half of the bytes.
        fields["papers"] = _take_by_paper(fields["html"], fields["text"])
        # In parts: as one text it would take several times the memory of the fragments.
        parts, packer = json.JSONEncoder(ensure_ascii=False).iterencode(fields), zlib.compressobj()
        packed = [packer.compress(part.translate(_STORED_PLACEHOLDER).encode()) for part in parts]
        return b"".join((*packed, packer.flush()))

    @classmethod
    def load(cls, stored: bytes) -> "IssueFragments":
        """The fragments that :meth:`dump` made these bytes of."""
        fields: dict[str, Any] = json.loads(zlib.decompress(stored).decode())
        if "papers" in fields:  # earlier versions stored the papers of each form
            _give_by_form(fields, fields["html"], fields["text"])
        return cls(
            publication=Publication(**fields["publication"]),
            day=date.fromisoformat(fields["day"]),
            frozen_at=datetime.fromisoformat(fields["frozen_at"]),
            signed_by=fields["signed_by"],
            html=_load_part(fields["html"]),
            text=_load_part(fields["text"]),
            subjects=_load_subjects(fields["subjects"]),
            quiet_subject=fields["quiet_subject"],
            preheaders=tuple(map(tuple, fields["preheaders"])),
            quiet_preheader=fields["quiet_preheader"],
            words={length: tuple(words) for length, words in _with_brief(fields["words"]).items()},
            machine_written=tuple(fields.get("machine_written", ())),
            weekly_subjects=_load_subjects(fields.get("weekly_subjects", ())),
            sealed=fields.get("sealed", False),
            names=tuple((title, name, short) for title, name, short in fields.get("names", ())),
        )


def _bytes(text: str) -> int:
    return len(text.encode())


def _take_by_paper(*parts: dict[str, Any]) -> list[tuple[str, ...]]:
    """Every form of each paper, taken out of the fields of these parts."""
    forms = [form for part in parts for form in (*part.pop("cards").values(), part.pop("rows"))]
    return list(zip(*forms, strict=True))


def _give_by_form(fields: Mapping[str, Any], *parts: dict[str, Any]) -> None:
    """Undo :func:`_take_by_paper`."""
    lengths = fields["lengths"]
    count = len(parts) * (len(lengths) + 1)
    forms = iter(zip(*fields["papers"], strict=True) if fields["papers"] else [()] * count)
    for part in parts:
        part["cards"] = {length: next(forms) for length in lengths}
        part["rows"] = next(forms)


def _with_brief(by_length: Mapping[Length, Sequence[T]]) -> Mapping[Length, Sequence[T]]:
    """What was stored by length; where ``brief`` is left out, it is as ``short``.

    Texts that are the same for both lengths are one object, and take memory once.
    """
    short = by_length["short"]
    brief = by_length.get("brief", short)
    one = [first if first == second else second for first, second in zip(short, brief, strict=True)]
    return {**by_length, "brief": one}


def _load_part(fields: Mapping[str, Any]) -> PartFragments:
    return PartFragments(
        frame=_load_fragments(fields["frame"]),
        counts={
            name: tuple(map(_load_fragment, forms)) for name, forms in fields["counts"].items()
        },
        headings=_with_present_name(_load_fragments(fields["headings"])),
        cards={length: tuple(cards) for length, cards in _with_brief(fields["cards"]).items()},
        rows=tuple(fields["rows"]),
        corrections=tuple(fields.get("corrections", ())),
        likes=tuple(map(_load_fragment, fields.get("likes", ()))),
        more_in=_with_present_name(_load_fragments(fields.get("more_in", {}))),
        weekly=_load_fragments(fields.get("weekly", {})),
    )


def _with_present_name(by_section: dict[str, Fragment]) -> dict[str, Fragment]:
    """The same, also by the present name of a section: newcomers' editions of an issue have it."""
    if BY_FILTER_BEFORE in by_section:
        by_section[BY_FILTER] = by_section[BY_FILTER_BEFORE]
    return by_section


def _load_subjects(
    stored: Sequence[Sequence[Sequence[str]]],
) -> tuple[tuple[Fragment, Fragment], ...]:
    return tuple((_load_fragment(alone), _load_fragment(more)) for alone, more in stored)


def _load_fragments(stored: Mapping[str, Sequence[str]]) -> dict[str, Fragment]:
    return {name: _load_fragment(fragment) for name, fragment in stored.items()}


def _load_fragment(stored: Sequence[str]) -> Fragment:
    return tuple(placeholder(text) if i % 2 else text for i, text in enumerate(stored))
