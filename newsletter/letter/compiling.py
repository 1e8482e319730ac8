"""An issue's fragments as blocks, encoded once for all its letters.

A block is a card with its reason, a heading, or what stands above or below all papers, in HTML and
in text. Between its pieces a letter puts its own values.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from typing import Generic, NamedTuple, TypeVar

from markupsafe import escape
from typing_extensions import override

from newsletter.issue.composing import quotes_own_rule, written_reason
from newsletter.issue.editions import lead_length
from newsletter.letter.fragments import (
    MAX_REASON_BYTES,
    Fragment,
    IssueFragments,
    PartFragments,
    placeholder,
    split_at_placeholders,
)
from newsletter.letter.inbox import BETWEEN, index_width
from newsletter.letter.links import Links
from newsletter.letter.rendering import ISSUE_LINKS
from newsletter.letter.views import TEXT_WIDTH, printable, wrap
from newsletter.model import Edition, Length
from newsletter.text import shorten

T = TypeVar("T")
K = TypeVar("K")
Piece = TypeVar("Piece")
"""Encoded text: ``str`` for letters to be read, ``WireLines`` for letters to be sent."""

REASON_INDENT = " " * 3  # puts a reason's second line in the text part below its first one

TOKENS = (
    placeholder("unsubscribe_token"),
    placeholder("preferences_token"),
    placeholder("edition_token"),
)
"""The placeholders for the tokens of :data:`newsletter.letter.links.SEALED`."""

COUNTS = {
    name: placeholder(name) for name in ("papers", "minutes", "left_out", "more", "unmatched")
}
"""The placeholders for the numbers that a letter says."""

_MAX_REASONS = 1_024  # reasons whose cards are kept; most readers share theirs


class Cache(dict[K, T]):
    """Makes each value when it is first asked for; a plain ``dict`` lookup afterwards.

    It starts over when it has ``most`` values.
    """

    def __init__(self, make: Callable[[K], T], most: int = 4_096) -> None:
        super().__init__()
        self._make, self._most = make, most

    def __missing__(self, key: K) -> T:
        """Make the value."""
        if len(self) >= self._most:
            self.clear()
        self[key] = value = self._make(key)
        return value


class Block(NamedTuple, Generic[Piece]):
    """Neighbouring fragments, encoded: pieces of fixed text, and those that mark placeholders.

    ``digest`` tells them from all others; ``words`` is how many of them count as reading time.
    """

    html: tuple[Piece, ...]
    text: tuple[Piece, ...]
    digest: bytes
    words: int = 0


Cards = Cache[int, tuple[Block[Piece], ...]]
"""The blocks of papers' cards that have the same reason, by paper."""


@dataclass(frozen=True, slots=True)
class Encoding(Generic[Piece]):
    """How a text becomes a piece, and how pieces are joined with one between each two."""

    encode: Callable[[str], Piece]
    join: Callable[[Piece, list[Piece]], Piece]


READABLE: Encoding[str] = Encoding(str, str.join)


class CompiledPart(Generic[Piece]):
    """Encodes the :class:`PartFragments` of one part; ``shown`` escapes text for it.

    ``links`` has texts with placeholders for tokens in place of the placeholders for links. Without
    it each fragment is encoded apart, as earlier versions did.
    """

    def __init__(
        self,
        part: PartFragments,
        encoding: Encoding[Piece],
        shown: Callable[[str], str],
        links: Links | None,
    ) -> None:
        self.fragments, self._encoding, self._shown = part, encoding, shown
        encode = encoding.encode
        self.by_token = links is not None
        self._links = links_by_place(links, shown) if links else {}
        texts = "".join(self._links.get(text, text) for text in part.placeholders)
        self.places = {text: encode(text) for text in split_at_placeholders(texts)[1::2]}
        self._pieces: Cache[str, Piece] = Cache(encode)
        self.lines: Cache[str, Piece] = Cache(lambda text: encode(shown(text)))
        self._spaced: Cache[str, Piece] = Cache(lambda text: encode(_spaced(text)))

    def pieces(self, fragments: Iterable[Fragment]) -> tuple[Piece, ...]:
        """These fragments, one after the other."""
        texts = [self._links.get(text, text) for fragment in fragments for text in fragment]
        if self.by_token:
            texts = [*split_at_placeholders("".join(texts))]
        return tuple([self._pieces[text] for text in texts if text])

    def index(self, entries: Sequence[str]) -> Piece:
        """The index with these entries, each of which many letters share."""
        if self.by_token:
            return self._join(self.lines, entries)
        return self._encoding.encode(self._shown(BETWEEN.join(entries)))

    def _join(self, pieces: Mapping[str, Piece], entries: Sequence[str]) -> Piece:
        return self._encoding.join(pieces[BETWEEN], [pieces[entry] for entry in entries])


