"""The day's issue: its papers, best first, and the bitmasks that all its readers share."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from functools import cached_property, lru_cache
from operator import itemgetter

from newsletter.model import Issue, Matching, Paper, Rule, Topic
from newsletter.model.windows import MAX_PAPER_AGE
from newsletter.papers.filters import evaluate
from newsletter.papers.topics import bit_indexes, followed_topics, present_names
from newsletter.text import shorten, tex_to_unicode

_CLOSE = " close to"  # stands before a phrase of a topic that no rule put the paper into
_AS = " (as "  # begins how a paper writes what the rule of a reason looks for

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


def _by_attention(paper: Paper) -> tuple[bool, int, int]:
    """Sorts by upvotes and comments, then the newest first; muted papers come last."""
    return paper.muted, -_attention(paper), -paper.number


def _attention(paper: Paper) -> int:
    return (paper.item.upvotes or 0) + (paper.item.comments or 0)


class IssueMasks:
    """What is the same for every reader of an issue, as bitmasks: bit *i* is ``papers[i]``.

    ``muted`` papers were listed before their source was followed, ``quarantined`` ones are those
    that no template could render, ``short`` ones lack upvotes for every reader, ``noticed`` ones
    have upvotes or comments.
    ``topic_reasons`` has the topics in the issue's order.
    """

    def __init__(self, issue: Issue, matching: Matching) -> None:
        self.issue, self.matching = issue, matching
        papers, oldest = issue.papers, issue.frozen_at - MAX_PAPER_AGE
        faulty = dict(issue.quarantined)
        self.all_papers = (1 << len(papers)) - 1
        self.muted = _mask(paper.muted for paper in papers)
        self.outdated = _mask(paper.first_seen < oldest for paper in papers)
        self.quarantined = _mask(paper.key in faulty for paper in papers)
        self.short = sum(1 << index for index in issue.short)
        self.noticed = _mask(_attention(paper) > 0 for paper in papers)
        self.by_number = {paper.number: index for index, paper in enumerate(papers)}
        self.by_group = {paper.group: index for index, paper in enumerate(papers)}
        self.topic_reasons = {topic.name: self._topic_reasons(topic) for topic in issue.topics}
        self._present = present_names(issue.topics)
        # Many readers share these arguments, so each mask is computed once.
        self.numbered_after = lru_cache(maxsize=1024)(self._numbered_after)
        self.with_upvotes = lru_cache(maxsize=1024)(self._with_upvotes)
        self.followed = lru_cache(maxsize=1024)(self._followed)
        self.matching_rule = lru_cache(maxsize=65536)(self._matching_rule)

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
        return evaluate(rule.expression, self.matching.terms, self.all_papers)


def _mask(flags: Iterable[bool]) -> int:
    return sum(1 << index for index, flag in enumerate(flags) if flag)


def _topic_reason(topic: Topic, text: str) -> str:
    """Why a paper is in a topic: one of its rules, or that it is close to one of its phrases."""
    close = text in topic.phrases
    return quote_rule(f"topic {topic.name}:{_CLOSE if close else ''}", text)


def quote_rule(kind: str, rule: str) -> str:
    """A reason that quotes a rule: ``include “author:Shazeer”``."""
    return f"{kind} “{shorten(rule, MAX_QUOTE)}”"


def quote_forms(forms: Sequence[str]) -> str:
    """How a paper writes what a rule looks for, to be added to the reason; at most three forms."""
    quoted = ", ".join(f"“{shorten(form, MAX_QUOTE)}”" for form in forms[:3])
    return f"{_AS}{quoted})" if forms else ""


def has_names(reason: str) -> bool:
    """Whether a reason says how the paper writes what its rule looks for."""
    return f"”{_AS}“" in reason


def quotes_own_rule(reason: str) -> bool:
    """Whether the reason for a paper is one of the reader's own rules."""
    return reason.startswith("include “")


def name_reason(reason: str) -> str:
    """A reason in the fewest words: the topic, or the reader's own rule; empty for every paper.

    Of a rule that asks for authors these are the authors. How a topic was configured is left out:
    only the operator knows it.
    """
    kind, _, rule = reason.partition(" “")
    if kind == "include":
        rule, _, names = rule.removesuffix(")").removesuffix("”").partition(f"”{_AS}“")
        by_author = names and "author:" in rule.casefold()
        return f"author: {names.replace('”, “', ', ')}" if by_author else rule
    if not kind.startswith("topic "):
        return ""
    return kind.removeprefix("topic ").removesuffix(_CLOSE).removesuffix(":")
