"""What becomes of each paper for one reader: the masks that letters and reasons share."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from newsletter.issue.table import Table, quoting
from newsletter.model import BY_FILTER, EVERY_PAPER, OTHER, Filter, ReaderHistory
from newsletter.papers.topics import bits


@dataclass(frozen=True, slots=True)
class Judgement:
    """Masks that say, for one reader, what becomes of each paper; ``chosen`` are in."""

    chosen: int
    short: int
    owed: int
    sent: int
    wanted: int
    excluded: int


@dataclass(frozen=True, slots=True)
class Heading:
    """What stands under one heading; ``because`` has the reasons of at least these papers."""

    name: str
    papers: int
    because: Mapping[int, str]


def judge(table: Table, history: ReaderHistory) -> Judgement:
    """Decide every paper of the issue for one reader: what is owed, wanted and chosen."""
    reader = history.reader
    wants = reader.subscriber.filter
    again = _mask_of(table.places, history.again)
    owed = (table.fresh(reader.decided) | again) & ~table.muted & ~table.outdated
    sent = _mask_of(table.groups, history.sent)
    wanted = _wanted(table, wants)
    excluded = 0
    for rule in wants.exclude:
        excluded |= table.matches(rule)
    candidates = owed & ~sent & wanted & ~excluded & ~table.broken
    popular = table.popular(wants.min_upvotes) if wants.min_upvotes else table.everything
    return Judgement(
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


def headings(table: Table, wants: Filter, chosen: int) -> list[Heading]:
    """The chosen papers by heading, in the reader's order of topics, each paper once."""
    names = _followed(table, wants)
    matching, rest = table.matching, chosen
    found = dict.fromkeys(names, 0)
    for by in (matching.best, matching.topics):
        for name in names:
            taken = rest & by.get(name, 0)
            found[name] |= taken
            rest &= ~taken
    made = [Heading(name, found[name], table.topical[name]) for name in names if found[name]]
    if rest:
        last = OTHER if wants.everything else BY_FILTER
        made.append(Heading(last, rest, _outside(table, wants, rest)))
    return made


def _outside(table: Table, wants: Filter, papers: int) -> Mapping[int, str]:
    """Why papers come that are in no topic the reader follows: the first include of each."""
    if wants.everything:
        return dict.fromkeys(bits(papers), EVERY_PAPER)
    because: dict[int, str] = {}
    for rule in wants.include:
        brought = papers & table.matches(rule)
        because.update(dict.fromkeys(bits(brought), quoting("include", rule.text)))
        papers &= ~brought
    return because


def _followed(table: Table, wants: Filter) -> Collection[str]:
    """The topics that head the reader's sections; the issue's own order where none is named."""
    return dict.fromkeys(wants.topics) if not wants.everything else table.topical
