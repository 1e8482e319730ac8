"""Assemble one reader's letter: pick the issue's pieces and fill the placeholders.

What readers share is encoded once, when a letter first needs it. A letter then takes pieces by
their index; only the values of its own reader are encoded for it alone.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Generic, TypeVar

from markupsafe import escape

from newsletter.issue.composing import quotes_own_rule, written_reason
from newsletter.issue.editions import lead_length
from newsletter.letter.fragments import (
    MAX_REASON_BYTES,
    Fragment,
    IssueFragments,
    PartFragments,
    placeholder,
)
from newsletter.letter.inbox import (
    NAMED,
    SUBJECT_WIDTH,
    name_papers,
    preheader,
    quiet_preheader,
    topic_counts,
    topic_index,
)
from newsletter.letter.links import Links
from newsletter.letter.views import printable, wrap
from newsletter.model import Edition, Length, Recipient, Rendering
from newsletter.text import shorten

T = TypeVar("T")
K = TypeVar("K")
Piece = TypeVar("Piece")
"""Encoded text: ``str`` for letters to be read, ``WireLines`` for letters to be sent."""

WORDS_A_MINUTE = 220  # how fast people read a text of this kind

REASON_INDENT = " " * 3  # puts a reason's second line in the text part below its first one

_MAX_CACHED = 1_024  # values in a cache before it starts over; most readers share their reasons

_SEPARATOR = "\ue002"  # joins values that are escaped together; none of them contains it

_COUNTS = {
    name: placeholder(name) for name in ("papers", "minutes", "left_out", "more", "unmatched")
}
_PREHEADER, _NAMES, _INDEX = map(placeholder, ("preheader", "names", "index"))
_PERSONAL = tuple(
    map(placeholder, ("email", "name", "preferences", "pause", "weekly", "unsubscribe", "edition"))
)


class _Cache(dict[K, T]):
    """Makes each value when it is first asked for; a plain ``dict`` lookup afterwards."""

    def __init__(self, make: Callable[[K], T]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, key: K) -> T:
        if len(self) >= _MAX_CACHED:
            self.clear()
        self[key] = value = self._make(key)
        return value


@dataclass(frozen=True, slots=True)
class CompiledPart(Generic[Piece]):
    """The :class:`PartFragments` of one part, encoded.

    ``weekly`` is the ``frame`` of weekly letters. ``card_ends`` has, for the text of a reason,
    everything that follows the card it belongs to; ``lead_ends`` the same for the papers that open
    a letter. ``more_in`` has the end of a section, by its name and the number of its papers without
    room.
    """

    frame: Mapping[str, tuple[Piece, ...]]
    weekly: Mapping[str, tuple[Piece, ...]]
    counts: Mapping[str, tuple[tuple[Piece, ...], ...]]
    headings: Mapping[str, tuple[Piece, ...]]
    cards: Mapping[Length, tuple[tuple[Piece, ...], ...]]
    rows: tuple[Piece, ...]
    corrections: tuple[Piece, ...]
    card_ends: Mapping[str, Piece]
    lead_ends: Mapping[str, Piece]
    more_in: Mapping[tuple[str, int], tuple[Piece, ...]]


class CompiledIssue(Generic[Piece]):
    """An issue's fragments, encoded for assembling letters; ``encode`` makes a piece of a text."""

    def __init__(self, fragments: IssueFragments, encode: Callable[[str], Piece]) -> None:
        self.fragments, self.encode = fragments, encode
        self.machine_written = frozenset(fragments.machine_written)
        self.pieces = _Cache(encode)
        self.inbox = _Cache(partial(inbox_lines, fragments))
        self.indexes = _Cache(_indexes)
        self.html = self._compile(fragments.html, _html_reason)
        self.text = self._compile(fragments.text, _text_reason)

    def _compile(
        self, part: PartFragments, show_reason: Callable[[str], str]
    ) -> CompiledPart[Piece]:
        encode = self.encode

        def compiled(fragment: Fragment) -> tuple[Piece, ...]:
            return tuple(self.pieces[text] for text in fragment if text)

        before, *_, after = part.frame["because"]
        end = "".join(part.frame["card_end"])

        def card_end(reason: str, *, leads: bool) -> Piece:
            shown = show_reason(shown_reason(reason, leads=leads))
            return encode(f"{before}{shown}{after}{end}" if shown else end)

        frame = {name: compiled(fragment) for name, fragment in part.frame.items()}
        weekly = {name: compiled(fragment) for name, fragment in part.weekly.items()}
        return CompiledPart(
            frame=frame,
            weekly=frame | weekly,
            counts={name: tuple(map(compiled, forms)) for name, forms in part.counts.items()},
            headings={name: compiled(fragment) for name, fragment in part.headings.items()},
            # A length that no reader chose is never encoded.
            cards=_Cache(lambda length: tuple(map(compiled, part.whole_cards(length)))),
            rows=tuple(map(encode, part.rows)),
            corrections=tuple(map(encode, part.corrections)),
            lead_ends=_Cache(partial(card_end, leads=True)),
            card_ends=_Cache(partial(card_end, leads=False)),
            more_in=_Cache(lambda section: compiled(_with_count(part.more_in, *section))),
        )


