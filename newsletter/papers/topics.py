"""Which topics a paper is in, and why; which papers match the terms of every filter."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from operator import itemgetter

from newsletter.model import All, Filter, Issue, Matching, Rule, Term, Topic
from newsletter.papers.filters import evaluate, iter_terms
from newsletter.ports import Matcher
from newsletter.text import fold, word_text

FEW_BITS = 16  # are found fastest one by one

TITLE_WEIGHT = 3  # the weight of a rule that matches in the title, against 1 in the abstract

_WeightedRules = list[tuple[int, str]]
"""The rules that put a paper into a topic, each with its weight."""


def match_issue(issue: Issue, filters: Iterable[Filter], matcher: Matcher) -> Matching:
    """Match an issue's papers with its topics and with all these filters, in one pass."""
    items = [paper.item for paper in issue.papers]
    terms = dict.fromkeys(chain(_topic_terms(issue.topics), _filter_terms(filters)))
    found = matcher.match(items, tuple(terms))
    occurrences = found.terms
    all_papers = (1 << len(items)) - 1
    members = {topic.name: _members(topic, occurrences, all_papers) for topic in issue.topics}
    matches = {
        (topic.name, index): rules
        for topic in issue.topics
        for index, rules in _weigh_rules(topic, members[topic.name], occurrences, all_papers)
    }
    return Matching(
        topics=members,
        best=_best_topics(issue.topics, matches),
        because={key: max(rules, key=itemgetter(0))[1] for key, rules in matches.items()},
        terms=occurrences,
        upvotes=tuple(item.upvotes for item in items),
        wishes=found.wishes,
    )


def extend_matching(
    matching: Matching, issue: Issue, filters: Iterable[Filter], matcher: Matcher
) -> Matching:
    """The matching of an issue with the terms of these filters that it lacks added."""
    missing = dict.fromkeys(term for term in _filter_terms(filters) if term not in matching.terms)
    if not missing:
        return matching
    found = matcher.match([paper.item for paper in issue.papers], tuple(missing))
    return replace(
        matching,
        terms={**matching.terms, **found.terms},
        wishes={**matching.wishes, **found.wishes},
    )


def present_names(topics: Iterable[Topic]) -> Mapping[str, str]:
    """For each name of a topic, the present one and the former ones, the present one."""
    topics = tuple(topics)
    former = {name: topic.name for topic in topics for name in topic.formerly}
    return former | {topic.name: topic.name for topic in topics}


def followed_topics(names: Iterable[str], present: Mapping[str, str]) -> tuple[str, ...]:
    """The topics that a reader follows who chose these names, in that order, each once.

    ``present`` is what :func:`present_names` returned. A lost topic, of which it has no name, is
    left out.
    """
    return tuple(dict.fromkeys(present[name] for name in names if name in present))


def lost_topics(names: Iterable[str], present: Mapping[str, str]) -> tuple[str, ...]:
    """Those of the names that a reader chose which stand for no topic any more, each once."""
    return tuple(dict.fromkeys(name for name in names if name not in present))


def with_later_names(frozen: Iterable[Topic], present: Iterable[Topic]) -> tuple[Topic, ...]:
    """The topics of a frozen issue, which readers may follow by names that came later, too."""
    frozen = tuple(frozen)
    own = {topic.name for topic in frozen}
    names = {name: topic for topic in present for name in (topic.name, *topic.formerly)}
    found = [(topic, names.get(topic.name, topic)) for topic in frozen]
    return tuple(
        replace(topic, formerly=tuple({*topic.formerly, now.name, *now.formerly} - own))
        for topic, now in found
    )


def names_to_choose(chosen: Iterable[str], present: Mapping[str, str]) -> Mapping[str, str]:
    """The names that a reader may choose: the newsletter's, and the lost ones they have already.

    Each comes with the name it has now; ``present`` is that of :func:`present_names`.
    """
    return {**present, **{name: name for name in lost_topics(chosen, present)}}


def bit_indexes(mask: int) -> list[int]:
    """The indexes of a mask's bits, lowest first."""
    count = mask.bit_count()
    if count > FEW_BITS and 3 * count > mask.bit_length():  # as text they are found faster
        return [index for index, bit in enumerate(bin(mask)[:1:-1]) if bit == "1"]
    indexes = []
    while mask:
        low = mask & -mask
        indexes.append(low.bit_length() - 1)
        mask ^= low
    return indexes


def first_bits(mask: int, count: int | None) -> int:
    """A mask of the lowest of its bits, this many; None means all."""
    return mask if count is None else sum(1 << index for index in bit_indexes(mask)[:count])


def _topic_terms(topics: Sequence[Topic]) -> Iterator[Term]:
    for topic in topics:
        for rule in (*_including_rules(topic), *topic.none):
            for term in iter_terms(rule.expression):
                yield term
                yield _in_title(term)


def _filter_terms(filters: Iterable[Filter]) -> Iterator[Term]:
    rules = dict.fromkeys(rule for wants in filters for rule in (*wants.include, *wants.exclude))
    return chain.from_iterable(iter_terms(rule.expression) for rule in rules)


def _including_rules(topic: Topic) -> tuple[Rule, ...]:
    """The rules that put a paper into a topic; its categories and description are rules too."""
    categories = (Rule(name, Term("category", fold(name))) for name in topic.categories)
    words = [word for word in word_text(topic.about).split() if word[-1].isalnum()]
    about = [Rule(topic.about, All(tuple(Term("text", word) for word in words)))] if words else []
    return (*topic.any, *categories, *about)


def _in_title(term: Term) -> Term:
    return replace(term, field="title") if term.field == "text" else term


def _members(topic: Topic, occurrences: Mapping[Term, int], all_papers: int) -> int:
    """The papers that match one of the topic's including rules and none of ``none``."""
    members = 0
    for rule in _including_rules(topic):
        members |= evaluate(rule.expression, occurrences, all_papers)
    for rule in topic.none:
        members &= ~evaluate(rule.expression, occurrences, all_papers)
    return members


def _weigh_rules(
    topic: Topic, members: int, occurrences: Mapping[Term, int], all_papers: int
) -> Iterable[tuple[int, _WeightedRules]]:
    """For each paper in a topic, the rules that it matches."""
    matches: dict[int, _WeightedRules] = {}
    for rule in _including_rules(topic):
        in_title = 0
        for term in iter_terms(rule.expression):
            in_title |= occurrences[_in_title(term)]
        for index in bit_indexes(members & evaluate(rule.expression, occurrences, all_papers)):
            weight = TITLE_WEIGHT if in_title >> index & 1 else 1
            matches.setdefault(index, []).append((weight, rule.text))
    return matches.items()


def _best_topics(
    topics: Sequence[Topic], matches: Mapping[tuple[str, int], _WeightedRules]
) -> Mapping[str, int]:
    """For each topic the papers for which it has the highest weight; ties go to the earlier."""
    best: dict[int, tuple[int, str]] = {}
    for (name, index), rules in matches.items():
        total = sum(weight for weight, _ in rules)
        if index not in best or total > best[index][0]:
            best[index] = (total, name)
    papers = dict.fromkeys((topic.name for topic in topics), 0)
    for index, (_, name) in best.items():
        papers[name] |= 1 << index
    return papers
