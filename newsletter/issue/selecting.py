"""Which papers of an issue one reader gets, and the one reason for each that is in or out."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import NamedTuple

from newsletter.issue.composing import (
    MAX_QUOTE,
    IssueMasks,
    has_names,
    name_reason,
    quote_forms,
    quote_rule,
)
from newsletter.issue.ranking import BY_ISSUE, Ranking, find_by_rules
from newsletter.model import (
    BY_FILTER,
    EVERY_PAPER,
    NO_TASTE,
    OTHER,
    Edition,
    Filter,
    ReaderHistory,
    Rule,
    Taste,
    Verdict,
)
from newsletter.model.windows import MAX_PAPER_AGE
from newsletter.papers.matching import written_forms
from newsletter.papers.topics import bit_indexes
from newsletter.text import shorten

NO_ROOM = "did not fit; comes with the next email"
"""Why a paper is not in an edition although the reader wants it."""


class Selection(NamedTuple):  # made for each reader, as Ranking
    """One reader's papers as masks: the ``chosen`` ones, and the steps that led to them.

    ``ranking`` says which of them come first.
    """

    chosen: int
    too_few_upvotes: int
    again: int
    owed: int
    sent: int
    wanted: int
    excluded: int
    ranking: Ranking = BY_ISSUE


@dataclass(frozen=True, slots=True)
class TopicGroup:
    """The chosen papers under one heading; ``reasons`` may have more papers than the group.

    The reasons of the papers in ``own`` are rules of the reader's own; ``wishes`` has those that
    are wishes in plain words.
    """

    name: str
    papers: int
    reasons: Mapping[int, str]
    own: int = 0
    wishes: Mapping[int, Rule] | None = None

    def full_reason(self, masks: IssueMasks, index: int) -> str:
        """The reason for a paper; if it is a wish, with the evidence that the paper is meant."""
        wish = self.wishes.get(index) if self.wishes else None
        return self.reasons[index] + (masks.evidence(wish, index) if wish else "")


def select_papers(masks: IssueMasks, history: ReaderHistory) -> Selection:
    """Decide every paper of the issue for one reader."""
    reader = history.reader
    wants = reader.subscriber.filter
    again = _mask_of(masks.by_number, history.again) if history.again else 0
    sent = _mask_of(masks.by_group, history.sent) if history.sent else 0
    owed = (masks.numbered_after(reader.decided) | again) & masks.in_time
    excluded = 0
    for rule in wants.exclude:
        excluded |= masks.excluded_by(rule)
    free, popular = owed & masks.sound & ~(sent | excluded), masks.popular
    if wants.min_upvotes:
        popular &= masks.with_upvotes(wants.min_upvotes)
    wanted, ranking = _wanted(masks, wants, free & popular)
    if history.taste is not NO_TASTE:
        ranking = ranking.moved_by(history.taste)
    chosen = free & popular & wanted
    short = free & wanted ^ chosen
    return Selection(chosen, short, again, owed, sent, wanted, excluded, ranking)


def _wanted(masks: IssueMasks, wants: Filter, among: int) -> tuple[int, Ranking]:
    """Papers in a topic that the reader follows or that an include finds, and their order.

    ``among`` are the papers that the reader can still get: a wish finds the best of these.
    """
    if wants.everything:
        return masks.all_papers, BY_ISSUE
    in_topics = 0
    for name in masks.followed(wants.topics) if wants.topics else ():
        in_topics |= masks.matching.topics[name]
    if not wants.include:
        return in_topics, BY_ISSUE
    return find_by_rules(masks, wants, in_topics, among)


def _mask_of(indexes: Mapping[int, int], numbers: frozenset[int]) -> int:
    return sum([1 << indexes[number] for number in numbers if number in indexes])


def group_by_topic(masks: IssueMasks, wants: Filter, chosen: int) -> list[TopicGroup]:
    """The chosen papers by topic, in the reader's order of topics, each paper once.

    A paper goes under its best topic if the reader follows that one, else under the first
    followed topic it is in; papers of no followed topic form the last group.
    """
    names = masks.topic_reasons if wants.everything else masks.followed(wants.topics)
    papers, rest = dict.fromkeys(names, 0), chosen
    for members in (masks.matching.best, masks.matching.topics):
        for name in names:
            moved = rest & members[name]
            papers[name] |= moved
            rest &= ~moved
    groups = [
        TopicGroup(name, papers[name], masks.topic_reasons[name]) for name in names if papers[name]
    ]
    if by_author := _reasons_by_author(masks, wants, chosen):
        own = sum(1 << index for index in by_author)
        groups = [
            replace(each, reasons={**each.reasons, **by_author}, own=each.papers & own)
            for each in groups
        ]
    if rest and wants.everything:
        groups.append(TopicGroup(OTHER, rest, dict.fromkeys(bit_indexes(rest), EVERY_PAPER)))
    elif rest:
        reasons = _reasons_without_topic(masks, wants, rest)
        unexplained = sum(1 << index for index in bit_indexes(rest) if index not in reasons)
        wishes = _wishes_without_topic(masks, wants, unexplained) if unexplained else {}
        reasons |= {index: quote_rule("include", rule.text) for index, rule in wishes.items()}
        groups.append(TopicGroup(BY_FILTER, rest, {**reasons, **by_author}, rest, wishes))
    return groups


def _reasons_by_author(masks: IssueMasks, wants: Filter, papers: int) -> Mapping[int, str]:
    """For papers by authors whom the reader asks for, the rule and the names.

    They are the reasons in topics, too: a card may not have room for these names.
    """
    return {
        index: reason
        for rule in reversed(wants.include)
        for index, reason in masks.by_author(rule).items()
        if papers >> index & 1
    }


def _reasons_without_topic(masks: IssueMasks, wants: Filter, papers: int) -> dict[int, str]:
    """For papers in no topic that the reader follows, the first rule of words that each matches."""
    reasons: dict[int, str] = {}
    for rule in wants.include:
        included = papers & masks.matching_rule(rule)
        reasons.update(dict.fromkeys(bit_indexes(included), quote_rule("include", rule.text)))
        papers &= ~included
    return reasons


def _wishes_without_topic(masks: IssueMasks, wants: Filter, papers: int) -> Mapping[int, Rule]:
    """For papers that no topic and no rule of words finds, the wish that finds each most surely."""
    wishes = [(rule, wish) for rule in wants.include for wish in masks.wishes((rule,))]
    bands = (
        [(rule, wish.strong) for rule, wish in wishes],
        [(rule, wish.likely) for rule, wish in wishes],
        [(rule, wish.found("broad", papers)) for rule, wish in wishes],
    )
    found: dict[int, Rule] = {}
    for rule, included in chain.from_iterable(bands):
        found.update(dict.fromkeys(bit_indexes(papers & included), rule))
        papers &= ~included
    return found


def explain(
    masks: IssueMasks,
    history: ReaderHistory,
    edition: Edition | None = None,
    *,
    among: int | None = None,
) -> Iterator[Verdict]:
    """For every paper of the issue, in its order, the one reason it is in or out.

    With the reader's ``edition`` of the issue, the papers in it are in, whatever was learned since.
    ``among`` asks for some papers only.
    """
    selection = select_papers(masks, history)
    asked = masks.all_papers if among is None else among
    subscriber = history.reader.subscriber
    chosen, stored, no_room = selection.chosen, dict[int, str](), dict[int, str]()
    if edition is not None:
        no_room = dict.fromkeys(edition.waiting, NO_ROOM)
        chosen = sum(1 << place for place in {*edition.papers, *edition.waiting})
        for section in edition.sections:
            stored.update(zip(section.papers, section.because, strict=True))
    reasons = {**stored, **_reasons(masks, subscriber.filter, chosen & asked)}
    for index in bit_indexes(asked):
        yield Verdict(
            reader=subscriber.email,
            paper=masks.issue.papers[index].key,
            title=masks.titles[index],
            included=index in reasons and index not in no_room,
            reason=no_room.get(index)
            or reasons.get(index)
            or _reason_against(masks, history, selection, index),
            topics=tuple(has[index] for has in masks.topic_reasons.values() if index in has),
            moved=_why_moved(history.taste, index) if index in reasons else "",
        )


def _why_moved(taste: Taste, index: int) -> str:
    """Which paper moved this one in its reader's order; empty if none did."""
    if liked := taste.earlier.get(index):
        return f"comes earlier: like “{shorten(liked, MAX_QUOTE)}”, which you liked"
    if unliked := taste.later.get(index):
        return f"comes later: like “{shorten(unliked, MAX_QUOTE)}”, which you want less of"
    return ""