def _with_count(more_in: Mapping[str, Fragment], name: str, count: int) -> Fragment:
    return tuple(str(count) if text == _COUNTS["more"] else text for text in more_in.get(name, ()))


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


@dataclass(frozen=True, slots=True)
class AssembledLetter(Generic[Piece]):
    """A letter as pieces to be joined; pieces that readers share are the same objects in each."""

    subject: tuple[str, ...]
    html: list[Piece]
    text: list[Piece]


def render_letter(fragments: IssueFragments, edition: Edition, links: Links) -> Rendering:
    """One reader's letter as they read it."""
    letter = assemble_letter(CompiledIssue(fragments, str), edition, links)
    return Rendering(letter.subject, "".join(letter.html), "".join(letter.text))


def assemble_letter(
    compiled: CompiledIssue[Piece], edition: Edition, links: Links
) -> AssembledLetter[Piece]:
    """One reader's letter, in the issue's pieces; ``links`` are the reader's own."""
    fragments, papers = compiled.fragments, edition.papers
    weekly = edition.to.is_weekly(fragments.day, fragments.publication.cadence)
    counts = {
        "papers": len(papers),
        "minutes": _minutes(fragments, edition) if papers else 0,
        "left_out": edition.left_out,
        "more": len(edition.more) + len(edition.waiting) - _placed(fragments, edition),
        "unmatched": 0 if papers else edition.left_out,
    }
    by_machine = edition.summary == "brief" and any(
        not section.leads and not compiled.machine_written.isdisjoint(section.cards)
        for section in edition.sections
    )
    subject, preheader = compiled.inbox[papers[: 2 * NAMED], len(papers), weekly]
    if edition.popular and fragments.names:
        preheader = quiet_preheader(fragments.names[edition.popular[0]], edition.left_out)
    index, html_index = compiled.indexes[(*topic_counts(edition, fragments.html.headings), weekly)]
    personal = _personal(edition.to, links)
    escaped = _escape_all(personal)
    text_values = _encode_personal(compiled, personal)
    html_values = {**text_values} if escaped is personal else _encode_personal(compiled, escaped)
    pieces = compiled.pieces
    for name, count in counts.items():
        place = pieces[_COUNTS[name]]
        text_values[place] = html_values[place] = pieces[str(count)]
    for name, plain, html in (
        (_PREHEADER, preheader, _escape(preheader)),
        (_INDEX, index, html_index),
    ):
        text_values[pieces[name]] = piece = compiled.encode(plain)
        html_values[pieces[name]] = piece if html == plain else compiled.encode(html)
    shown = {name for name, is_shown in (("index", index), ("machine", by_machine)) if is_shown}
    return AssembledLetter(
        subject=subject,
        html=_assemble_part(compiled.html, edition, counts, html_values, shown, weekly=weekly),
        text=_assemble_part(compiled.text, edition, counts, text_values, shown, weekly=weekly),
    )


def _personal(to: Recipient, links: Links) -> tuple[str, ...]:
    """The values for the placeholders :data:`_PERSONAL`."""
    return (
        printable(to.email),
        printable(to.name),
        links.preferences,
        links.pause,
        links.weekly,
        links.unsubscribe,
        links.edition,
    )


def _escape_all(values: tuple[str, ...]) -> tuple[str, ...]:
    """The values escaped for HTML, in one call; the same object if nothing needs escaping."""
    joined = _SEPARATOR.join(values)
    html = str(escape(joined))
    return values if html == joined else tuple(html.split(_SEPARATOR))


def _encode_personal(compiled: CompiledIssue[Piece], values: tuple[str, ...]) -> dict[Piece, Piece]:
    pieces, encode = compiled.pieces, compiled.encode
    return {pieces[place]: encode(value) for place, value in zip(_PERSONAL, values, strict=True)}


