"""Draft an issue: compose, match and render it, and plan every reader's edition."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import chain
from typing import TypeVar

from newsletter.errors import Isolated, describe
from newsletter.issue.composing import IssueMasks, compose_issue
from newsletter.issue.editions import EditionLimits, compose_edition
from newsletter.issue.trends import REMEMBERED, find_trends
from newsletter.letter.fragments import IssueFragments
from newsletter.letter.rendering import render_issue
from newsletter.model import (
    TOP_TEN,
    Edition,
    Filter,
    Issue,
    Like,
    Matching,
    Paper,
    PlannedEdition,
    Reader,
    ReaderFault,
    ReaderHistory,
    Subscriber,
    Taste,
)
from newsletter.model.windows import MAX_PAPER_AGE
from newsletter.papers.topics import extend_matching, match_issue, with_later_names
from newsletter.ports import Papers
from newsletter.publisher.coverage import name_gaps
from newsletter.publisher.publisher import Publisher
from newsletter.publisher.reporting import known_gaps
from newsletter.readers.stored_settings import find_fault

T = TypeVar("T")

CHUNK = 1000  # readers read and matched at once: enough for speed, few enough for memory


@dataclass(frozen=True, slots=True)
class Draft:
    """A rendered issue, matched with its topics; editions are composed from it."""

    issue: Issue
    matching: Matching
    fragments: IssueFragments


OnFault = Callable[[ReaderFault], None]
"""Gets each reader who is skipped, or served otherwise than they chose."""


def compose_from_store(
    publisher: Publisher, day: date, after: int, failed: Sequence[str] = ()
) -> Issue:
    """The issue of ``day``, not rendered yet, composed from the papers in the store.

    Papers up to the ingest number ``after`` are decided for all readers of the issue.
    """
    now = publisher.clock.now()
    again = publisher.store.papers_to_reconsider(day=day)
    issue = compose_issue(
        _candidates(publisher.store, after, now, again),
        publisher.topics,
        day=day,
        cutoff=publisher.store.cutoff(),
        after=after,
        frozen_at=now,
        missing=missing_lists(publisher, failed),
    )
    return replace(
        issue,
        corrections=publisher.store.corrections(since=now - MAX_PAPER_AGE),
        short=tuple(
            index
            for index, paper in enumerate(issue.papers)
            if paper.number <= after and _is_short(paper, again)
        ),
    )


def _is_short(paper: Paper, again: Mapping[int, int]) -> bool:
    """Whether a paper decided for all readers still lacks the upvotes any of them waits for."""
    return paper.item.upvotes is not None and paper.item.upvotes < again[paper.number]


def missing_lists(publisher: Publisher, failed: Sequence[str]) -> list[str]:
    """What letters name as missing: the lists still owed, and the sources that failed just now."""
    now, gaps = publisher.clock.now(), known_gaps(publisher)
    named = (
        name_gaps(source, gaps, now) or (source.name if source.name in failed else "")
        for source in publisher.sources
    )
    return [name for name in named if name]


def render_draft(publisher: Publisher, issue: Issue) -> Draft:
    """Render a composed issue and match it with its topics.

    A paper that cannot be rendered or matched is quarantined: the issue names it, and no edition
    contains it.
    """
    with Isolated() as attempt:
        return _rendered(publisher, issue)
    # Something broke on the whole issue. The papers at fault are those that break alone.
    broken: dict[str, str] = {}
    for paper in issue.papers:
        with Isolated(f"paper {paper.key}") as alone:
            _rendered(publisher, replace(issue, papers=(paper,)))
        if alone.error is not None:
            broken[paper.key] = describe(alone.error)
    if not broken:
        assert attempt.error is not None
        raise attempt.error
    rest = tuple(paper for paper in issue.papers if paper.key not in broken)
    draft = _rendered(publisher, replace(issue, papers=rest))
    quarantined = (*draft.issue.quarantined, *broken.items())
    return replace(draft, issue=replace(draft.issue, quarantined=quarantined))


def _rendered(publisher: Publisher, issue: Issue) -> Draft:
    fragments, quarantined = render_issue(
        issue,
        publisher.publication,
        publisher.templates(),
        signed_by=publisher.keyring.fingerprint,
        trends=_trends(publisher, issue),
        asks=publisher.matcher.compares,
    )
    issue = replace(issue, quarantined=quarantined)
    return Draft(issue, match_readers(publisher, issue, ()), fragments)


def _trends(publisher: Publisher, issue: Issue) -> dict[int, str]:
    """How the upvotes of papers have grown that were known before the last issue."""
    published = publisher.store.published_issues()
    before = next((one.cutoff for one in published if one.day < issue.day), 0)
    history = publisher.store.upvotes_by_day(issue.papers, since=issue.day - REMEMBERED)
    return find_trends(issue, history, before)


def match_readers(publisher: Publisher, issue: Issue, readers: Sequence[Reader]) -> Matching:
    """What matches in an issue: its topics, and the filters of these readers."""
    filters = [reader.subscriber.filter for reader in readers]
    return match_issue(issue, filters, publisher.matcher)


def load_histories(
    publisher: Publisher, readers: Sequence[Reader], issue: Issue
) -> Sequence[ReaderHistory]:
    """What each reader got and was denied so far of the issue's papers, in the readers' order."""
    decided = publisher.store.reader_histories(readers, issue.papers, day=issue.day)
    histories = with_tastes(publisher, issue, decided)
    if not issue.corrections:
        return histories
    due = publisher.store.corrections_due([reader.id for reader in readers], issue.corrections)
    return [replace(each, corrected=due.get(each.reader.id, ())) for each in histories]


def with_tastes(
    publisher: Publisher, issue: Issue, histories: Sequence[ReaderHistory]
) -> Sequence[ReaderHistory]:
    """The histories with what the readers' likes say of an issue's papers.

    What was said after the issue was frozen does not count.
    """
    said = publisher.store.likes([each.reader.id for each in histories])
    if not said:
        return histories
    numbers = {like.paper for likes in said.values() for like in likes}
    known = {paper.number: paper.item for paper in publisher.store.papers_by_number(numbers)}
    items = [paper.item for paper in issue.papers]

    def taste(likes: Sequence[Like]) -> Taste:
        before = [like for like in likes if like.at <= issue.frozen_at]
        liked, unliked = (
            [known[like.paper] for like in before if like.more == more] for more in (True, False)
        )
        return publisher.matcher.taste(items, liked, unliked)

    return [
        replace(each, taste=taste(said[each.reader.id])) if each.reader.id in said else each
        for each in histories
    ]


def limits_for(publisher: Publisher, fragments: IssueFragments) -> EditionLimits:
    """The limits of the letters that these fragments make."""
    publication = fragments.publication
    return EditionLimits(
        fragments.sizes,
        publisher.max_items,
        has_page=publication.url is not None,
        cadence=publication.cadence if TOP_TEN in fragments.html.headings else None,
    )


def usable_readers(
    publisher: Publisher, readers: Iterable[Reader], on_fault: OnFault
) -> Iterator[Reader]:
    """The confirmed readers whose stored settings can be used; the others go to ``on_fault``.

    So do readers who are served otherwise than their settings say.
    """
    topics = publisher.known_topics
    for reader in readers:
        if reader.status != "confirmed":
            continue
        fault = find_fault(reader, topics)
        if fault is not None:
            on_fault(fault)
        if fault is None or fault.served:
            yield reader


def in_chunks(readers: Sequence[T]) -> Iterator[Sequence[T]]:
    """These readers or their ids, ``CHUNK`` at a time."""
    return (readers[start : start + CHUNK] for start in range(0, len(readers), CHUNK))


def read_in_chunks(publisher: Publisher, reader_ids: Sequence[int]) -> Iterator[Sequence[Reader]]:
    """The readers of these ids, ``CHUNK`` at a time."""
    return map(publisher.store.readers_by_id, in_chunks(reader_ids))


def plan_editions(
    publisher: Publisher,
    draft: Draft,
    chunks: Iterable[Sequence[Reader]],
    on_fault: OnFault = lambda _fault: None,
) -> Iterator[PlannedEdition]:
    """Every reader's history and edition, in the readers' order; each chunk is matched alone.

    Readers whose edition raises an unexpected exception are left out and given to ``on_fault``.
    """
    planner = _Planner(publisher, draft, on_fault)
    # chain and map drop a chunk before they ask for the next; a for loop would hold both.
    return chain.from_iterable(map(planner.plan, chunks))


MOST_TERMS = 10_000
"""How many terms of readers' filters are known at once; with more, the masks begin anew."""


