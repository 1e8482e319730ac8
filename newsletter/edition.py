"""One reader's own edition of an issue, and for every paper the one reason it is in or out.

Both are read off the same bitmasks (:func:`_judge`), so what :func:`explain` says is what
:func:`cut` did.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache

from newsletter.filters import mask
from newsletter.model import (
    BY_FILTER,
    EVERY_PAPER,
    OTHER,
    Edition,
    Filter,
    Issue,
    Matching,
    Placed,
    Rule,
    Section,
    Standing,
    Summary,
    Verdict,
)
from newsletter.topics import bits

REACH = timedelta(days=14)
"""How far back an issue reaches for papers that are still owed."""

MAX_HTML = 102_400
"""Bytes of HTML that Gmail shows before it clips a message."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes of HTML of the pieces a letter is made of.

    ``frame`` is all that surrounds the sections, ``heading`` the most a section adds, ``because``
    the most a reason adds; ``cards`` has, for a summary length, each paper's card.
    """

    frame: int
    heading: int
    because: int
    cards: Mapping[Summary, tuple[int, ...]]
    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Budget:
    """What a letter may hold: bytes by the pieces' sizes, and cards by the newsletter's cap."""

    sizes: Sizes
    max_items: int
    max_html: int = MAX_HTML


class Table:
    """An issue's masks that do not depend on the reader, worked out once.

    ``fresh`` are the papers numbered after an ingest number, ``outdated`` those first seen too
    long ago, ``muted`` those from before their source was known, ``broken`` those quarantined.
    """

    def __init__(self, issue: Issue, matching: Matching) -> None:
        self.issue, self.matching = issue, matching
        self.everything = (1 << len(issue.papers)) - 1
        self.muted = self._where(lambda place: issue.papers[place].muted)
        oldest = issue.frozen_at - REACH
        self.outdated = self._where(lambda place: issue.papers[place].first_seen < oldest)
        quarantined = dict(issue.quarantined)
        self.broken = self._where(lambda place: issue.papers[place].key in quarantined)
        self.places = {paper.number: place for place, paper in enumerate(issue.papers)}
        self.groups = {paper.group: place for place, paper in enumerate(issue.papers)}
        self.fresh = lru_cache(maxsize=1024)(self._fresh)
        self.popular = lru_cache(maxsize=1024)(self._popular)
        self.matches = lru_cache(maxsize=65536)(self._matches)

    def _where(self, holds: Callable[[int], bool]) -> int:
        return sum(1 << place for place in range(len(self.issue.papers)) if holds(place))

    def _fresh(self, decided: int) -> int:
        return self._where(lambda place: self.issue.papers[place].number > decided)

    def _popular(self, least: int) -> int:
        """Papers with so many upvotes, and those that carry none."""
        upvotes = self.matching.upvotes
        return self._where(lambda place: _at_least(upvotes[place], least))

    def _matches(self, rule: Rule) -> int:
        return mask(rule.expression, self.matching.terms, self.everything)


@dataclass(frozen=True, slots=True)
class _Judgement:
    """Masks that say, for one reader, what becomes of each paper; ``chosen`` are in."""

    chosen: int
    short: int
    owed: int
    sent: int
    wanted: int
    excluded: int


def cut(table: Table, standing: Standing, budget: Budget) -> Edition:
    """One reader's edition: what they are owed and want, in their order, within the budget."""
    judged = _judge(table, standing)
    wants = standing.reader.subscriber.filter
    sections = _sections(table, wants, judged.chosen)
    summary = standing.reader.subscriber.summary
    cap = budget.max_items if wants.max_items is None else wants.max_items
    cards, rows = _fit(judged.chosen, len(sections), summary, cap, budget)
    return Edition(
        standing=standing,
        sections=tuple(
            _section(table, wants, name, papers & cards, papers & rows)
            for name, papers in sections
            if papers & (cards | rows)
        ),
        more=tuple(bits(judged.chosen & ~cards & ~rows)),
        short=tuple(bits(judged.short)),
        left_out=(judged.owed & ~judged.chosen & ~judged.sent).bit_count(),
    )


def explain(table: Table, standing: Standing) -> Iterator[Verdict]:
    """For every paper of the issue, in its order, the one reason it is in or out."""
    judged = _judge(table, standing)
    wants = standing.reader.subscriber.filter
    for place, paper in enumerate(table.issue.papers):
        included = bool(judged.chosen >> place & 1)
        yield Verdict(
            reader=standing.reader.subscriber.email,
            paper=paper.key,
            title=paper.item.title,
            included=included,
            reason=_because(table, wants, place)
            if included
            else _why_not(table, standing, judged, place),
        )


