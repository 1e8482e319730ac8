"""Papers and issues as the pages show them; what is the same for everybody is cached."""

import threading
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

from newsletter.issue import composing as issues
from newsletter.letter.views import PaperView, paper_view
from newsletter.model import OTHER, Issue, Paper, PublishedIssue, Reader, Summary
from newsletter.papers import topics
from newsletter.papers.topics import bit_indexes
from newsletter.publisher.publisher import Publisher

MAX_AGE = timedelta(minutes=1)  # how old a cached value may be when it is shown
MAX_ENTRIES = 128  # issues and rendered pages in the cache
RECENT = 10  # how many issues back topics and feeds go

WEEK = 7

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PaperEntry:
    """A paper on a page: ``key`` is in the address of its own page.

    ``because`` says why a reader gets it; it is empty on public pages.
    """

    key: str
    view: PaperView
    summary: str
    because: str = ""


@dataclass(frozen=True, slots=True)
class PaperSection:
    """A heading with its papers."""

    name: str
    entries: tuple[PaperEntry, ...]


@dataclass(frozen=True, slots=True)
class PublicIssue:
    """An issue as everybody may see it."""

    published: PublishedIssue
    blocks: tuple[PaperSection, ...]

    @property
    def day(self) -> date:
        """The issue's day."""
        return self.published.day

    def entries(self, topic: str | None = None) -> list[PaperEntry]:
        """Its papers, or only those of one topic."""
        blocks = (block for block in self.blocks if topic in {None, block.name})
        return [entry for block in blocks for entry in block.entries]


def paper_entry(paper: Paper, summary: Summary = "short", because: str = "") -> PaperEntry:
    """A paper as it is shown on a page."""
    view = paper_view(paper.item)
    return PaperEntry(paper.key, view, view.summaries[summary], because)


class PageCache:
    """The public issues, and pages made from them, each loaded at most once a minute."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._lock = threading.Lock()
        self._values: dict[Hashable, tuple[datetime, Any]] = {}

    def get(self, key: Hashable, load: Callable[[], T]) -> T:
        """The value under a key; ``load`` is called if there is none or it is too old."""
        now = self._publisher.clock.now()
        with self._lock:
            loaded_at, value = self._values.get(key, (datetime.min.replace(tzinfo=UTC), None))
        # A clock that was set back makes every age negative: then the value is loaded again.
        if not timedelta() <= now - loaded_at < MAX_AGE:
            value = load()
            with self._lock:
                self._values[key] = (now, value)
                while len(self._values) > MAX_ENTRIES:
                    del self._values[next(iter(self._values))]
        found: T = value
        return found

    def published(self) -> tuple[PublishedIssue, ...]:
        """Every published issue, newest first."""
        return self.get("published", self._publisher.store.published_issues)

    def public_issue(self, published: PublishedIssue) -> PublicIssue:
        """A published issue with its papers."""
        return self.get(published, lambda: PublicIssue(published, self._sections(published)))

    def recent_issues(self) -> tuple[PublicIssue, ...]:
        """The last issues, newest first."""
        return tuple(self.public_issue(each) for each in self.published()[:RECENT])

    def papers_per_week(self) -> Mapping[str, int]:
        """How many papers a week each topic had in the last issues, by its name."""
        return self.get("papers per week", self._papers_per_week)

    def _papers_per_week(self) -> Mapping[str, int]:
        recent = self.recent_issues()
        days = (recent[0].day - recent[-1].day).days + 1 if recent else 1
        counts = Counter[str]()
        for issue in recent:
            counts.update({block.name: len(block.entries) for block in issue.blocks})
        return {name: round(count * WEEK / max(days, WEEK)) for name, count in counts.items()}

    def full_edition(
        self, reader: Reader, day: date
    ) -> tuple[Issue, tuple[PaperSection, ...]] | None:
        """The issue of a day, and all papers of a reader's edition of it; None without one.

        Papers that the email only counted ("N more") come last.
        """
        found = self._publisher.store.edition(day, reader.subscriber.email)
        if found is None:
            return None
        wave, edition = found
        issue = self._frozen_issue(day, wave)

        def section(name: str, papers: Iterable[int], because: Iterable[str]) -> PaperSection:
            placed = zip(papers, because, strict=True)
            entries = (paper_entry(issue.papers[n], edition.summary, why) for n, why in placed)
            return PaperSection(name, tuple(entries))

        sections = [section(each.name, each.papers, each.because) for each in edition.sections]
        if edition.more:
            sections.append(section("More", edition.more, [""] * len(edition.more)))
        return issue, tuple(sections)

    def _frozen_issue(self, day: date, wave: int) -> Issue:
        """The issue as a wave of a day was frozen with it."""
        waves = self._publisher.store.waves
        return self.get(
            (day, wave), lambda: next(each.issue for each in waves(day) if each.id == wave)
        )

    def _sections(self, published: PublishedIssue) -> tuple[PaperSection, ...]:
        """The papers new in an issue, each under the topic that it matches best."""
        numbers = range(published.after + 1, published.cutoff + 1)
        papers = self._publisher.store.papers_by_number(numbers)
        issue = issues.compose_issue(
            [paper for paper in papers if is_new(paper, published)],
            self._publisher.topics,
            day=published.day,
            cutoff=published.cutoff,
            after=published.after,
            frozen_at=published.at,
        )
        matching = topics.match_issue(issue, (), self._publisher.matcher)
        by_topic = {name: bit_indexes(mask) for name, mask in matching.best.items()}
        matched = {n for numbers in by_topic.values() for n in numbers}
        by_topic[OTHER] = [n for n in range(len(issue.papers)) if n not in matched]
        return tuple(
            PaperSection(name, tuple(paper_entry(issue.papers[n]) for n in numbers))
            for name, numbers in by_topic.items()
            if numbers
        )


def is_new(paper: Paper, published: PublishedIssue) -> bool:
    """Whether no earlier issue had the paper, under another name either."""
    return not paper.muted and (paper.group == paper.number or paper.group > published.after)