def _assemble_part(
    part: CompiledPart[Piece],
    edition: Edition,
    counts: Mapping[str, int],
    values: Mapping[Piece, Piece],
    shown: Collection[str],
    *,
    weekly: bool,
) -> list[Piece]:
    """The pieces in their order; rows and reasons have no placeholders to fill.

    ``shown`` are those of the blocks ``index`` and ``machine`` (the foot says that a machine wrote
    sentences of the letter) that it has. Blocks that an earlier version did not store are left out.
    """
    frame = part.weekly if weekly else part.frame
    before = [*frame["opening"]]
    for name in ("papers", "minutes", "left_out"):
        if counts["papers"] and counts[name]:
            before += part.counts[name][min(counts[name], 2)]
    before += frame["dateline_end"]
    if "index" in shown:
        before += frame.get("index", ())
    if not counts["papers"]:
        before += _quiet(part, frame, edition)
    before += frame["masthead_end"]
    after = [*part.counts["more"][min(counts["more"], 2)]] if counts["more"] else []
    if edition.corrections:
        after += frame["corrections"]
        after += [part.corrections[index] for index in edition.corrections]
        after += frame["corrections_end"]
    after += frame["ending"]
    if "machine" in shown:
        after += frame.get("machine", ())
    after += frame.get("foot", ())  # in letters of earlier versions it was the end of the ending

    def filled(pieces: Sequence[Piece]) -> Sequence[Piece]:
        return [value for value in map(values.get, pieces, pieces) if value]

    return [*filled(before), *_sections(part, edition, filled), *filled(after)]


def _quiet(
    part: CompiledPart[Piece], frame: Mapping[str, tuple[Piece, ...]], edition: Edition
) -> Sequence[Piece]:
    """What stands in place of papers: that there are none, or that none matched."""
    if not edition.left_out or "unmatched" not in part.counts:
        return frame["quiet"]
    popular = [part.rows[paper] for paper in edition.popular]
    return (
        *part.counts["unmatched"][min(edition.left_out, 2)],
        *(frame["popular"] if popular else ()),
        *popular,
        *frame["loosen"],
    )


def _indexes(
    key: tuple[tuple[tuple[str, int], ...], tuple[str, ...], bool],
) -> tuple[str, str]:
    """The index of topics with these counts, as text and as HTML."""
    counts, without, weekly = key
    when = "this week" if weekly else "today"
    names = {printable(name): count for name, count in counts}
    line = topic_index(names, list(map(printable, without)), when)
    return wrap(line), _escape(line)


def _sections(
    part: CompiledPart[Piece],
    edition: Edition,
    filled: Callable[[Sequence[Piece]], Sequence[Piece]],
) -> list[Piece]:
    pieces: list[Piece] = []
    rows, cards_by_lead = part.rows, _by_lead(part.cards, edition)
    closing = filled(part.frame["closing"])
    for section in edition.sections:
        above = [*part.headings[section.name]]
        cards = cards_by_lead[section.leads]
        ends = part.lead_ends if section.leads else part.card_ends
        for paper, reason in zip(section.cards, section.because, strict=False):
            above += cards[paper]
            above.append(ends[reason])
        pieces += filled(above)
        pieces += [rows[paper] for paper in section.rows]
        if section.more:
            pieces += filled(part.more_in[section.name, section.more])
        pieces += closing
    return pieces


def _placed(fragments: IssueFragments, edition: Edition) -> int:
    """How many of the papers without room are counted at the end of their section."""
    return sum([section.more for section in edition.sections]) if fragments.html.more_in else 0


def _minutes(fragments: IssueFragments, edition: Edition) -> int:
    """Minutes it takes to read the cards and titles, at least one."""
    words_by_lead, titles = _by_lead(fragments.words, edition), fragments.words["titles"]
    total = 0
    for section in edition.sections:
        total += sum(map(words_by_lead[section.leads].__getitem__, section.cards))
        total += sum(map(titles.__getitem__, section.rows))
    return max(1, round(total / WORDS_A_MINUTE))


def _by_lead(by_length: Mapping[Length, T], edition: Edition) -> tuple[T, T]:
    """The values for this reader's length of summary: of ordinary sections, of the lead one."""
    summary = edition.summary
    return by_length[summary], by_length[lead_length(summary)]


def inbox_lines(
    fragments: IssueFragments, key: tuple[Sequence[int], int, bool]
) -> tuple[Fragment, str]:
    """The subject and the preheader of a letter.

    Its first papers, how many it has, and whether it is a weekly one decide.
    """
    papers, total, weekly = key
    if not papers:
        return (fragments.quiet_subject,), fragments.quiet_preheader
    subjects = fragments.weekly_subjects if weekly else fragments.subjects
    alone, several = (subjects or fragments.subjects)[papers[0]]
    values, named = {_COUNTS["more"]: str(total - 1)}, 1
    if fragments.names:
        names = [fragments.names[paper] for paper in papers]
        if _NAMES in several:
            room = SUBJECT_WIDTH - sum(map(len, several[::2]))
            values[_NAMES], named = name_papers(names[:NAMED], total, room)
        line = preheader(names[named:], fragments.preheaders[papers[0]][0])
    else:  # stored by an earlier version: a line on the second paper
        line = fragments.preheaders[papers[total > 1]][total > 1]
    return tuple(map(values.get, several, several)) if total > 1 else alone, line


@lru_cache(maxsize=4096)
def _escape(text: str) -> str:
    return str(escape(text))