def _judge(table: Table, standing: Standing) -> _Judgement:
    reader = standing.reader
    wants = reader.subscriber.filter
    again = _mask_of(table.places, standing.again)
    owed = (table.fresh(reader.decided) | again) & ~table.muted & ~table.outdated
    sent = _mask_of(table.groups, standing.sent)
    wanted = _wanted(table, wants)
    excluded = 0
    for rule in wants.exclude:
        excluded |= table.matches(rule)
    candidates = owed & ~sent & wanted & ~excluded & ~table.broken
    popular = table.popular(wants.min_upvotes) if wants.min_upvotes else table.everything
    return _Judgement(
        chosen=candidates & popular,
        short=candidates & ~popular,
        owed=owed,
        sent=sent,
        wanted=wanted,
        excluded=excluded,
    )


def _wanted(table: Table, wants: Filter) -> int:
    """Papers in a topic the reader follows, or matching an include."""
    if wants.everything:
        return table.everything
    found = 0
    for name in wants.topics:
        found |= table.matching.topics.get(name, 0)
    for rule in wants.include:
        found |= table.matches(rule)
    return found


def _mask_of(places: Mapping[int, int], names: frozenset[int]) -> int:
    return sum(1 << places[name] for name in names if name in places)


def _at_least(upvotes: int | None, least: int) -> bool:
    return upvotes is None or upvotes >= least


def _sections(table: Table, wants: Filter, chosen: int) -> list[tuple[str, int]]:
    """The chosen papers by heading, in the reader's order of topics, each paper once."""
    names = _followed(table, wants)
    matching, rest = table.matching, chosen
    found = dict.fromkeys(names, 0)
    for by in (matching.best, matching.topics):
        for name in names:
            taken = rest & by.get(name, 0)
            found[name] |= taken
            rest &= ~taken
    found[OTHER if wants.everything else BY_FILTER] = rest
    return [(name, papers) for name, papers in found.items() if papers]


def _followed(table: Table, wants: Filter) -> Sequence[str]:
    if wants.everything:
        return [topic.name for topic in table.issue.topics]
    return wants.topics


def _fit(chosen: int, sections: int, summary: Summary, cap: int, budget: Budget) -> tuple[int, int]:
    """Which of the chosen become cards and which rows: the best first, while they fit."""
    sizes = budget.sizes
    room = budget.max_html - sizes.frame - sections * sizes.heading
    cards = rows = count = 0
    limit = 0 if summary == "titles" else cap
    for place in bits(chosen):
        card = sizes.cards[summary][place] + sizes.because if count < limit else room + 1
        row = sizes.rows[place]
        if card <= room:
            cards |= 1 << place
            room -= card
            count += 1
        elif row <= room:
            limit = count  # after the first row no card: the order says how good a paper is
            rows |= 1 << place
            room -= row
        else:
            break
    return cards, rows


def _section(table: Table, wants: Filter, name: str, cards: int, rows: int) -> Section:
    return Section(
        name=name,
        cards=tuple(_placed(table, wants, name, place) for place in bits(cards)),
        rows=tuple(_placed(table, wants, name, place) for place in bits(rows)),
    )


def _placed(table: Table, wants: Filter, name: str, place: int) -> Placed:
    words = table.matching.because.get((name, place))
    because = _because(table, wants, place) if words is None else _topical(name, words)
    return Placed(place, because)


def _because(table: Table, wants: Filter, place: int) -> str:
    """The rule that brought a paper: its best followed topic, else the reader's own rule."""
    if wants.everything:
        return EVERY_PAPER
    for by in (table.matching.best, table.matching.topics):
        for name in wants.topics:
            if by.get(name, 0) >> place & 1:
                return _topical(name, table.matching.because[name, place])
    return _by_rule("include", wants.include, table, place)


def _topical(name: str, words: str) -> str:
    return f"topic {name}: “{words}”"


def _by_rule(kind: str, rules: Sequence[Rule], table: Table, place: int) -> str:
    rule = next(rule for rule in rules if table.matches(rule) >> place & 1)
    return f"{kind} “{rule.text}”"


def _why_not(table: Table, standing: Standing, judged: _Judgement, place: int) -> str:
    """The first of the reasons that keep a paper out, in the order in which they are decided."""
    paper = table.issue.papers[place]
    wants = standing.reader.subscriber.filter
    reasons: tuple[tuple[int, Callable[[], str]], ...] = (
        (table.muted, lambda: "listed before its source was followed"),
        (judged.sent, lambda: "already sent"),
        (table.outdated, lambda: f"first seen more than {REACH.days} days ago"),
        (~judged.owed, lambda: "decided in an earlier issue"),
        (table.broken, lambda: f"quarantined: {dict(table.issue.quarantined)[paper.key]}"),
        (~judged.wanted, lambda: "in no topic followed, and no include matches"),
        (judged.excluded, lambda: _by_rule("exclude", wants.exclude, table, place)),
        (judged.short, lambda: f"has {paper.item.upvotes} upvotes, fewer than {wants.min_upvotes}"),
    )
    return next(say() for papers, say in reasons if papers >> place & 1)