def _reasons(masks: IssueMasks, wants: Filter, chosen: int) -> Mapping[int, str]:
    """Why each of the chosen papers is in: the topic it is under, or the reader's own rule."""
    if wants.everything:
        return dict.fromkeys(bit_indexes(chosen), EVERY_PAPER)
    return {
        index: _reason_for(masks, wants, group, index)
        for group in group_by_topic(masks, wants, chosen)
        for index in bit_indexes(group.papers)
        if index in group.reasons  # else it is in a letter that a backup had forgotten
    }


def _reason_for(masks: IssueMasks, wants: Filter, group: TopicGroup, index: int) -> str:
    """The reason for a chosen paper, with how the paper writes what the rule looks for."""
    reason = group.full_reason(masks, index)
    if has_names(reason) or (group.wishes and index in group.wishes):
        return reason
    return reason + _as_written(masks, _deciding_rules(masks, wants, group, index), index)


def _deciding_rules(
    masks: IssueMasks, wants: Filter, group: TopicGroup, index: int
) -> Iterator[Rule]:
    """The rule that the reason for a chosen paper quotes; none for a category or a meaning."""
    because = masks.matching.because.get((group.name, index))
    if because is None:
        return (rule for rule in wants.include if masks.matching_rule(rule) >> index & 1)
    topics = (topic for topic in masks.issue.topics if topic.name == group.name)
    return (rule for topic in topics for rule in topic.any if rule.text == because)


