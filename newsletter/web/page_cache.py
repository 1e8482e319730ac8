"""Papers and issues as the pages show them; what is the same for everybody is cached."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import lru_cache, reduce
from itertools import chain, islice, repeat
from operator import or_
from typing import TypeVar

from newsletter.issue import composing as issues
from newsletter.issue.editions import lead_length
from newsletter.letter.compiling import shown_reason
from newsletter.letter.views import PaperView, paper_view
from newsletter.model import OTHER, Issue, Item, Length, Paper, PublishedIssue, Reader, Section
from newsletter.papers import topics
from newsletter.papers.topics import bit_indexes
from newsletter.publisher.previewing import MatchedDay, read_days
from newsletter.publisher.publisher import Publisher
from newsletter.web.shared_values import PATIENCE, SharedValues

MAX_AGE = timedelta(minutes=1)  # a page that is older is rendered again, behind the visitors' backs
MAX_ISSUE_AGE = timedelta(minutes=15)  # the same for an issue: only revised papers change it
MAX_LIST_AGE = timedelta(seconds=2)  # for the list of issues, which is read quickly
MAX_HEADLINES_AGE = timedelta(days=1)  # for what the list of issues says about each

PAPER_BYTES = 3000  # what a paper of a cached issue takes in memory, about
RECENT = 10  # how many issues back topics and feeds go
HEADLINES = 3  # titles of an issue in the list of issues
TRIED_DAYS = 7
TRIED_PAPERS = 600  # papers of the last days that filters are tried on; more take seconds

WEEK = 7

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PaperEntry:
    """A paper on a page: ``key`` is in the address of its own page.

    ``because`` says why a reader gets it; it is empty on public pages. ``number`` is its ingest
    number.
    """

    key: str
    view: PaperView
    summary: str
    because: str = ""
    number: int = 0

    @property
    def by_machine(self) -> bool:
        """Whether the summary is a sentence that a machine wrote."""
        return self.summary != "" and self.summary == self.view.brief


@dataclass(frozen=True, slots=True)
class PaperSection:
    """A heading with its papers; the last ones, ``unnamed``, were only counted in the email."""

    name: str
    entries: tuple[PaperEntry, ...]
    unnamed: int = 0


@dataclass(frozen=True, slots=True)
class PublicIssue:
    """An issue as everybody may see it.

    ``blocks`` has each paper under the topic that it matches best; ``topics`` under every topic
    that it matches, as readers of that one topic get it.
    """

    published: PublishedIssue
    blocks: tuple[PaperSection, ...]
    topics: Mapping[str, Sequence[PaperEntry]]

    @property
    def day(self) -> date:
        """The issue's day."""
        return self.published.day

    def entries(self, topic: str | None = None) -> list[PaperEntry]:
        """Its papers, or only those of one topic."""
        if topic is not None:
            return [*self.topics.get(topic, ())]
        return [entry for block in self.blocks for entry in block.entries]


@dataclass(frozen=True, slots=True)
class PapersPerWeek:
    """How many papers a week come: all of them, and those of each topic, by its name.

    A paper counts for every topic that it matches.
    """

    papers: int
    topics: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Headlines:
    """An issue in the list of issues: how many new papers it has, and its first ones."""

    day: date
    papers: int
    first: tuple[PaperEntry, ...]


def paper_entry(paper: Paper, length: Length = "short", because: str = "") -> PaperEntry:
    """A paper as it is shown on a page."""
    return PaperEntry(paper.key, *_shown(paper.item, length), because, paper.number)


@lru_cache(maxsize=1024)  # readers' own pages and feeds show the same papers of the last issues
def _shown(item: Item, length: Length) -> tuple[PaperView, str]:
    view = paper_view(item)
    # Only the one summary: the full abstracts are most of what a cached issue would take.
    return replace(view, summaries={}, keywords=(), media=()), view.summaries[length]


