"""Draft: the day's issue composed, matched and set, before anything of it is frozen."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from newsletter import issue as issues
from newsletter import topics
from newsletter.edition import REACH, Budget, Table, cut
from newsletter.model import (
    Filter,
    Issue,
    Matching,
    Paper,
    Planned,
    Reader,
    Standing,
    Subscriber,
    Wave,
)
from newsletter.ports import Store
from newsletter.publisher.desk import Desk
from newsletter.render import Sheet, set_issue

JUDGED_AGAIN = timedelta(days=3)
"""How long a paper that fell short of upvotes alone is judged again."""

CHUNK = 500
"""Readers whose standings are read at once: many for speed, not all for memory."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An issue with all that editions are cut and set from."""

    issue: Issue
    matching: Matching
    sheet: Sheet

    @property
    def since(self) -> datetime:
        """From when on a paper short of upvotes is judged again."""
        return self.issue.frozen_at - JUDGED_AGAIN


def draft(desk: Desk, day: date, readers: Sequence[Reader], missing: Sequence[str]) -> Draft:
    """Compose the issue of ``day`` for these readers from what the store holds, and set it.

    Papers that cannot be set are quarantined: named in the issue, in nobody's edition.
    """
    return typeset(desk, draft_issue(desk, day, readers, missing), readers)


def typeset(desk: Desk, issue: Issue, readers: Sequence[Reader]) -> Draft:
    """Set a composed issue, and match it for these readers."""
    sheet, quarantined = set_issue(
        issue, desk.publication, desk.templates, signed_by=desk.keyring.fingerprint
    )
    issue = replace(issue, quarantined=quarantined)
    return Draft(issue, match(desk, issue, readers), sheet)


def draft_issue(desk: Desk, day: date, readers: Sequence[Reader], missing: Sequence[str]) -> Issue:
    """Compose the issue of ``day`` for these readers from what the store holds."""
    now = desk.clock.now()
    cutoff = desk.store.cutoff()
    after = min((reader.decided for reader in readers), default=cutoff)
    papers = _in_question(desk.store, day, after, now)
    return issues.compose(
        papers,
        desk.topics,
        day=day,
        cutoff=cutoff,
        after=after,
        frozen_at=now,
        missing=tuple(missing),
    )


def match(desk: Desk, issue: Issue, readers: Sequence[Reader]) -> Matching:
    """What matches what in an issue, for the filters of these readers."""
    filters = [reader.subscriber.filter for reader in readers]
    return topics.match(issue, filters, desk.matcher)


def standings(desk: Desk, readers: Sequence[Reader], issue: Issue) -> Iterator[Standing]:
    """Where each reader stands, a chunk at a time."""
    since = issue.frozen_at - JUDGED_AGAIN
    for start in range(0, len(readers), CHUNK):
        yield from desk.store.standings(readers[start : start + CHUNK], issue.papers, since=since)


def plans(desk: Desk, made: Draft, readers: Sequence[Reader]) -> Iterator[Planned]:
    """Where every reader stands and their edition, in the readers' order."""
    budget = Budget(made.sheet.sizes, desk.max_items)
    table = Table(made.issue, made.matching)
    for standing in standings(desk, readers, made.issue):
        yield Planned(standing, cut(table, standing, budget))


def wave(made: Draft, due: datetime) -> Wave:
    """The draft as it is frozen for the readers due at an instant."""
    return Wave(0, made.issue, due, made.sheet.dump())


def _in_question(store: Store, day: date, after: int, now: datetime) -> tuple[Paper, ...]:
    """The papers somebody may be owed, and those read for this day, by number."""
    found = {
        paper.number: paper
        for papers in (
            store.papers(after=after, since=now - REACH),
            store.papers_numbered(store.recent_short(since=now - JUDGED_AGAIN)),
            store.papers_read(day),
        )
        for paper in papers
    }
    return tuple(found[number] for number in sorted(found))


def anyone(desk: Desk) -> Reader:
    """A reader who wants everything and is not in the store: whose letter is shown for nobody."""
    subscriber = Subscriber(email=desk.publication.sender_email, filter=Filter())
    return Reader(0, subscriber, "confirmed", _last_decided(desk), "store")


def _last_decided(desk: Desk) -> int:
    """Up to which ingest number the last frozen issue decided, 0 where there is none."""
    waves = (desk.store.waves(day) for day in desk.store.days())
    return next((found[-1].issue.cutoff for found in waves if found), 0)