class CompiledText(CompiledPart[Piece]):
    """The text part, whose lines end by a column."""

    @override
    def index(self, entries: Sequence[str]) -> Piece:
        if self.by_token and index_width(entries) <= TEXT_WIDTH:
            return self._join(self._spaced, entries)
        return self._encoding.encode(wrap(BETWEEN.join(entries)))


class Above(NamedTuple):
    """What decides the block above the papers; of counts: none, one, or more (2)."""

    weekly: bool
    papers: int
    minutes: int
    left_out: int
    has_index: bool
    popular: tuple[int, ...]


class Below(NamedTuple):
    """What decides the block below the papers: as in :class:`Above`.

    ``by_machine``: a machine wrote sentences of the letter, and the foot says so.
    """

    weekly: bool
    has_sections: bool
    more: int
    corrections: tuple[int, ...]
    by_machine: bool


class CompiledIssue(Generic[Piece]):
    """An issue's fragments as blocks, each encoded when a letter first needs it.

    With ``links``, which have the placeholders :data:`TOKENS`, letters differ in tokens alone.
    """

    def __init__(
        self,
        fragments: IssueFragments,
        encoding: Encoding[Piece],
        links: Links | None = None,
    ) -> None:
        self.fragments = fragments
        self.encode = encode = encoding.encode
        self.machine_written = frozenset(fragments.machine_written)
        self.html: CompiledPart[Piece] = CompiledPart(fragments.html, encoding, escape_html, links)
        self.text: CompiledPart[Piece] = CompiledText(fragments.text, encoding, str, links)
        self.places = {**self.html.places, **self.text.places}
        self.counts = [
            (self.places[place], name) for name, place in COUNTS.items() if place in self.places
        ]
        self.numbers: Cache[int, Piece] = Cache(lambda number: encode(str(number)))
        self.order = {name: place for place, name in enumerate(fragments.html.headings)}
        self.above: Cache[Above, Block[Piece]] = Cache(self._above)
        self.below: Cache[Below, Block[Piece]] = Cache(self._below)
        self._headings: Cache[tuple[str, bool], Block[Piece]] = Cache(self._heading)
        self._more_in: Cache[tuple[str, int], Block[Piece]] = Cache(self._block_of_more)
        self._rows: Cache[int, Block[Piece]] = Cache(self._row)
        self.cards: Cache[tuple[Length, bool], Cache[str, Cards[Piece]]]
        self.cards = Cache(self._cards_of)

    def sections(self, edition: Edition) -> list[Block[Piece]]:
        """The blocks of an edition's papers, under their headings."""
        blocks: list[Block[Piece]] = []
        lead = self.cards[lead_length(edition.summary), True]
        other = self.cards[edition.summary, False]
        for section in edition.sections:
            blocks.append(self._headings[section.name, bool(blocks)])
            cards = lead if section.leads else other
            blocks += [
                block
                for paper, reason in zip(section.cards, section.because, strict=False)
                for block in cards[reason][paper]
            ]
            blocks += map(self._rows.__getitem__, section.rows)
            if section.more:
                blocks.append(self._more_in[section.name, section.more])
        return blocks

    def _block(
        self, chosen: Callable[[PartFragments], Iterable[Fragment]], words: int = 0
    ) -> Block[Piece]:
        pieces = [part.pieces(chosen(part.fragments)) for part in (self.html, self.text)]
        digest = blake2b(repr(pieces).encode(), digest_size=8).digest()
        return Block(pieces[0], pieces[1], digest, words)

    def _heading(self, key: tuple[str, bool]) -> Block[Piece]:
        """The heading of a section, which ends the one before it if there is one."""
        name, follows = key
        return self._block(
            lambda part: [part.frame["closing"] if follows else (), part.headings[name]]
        )

    def _block_of_more(self, key: tuple[str, int]) -> Block[Piece]:
        name, count = key

        def more_in(part: PartFragments) -> list[Fragment]:
            texts = part.more_in.get(name, ())
            return [tuple(str(count) if text == COUNTS["more"] else text for text in texts)]

        return self._block(more_in)

    def _row(self, paper: int) -> Block[Piece]:
        words = self.fragments.words["titles"][paper]
        return self._block(lambda part: [(part.rows[paper],)], words)

    def _cards_of(self, key: tuple[Length, bool]) -> Cache[str, Cards[Piece]]:
        """The cards of sections that have this length, and lead or not: by reason and paper.

        A reason that quotes a rule is hardly ever another reader's: it is a block of its own, so
        that the card is not encoded again for it.
        """
        length, leads = key
        plain: Cache[int, Block[Piece]] = Cache(partial(self._card, length, None))

        def shared(shown: str) -> Cards[Piece]:
            return Cache(lambda paper: (self._card(length, shown, paper),))

        def own(shown: str) -> Cards[Piece]:
            end = self._block(lambda part: [self._card_end(shown, part)])
            return Cache(lambda paper: (plain[paper], end))

        by_shown: Cache[str, Cards[Piece]] = Cache(shared, _MAX_REASONS)

        def cards(reason: str) -> Cards[Piece]:
            shown = shown_reason(reason, leads=leads)
            return own(shown) if quotes_own_rule(reason) else by_shown[shown]

        return Cache(cards, _MAX_REASONS)

    def _card(self, length: Length, reason: str | None, paper: int) -> Block[Piece]:
        """A card and its end with the reason for its paper; None: without an end."""

        def card(part: PartFragments) -> Iterator[Fragment]:
            yield part.whole_card(length, paper)
            if reason is not None:
                yield self._card_end(reason, part)

        return self._block(card, self.fragments.words[length][paper])

    def _card_end(self, reason: str, part: PartFragments) -> Fragment:
        """The end of a card, with the reason for its paper, which may be empty."""
        shown = (_html_reason if part is self.fragments.html else _text_reason)(reason)
        before, *_, after = part.frame["because"]
        because = f"{before}{shown}{after}" if shown else ""
        return (because + "".join(part.frame["card_end"]),)

    def _above(self, key: Above) -> Block[Piece]:
        """What stands above the papers."""

        def above(part: PartFragments) -> Iterator[Fragment]:
            frame = {**part.frame, **part.weekly} if key.weekly else part.frame
            yield frame["opening"]
            if key.papers:
                for name in ("papers", "minutes", "left_out"):
                    if form := getattr(key, name):
                        yield part.counts[name][form]
            yield frame["dateline_end"]
            if key.has_index:
                yield frame.get("index", ())  # earlier versions stored no block of this name
            if not key.papers:
                yield from _quiet(part, frame, key)
            yield frame["masthead_end"]

        return self._block(above)

    def _below(self, key: Below) -> Block[Piece]:
        """What stands below the papers."""

        def below(part: PartFragments) -> Iterator[Fragment]:
            frame = {**part.frame, **part.weekly} if key.weekly else part.frame
            if key.has_sections:
                yield part.frame["closing"]
            if key.more:
                yield part.counts["more"][key.more]
            if key.corrections:
                yield frame["corrections"]
                yield from ((part.corrections[index],) for index in key.corrections)
                yield frame["corrections_end"]
            yield frame["ending"]
            if key.by_machine:
                yield frame.get("machine", ())
            yield frame.get("foot", ())  # in letters of earlier versions it was in the ending

        return self._block(below)


