"""When a reader's issue is due, as an instant, and for whom it is due by now.

A wall time in a zone is turned into an instant by Python's own rules (PEP 495): the first of two
where clocks go back, and moved on by the gap where they go forward. So every local date has one
instant, whatever clocks do, and nothing here is ever asked twice to be sure.
"""

from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from newsletter.model import Cadence, Reader, Subscriber
from newsletter.readers import cadence

AHEAD = timedelta(hours=1)
"""How long before their time readers come into view: that is when fetching begins."""

LATE = timedelta(hours=12)
"""How late an issue may go to a reader of a newsletter that was awake: later, it is merged into
the next."""

LONGEST_SLEEP = timedelta(days=7)
"""How far back a newsletter that slept looks for the one issue it owes: a weekly reader's."""

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class DefaultSchedule:
    """What readers follow who chose nothing else: a time of day, its zone, the days."""

    at: str
    timezone: str
    cadence: Cadence


@dataclass(frozen=True, slots=True)
class Due:
    """The readers, by id, whose issue of one local date is due at one instant (UTC)."""

    day: date
    instant: datetime
    readers: Sequence[int]


Unplanned = Callable[[date, Sequence[int]], Sequence[int]]
"""Those of some readers who have no delivery of a day's issue: the ledger's answer."""


def instant(day: date, at: str, timezone: str) -> datetime:
    """The instant (UTC) of a wall time (``HH:MM``) on a local date.

    A time that comes twice is the first of the two; one that never comes is as long after the
    gap's beginning as it says (PEP 495, ``fold=0``).
    """
    return _instant(day, time.fromisoformat(at), timezone)


def exists(day: date, timezone: str) -> bool:
    """Whether a zone's calendar has this date: Samoa (Apia) had no 30 December 2011."""
    return _instant(day, time.min, timezone) < _instant(day + _DAY, time.min, timezone)


def horizon(now: datetime, *, asleep_since: datetime | None) -> datetime:
    """The earliest instant whose issue may still go now.

    Args:
        now: the present.
        asleep_since: when the newsletter was last awake, where it slept; None where it did not.
    """
    awake = now - LATE
    if asleep_since is None:
        return awake
    return max(min(asleep_since, awake), now - LONGEST_SLEEP)


def agenda(
    readers: Iterable[Reader],
    default_schedule: DefaultSchedule,
    unplanned: Unplanned,
    *,
    now: datetime,
    since: datetime,
) -> tuple[Due, ...]:
    """Whose issue is due by now, or will be within ``AHEAD``, by instant.

    Of the dates that came due for a reader between ``since`` and now only the last one counts:
    what the others would have brought is in it. A date the ledger has a delivery for is never
    due again, whatever the clock says or the reader's zone has become.
    """
    dates = cache(lambda at, zone: tuple(_dates(at, zone, since=since, until=now + AHEAD)))
    found: defaultdict[_Place, array[int]] = defaultdict(lambda: array("q"))
    for reader in readers:
        if reader.status == "confirmed":
            for place in _of(reader.subscriber, default_schedule, dates, now):
                found[place].append(reader.id)
    dues = (Due(day, at, unplanned(day, found[at, day])) for at, day in sorted(found))
    return tuple(due for due in dues if due.readers)


_Place = tuple[datetime, date]


def _of(
    subscriber: Subscriber,
    default_schedule: DefaultSchedule,
    dates: Callable[[str, str], Iterable[_Place]],
    now: datetime,
) -> list[_Place]:
    """The last issue that came due for a subscriber, and the one that comes within the hour."""
    at, zone = (
        subscriber.at or default_schedule.at,
        subscriber.timezone or default_schedule.timezone,
    )
    theirs = [p for p in dates(at, zone) if cadence.due(subscriber, p[1], default_schedule.cadence)]
    past = [place for place in theirs if place[0] <= now]
    return [*past[-1:], *(place for place in theirs if place[0] > now)]


def _dates(at: str, timezone: str, *, since: datetime, until: datetime) -> Iterable[_Place]:
    """The local dates whose instant lies between the two, oldest first."""
    wall, zone = time.fromisoformat(at), ZoneInfo(timezone)
    day = since.astimezone(zone).date() - _DAY
    while day <= until.astimezone(zone).date() + _DAY:
        place = _instant(day, wall, timezone)
        if since <= place <= until and exists(day, timezone):
            yield place, day
        day += _DAY


def _instant(day: date, wall: time, timezone: str) -> datetime:
    return datetime.combine(day, wall, ZoneInfo(timezone)).astimezone(UTC)