def _as_written(masks: IssueMasks, rules: Iterator[Rule], index: int) -> str:
    """What to add to a reason if the paper does not write it as the rule does."""
    rule = next(rules, None)
    return quote_forms(written_forms(rule, masks.issue.papers[index].item) if rule else ())


def _reason_against(
    masks: IssueMasks, history: ReaderHistory, selection: Selection, index: int
) -> str:
    """The first reason that keeps a paper out, in the order in which they are decided."""
    paper = masks.issue.papers[index]
    wants = history.reader.subscriber.filter
    minimum = wants.min_upvotes
    reasons: tuple[tuple[int, Callable[[], str]], ...] = (
        (masks.muted, lambda: "listed before its source was followed"),
        (selection.sent, lambda: "already sent"),
        (
            masks.outdated & selection.again,
            lambda: f"did not fit into any email for {MAX_PAPER_AGE.days} days",
        ),
        (masks.outdated, lambda: f"first seen more than {MAX_PAPER_AGE.days} days ago"),
        (~selection.owed, lambda: "decided in an earlier issue"),
        (masks.quarantined, lambda: f"quarantined: {dict(masks.issue.quarantined)[paper.key]}"),
        (~selection.wanted, lambda: _why_not_wanted(masks, wants, index)),
        (selection.excluded, lambda: _excluding_rule(masks, wants.exclude, index)),
        (
            selection.too_few_upvotes,
            lambda: f"has {paper.item.upvotes} upvotes, fewer than {minimum}",
        ),
    )
    decided = "decided in an earlier issue"
    return next((reason() for papers, reason in reasons if papers >> index & 1), decided)


def _why_not_wanted(masks: IssueMasks, wants: Filter, index: int) -> str:
    """Which part of a wish keeps a paper out, or which wish it is not close enough to."""
    for rule, wish in ((r, wish) for r in wants.include for wish in masks.wishes((r,))):
        for part, papers in wish.unwanted.items():
            if papers >> index & 1:
                return f"left out: closer to “{shorten(part, MAX_QUOTE)}”, which you do not want"
        if index in wish.ranked:
            return quote_rule("not close enough to", name_reason(quote_rule("include", rule.text)))
    return "in no followed topic, and no include matches"


def _excluding_rule(masks: IssueMasks, rules: Sequence[Rule], index: int) -> str:
    rule = next(rule for rule in rules if masks.excluded_by(rule) >> index & 1)
    evidence = masks.evidence(rule, index) if masks.wishes((rule,)) else ""
    return quote_rule("exclude", rule.text) + evidence + _as_written(masks, iter((rule,)), index)
