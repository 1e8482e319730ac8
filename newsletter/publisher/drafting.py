"""Draft: the day's issue composed, matched and set, before anything of it is frozen."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import partial
from itertools import chain

from newsletter.issue import composing as issues
from newsletter.issue.composing import MAX_PAPER_AGE, IssueMasks
from newsletter.issue.editions import EditionLimits, compose_edition
from newsletter.letter.fragments import IssueFragments
from newsletter.letter.rendering import render_issue
from newsletter.model import (
    Filter,
    Issue,
    Matching,
    Paper,
    PlannedEdition,
    Reader,
    ReaderHistory,
    Subscriber,
    Wave,
)
from newsletter.papers import topics
from newsletter.ports import Papers
from newsletter.publisher.publisher import Publisher

JUDGED_AGAIN = timedelta(days=3)
"""How long a paper that fell short of upvotes alone is judged again."""

CHUNK = 1000
"""Readers who are read and matched at once: many for speed, not all for memory."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An issue with all that editions are cut and set from, matched with its topics alone."""

    issue: Issue
    matching: Matching
    sheet: IssueFragments

    @property
    def since(self) -> datetime:
        """From when on a paper short of upvotes is judged again."""
        return self.issue.frozen_at - JUDGED_AGAIN


def draft(publisher: Publisher, day: date, after: int, missing: Sequence[str]) -> Draft:
    """Compose the issue of ``day`` from what the store holds, and set it.

    Papers that cannot be set are quarantined: named in the issue, in nobody's edition.

    Args:
        publisher: the newsletter.
        day: the issue's date.
        after: the ingest number up to which all it is for have decided.
        missing: the sources that did not answer.
    """
    return typeset(publisher, draft_issue(publisher, day, after, missing))


def typeset(publisher: Publisher, issue: Issue) -> Draft:
    """Set a composed issue, and match it with its topics."""
    sheet, quarantined = render_issue(
        issue, publisher.publication, publisher.templates, signed_by=publisher.keyring.fingerprint
    )
    issue = replace(issue, quarantined=quarantined)
    return Draft(issue, match(publisher, issue, ()), sheet)


def draft_issue(publisher: Publisher, day: date, after: int, missing: Sequence[str]) -> Issue:
    """Compose the issue of ``day`` from what the store holds; see :func:`draft`."""
    now = publisher.clock.now()
    cutoff = publisher.store.cutoff()
    papers = _in_question(publisher.store, day, after, now)
    return issues.compose_issue(
        papers,
        publisher.topics,
        day=day,
        cutoff=cutoff,
        after=after,
        frozen_at=now,
        missing=tuple(missing),
    )


def match(publisher: Publisher, issue: Issue, readers: Sequence[Reader]) -> Matching:
    """What matches what in an issue, for the filters of these readers."""
    filters = [reader.subscriber.filter for reader in readers]
    return topics.match_issue(issue, filters, publisher.matcher)


def histories(
    publisher: Publisher, readers: Sequence[Reader], issue: Issue
) -> Sequence[ReaderHistory]:
    """Where each reader stands."""
    return publisher.store.reader_histories(
        readers, issue.papers, since=issue.frozen_at - JUDGED_AGAIN
    )


def chunks(readers: Sequence[int]) -> Iterator[Sequence[int]]:
    """These readers, by id, a chunk at a time."""
    return (readers[start : start + CHUNK] for start in range(0, len(readers), CHUNK))


def in_turn(publisher: Publisher, readers: Sequence[int]) -> Iterator[Sequence[Reader]]:
    """The readers of these ids, a chunk at a time."""
    return map(publisher.store.readers_by_id, chunks(readers))


def plans(
    publisher: Publisher, made: Draft, readers: Iterable[Sequence[Reader]]
) -> Iterator[PlannedEdition]:
    """Where every reader stands and their edition, in the readers' order.

    They come in chunks, each matched alone.
    """
    # Each chunk is let go before the next is asked for, as it is not in a loop.
    return chain.from_iterable(map(partial(_plans, publisher, made), readers))


def _plans(
    publisher: Publisher, made: Draft, readers: Sequence[Reader]
) -> Iterator[PlannedEdition]:
    budget = EditionLimits(made.sheet.sizes, publisher.max_items)
    table = table_for(publisher, made, readers)
    for history in histories(publisher, readers, made.issue):
        yield PlannedEdition(history, compose_edition(table, history, budget))


def table_for(publisher: Publisher, made: Draft, readers: Sequence[Reader]) -> IssueMasks:
    """What the editions of these readers are cut from."""
    filters = [reader.subscriber.filter for reader in readers]
    matching = topics.extend_matching(made.matching, made.issue, filters, publisher.matcher)
    return IssueMasks(made.issue, matching)


def wave(made: Draft, due: datetime) -> Wave:
    """The draft as it is frozen for the readers due at an instant."""
    return Wave(0, made.issue, due, made.sheet.dump())


def _in_question(store: Papers, day: date, after: int, now: datetime) -> tuple[Paper, ...]:
    """The papers somebody may be owed, and those read for this day, by number."""
    found = {
        paper.number: paper
        for papers in (
            store.papers(after=after, since=now - MAX_PAPER_AGE),
            store.papers_by_number(store.papers_to_reconsider(since=now - JUDGED_AGAIN)),
            store.papers_listed(day),
        )
        for paper in papers
    }
    return tuple(found[number] for number in sorted(found))


def anyone(publisher: Publisher) -> Reader:
    """A reader who wants everything and is not in the store: whose letter is shown for nobody."""
    subscriber = Subscriber(email=publisher.publication.sender_email, filter=Filter())
    return Reader(0, subscriber, "confirmed", _last_decided(publisher), "store")


def _last_decided(publisher: Publisher) -> int:
    """Up to which ingest number the last frozen issue decided, 0 where there is none."""
    waves = (publisher.store.waves(day) for day in publisher.store.issue_days())
    return next((found[-1].issue.cutoff for found in waves if found), 0)
