"""What the day's papers are about, and why."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from newsletter.model import Filter, Issue, Matching, Rule, Term, Topic
from newsletter.papers.filters import evaluate, iter_terms
from newsletter.ports import Matcher
from newsletter.text import folded

TITLE_WEIGHT = 3
"""What a rule that matches in the title counts against one in the abstract."""


@dataclass(frozen=True, slots=True)
class _Reason:
    """Why a paper is in a topic: the strongest rule, its weight, and the weight of all."""

    words: str
    strongest: int
    total: int


def match_issue(issue: Issue, filters: Iterable[Filter], matcher: Matcher) -> Matching:
    """Match an issue's papers with its topics and with everybody's filters, in one pass."""
    items = [paper.item for paper in issue.papers]
    wanted = dict.fromkeys(chain(_of_topics(issue.topics), _of_filters(filters)))
    occurs = matcher.masks(items, tuple(wanted))
    everything = (1 << len(items)) - 1
    members = {topic.name: _members(topic, occurs, everything) for topic in issue.topics}
    reasons = {
        (topic.name, place): reason
        for topic in issue.topics
        for place, reason in _reasons(topic, members[topic.name], occurs, everything).items()
    }
    return Matching(
        topics=members,
        best=_best(issue.topics, reasons),
        because={place: reason.words for place, reason in reasons.items()},
        terms=occurs,
        upvotes=tuple(item.upvotes for item in items),
    )


def extend_matching(
    matching: Matching, issue: Issue, filters: Iterable[Filter], matcher: Matcher
) -> Matching:
    """The matching of an issue with what these filters ask for and it does not know yet."""
    missing = dict.fromkeys(term for term in _of_filters(filters) if term not in matching.terms)
    if not missing:
        return matching
    found = matcher.masks([paper.item for paper in issue.papers], tuple(missing))
    return replace(matching, terms={**matching.terms, **found})


def bit_indexes(papers: int) -> list[int]:
    """The papers of a mask, lowest first."""
    found = []
    while papers:
        low = papers & -papers
        found.append(low.bit_length() - 1)
        papers ^= low
    return found


def _of_topics(topics: Sequence[Topic]) -> Iterator[Term]:
    for topic in topics:
        for rule in (*_positive(topic), *topic.none):
            for term in iter_terms(rule.expression):
                yield term
                yield _in_title(term)


def _of_filters(filters: Iterable[Filter]) -> Iterator[Term]:
    rules = dict.fromkeys(rule for wants in filters for rule in (*wants.include, *wants.exclude))
    return chain.from_iterable(iter_terms(rule.expression) for rule in rules)


def _positive(topic: Topic) -> tuple[Rule, ...]:
    """The rules that put a paper into a topic, its categories and description among them."""
    named = (Rule(name, Term("category", folded(name))) for name in topic.categories)
    about = [Rule(topic.about, Term("about", folded(topic.about)))] if topic.about else []
    return (*topic.any, *named, *about)


def _in_title(term: Term) -> Term:
    return Term("title", term.text) if term.field == "text" else term


def _members(topic: Topic, occurs: Mapping[Term, int], everything: int) -> int:
    """The papers in a topic: one of ``any``, ``categories`` or ``about``, none of ``none``."""
    inside = 0
    for rule in _positive(topic):
        inside |= evaluate(rule.expression, occurs, everything)
    for rule in topic.none:
        inside &= ~evaluate(rule.expression, occurs, everything)
    return inside


def _reasons(
    topic: Topic, members: int, occurs: Mapping[Term, int], everything: int
) -> Mapping[int, _Reason]:
    """For each paper in a topic, why it is there."""
    found: dict[int, _Reason] = {}
    for rule in _positive(topic):
        matched = members & evaluate(rule.expression, occurs, everything)
        titled = 0
        for term in iter_terms(rule.expression):
            titled |= occurs[_in_title(term)]
        for place in bit_indexes(matched):
            weight = TITLE_WEIGHT if titled >> place & 1 else 1
            found[place] = _stronger(found.get(place), rule.text, weight)
    return found


def _stronger(so_far: _Reason | None, words: str, weight: int) -> _Reason:
    if so_far is None:
        return _Reason(words, weight, weight)
    total = so_far.total + weight
    if weight > so_far.strongest:
        return _Reason(words, weight, total)
    return _Reason(so_far.words, so_far.strongest, total)


def _best(topics: Sequence[Topic], reasons: Mapping[tuple[str, int], _Reason]) -> Mapping[str, int]:
    """For each topic the papers whose best topic it is; ties go to the earlier topic."""
    leaders: dict[int, tuple[int, str]] = {}
    for (name, place), reason in reasons.items():
        if place not in leaders or reason.total > leaders[place][0]:
            leaders[place] = (reason.total, name)
    best = dict.fromkeys((topic.name for topic in topics), 0)
    for place, (_, name) in leaders.items():
        best[name] |= 1 << place
    return best