def _quiet(part: PartFragments, frame: Mapping[str, Fragment], key: Above) -> Iterator[Fragment]:
    """What stands in place of papers: that there are none, or that none matched."""
    if not key.left_out or "unmatched" not in part.counts:
        yield frame["quiet"]
        return
    yield part.counts["unmatched"][key.left_out]
    if key.popular:
        yield frame["popular"]
        yield from ((part.rows[paper],) for paper in key.popular)
    yield frame["loosen"]


def shown_reason(reason: str, *, leads: bool) -> str:
    """What a card shows of the reason for its paper; may be empty.

    The papers that open the letter are of any topic and show theirs. Any other stands under the
    heading of its topic, and shows no more than a rule of the reader's own.
    """
    return written_reason(reason) if leads or quotes_own_rule(reason) else ""


def _text_reason(reason: str) -> str:
    return wrap(printable(reason), REASON_INDENT)


def _html_reason(reason: str) -> str:
    """A reason escaped, within the bytes that an edition's limits count for it."""
    text = shorten(printable(reason), MAX_REASON_BYTES)
    while len(str(escape(text)).encode()) > MAX_REASON_BYTES:
        text = shorten(text, len(text) - 8)
    return str(escape(text))


def _spaced(entry: str) -> str:
    """An entry of an index as :func:`wrap` writes it: any blank is a space."""
    return " · " if entry == BETWEEN else " ".join(entry.split())


def links_by_place(links: Links, shown: Callable[[str], str] = str) -> dict[str, str]:
    """The links that templates use, by their placeholders."""
    return {placeholder(name): shown(getattr(links, name)) for name in ISSUE_LINKS}


def escape_html(text: str) -> str:
    """The text as it is written in HTML."""
    return str(escape(text))