class PageCache:
    """The public issues, and pages made from them, which all visitors share.

    ``patience`` is how long a visitor waits for a page that is being renewed, in seconds, before
    the one from before is shown.
    """

    def __init__(self, publisher: Publisher, patience: float = PATIENCE) -> None:
        self._publisher = publisher
        self._values = SharedValues(publisher.clock, patience)
        self._list: tuple[datetime, tuple[PublishedIssue, ...]] | None = None
        self._filled: tuple[PublishedIssue, ...] | None = None

    def page(self, key: Hashable, render: Callable[[], str], max_age: timedelta = MAX_AGE) -> bytes:
        """A page that is the same for everybody, or a feed; renewed for each issue."""
        return self._values.get(
            key, lambda: render().encode(), max_age=max_age, version=self._newest, size=len
        )

    def published(self, *, now: bool = False) -> tuple[PublishedIssue, ...]:
        """Every published issue, newest first; ``now`` reads the list in any case."""
        at = self._publisher.clock.now()
        known = self._list
        # A clock that was set back makes the age negative: then the list is read again.
        if now or known is None or not timedelta() <= at - known[0] < MAX_LIST_AGE:
            known = self._list = (at, self._publisher.store.published_issues())
        return known[1]

    def fill(self, *pages: Callable[[], object]) -> None:
        """After a new issue, renew what visitors asked for lately; first, these pages of it.

        It returns at once: the work is done in the background.
        """
        newest = self._newest()
        if newest != self._filled:
            self._filled = newest
            self._values.renew_all(self.papers_per_week, *pages)

    def _newest(self) -> tuple[PublishedIssue, ...]:
        return self.published()[:1]

    def close(self) -> None:
        """End the work in the background."""
        self._values.close()

    def public_issue(self, published: PublishedIssue) -> PublicIssue:
        """A published issue with its papers."""
        return self._values.get(
            published,
            lambda: self._load(published),
            max_age=MAX_ISSUE_AGE,
            size=lambda issue: PAPER_BYTES * len(issue.entries()),
        )

    def headlines(self, published: PublishedIssue) -> Headlines:
        """How many papers were new in an issue, and the first of them."""
        return self._values.get(
            ("headlines", published), lambda: self._headlines(published), max_age=MAX_HEADLINES_AGE
        )

    def _headlines(self, published: PublishedIssue) -> Headlines:
        count, papers = self._publisher.store.new_in(published, first=HEADLINES)
        first = tuple(replace(paper_entry(each), summary="") for each in papers)
        return Headlines(published.day, count, first)

    def topics_of(self, paper: Paper) -> tuple[str, ...]:
        """The topics that a paper is in: first the one it is listed in, then in their order."""
        at = paper.first_seen
        issue = self._compose([paper], PublishedIssue(at.date(), 0, paper.number, at))
        matching = topics.match_issue(issue, (), self._publisher.matcher)
        masks = (matching.best, matching.topics)
        return tuple(dict.fromkeys(name for found in masks for name, mask in found.items() if mask))

    def newest_issue(self) -> PublicIssue | None:
        """The last issue; None before the first."""
        return next(map(self.public_issue, self.published()), None)

    def recent_issues(self) -> tuple[PublicIssue, ...]:
        """The last issues, newest first."""
        return tuple(self.public_issue(each) for each in self.published()[:RECENT])

    def papers_per_week(self) -> PapersPerWeek:
        """How many papers a week there were in the last issues."""
        return self._values.get(
            "papers per week", self._papers_per_week, max_age=MAX_ISSUE_AGE, version=self._newest
        )

    def _papers_per_week(self) -> PapersPerWeek:
        recent = self.recent_issues()
        days = (recent[0].day - recent[-1].day).days + 1 if recent else 1
        counts = Counter[str]()
        for issue in recent:
            counts.update({name: len(entries) for name, entries in issue.topics.items()})
        total = sum(len(issue.entries()) for issue in recent)

        def a_week(count: int) -> int:
            return round(count * WEEK / max(days, WEEK))

        return PapersPerWeek(a_week(total), {n: a_week(count) for n, count in counts.items()})

    def last_days(self, today: date) -> tuple[MatchedDay, ...]:
        """The papers that each of the last days listed first, newest first, to try filters on."""
        known = (self._day(today, today - timedelta(days=back)) for back in range(TRIED_DAYS))
        days, papers = list[MatchedDay](), 0
        for day in known:
            if papers >= TRIED_PAPERS:
                break
            days += day
            papers += sum(len(issue.papers) for issue, _ in day)
        return tuple(days)

    def _day(self, today: date, day: date) -> tuple[MatchedDay, ...]:
        """The papers of one day, the same objects each time; nothing if it has none."""
        return self._values.get(
            ("papers of", day),
            lambda: tuple(read_days(self._publisher, day, 1)),
            max_age=MAX_ISSUE_AGE if day == today else MAX_HEADLINES_AGE,
            version=self._newest,
            size=lambda days: PAPER_BYTES * sum(len(issue.papers) for issue, _ in days),
        )

    def full_edition(
        self, reader: Reader, day: date
    ) -> tuple[datetime, tuple[PaperSection, ...]] | None:
        """When a reader's edition of a day was frozen, and all its papers; None without one.

        Papers that the email only counted are the last of their section.
        """
        store = self._publisher.store
        found = store.edition_page(day, reader.subscriber.email)
        if found is None:
            return None
        at, edition, numbers = found
        papers = {paper.number: paper for paper in store.papers_by_number(numbers)}
        by_place = dict(zip(edition.papers, map(papers.get, numbers), strict=False))
        unnamed = iter(edition.more)

        def section(each: Section) -> PaperSection:
            # What opens the email has longer summaries, here too.
            length = lead_length(edition.summary) if each.leads else edition.summary
            placed = chain(
                zip(each.papers, _shown_reasons(each), strict=True),
                zip(islice(unnamed, each.more), repeat("")),
            )
            found = ((by_place.get(place), why) for place, why in placed)
            entries = [paper_entry(paper, length, why) for paper, why in found if paper]
            return PaperSection(each.name, tuple(entries), each.more)

        sections = [*map(section, edition.sections)]
        rest = section(Section("More", (), more=len(edition.more)))
        return at, (*sections, rest) if rest.entries else tuple(sections)

    def was_removed(self, day: date) -> bool:
        """Whether the editions of a day were removed, as old ones are."""
        return self._publisher.store.has_no_details(day)

    def _load(self, published: PublishedIssue) -> PublicIssue:
        """The papers new in an issue, by topic."""
        numbers = range(published.after + 1, published.cutoff + 1)
        papers = self._publisher.store.papers_by_number(numbers)
        issue = self._compose([each for each in papers if contains(published, each)], published)
        matching = topics.match_issue(issue, (), self._publisher.matcher)
        entries = [*map(paper_entry, issue.papers)]
        without = (1 << len(entries)) - 1 & ~reduce(or_, matching.topics.values(), 0)

        def chosen(masks: Mapping[str, int]) -> dict[str, tuple[PaperEntry, ...]]:
            found = {**masks, OTHER: without}
            return {n: tuple(entries[i] for i in bit_indexes(m)) for n, m in found.items() if m}

        blocks = tuple(PaperSection(*each) for each in chosen(matching.best).items())
        return PublicIssue(published, blocks, chosen(matching.topics))

    def _compose(self, papers: Sequence[Paper], published: PublishedIssue) -> Issue:
        return issues.compose_issue(
            papers,
            self._publisher.topics,
            day=published.day,
            cutoff=published.cutoff,
            after=published.after,
            frozen_at=published.at,
        )


def _shown_reasons(section: Section) -> Iterable[str]:
    """What the page says of each paper's reason: as much as the email does."""
    return (shown_reason(reason, leads=section.leads) for reason in section.because)


def contains(published: PublishedIssue, paper: Paper) -> bool:
    """Whether an issue has the paper as a new one: no earlier one had it, under any name."""
    return not paper.muted and published.after < paper.group <= published.cutoff
