"""Editions as a few bytes each: a wave names every section and reason once, editions refer to them.

A paper is named by its place in the wave's issue. Lists of places are stored as the steps between
them, and small numbers as characters of UTF-8: most take one byte. A paper has the same reason for
almost every reader in whose letter it stands under the same heading, so an edition names only the
reasons that differ.
"""

import json
import zlib
from collections.abc import Iterable, Sequence
from itertools import accumulate, chain, filterfalse, repeat
from operator import mod, sub
from typing import Any, NamedTuple, cast

from newsletter.issue.composing import quotes_own_rule, split_added
from newsletter.model import Edition, Recipient, Section

_HEAD = 4
"""Numbers that describe a section: its name; twice the papers it has no room for, plus one if it
leads; its cards; its rows. Earlier versions stored no papers without room."""


_DECODER = json.JSONDecoder()

_CHOSEN = frozenset({"name", "summary", "cadence", "day"})
"""The settings of a reader that their letter depends on, besides address and topics."""

OwnReason = str | list[Any]
"""A reason that quotes a rule of the reader's own; or the place of one, and what to add to it: how
a paper writes what the rule looks for, or the evidence that a wish means the paper."""


_ONE_BYTE = 128  # numbers below take one byte of UTF-8, with the number's value


class StoredEdition(NamedTuple):
    """An edition's columns; ``settings`` has its reader's, as JSON. A tuple, because rows are slow.

    ``body`` is None once the details were removed.
    """

    reader: int
    body: bytes | None
    own: str | None
    again: bytes | None
    left_out: int
    settings: str | None


def pack_numbers(numbers: Iterable[int]) -> bytes:
    """Numbers up to a million: one byte for those below 128, two for those below 2048."""
    known = list(numbers)
    if max(known, default=0) < _ONE_BYTE:
        return bytes(known)
    return "".join(map(chr, known)).encode("utf-8", "surrogatepass")


def unpack_numbers(packed: bytes) -> list[int]:
    """The numbers that :func:`pack_numbers` packed."""
    return list(map(ord, packed.decode("utf-8", "surrogatepass")))


def pack_places(places: Iterable[int]) -> bytes:
    """Places of papers, sorted, as the steps between them."""
    return pack_numbers(_steps(sorted(set(places)), 1))


def unpack_places(packed: bytes | None) -> list[int]:
    """The places that :func:`pack_places` packed; of a damaged list, those that can be read."""
    if not packed:
        return []
    return list(
        accumulate(packed if packed.isascii() else map(ord, packed.decode("utf-8", "ignore")))
    )


def waiting_places(body: bytes | None, papers: int) -> list[int]:
    """The places, in a wave of so many papers, of those that an edition had no room for.

    Of one that is damaged or whose details were removed, none.
    """
    numbers = list(map(ord, (body or b"").decode("utf-8", "ignore")))
    at = 1 + _HEAD * numbers[0] if numbers else 0
    if len(numbers) < at + 3 or not (waiting := numbers[at + 1]):
        return []
    before = sum(numbers[3:at:_HEAD]) + sum(numbers[4:at:_HEAD]) + numbers[at]
    first = at + 3 + numbers[at + 2]
    steps = numbers[first : first + before + waiting]
    return [step % papers for step in accumulate(steps)][before:] if papers else []


def count_places(packed: bytes) -> int:
    """How many places :func:`pack_places` packed."""
    return len(packed.decode("utf-8", "ignore"))


def _steps(places: Sequence[int], papers: int) -> list[int]:
    """The step to each place from the one before; one that goes back goes on through the end."""
    before = chain((0,), places)
    steps = list(map(sub, places, before))
    return [step % papers for step in steps] if min(steps, default=0) < 0 else steps