class _Planner:
    """Plans a draft's editions, a few readers at a time, with what filters before asked for."""

    def __init__(self, publisher: Publisher, draft: Draft, on_fault: OnFault) -> None:
        self._publisher, self._draft, self._on_fault = publisher, draft, on_fault
        self._limits = limits_for(publisher, draft.fragments)
        self._masks = IssueMasks(draft.issue, draft.matching, publisher.matcher)

    def plan(self, readers: Sequence[Reader]) -> Sequence[PlannedEdition]:
        """The plans of one chunk; where it breaks, halves are tried until the reader is found."""
        alone = len(readers) == 1
        subject = f"{self._draft.issue.day}: reader {readers[0].subscriber.email}" if alone else ""
        with Isolated(subject) as attempt:
            return self._plan_all(readers)
        if alone:
            (reader,) = readers
            self._on_fault(ReaderFault(reader.id, reader.subscriber.email, describe(attempt.error)))
            return []
        half = len(readers) // 2
        return [plan for part in (readers[:half], readers[half:]) for plan in self.plan(part)]

    def _plan_all(self, readers: Sequence[Reader]) -> Sequence[PlannedEdition]:
        issue, matcher = self._draft.issue, self._publisher.matcher
        if len(self._masks.matching.terms) > len(self._draft.matching.terms) + MOST_TERMS:
            self._masks = IssueMasks(issue, self._draft.matching, matcher)
        filters = [reader.subscriber.filter for reader in readers]
        self._masks.learn(extend_matching(self._masks.matching, issue, filters, matcher))
        even_empty = self._publisher.when_empty == "send"
        return [
            PlannedEdition(history, compose_edition(self._masks, history, self._limits), even_empty)
            for history in load_histories(self._publisher, readers, issue)
        ]


