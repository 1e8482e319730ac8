"""Gather: every source side by side, each one's listing remembered in one transaction."""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from datetime import date, datetime

from newsletter.errors import SourceError
from newsletter.model import IdentifiedItem, Item, Listing, ListingState, SourceHealth, SourceReport
from newsletter.papers.identity import identify
from newsletter.ports import Clock, Papers, Source

SATURDAY = 5

Told = Callable[[SourceReport], None]
"""Called with each source's report as soon as it is there."""


async def gather(
    sources: Sequence[Source], store: Papers, day: date, clock: Clock, told: Told
) -> tuple[SourceReport, ...]:
    """Fetch all sources at once and remember what they list for the issue of ``day``.

    A source that fails, in whatever way, leaves the others alone and is reported ``failed``.

    Raises:
        StoreError: what was listed cannot be remembered.
    """
    known = store.sources()

    async def one(source: Source) -> SourceReport:
        listings, failure = await _attempt(source, day)
        before = known.get(source.name, SourceHealth(source.name, "quiet"))
        health = _health(source, listings, failure, before, day=day, now=clock.now())
        entries = [_entry(item, listing) for listing in listings for item in listing.items]
        ingest_counts = store.ingest(day, health, entries, now=clock.now())
        report = SourceReport(
            source.name,
            health.state,
            ingest_counts.new,
            ingest_counts.seen,
            ingest_counts.revised,
            health.detail,
        )
        told(report)
        return report

    return tuple(await asyncio.gather(*(one(source) for source in sources)))


async def _attempt(source: Source, day: date) -> tuple[tuple[Listing, ...], str]:
    """The source's listings, or none and the reason."""
    (answer,) = await asyncio.gather(source.fetch(day), return_exceptions=True)
    if isinstance(answer, SourceError):
        return (), str(answer)
    if isinstance(answer, Exception):
        return (), f"{source.name}: {type(answer).__name__}: {answer}"
    if isinstance(answer, BaseException):
        raise answer
    return answer, ""


def _entry(item: Item, listing: Listing) -> IdentifiedItem:
    return IdentifiedItem(item=item, identity=identify(item), past=listing.past)


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
        if not listing.past and (_is_for(listing, source, day) or before.last_ok is None)
        for item in listing.items
    ]
    digest = _digest(current)
    again = digest == before.digest and _is_old(before, now)
    state = listing_state(len(current), day, daily=source.daily, again=again)
    return SourceHealth(source.name, state, _NOTES[state], now, now, digest)


def _is_for(listing: Listing, source: Source, day: date) -> bool:
    """Whether a listing is that day's own, and not an earlier one in its place."""
    return not source.daily or listing.day == day


def listing_state(items: int, day: date, *, daily: bool, again: bool) -> ListingState:
    """What an answer without an error meant.

    Args:
        items: how many papers the current listing has.
        day: the issue's day.
        daily: whether the source lists afresh every working day.
        again: whether this very list was there on an earlier day.
    """
    if items and again:
        return "stale" if daily else "quiet"
    if items:
        return "ok"
    return "holiday" if daily and day.weekday() >= SATURDAY else "quiet"


_NOTES: dict[ListingState, str] = {
    "ok": "",
    "quiet": "nothing new today",
    "stale": "an earlier day's list again",
    "holiday": "no listing on this day of the week",
}


def _is_old(before: SourceHealth, now: datetime) -> bool:
    """Whether what was listed before is an earlier day's list, or was found to be one today."""
    known_old = before.state in {"stale", "quiet"}
    return before.last_ok is not None and (known_old or before.last_ok.date() < now.date())


def _digest(items: Sequence[Item]) -> str:
    """A hash of the items' ids and titles; a body's build time does not count."""
    names = sorted("\x1f".join((*item.ids, item.title)) for item in items)
    return hashlib.blake2b("\x1e".join(names).encode(), digest_size=16).hexdigest()
