"""Fetch the sources: when each is polled, and what its answers mean.

Sources have a rhythm of their own, apart from letters. They are polled side by side, each for the
lists that are open. What a source answered is stored in one transaction. A source or a list that
fails, in whatever way, leaves the others alone.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import get_args
from zlib import crc32

from newsletter.errors import Isolated, NewsletterError, SourceError, describe
from newsletter.model import (
    Calendar,
    Coverage,
    IdentifiedItem,
    Item,
    Listing,
    ListingState,
    ListRequest,
    SourceHealth,
    SourceReport,
)
from newsletter.model.closed_sets import complete
from newsletter.model.windows import BACKOFF_WAITS, FETCH_AHEAD
from newsletter.papers.identity import identify
from newsletter.ports import Clock, Papers, Source
from newsletter.publisher.coverage import (
    SATURDAY,
    STALE,
    Reply,
    Rows,
    first_owed,
    is_fresh,
    is_stale,
    open_requests,
    update_rows,
    was_written_ahead,
)

_log = logging.getLogger(__name__)

LAST_CALL = timedelta(minutes=1)
"""This long before an issue, sources that failed or whose list grows are polled once more."""

PERSISTENT = 10
"""After so many failures in a row a source is polled in its usual interval."""

JITTER = timedelta(minutes=5)  # a source is polled at most this long after its next list begins
SHORTEST_INTERVAL, LONGEST_INTERVAL = 30, 240
"""Minutes between two polls of a feed, at least and at most."""

LATE = timedelta(days=4)
"""If a list is read this long after its date, letters say the date; before, it may still grow."""

LONGEST_POLL = timedelta(minutes=5)
"""After so long, the older lists of a source wait for its next poll."""

ONE_DAY, ONE_MINUTE = timedelta(days=1), timedelta(minutes=1)


async def fetch_sources(
    sources: Sequence[Source],
    store: Papers,
    day: date,
    clock: Clock,
    on_report: Callable[[SourceReport], None] = lambda _report: None,
    *,
    since: date | None = None,
    replayed: bool = False,
) -> tuple[SourceReport, ...]:
    """Ask all sources at once for the lists that are open, and store what they list.

    ``day`` is the issue's date. If it is not today's, the sources are asked for the lists of that
    date, and the coverage record stays as it is. With ``since``, every list from that date on is
    asked for, and its papers are sent to readers however old they are. ``replayed``: the sources
    give the answers that were kept on ``day``; their health and the record stay as they are.

    Returns a report for each source, in their order; that of a source that failed is ``failed``.
    ``on_report`` gets each as soon as the source has answered.

    Raises:
        StoreError: what was listed cannot be stored.
    """
    health = store.sources()
    now = clock.now()
    # The newsletter's date may be ahead of UTC or behind.
    present = abs(day - now.date()) <= ONE_DAY and not replayed
    as_of = now if present else datetime.combine(day, time(12), UTC)

    async def fetch(source: Source) -> SourceReport:
        before = health.get(source.name, SourceHealth(source.name, "quiet"))
        poll = Poll(source, store, day, as_of, since, before, recorded=present, replayed=replayed)
        report = await poll.run(clock)
        on_report(report)
        return report

    return tuple(await asyncio.gather(*map(fetch, sources)))


@dataclass(frozen=True, slots=True)
class Poll:
    """One poll of one source: every open list is asked for alone."""

    source: Source
    store: Papers
    day: date
    as_of: datetime
    since: date | None
    before: SourceHealth
    recorded: bool
    replayed: bool

    async def run(self, clock: Clock) -> SourceReport:
        """Ask, and store the answers in one transaction."""
        source, rows = self.source, self._rows()
        requests = open_requests(source, rows, self.as_of, self.since)
        replies = await self._ask_in_turn(requests, clock)
        now = clock.now()
        health = self._health(rows, replies, now)
        changed = update_rows(source, rows, replies, self.as_of, self.since)
        counts = self.store.ingest(
            self.day,
            self.before if self.replayed else health,
            self._entries(rows, replies),
            changed if self.recorded else (),
            now=now,
        )
        health = health.after(counts)
        return SourceReport(
            source.name, health.state, counts.new, counts.seen, counts.revised, health.detail
        )

    def _rows(self) -> Rows:
        return read_rows(self.source, self.store, self.as_of) if self.recorded else {}

    async def _ask_in_turn(self, requests: Sequence[ListRequest], clock: Clock) -> list[Reply]:
        """The replies, as many as there is time for: a letter may wait for them."""
        end, replies = clock.now() + LONGEST_POLL, list[Reply]()
        for request in requests:
            if clock.now() > end and self.since is None:
                break
            replies.append(await self._ask(request))
        return replies

    async def _ask(self, request: ListRequest) -> Reply:
        """The reply to one request; whatever goes wrong, the others are not affected."""
        name = self.source.name
        with Isolated(f"source {name}") as attempt:
            try:
                listings = await self.source.read(request)
                identities = (identify(item, name) for one in listings for item in one.items)
                return Reply(request, listings, tuple(identities))
            except SourceError as error:
                return Reply(request, failure=str(error))
            except NewsletterError as error:
                return Reply(request, failure=f"{name}: {type(error).__name__}: {error}")
        return Reply(request, failure=f"{name}: {describe(attempt.error)}")

    def _entries(self, rows: Rows, replies: Sequence[Reply]) -> list[IdentifiedItem]:
        first = self.since or first_owed(rows, replies)
        return [
            IdentifiedItem(
                item=self._as_listed(item, listing, reply),
                identity=identity,
                past=(listing.past or reply.request.day < first)
                and not self._is_requested(listing, item),
                asked=self._is_requested(listing, item),
            )
            for reply in replies
            for (listing, item), identity in zip(reply.listed_items, reply.identities, strict=True)
        ]

    def _as_listed(self, item: Item, listing: Listing, reply: Reply) -> Item:
        """An item with the name of this source and, if its list is late, the list's date."""
        listed = listing.day if self._is_late(reply) else item.listed
        return replace(item, sources=(self.source.name,), listed=listed)

    def _is_late(self, reply: Reply) -> bool:
        """Whether a list is read so late that letters say its date."""
        return self.source.calendar.today(self.as_of) - reply.request.day >= LATE

    def _is_requested(self, listing: Listing, item: Item) -> bool:
        """Whether it is from ``since`` on, which the operator asked for."""
        if self.since is None or not listing.past:
            return self.since is not None
        return item.published is None or item.published >= self.since

    def _health(self, rows: Rows, replies: Sequence[Reply], now: datetime) -> SourceHealth:
        """The source's health after these replies."""
        before, calendar = self.before, self.source.calendar
        failed = [reply for reply in replies if reply.failure]
        partial = [reply for reply in replies if reply.missing]
        stale = [reply for reply in replies if calendar.past and is_stale(calendar, rows, reply)]
        state: ListingState
        if failed or partial:
            state = "partial" if any(reply.items for reply in replies) else "failed"
        elif stale:
            state = "stale"
        elif any(is_fresh(calendar, rows, reply, self.as_of) for reply in replies):
            state = "ok"
        else:
            weekend = calendar.past and calendar.today(self.as_of).weekday() >= SATURDAY
            state = "holiday" if weekend else "quiet"
        details = [self._name(reply, reply.failure) for reply in failed]
        details += [self._name(reply, reply.missing) for reply in partial]
        details += [self._name(reply, STALE) for reply in stale]
        details += [self._name(reply, reply.unreadable) for reply in replies if reply.unreadable]
        return SourceHealth(
            before.name,
            state,
            "; ".join(dict.fromkeys(details)) or _DETAILS[state],
            now,
            before.last_ok if state == "failed" else now,
            before.failures + 1 if failed or partial or stale else 0,
            next_interval(calendar, before, replies, changed=state == "ok"),
        )

    def _name(self, reply: Reply, words: str) -> str:
        """What happened to a list, with the part's name if the source has several."""
        return f"{reply.request.part}: {words}" if len(self.source.parts) > 1 else words