def masks_for(publisher: Publisher, draft: Draft, readers: Sequence[Reader]) -> IssueMasks:
    """The issue's masks, extended by the filters of these readers."""
    filters = [reader.subscriber.filter for reader in readers]
    matching = extend_matching(draft.matching, draft.issue, filters, publisher.matcher)
    return IssueMasks(draft.issue, matching, publisher.matcher)


def compose_late(
    publisher: Publisher, issue: Issue, fragments: IssueFragments, history: ReaderHistory
) -> Edition:
    """The edition of a reader who comes after the issue was frozen, by their topics' names now."""
    issue = replace(issue, topics=with_later_names(issue.topics, publisher.topics))
    matching = match_readers(publisher, issue, [history.reader])
    masks = IssueMasks(issue, matching, publisher.matcher)
    return compose_edition(masks, history, limits_for(publisher, fragments))


def _candidates(store: Papers, after: int, now: datetime, again: Collection[int]) -> list[Paper]:
    """The papers that may be owed to a reader, by number."""
    papers = chain(
        store.papers(after=after, since=now - MAX_PAPER_AGE), store.papers_by_number(again)
    )
    by_number = {paper.number: paper for paper in papers}
    return [by_number[number] for number in sorted(by_number)]


def sample_reader(publisher: Publisher) -> Reader:
    """A reader who wants every paper and is not in the store; previews show their letter."""
    subscriber = Subscriber(email=publisher.publication.sender_email, filter=Filter())
    issues = map(publisher.store.waves, publisher.store.issue_days())
    decided = next((waves[-1].issue.cutoff for waves in issues if waves), 0)
    return Reader(0, subscriber, "confirmed", decided, "store")