class WaveWords:
    """What the editions of a wave have in common: its words, and the usual reason for a paper.

    Attributes:
        papers: how many the wave has.
        words: names of sections, and reasons.
        usual: by a section's name and a paper's place, the reason that editions have there. Names
            and reasons are indexes into ``words``.
    """

    def __init__(self, papers: int, stored: bytes | None = None) -> None:
        self.papers = max(papers, 1)
        known: dict[str, Any] = json.loads(zlib.decompress(stored)) if stored else {}
        self.words: list[str] = known.get("words", [])
        self.usual: dict[int, dict[int, int]] = {
            int(name): dict(zip(*pairs, strict=True))
            for name, pairs in known.get("usual", {}).items()
        }
        self._index = {word: index for index, word in enumerate(self.words)}
        self._known = {name: self._find_reasons(name) for name in self.usual}

    def dump(self) -> bytes:
        """The words as they are stored."""
        usual = {name: [[*pairs], [*pairs.values()]] for name, pairs in self.usual.items()}
        text = json.dumps({"words": self.words, "usual": usual}, separators=(",", ":"))
        return zlib.compress(text.encode())

    def pack(self, edition: Edition) -> tuple[bytes, str | None]:
        """An edition's body, and the reasons that quote its reader's own rules, as JSON."""
        heads, places, others, own = list[int](), list[int](), list[int](), list[OwnReason]()
        reasons = dict[str, int]()  # a rule is the reason for many papers
        for section in edition.sections:
            name = self._word(section.name)
            kind = 2 * section.more + section.leads
            heads += (name, kind, len(section.cards), len(section.rows))
            others += self._unusual(name, section, len(places), own, reasons)
            places += section.papers
        places += (*edition.more, *edition.waiting)
        ends = (len(edition.more), len(edition.waiting), len(edition.corrections))
        # Papers that no edition has are in no section, and so have no reason.
        tail = others if edition.sections else edition.popular
        parts = (edition.corrections, _steps(places, self.papers), tail)
        body = pack_numbers(chain((len(edition.sections),), heads, ends, *parts))
        text = json.dumps(own, ensure_ascii=False, separators=(",", ":")) if own else None
        return body, text

    def _unusual(
        self, name: int, section: Section, first: int, own: list[OwnReason], found: dict[str, int]
    ) -> list[int]:
        """Each paper with another reason than usual, counted from ``first``, and its reason.

        ``found`` has the numbers of the edition's reasons so far.
        """
        known = self._known.setdefault(name, {})
        papers, because = section.papers, section.because
        usual = tuple(map(known.get, papers))
        if usual == because:
            return []
        unusual = list[int]()
        for at, place in enumerate(papers):
            said = because[at]
            if usual[at] == said:
                continue
            reason = found.get(said)
            if reason is None:
                reason = found[said] = self._reason(said, own)
            if usual[at] is None and not reason % 2:  # own rules are nobody else's reason
                self.usual.setdefault(name, {})[place] = reason // 2
                known[place] = said
            else:
                unusual += (first + at, reason)
        return unusual

    def unpack(self, row: StoredEdition) -> Edition:
        """The edition in a row.

        Raises:
            LookupError: it has words that were added since these were read, or it is damaged.
        """
        assert row.body is not None
        numbers = unpack_numbers(row.body)
        at = 1 + _HEAD * numbers[0]
        heads, (more, waiting, corrections) = numbers[1:at], numbers[at : at + 3]
        at += 3 + corrections
        total = sum(heads[2::_HEAD]) + sum(heads[3::_HEAD])
        end = at + total + more + waiting
        places = tuple(map(mod, accumulate(numbers[at:end]), repeat(self.papers)))
        tail = numbers[end:]
        named, again = places[total + more :], unpack_places(row.again)
        return Edition(
            to=recipient(row.reader, row.settings),
            sections=self._sections(heads, places, tail, row.own) if heads else (),
            more=places[total : total + more],
            short=tuple(filterfalse(set(named).__contains__, again)) if named else tuple(again),
            waiting=named,
            left_out=row.left_out - waiting,
            corrections=tuple(numbers[at - corrections : at]),
            popular=() if heads else tuple(tail),
        )

    def _sections(
        self, heads: Sequence[int], places: tuple[int, ...], others: Sequence[int], own: str | None
    ) -> tuple[Section, ...]:
        """The sections with these heads; ``others`` has unusual reasons after their index."""
        described = list(zip(*[iter(heads)] * _HEAD, strict=True))
        because, start, sections = list[str | None](), 0, []
        for name, _, cards, rows in described:
            end = start + cards + rows
            because += map(self._known.get(name, {}).get, places[start:end])
            start = end
        words = (self.words, _read_own(own))
        for at, reason in zip(others[::2], others[1::2], strict=True):
            because[at] = words[reason % 2][reason // 2]
        if None in because:
            raise LookupError("a paper has no reason")
        reasons, start = cast("tuple[str, ...]", tuple(because)), 0
        for name, kind, cards, rows in described:
            rest, end = start + cards, start + cards + rows
            parts = (places[start:rest], places[rest:end], reasons[start:end])
            sections.append(Section(self.words[name], *parts, kind % 2 == 1, kind // 2))
            start = end
        return tuple(sections)

    def _find_reasons(self, name: int) -> dict[int, str]:
        """The usual reason of each paper under a heading."""
        return {place: self.words[reason] for place, reason in self.usual[name].items()}

    def _word(self, word: str) -> int:
        index = self._index.setdefault(word, len(self.words))
        if index == len(self.words):
            self.words.append(word)
        return index

    def _reason(self, reason: str, own: list[OwnReason]) -> int:
        """Twice the index of a word; one more for those in ``own``, to which it may be added."""
        if not quotes_own_rule(reason):
            return 2 * self._word(reason)
        quoted, added = split_added(reason)
        entry = _add(quoted, own)
        return 2 * (_add([entry, added], own) if added else entry) + 1


def _add(entry: OwnReason, own: list[OwnReason]) -> int:
    """The index of an entry of the list, to which it is added if it is not there."""
    if entry not in own:
        own.append(entry)
    return own.index(entry)


def _parse(text: str) -> Any:  # noqa: ANN401 - JSON
    """JSON as we wrote it, without white space around it, which ``json.loads`` looks for."""
    return _DECODER.raw_decode(text)[0]


def _read_own(stored: str | None) -> Sequence[str]:
    """The reasons in an edition's column of them."""
    if stored is None:
        return ()
    own = _parse(stored)
    return [each if isinstance(each, str) else own[each[0]] + each[1] for each in own]


def recipient(reader: int, settings: str | None) -> Recipient:
    """The recipient of a letter, from the reader's stored settings."""
    plain = _parse(settings or "{}")
    topics = tuple(plain.get("filter", {}).get("topics", ()))
    known = {name: plain[name] for name in _CHOSEN & plain.keys()}
    return Recipient(reader, plain["email"], topics=topics, **known)