def read_rows(source: Source, store: Papers, now: datetime) -> Rows:
    """The coverage record of a source, without rows that were written while the clock was ahead."""
    rows = {
        (row.part, row.day): row
        for row in store.coverage(source.name)
        if row.part in source.parts and not was_written_ahead(source.calendar, row, now)
    }
    return rows or _begin_record(source, store, now)


def _begin_record(source: Source, store: Papers, now: datetime) -> Rows:
    """The record of a source that has none yet: empty, unless it was polled before.

    It may have been polled before there was a record. And arXiv's archives, the only parts with a
    name, are the same lists under another name, which changes with the categories.
    """
    health, calendar = store.sources(), source.calendar
    firsts: dict[str, date] = {}
    if (own := health.get(source.name)) is not None:
        if calendar.past and own.last_ok is not None and own.last_ok <= now:
            firsts = dict.fromkeys(source.parts, calendar.today(own.last_ok))
    elif any(source.parts):  # the records of all sources are read for named parts only
        others = [row for name in health for row in store.coverage(name) if row.part]
        for part in source.parts:
            same = [row for row in others if row.part == part and row.day <= calendar.today(now)]
            if same:
                latest = max(row.day for row in same)
                firsts[part] = min((row.day for row in same if row.is_open), default=latest)
    return {
        (part, day): Coverage(source.name, part, day, "growing") for part, day in firsts.items()
    }


