"""Which topics a paper is in, and why; which papers match the terms of every filter."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, compress, count
from math import log1p
from operator import itemgetter
from typing import NamedTuple

from newsletter.model import (
    All,
    Filter,
    Issue,
    Item,
    Matches,
    Matching,
    Rule,
    Term,
    Topic,
    WishMasks,
)
from newsletter.papers.filters import evaluate, iter_terms
from newsletter.ports import Matcher
from newsletter.text import fold, word_text

FEW_BITS = 16  # a mask of which one bit in so many is set has them found fastest one by one
_BITS = bytes.maketrans(b"01", b"\0\1")

TITLE_WEIGHT = 3  # the weight of a rule that matches in the title, against 1 in the abstract

_JOINED = re.compile(r",? (?:and|&) |, |/")
_NO_SUBJECT = re.compile(r" (?:papers?|articles?|research|works?|studies|topics?)$", re.IGNORECASE)

_WeightedRules = list[tuple[int, str]]
"""The rules that speak for a paper in a topic, each with its weight."""

PER_RULE, UNLIKELY = 3.3, -5.9
"""What rules add to the log odds that a paper is in a topic, per logarithm of their weight, and the
log odds of a paper that is not close and that no rule matches: ``bench.topics`` fits them."""

KNOWN_ARCHIVES = frozenset({"cs", "eess", "stat"})
"""The archives of arXiv whose abstracts say what words mean (``data/meaning.md``). Among them the
words of other sciences are so rare that they seem to decide."""

_CLOSE = 4.0
"""The usual closeness of a topic's papers: that of a topic without phrases, to compare it."""


class _Reason(NamedTuple):
    """Why a paper may be in a topic: the log odds, and the rule or the phrase that says most."""

    odds: float
    text: str


def match_issue(issue: Issue, filters: Iterable[Filter], matcher: Matcher) -> Matching:
    """Match an issue's papers with its topics and with all these filters, in one pass."""
    items = [paper.item for paper in issue.papers]
    terms = dict.fromkeys(chain(_topic_terms(issue.topics), _filter_terms(filters)))
    found = matcher.match(items, tuple(terms))
    reasons = _TopicReasons(items, matcher, issue.topics, found.terms)
    members = {topic.name: reasons.members(topic) for topic in issue.topics}
    topics = {name: _mask(papers) for name, papers in members.items()}
    found = without_unwanted_topics(found, issue.topics, topics)
    return Matching(
        topics=topics,
        best=_best_topics(members),
        because={
            (name, index): reason.text
            for name, papers in members.items()
            for index, reason in papers.items()
        },
        terms=found.terms,
        upvotes=tuple(item.upvotes for item in items),
        wishes=found.wishes,
    )


def topic_odds(issue: Issue, matcher: Matcher) -> Mapping[str, Mapping[int, float]]:
    """For each topic and each paper that may be in it, member or not, the log odds that it is."""
    items = [paper.item for paper in issue.papers]
    found = matcher.match(items, tuple(dict.fromkeys(_topic_terms(issue.topics))))
    reasons = _TopicReasons(items, matcher, issue.topics, found.terms)
    return {topic.name: reasons.odds(topic) for topic in issue.topics}


def extend_matching(
    matching: Matching, issue: Issue, filters: Iterable[Filter], matcher: Matcher
) -> Matching:
    """The matching of an issue with the terms of these filters that it lacks added."""
    missing = dict.fromkeys(term for term in _filter_terms(filters) if term not in matching.terms)
    if not missing:
        return matching
    found = matcher.match([paper.item for paper in issue.papers], tuple(missing))
    found = without_unwanted_topics(found, issue.topics, matching.topics)
    return replace(
        matching,
        terms={**matching.terms, **found.terms},
        wishes={**matching.wishes, **found.wishes},
    )


def without_unwanted_topics(
    found: Matches, topics: Sequence[Topic], members: Mapping[str, int]
) -> Matches:
    """The matches if a wish that does not want a topic ("not speech") keeps out all its papers.

    ``members`` has the papers of each topic.
    """
    changed = dict[Term, WishMasks]()
    for term, wish in found.wishes.items():
        for part in wish.unwanted:
            papers = 0
            for topic in topics:
                papers |= members[topic.name] if _is_named(topic, part) else 0
            if papers:
                wish = wish.without(part, papers)  # noqa: PLW2901 - the next part is left out, too
                changed[term] = wish
    normal = {term: wish.found("normal") for term, wish in changed.items()}
    return Matches({**found.terms, **normal}, {**found.wishes, **changed}) if changed else found


def _is_named(topic: Topic, part: str) -> bool:
    """Whether a part of a wish is a topic's name, or one of the names that it joins by "and"."""
    asked = _NO_SUBJECT.sub("", part)
    names = (topic.name, *topic.formerly)
    named = {word_text(each) for name in names for each in (name, *_JOINED.split(name))}
    return word_text(asked) in named


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
    if FEW_BITS * mask.bit_count() > mask.bit_length():
        return list(compress(count(), f"{mask:b}"[::-1].encode().translate(_BITS)))
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
    """The rules that speak for a topic; its categories are rules too.

    So is the description of a topic without phrases: a paper may have all of its words.
    """
    words = () if topic.phrases else word_text(topic.about).split()
    described = tuple(Term("text", word) for word in words if word[-1].isalnum())
    about = [Rule(topic.about, All(described))] if described else []
    return (*topic.any, *_category_rules(topic), *about)


