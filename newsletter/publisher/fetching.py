"""Fetch the sources: when each is asked, and what its answer means.

Sources are fetched side by side. The listing of each is stored in one transaction, and a source
that fails, in whatever way, leaves the others alone.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from newsletter.errors import Isolated, NewsletterError, SourceError, describe
from newsletter.model import IdentifiedItem, Item, Listing, ListingState, SourceHealth, SourceReport
from newsletter.model.windows import BACKOFF_WAITS, FETCH_AHEAD
from newsletter.papers.identity import identify
from newsletter.ports import Clock, Papers, Source

_log = logging.getLogger(__name__)

SATURDAY = 5

LAST_CALL = timedelta(minutes=1)
"""This long before an issue is due, sources that had nothing are asked once more."""

REUSED_FOR = timedelta(minutes=30)
"""A good answer younger than this also serves the next wave, whenever that is due."""

ANSWERS_KEPT = timedelta(days=3)  # answers for days further back than this are forgotten


async def fetch_sources(
    sources: Sequence[Source],
    store: Papers,
    day: date,
    clock: Clock,
    on_report: Callable[[SourceReport], None] = lambda _report: None,
) -> tuple[SourceReport, ...]:
    """Fetch all sources at once, and store what they list for the issue of ``day``.

    Returns a report for each source, in their order; that of a source that failed is ``failed``.
    ``on_report`` gets each as soon as the source has answered.

    Raises:
        StoreError: what was listed cannot be stored.
    """
    known = store.sources()

    async def fetch(source: Source) -> SourceReport:
        before = known.get(source.name, SourceHealth(source.name, "quiet"))
        report = await _fetch_one(source, store, day, clock, before)
        on_report(report)
        return report

    return tuple(await asyncio.gather(*map(fetch, sources)))


async def _fetch_one(
    source: Source, store: Papers, day: date, clock: Clock, before: SourceHealth
) -> SourceReport:
    listings: tuple[Listing, ...] = ()
    entries: list[IdentifiedItem] = []
    failure = ""
    with Isolated(f"source {source.name}") as attempt:
        try:
            listings = await source.fetch(day)
            entries = [
                IdentifiedItem(item=item, identity=identify(item, source.name), past=listing.past)
                for listing in listings
                for item in listing.items
            ]
        except SourceError as error:
            failure = str(error)
        except NewsletterError as error:  # whatever it is, the other sources are not affected
            failure = f"{source.name}: {type(error).__name__}: {error}"
    if attempt.error is not None:
        failure = f"{source.name}: {describe(attempt.error)}"
    health = _health(source, listings, failure, before, day=day, now=clock.now())
    counts = store.ingest(day, health, entries if not failure else (), now=clock.now())
    return SourceReport(
        source.name, health.state, counts.new, counts.seen, counts.revised, health.detail
    )


def log_report(day: date, report: SourceReport) -> None:
    """Log a source's report: a warning if its papers are missing."""
    level = logging.WARNING if report.missing else logging.INFO
    detail = f": {report.detail}" if report.detail else ""
    state, new = report.state, report.new
    _log.log(level, "%s: %s is %s, %d new papers%s", day, report.name, state, new, detail)


def _health(
    source: Source,
    listings: Sequence[Listing],
    failure: str,
    before: SourceHealth,
    *,
    day: date,
    now: datetime,
) -> SourceHealth:
    """The source's health after this answer."""
    if failure:
        return SourceHealth(source.name, "failed", failure, now, before.last_ok, before.digest)
    current = [
        item
        for listing in listings
        # A daily source that was asked before may list an earlier day in this one's place.
        if not listing.past and (not source.daily or listing.day == day or before.last_ok is None)
        for item in listing.items
    ]
    digest = _digest(current)
    again = digest == before.digest and _is_old(before, now)
    state = listing_state(len(current), day, daily=source.daily, again=again)
    return SourceHealth(source.name, state, _DETAILS[state], now, now, digest)