def log_report(day: date, report: SourceReport) -> None:
    """Log a source's report: a warning if its papers are missing."""
    level = logging.WARNING if report.missing else logging.INFO
    detail = f": {report.detail}" if report.detail else ""
    state, new = report.state, report.new
    _log.log(level, "%s: %s is %s, %d new papers%s", day, report.name, state, new, detail)


_DETAILS: Mapping[ListingState, str] = complete(
    "_DETAILS",
    get_args(ListingState),
    {
        "ok": "",
        "quiet": "nothing new today",
        "stale": STALE,
        "holiday": "no list on this day of the week",
        "partial": "some of its lists could not be read",
        "failed": "no list could be read",
    },
)


@dataclass(slots=True)
class Backoff:
    """Failed attempts in a row, and the instant of the last one."""

    failures: int = 0
    last: datetime | None = None

    def failed(self, now: datetime) -> None:
        """Count one more failure."""
        self.failures, self.last = self.failures + 1, now

    @property
    def wait(self) -> timedelta:
        """How long to wait after the last failure."""
        return BACKOFF_WAITS[min(max(self.failures, 1), len(BACKOFF_WAITS)) - 1]

    def may_try(self, now: datetime) -> bool:
        """Whether the wait is over; also True if the clock was set back since the last failure."""
        return self.last is None or not timedelta() <= now - self.last < self.wait


def next_interval(
    calendar: Calendar, before: SourceHealth, replies: Sequence[Reply], *, changed: bool
) -> int:
    """How many minutes to wait before a source is polled again.

    A site with a list for each date has its own interval. A feed is polled twice as often after
    it has changed, and half as often after it has not, within limits; it may ask for more time.
    """
    if calendar.past:
        return int(calendar.interval / ONE_MINUTE)
    minutes = before.interval // 2 if changed else before.interval * 2
    hints = [one.poll_after for reply in replies for one in reply.listings]
    asked = max(hints, default=timedelta()) / ONE_MINUTE
    return int(min(max(minutes, SHORTEST_INTERVAL, asked), LONGEST_INTERVAL))


@dataclass(slots=True)
class FetchSchedule:
    """When each source is polled next. What it is based on is in the store."""

    _polls: dict[str, "NextPoll"] = field(default_factory=dict)

    def sources_to_poll(
        self, sources: Sequence[Source], store: Papers, now: datetime, due: datetime | None
    ) -> list[Source]:
        """The sources to poll now; ``due`` is the time of the next issue, if it is within the hour.

        Every source is polled in the hour before an issue. One that failed, or whose list still
        grows, is polled again in the last minute before it.
        """
        self.plan([source for source in sources if source.name not in self._polls], store, now)
        return [source for source in sources if self._polls[source.name].is_due(now, due)]

    def plan(self, sources: Sequence[Source], store: Papers, now: datetime) -> None:
        """Plan the next poll of these sources, after they were polled or at the start."""
        if not sources:
            return
        health = store.sources()
        for source in sources:
            rows = read_rows(source, store, now)
            self._polls[source.name] = next_poll(source, rows, health.get(source.name), now)


@dataclass(frozen=True, slots=True)
class NextPoll:
    """When a source is polled next by its own rhythm.

    Attributes:
        at: the time; the next issue may be a reason to poll earlier.
        last: when it was polled last; None: never.
        unfinished: whether a list of it is missing or still grows.
    """

    at: datetime
    last: datetime | None
    unfinished: bool

    def is_due(self, now: datetime, due: datetime | None) -> bool:
        """Whether to poll the source now."""
        if self.last is None or self.last > now or now >= self.at:  # the clock may be set back
            return True
        if due is None:
            return False
        last_call = due - LAST_CALL
        return self.last < due - FETCH_AHEAD or (
            self.unfinished and self.last < last_call <= now < due
        )


def next_poll(source: Source, rows: Rows, health: SourceHealth | None, now: datetime) -> NextPoll:
    """When a source is polled next by its own rhythm.

    One that failed is polled again after 1, 2, 4, 8, 15 minutes; after many failures, and while a
    list grows, in its interval; otherwise when its next list begins.
    """
    if health is None or health.checked is None:
        return NextPoll(now, None, unfinished=True)
    calendar, last = source.calendar, health.checked
    interval = timedelta(minutes=health.interval)
    jitter = crc32(source.name.encode()) % 100 / 100  # so that not all sources are polled at once
    if health.failures:
        wait = Backoff(health.failures).wait if health.failures < PERSISTENT else interval
        return NextPoll(last + wait, last, unfinished=True)
    if not calendar.past:
        return NextPoll(last + interval * (1 + jitter / 10), last, unfinished=False)
    if open_requests(source, rows, now):
        return NextPoll(last + interval, last, unfinished=True)
    following = next(calendar.days(calendar.today(now) + ONE_DAY, now + 4 * ONE_DAY))
    return NextPoll(calendar.starts(following) + jitter * JITTER, last, unfinished=False)