def _category_rules(topic: Topic) -> Iterator[Rule]:
    return (Rule(name, Term("category", fold(name))) for name in topic.categories)


def _in_title(term: Term) -> Term:
    return replace(term, field="title") if term.field == "text" else term


class _TopicReasons:
    """Which papers are in which topics, and what says so."""

    def __init__(
        self,
        items: Sequence[Item],
        matcher: Matcher,
        topics: Sequence[Topic],
        occurrences: Mapping[Term, int],
    ) -> None:
        self._items, self._matcher, self._occurrences = items, matcher, occurrences
        self._all_papers = (1 << len(items)) - 1
        self._closeness = matcher.closeness(items, topics)
        self._primary = _primary_categories(items) if self._closeness else None
        self._without_categories = _mask(i for i, item in enumerate(items) if not item.categories)
        self._with_abstract = _mask(i for i, item in enumerate(items) if item.abstract)

    def members(self, topic: Topic) -> Mapping[int, _Reason]:
        """The topic's papers by their index."""
        likely = {index: odds for index, odds in self.odds(topic).items() if odds >= 0}
        return dict(self._reasons(topic, likely, self._weigh(topic)))

    def odds(self, topic: Topic) -> Mapping[int, float]:
        """For each paper that may be in the topic, member or not, the log odds that it is."""
        weighed, close = self._weigh(topic), self._closeness.get(topic.name)
        if close is None:
            return {index: _log_odds(_CLOSE, rules) for index, rules in weighed.items()}
        possible = self._by_closeness(topic) & ~self._matching(topic.none) | _mask(weighed)
        return {i: _log_odds(close[i], weighed.get(i, ())) for i in bit_indexes(possible)}

    def _by_closeness(self, topic: Topic) -> int:
        """The papers that may be in a topic without any rule that speaks for it.

        Not those of which nothing but the title is known, or whose authors chose categories and
        none of the topic's; and none if it is a topic of another science, whose words papers of
        :data:`KNOWN_ARCHIVES` use in passing.
        """
        archives = {name.partition(".")[0] for name in topic.categories}
        if not archives <= KNOWN_ARCHIVES:
            return 0
        return self._with_abstract & (self._without_categories if topic.categories else -1)

    def _reasons(
        self, topic: Topic, odds: Mapping[int, float], weighed: Mapping[int, _WeightedRules]
    ) -> Iterator[tuple[int, _Reason]]:
        """Each paper's rule that counts most, of several the first; or the nearest phrase."""
        for index in odds.keys() & weighed.keys():
            yield index, _Reason(odds[index], max(weighed[index], key=itemgetter(0))[1])
        others = [index for index in odds if index not in weighed]
        phrases = self._matcher.nearest_phrases(self._items, others, topic) if others else ()
        for index, phrase in zip(others, phrases, strict=True):
            yield index, _Reason(odds[index], phrase)

    def _matching(self, rules: Iterable[Rule]) -> int:
        """The papers that one of the rules matches."""
        found = 0
        for rule in rules:
            found |= evaluate(rule.expression, self._occurrences, self._all_papers)
        return found

    def _weigh(self, topic: Topic) -> Mapping[int, _WeightedRules]:
        """For each of the papers that rules of the topic match, and none keeps out, these rules."""
        papers = self._all_papers & ~self._matching(topic.none)
        matches: dict[int, _WeightedRules] = {}
        for rule in _including_rules(topic):
            found = papers & evaluate(rule.expression, self._occurrences, self._all_papers)
            heavy = self._counting_as_title(topic, rule) if found else 0
            for index in bit_indexes(found):
                weight = TITLE_WEIGHT if heavy >> index & 1 else 1
                matches.setdefault(index, []).append((weight, rule.text))
        return matches

    def _counting_as_title(self, topic: Topic, rule: Rule) -> int:
        """The papers with a term of the rule in the title.

        Beside closeness a category counts as much if it is the paper's first one and defines the
        topic: papers are listed in others whose subject they only touch.
        """
        papers = 0
        for term in iter_terms(rule.expression):
            if term.field != "category" or self._primary is None:
                papers |= self._occurrences[_in_title(term)]
            elif rule.text in topic.categories:
                papers |= self._primary.get(term.text, 0)
        return papers


def _log_odds(closeness: float, rules: Iterable[tuple[int, str]]) -> float:
    """The log odds that a paper is in a topic, with these rules for it."""
    return closeness + PER_RULE * log1p(sum(weight for weight, _ in rules)) + UNLIKELY


def _primary_categories(items: Sequence[Item]) -> Mapping[str, int]:
    """The papers by their first category, and by its archive (cs for cs.CL)."""
    papers: dict[str, int] = {}
    for index, item in enumerate(items):
        first = fold(item.categories[0]) if item.categories else ""
        for name in {first, first.partition(".")[0]} - {""}:
            papers[name] = papers.get(name, 0) | 1 << index
    return papers


def _mask(indexes: Iterable[int]) -> int:
    return sum(1 << index for index in indexes)


def _best_topics(members: Mapping[str, Mapping[int, _Reason]]) -> Mapping[str, int]:
    """For each topic the papers that are in it most probably; ties go to the earlier topic."""
    best: dict[int, tuple[float, str]] = {}
    for name, papers in members.items():
        for index, reason in papers.items():
            if index not in best or reason.odds > best[index][0]:
                best[index] = (reason.odds, name)
    found = dict.fromkeys(members, 0)
    for index, (_, name) in best.items():
        found[name] |= 1 << index
    return found
