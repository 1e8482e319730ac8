"""The day's issue: its papers, best first, and the bitmasks that all its readers share."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import cached_property, lru_cache
from operator import itemgetter
from typing import get_args

from newsletter.model import All, Filter, Issue, Item, Matching, Paper, Rule, Term, Topic, WishMasks
from newsletter.model.readers import Breadth
from newsletter.model.windows import MAX_PAPER_AGE
from newsletter.papers.filters import evaluate
from newsletter.papers.matching import authors_asked_for
from newsletter.papers.topics import bit_indexes, followed_topics, present_names
from newsletter.ports import Matcher
from newsletter.text import shorten, tex_to_unicode

_CLOSE = " close to"  # stands before a phrase of a topic that no rule put the paper into
_AS = " (as "  # begins how a paper writes what the rule of a reason looks for
_BECAUSE = " ("  # begins the evidence that a paper is what a wish asks for
_ABOUT = "about:"

MAX_QUOTE = 80  # characters of a rule within a reason: every card that the rule selected repeats it


def compose_issue(
    papers: Sequence[Paper],
    topics: Sequence[Topic],
    *,
    day: date,
    cutoff: int,
    after: int,
    frozen_at: datetime,
    missing: Sequence[str] = (),
) -> Issue:
    """An issue of these papers, best first: sources take turns, each with its best paper left.

    Of papers that turned out to be the same (a group) the issue has only the one ingested last,
    so that readers who already had the earlier one are still asked about the later. A muted
    paper, which no reader gets, gives way to any other of its group.
    """
    by_group = {paper.group: paper for paper in sorted(papers, key=_precedence)}
    return Issue(
        day=day,
        papers=tuple(_ranked(by_group.values())),
        topics=tuple(topics),
        cutoff=cutoff,
        after=after,
        frozen_at=frozen_at,
        missing=tuple(missing),
    )


def _precedence(paper: Paper) -> tuple[bool, int]:
    return not paper.muted, paper.number


def _ranked(papers: Iterable[Paper]) -> Sequence[Paper]:
    """The papers by their rank among those of their own source, then by attention.

    Upvotes compare papers of one source: many sources count none, and would come last with all
    their papers. A paper of several sources has the best of its ranks.
    """
    ranks, ranked = Counter[str](), list[tuple[int, Paper]]()
    for paper in sorted(papers, key=_by_attention):
        sources = paper.item.sources or ("",)
        ranked.append((min(map(ranks.__getitem__, sources)), paper))
        ranks.update(sources)
    return [paper for _, paper in sorted(ranked, key=itemgetter(0))]


def _by_attention(paper: Paper) -> tuple[bool, int, int, int]:
    """Sorts by upvotes, then comments, then the newest first; muted papers come last."""
    return paper.muted, -(paper.item.upvotes or 0), -(paper.item.comments or 0), -paper.number


class IssueMasks:
    """What is the same for every reader of an issue, as bitmasks: bit *i* is ``papers[i]``.

    ``muted`` papers were listed before their source was followed, ``quarantined`` ones are those
    that no template could render, ``short`` ones lack upvotes for every reader, ``noticed`` ones
    have upvotes or comments.
    ``topic_reasons`` has the topics in the issue's order. Without ``matcher`` there is no evidence
    for what wishes find.
    """

    def __init__(self, issue: Issue, matching: Matching, matcher: Matcher | None = None) -> None:
        self.issue, self.matching, self._matcher = issue, matching, matcher
        papers, oldest = issue.papers, issue.frozen_at - MAX_PAPER_AGE
        faulty = dict(issue.quarantined)
        self.width = len(papers)
        self.all_papers = (1 << self.width) - 1
        self.muted = _mask(paper.muted for paper in papers)
        self.outdated = _mask(paper.first_seen < oldest for paper in papers)
        self.quarantined = _mask(paper.key in faulty for paper in papers)
        self.short = sum(1 << index for index in issue.short)
        self.in_time = self.all_papers & ~self.muted & ~self.outdated
        self.sound = self.all_papers & ~self.quarantined
        self.popular = self.all_papers & ~self.short
        self.noticed = _mask(bool(p.item.upvotes or p.item.comments) for p in papers)
        self.by_number = {paper.number: index for index, paper in enumerate(papers)}
        self.by_group = {paper.group: index for index, paper in enumerate(papers)}
        self.topic_reasons = {topic.name: self._topic_reasons(topic) for topic in issue.topics}
        self._present = present_names(issue.topics)
        # Many readers share these arguments, so each mask is computed once.
        self.numbered_after = lru_cache(maxsize=1024)(self._numbered_after)
        self.with_upvotes = lru_cache(maxsize=1024)(self._with_upvotes)
        self.followed = lru_cache(maxsize=1024)(self._followed)
        self.matching_rule = lru_cache(maxsize=65536)(self._matching_rule)
        self.excluded_by = lru_cache(maxsize=65536)(self._excluded_by)
        self.by_author = lru_cache(maxsize=65536)(self._by_author)
        self.wish = lru_cache(maxsize=65536)(self._wish)
        self._find_among = lru_cache(maxsize=65536)(self._find)
        self._found = {breadth: dict[str, int]() for breadth in get_args(Breadth)}
        self.evidence = lru_cache(maxsize=65536)(self._evidence)

    def learn(self, matching: Matching) -> None:
        """Take a matching of the same issue that has more terms: what readers ask for now."""
        self.matching = matching

    @cached_property
    def by_upvotes(self) -> tuple[int, ...]:
        """The papers that have upvotes, those with the most first."""
        votes = [count or 0 for count in self.matching.upvotes]
        return tuple(i for i in sorted(range(len(votes)), key=lambda i: -votes[i]) if votes[i])

    @cached_property
    def titles(self) -> tuple[str, ...]:
        """The papers' titles as people read them."""
        return tuple(tex_to_unicode(paper.item.title) for paper in self.issue.papers)

    def _topic_reasons(self, topic: Topic) -> Mapping[int, str]:
        because = self.matching.because
        papers = bit_indexes(self.matching.topics[topic.name])
        return {index: _topic_reason(topic, because[topic.name, index]) for index in papers}

    def _followed(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """The topics that these names, which a reader chose, stand for at present."""
        return followed_topics(names, self._present)

    def _numbered_after(self, number: int) -> int:
        return _mask(paper.number > number for paper in self.issue.papers)

    def _with_upvotes(self, minimum: int) -> int:
        """Papers with that many upvotes, and those whose sources do not count any."""
        return _mask(votes is None or votes >= minimum for votes in self.matching.upvotes)

    def _matching_rule(self, rule: Rule) -> int:
        """The papers that a rule finds by words: of a wish none, it finds other ones by reader."""
        if self.matching.wishes and self.wish(rule):
            return 0
        return evaluate(rule.expression, self.matching.terms, self.all_papers)

    def _excluded_by(self, rule: Rule) -> int:
        """The papers that a rule keeps out: of a wish those that it surely means."""
        wish = self.wish(rule) if self.matching.wishes else None
        return wish.strong if wish else self.matching_rule(rule)

    def _by_author(self, rule: Rule) -> Mapping[int, str]:
        """For papers by authors whom a rule asks for, the rule and the names."""
        if "author:" not in rule.text.casefold():
            return {}
        quoted = quote_rule("include", rule.text)
        papers = bit_indexes(self.matching_rule(rule))
        names = ((i, authors_asked_for(rule, self.issue.papers[i].item)) for i in papers)
        return {index: quoted + quote_forms(forms) for index, forms in names if forms}

    def wishes(self, rules: Iterable[Rule]) -> list[WishMasks]:
        """What those of the rules find that are wishes in plain words."""
        if not self.matching.wishes:
            return []
        asked = [rule for rule in rules if _ABOUT in rule.text.casefold()]
        return [wish for rule in asked if (wish := self.wish(rule)) is not None]

    def _wish(self, rule: Rule) -> WishMasks | None:
        """What a wish finds, among the papers that meet the rule's other conditions; else None."""
        term = _wish_in(rule)
        wish = self.matching.wishes.get(term) if term else None
        if wish is None or not isinstance(rule.expression, All):
            return wish
        others = All(tuple(part for part in rule.expression.of if part is not term))
        return wish.within(evaluate(others, self.matching.terms, self.all_papers))

    def find(self, wants: Filter, among: int) -> list[int]:
        """For each rule of a reader what it finds if they can still get the papers ``among``.

        Six masks stand side by side in one number, so that one "or" joins those of two rules:
        the papers that a wish may find; those found by words; those that the wish finds; the best
        of these; those that it is sure of; those that it is less sure of. Texts are looked up,
        and not rules, whose hashes take most of the time of 100,000 readers.
        """
        found: list[int] = []
        known, lost = self._found[wants.breadth], self.all_papers & ~among
        for rule in wants.include:
            masks = known.get(rule.text)
            if masks is None:
                masks = known[rule.text] = self._find(rule, wants.breadth)
            if masks & lost:
                masks = self._find_among(rule, wants.breadth, masks & among)
            found.append(masks)
        return found

    def _find(self, rule: Rule, breadth: Breadth, among: int = -1) -> int:
        if not self.matching.wishes or (wish := self.wish(rule)) is None:
            return self.matching_rule(rule) << self.width
        found = wish.found(breadth, among)
        best = wish.best(found & among)
        masks = (wish.remote, 0, found, best, wish.strong, wish.likely)
        return sum(each << self.width * place for place, each in enumerate(masks))

    @cached_property
    def _items(self) -> tuple[Item, ...]:
        return tuple(paper.item for paper in self.issue.papers)

    def _evidence(self, rule: Rule, index: int) -> str:
        """Why a wish finds a paper, to be added to the reason that quotes it."""
        wish = _wish_in(rule)
        if self._matcher is None or wish is None:
            return ""
        evidence = self._matcher.evidence(self._items, index, wish)
        return f"{_BECAUSE}{evidence})" if evidence else ""


def _mask(flags: Iterable[bool]) -> int:
    return sum(1 << index for index, flag in enumerate(flags) if flag)


def _topic_reason(topic: Topic, text: str) -> str:
    """Why a paper is in a topic: one of its rules, or that it is close to one of its phrases."""
    close = text in topic.phrases
    return quote_rule(f"topic {topic.name}:{_CLOSE if close else ''}", text)


def _wish_in(rule: Rule) -> Term | None:
    """The wish that a rule is, alone or joined to other conditions by "and"."""
    asked = rule.expression
    parts = asked.of if isinstance(asked, All) else (asked,)
    return next((each for each in parts if isinstance(each, Term) and each.field == "about"), None)


def quote_rule(kind: str, rule: str) -> str:
    """A reason that quotes a rule: ``include “author:Shazeer”``."""
    return f"{kind} “{shorten(rule, MAX_QUOTE)}”"


def quote_forms(forms: Sequence[str]) -> str:
    """How a paper writes what a rule looks for, to be added to the reason; at most three forms."""
    quoted = ", ".join(f"“{shorten(form, MAX_QUOTE)}”" for form in forms[:3])
    return f"{_AS}{quoted})" if forms else ""


def split_evidence(reason: str) -> tuple[str, str]:
    """A reason that quotes a rule, and after it the evidence that was added, if it is a wish.

    Evidence has no parentheses: they end a part of a wish.
    """
    if not (quotes_own_rule(reason) and reason.endswith(")")) or has_names(reason):
        return reason, ""
    before, because, evidence = reason.rpartition(_BECAUSE)
    return before, because + evidence


def split_added(reason: str) -> tuple[str, str]:
    """A reason that quotes a rule, and what was added: how the paper writes it, or evidence."""
    quoted, names, forms = reason.partition(f"”{_AS}")
    return (f"{quoted}”", _AS + forms) if names else split_evidence(reason)


def has_names(reason: str) -> bool:
    """Whether a reason says how the paper writes what its rule looks for."""
    return f"”{_AS}“" in reason


def quotes_own_rule(reason: str) -> bool:
    """Whether the reason for a paper is one of the reader's own rules."""
    return reason.startswith("include “")


def name_reason(reason: str) -> str:
    """A reason in the fewest words, of a wish without ``about:``; empty for every paper."""
    named = written_reason(reason)
    wish = quotes_own_rule(reason) and named.casefold().startswith(_ABOUT)
    return named[len(_ABOUT) :].strip() if wish else named


def written_reason(reason: str) -> str:
    """A reason in the fewest words: the topic, or the reader's own rule as it is written.

    Emails show it so, as earlier versions did: one that may have left is sent again byte for byte.

    Of a rule that asks for authors these are the authors, of a wish it is the evidence. How a topic
    was configured is left out: only the operator knows it.
    """
    kind, _, rule = reason.partition(" “")
    if kind == "include":
        _, evidence = split_evidence(reason)
        if evidence:
            return evidence.removeprefix(_BECAUSE).removesuffix(")")
        rule, _, names = rule.removesuffix(")").removesuffix("”").partition(f"”{_AS}“")
        by_author = names and "author:" in rule.casefold()
        return f"author: {names.replace('”, “', ', ')}" if by_author else rule
    if not kind.startswith("topic "):
        return ""
    return kind.removeprefix("topic ").removesuffix(_CLOSE).removesuffix(":")
