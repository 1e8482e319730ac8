"""The issues on the shelf: what was published, grouped by topic, kept at hand for a minute."""

import threading
from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

from newsletter.issue import composing as issues
from newsletter.model import OTHER, Issue, Paper, PublishedIssue
from newsletter.papers import topics
from newsletter.papers.topics import bit_indexes
from newsletter.publisher.publisher import Publisher
from newsletter.web.editions import Block, Entry, entry

FRESH = timedelta(minutes=1)
"""How old may be what is shown."""

MOST = 128
"""Issues, and pages set from them, kept at hand."""

RECENT = 10
"""Issues that topics and feeds look back on."""

WEEK = 7

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Public:
    """An issue as everybody may see it."""

    published: PublishedIssue
    blocks: tuple[Block, ...]

    @property
    def day(self) -> date:
        """The issue's day."""
        return self.published.day

    def entries(self, topic: str | None = None) -> list[Entry]:
        """Its papers, those of one topic if it is named."""
        blocks = (block for block in self.blocks if topic is None or block.name == topic)
        return [entry for block in blocks for entry in block.entries]


class PageCache:
    """What pages show again and again, worked out once a minute at most."""

    def __init__(self, publisher: Publisher) -> None:
        self._desk = publisher
        self._lock = threading.Lock()
        self._kept: dict[Hashable, tuple[datetime, Any]] = {}

    def published(self) -> tuple[PublishedIssue, ...]:
        """Every issue there is, the last one first."""
        return self.at_hand("published", self._desk.store.published)

    def public(self, published: PublishedIssue) -> Public:
        """One of them, with its papers."""
        return self.at_hand(published, lambda: Public(published, self._blocks(published)))

    def recent(self) -> tuple[Public, ...]:
        """The last issues, the newest first."""
        return tuple(self.public(each) for each in self.published()[:RECENT])

    def a_week(self) -> Mapping[str, int]:
        """How many papers a week each topic had in the last issues, by its name."""
        return self.at_hand("a week", self._a_week)

    def _a_week(self) -> Mapping[str, int]:
        issues = self.recent()
        days = (issues[0].day - issues[-1].day).days + 1 if issues else 1
        counted = Counter[str]()
        for public in issues:
            counted.update({block.name: len(block.entries) for block in public.blocks})
        return {name: round(count * WEEK / max(days, WEEK)) for name, count in counted.items()}

    def frozen(self, day: date, wave: int) -> Issue:
        """The issue a wave was frozen with."""
        waves = self._desk.store.waves
        return self.at_hand(
            (day, wave), lambda: next(each.issue for each in waves(day) if each.id == wave)
        )

    def at_hand(self, name: Hashable, make: Callable[[], T]) -> T:
        """What is kept under a name; made anew where there is nothing, or nothing fresh."""
        now = self._desk.clock.now()
        with self._lock:
            at, value = self._kept.get(name, (datetime.min.replace(tzinfo=UTC), None))
        if not timedelta() <= now - at < FRESH:
            value = make()
            with self._lock:
                self._kept[name] = (now, value)
                while len(self._kept) > MOST:
                    del self._kept[next(iter(self._kept))]
        found: T = value
        return found

    def _blocks(self, published: PublishedIssue) -> tuple[Block, ...]:
        """The papers new with an issue, each under the topic it is in most of all."""
        numbers = range(published.after + 1, published.cutoff + 1)
        papers = self._desk.store.papers_numbered(numbers)
        issue = issues.compose_issue(
            [paper for paper in papers if _is_new(paper, published)],
            self._desk.topics,
            day=published.day,
            cutoff=published.cutoff,
            after=published.after,
            frozen_at=published.at,
        )
        matching = topics.match_issue(issue, (), self._desk.matcher)
        placed = {name: bit_indexes(mask) for name, mask in matching.best.items()}
        in_some = {place for places in placed.values() for place in places}
        placed[OTHER] = [place for place in range(len(issue.papers)) if place not in in_some]
        return tuple(
            Block(name, tuple(entry(issue.papers[place]) for place in places))
            for name, places in placed.items()
            if places
        )


def _is_new(paper: Paper, published: PublishedIssue) -> bool:
    """Whether nobody saw it before, under another name either."""
    return not paper.muted and (paper.group == paper.number or paper.group > published.after)
