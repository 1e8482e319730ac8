"""What becomes of each paper for one reader: the masks that letters and reasons share."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from newsletter.issue.composing import MAX_PAPER_AGE, IssueMasks, quote_rule
from newsletter.model import BY_FILTER, EVERY_PAPER, OTHER, Filter, ReaderHistory, Rule, Verdict
from newsletter.papers.topics import bit_indexes
from newsletter.text import display


@dataclass(frozen=True, slots=True)
class Selection:
    """Masks that say, for one reader, what becomes of each paper; ``chosen`` are in."""

    chosen: int
    short: int
    owed: int
    sent: int
    wanted: int
    excluded: int


@dataclass(frozen=True, slots=True)
class TopicGroup:
    """What stands under one heading; ``because`` has the reasons of at least these papers."""

    name: str
    papers: int
    because: Mapping[int, str]


def select_papers(table: IssueMasks, history: ReaderHistory) -> Selection:
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
    return Selection(
        chosen=candidates & popular,
        short=candidates & ~popular,
        owed=owed,
        sent=sent,
        wanted=wanted,
        excluded=excluded,
    )


def _wanted(table: IssueMasks, wants: Filter) -> int:
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


def group_by_topic(table: IssueMasks, wants: Filter, chosen: int) -> list[TopicGroup]:
    """The chosen papers by heading, in the reader's order of topics, each paper once."""
    names = _followed(table, wants)
    matching, rest = table.matching, chosen
    found = dict.fromkeys(names, 0)
    for by in (matching.best, matching.topics):
        for name in names:
            taken = rest & by.get(name, 0)
            found[name] |= taken
            rest &= ~taken
    made = [TopicGroup(name, found[name], table.topical[name]) for name in names if found[name]]
    if rest:
        last = OTHER if wants.everything else BY_FILTER
        made.append(TopicGroup(last, rest, _outside(table, wants, rest)))
    return made


def _outside(table: IssueMasks, wants: Filter, papers: int) -> Mapping[int, str]:
    """Why papers come that are in no topic the reader follows: the first include of each."""
    if wants.everything:
        return dict.fromkeys(bit_indexes(papers), EVERY_PAPER)
    because: dict[int, str] = {}
    for rule in wants.include:
        brought = papers & table.matches(rule)
        because.update(dict.fromkeys(bit_indexes(brought), quote_rule("include", rule.text)))
        papers &= ~brought
    return because


def _followed(table: IssueMasks, wants: Filter) -> Collection[str]:
    """The topics that head the reader's sections; the issue's own order where none is named."""
    return dict.fromkeys(wants.topics) if not wants.everything else table.topical


def explain(table: IssueMasks, history: ReaderHistory) -> Iterator[Verdict]:
    """For every paper of the issue, in its order, the one reason it is in or out."""
    judged = select_papers(table, history)
    subscriber = history.reader.subscriber
    because = _because(table, subscriber.filter, judged.chosen)
    for place, paper in enumerate(table.issue.papers):
        yield Verdict(
            reader=subscriber.email,
            paper=paper.key,
            title=display(paper.item.title),
            included=place in because,
            reason=because.get(place) or _why_not(table, history, judged, place),
        )


def _because(table: IssueMasks, wants: Filter, chosen: int) -> Mapping[int, str]:
    """Why each of the chosen papers is in: the topic it stands under, or the reader's own rule."""
    if wants.everything:
        return dict.fromkeys(bit_indexes(chosen), EVERY_PAPER)
    return {
        place: heading.because[place]
        for heading in group_by_topic(table, wants, chosen)
        for place in bit_indexes(heading.papers)
    }


def _excluding(table: IssueMasks, rules: Sequence[Rule], place: int) -> str:
    rule = next(rule for rule in rules if table.matches(rule) >> place & 1)
    return quote_rule("exclude", rule.text)


def _why_not(table: IssueMasks, history: ReaderHistory, judged: Selection, place: int) -> str:
    """The first of the reasons that keep a paper out, in the order in which they are decided."""
    paper = table.issue.papers[place]
    wants = history.reader.subscriber.filter
    reasons: tuple[tuple[int, Callable[[], str]], ...] = (
        (table.muted, lambda: "listed before its source was followed"),
        (judged.sent, lambda: "already sent"),
        (table.outdated, lambda: f"first seen more than {MAX_PAPER_AGE.days} days ago"),
        (~judged.owed, lambda: "decided in an earlier issue"),
        (table.broken, lambda: f"quarantined: {dict(table.issue.quarantined)[paper.key]}"),
        (~judged.wanted, lambda: "in no topic followed, and no include matches"),
        (judged.excluded, lambda: _excluding(table, wants.exclude, place)),
        (judged.short, lambda: f"has {paper.item.upvotes} upvotes, fewer than {wants.min_upvotes}"),
    )
    return next(say() for papers, say in reasons if papers >> place & 1)