def listing_state(items: int, day: date, *, daily: bool, again: bool) -> ListingState:
    """What an answer without an error means whose current listing has so many papers.

    ``daily``: the source lists afresh every working day; ``again``: the same list was there on an
    earlier day.
    """
    if items and again:
        return "stale" if daily else "quiet"
    if items:
        return "ok"
    return "holiday" if daily and day.weekday() >= SATURDAY else "quiet"


_DETAILS: dict[ListingState, str] = {
    "ok": "",
    "quiet": "nothing new today",
    "stale": "an earlier day's list again",
    "holiday": "no listing on this day of the week",
}


def _is_old(before: SourceHealth, now: datetime) -> bool:
    """Whether the last list was an earlier day's, or was found today to be one."""
    known_old = before.state in {"stale", "quiet"}
    return before.last_ok is not None and (known_old or before.last_ok.date() < now.date())


def _digest(items: Sequence[Item]) -> str:
    """A hash of the items' ids and titles; the time at which a feed was built does not count."""
    names = sorted("\x1f".join((*item.ids, item.title)) for item in items)
    return hashlib.blake2b("\x1e".join(names).encode(), digest_size=16).hexdigest()


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


@dataclass(frozen=True, slots=True)
class LastFetch:
    """A source's last report for a day, its time, and how often in a row it had nothing."""

    report: SourceReport
    at: datetime
    backoff: Backoff

    @property
    def good(self) -> bool:
        """Whether it gave its papers or has a day off: asking again would bring nothing."""
        return self.report.state in {"ok", "holiday"}

    def serves(self, due: datetime, now: datetime) -> bool:
        """Whether it is recent enough for an issue that is due then."""
        return self.at >= due - FETCH_AHEAD or timedelta() <= now - self.at < REUSED_FOR


@dataclass(slots=True)
class FetchSchedule:
    """The sources' last answers for each day, and which sources to fetch next."""

    _last: dict[tuple[date, str], LastFetch] = field(default_factory=dict)

    def sources_to_fetch(
        self, sources: Sequence[Source], day: date, due: datetime, now: datetime
    ) -> list[Source]:
        """The sources to fetch now for a day whose next issue is due at an instant.

        From an hour before, each is asked once. One that failed or had nothing new is asked again
        after 1, 2, 4, 8, 15 minutes, and in the last minute before the time. After the time only
        those are asked that were not asked yet, unless all of them failed.
        """
        patient = now < due or self.all_failed(sources, day)
        return [s for s in sources if self._is_wanted((day, s.name), due, now, patient=patient)]

    def _is_wanted(
        self, key: tuple[date, str], due: datetime, now: datetime, *, patient: bool
    ) -> bool:
        last = self._last.get(key)
        if last is None:
            return True
        if last.good or not patient:
            return not last.serves(due, now)
        last_call = due - LAST_CALL <= now < due and last.at < due - LAST_CALL
        return last_call or last.backoff.may_try(now)

    def record(self, day: date, report: SourceReport, now: datetime) -> None:
        """Remember a source's report, and forget old ones."""
        self._last = {key: kept for key, kept in self._last.items() if key[0] >= day - ANSWERS_KEPT}
        before = self._last.get((day, report.name))
        backoff = Backoff() if before is None or before.good else before.backoff
        answer = LastFetch(report, now, backoff)
        if not answer.good:
            answer.backoff.failed(now)
        self._last[day, report.name] = answer

    def all_failed(self, sources: Sequence[Source], day: date) -> bool:
        """Whether sources were asked for that day, and all of them failed."""
        reports = self.reports(sources, day)
        return bool(reports) and all(report.missing for report in reports)

    def reports(self, sources: Sequence[Source], day: date) -> tuple[SourceReport, ...]:
        """The last report of each source for a day; those not asked yet are left out."""
        answers = (self._last.get((day, source.name)) for source in sources)
        return tuple(answer.report for answer in answers if answer is not None)
