"""On which days a reader gets an issue, at which instant it is due, and who is due by now.

A local time becomes an instant by Python's own rules (PEP 495): the first of two where clocks go
back, and moved on by the gap where they go forward. So every local date has exactly one instant,
whatever clocks do, and no date can be sent twice or left out.
"""

from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache

from newsletter.errors import Isolated
from newsletter.model import CADENCES, WEEKDAYS, Cadence, Days, Reader, Subscriber
from newsletter.model.windows import FETCH_AHEAD, LONGEST_GAP, LONGEST_SLEEP, MAX_LATENESS
from newsletter.model.zones import load_zone

TOPICS_NAMED = 5  # how many topics a line names

_DAY, _WEEK = timedelta(days=1), timedelta(weeks=1)


@dataclass(frozen=True, slots=True)
class DefaultSchedule:
    """The time of day, time zone and days for readers who chose none."""

    at: str
    timezone: str
    cadence: Days


USUAL_SCHEDULE = DefaultSchedule("07:00", "UTC", "daily")
"""That of a newsletter whose configuration sets none."""


@dataclass(frozen=True, slots=True)
class Due:
    """The readers, by id, whose issue of one local date is due at one instant (UTC)."""

    day: date
    instant: datetime
    readers: Sequence[int]


def chosen_cadence(subscriber: Subscriber, default: DefaultSchedule) -> Cadence:
    """How often a subscriber's letters come, by their own choice or the newsletter's."""
    return subscriber.cadence or default.cadence


def schedule_words(subscriber: Subscriber, default: DefaultSchedule) -> str:
    """When a subscriber's letters come, as people say it: ``every Monday at 07:00 (UTC)``."""
    chosen = CADENCES[chosen_cadence(subscriber, default)]
    days = f"every {WEEKDAYS[subscriber.day]}" if chosen.asks_weekday else chosen.words
    at, zone = subscriber.at or default.at, subscriber.timezone or default.timezone
    return f"{days} at {at} ({zone})"


def choice_words(subscriber: Subscriber, default: DefaultSchedule) -> str:
    """What comes, and when: ``Vision, Code · every day at 07:00 (UTC)``; no text of a filter."""
    topics, wants_more = subscriber.filter.topics, bool(subscriber.filter.include)
    more = f" and {len(topics) - TOPICS_NAMED} more" if len(topics) > TOPICS_NAMED else ""
    named = ", ".join(topics[:TOPICS_NAMED]) + more
    papers = named or ("Your interests" if wants_more else "All papers")
    return f"{papers} · {schedule_words(subscriber, default)}"


Unplanned = Callable[[date, Sequence[int]], Sequence[int]]
"""Returns those readers who have no delivery of a day's issue: the ledger's answer."""


def is_due(
    subscriber: Subscriber, day: date, default: Days = "daily", *, everyone: bool = False
) -> bool:
    """Whether a subscriber gets the issue of a day, a local date of theirs.

    ``default`` is for subscribers who chose no days or whose pause is over; ``everyone`` ignores
    the cadence, but not a pause.
    """
    if is_paused(subscriber, day):
        return False
    chosen = subscriber.cadence
    if chosen is None or chosen == "paused":
        chosen = default
    return everyone or CADENCES[chosen].falls_on(day, subscriber.day)


def is_paused(subscriber: Subscriber, day: date) -> bool:
    """Whether the subscriber has paused on a day.

    ``paused_until`` ends every pause on that day, and is a pause by itself, whatever the cadence;
    without it, the cadence ``paused`` lasts until it is changed.
    """
    if subscriber.paused_until is not None:
        return day < subscriber.paused_until
    return subscriber.cadence == "paused"


def local_instant(day: date, at: time, timezone: str) -> datetime:
    """The instant (UTC) of a local time on a local date.

    Of a time that comes twice it is the first; a time that a clock change skips moves on by the
    length of the gap (PEP 495, ``fold=0``).
    """
    return datetime.combine(day, at, load_zone(timezone)).astimezone(UTC)


def date_exists(day: date, timezone: str) -> bool:
    """Whether a zone's calendar has this date: Samoa (Apia) had no 30 December 2011."""
    return local_instant(day, time.min, timezone) < local_instant(day + _DAY, time.min, timezone)


def earliest_instant(now: datetime, *, asleep_since: datetime | None) -> datetime:
    """The earliest due instant whose issue may still be sent now.

    ``asleep_since`` is when the newsletter was last awake before it slept; None if it did not.
    """
    awake = now - MAX_LATENESS
    if asleep_since is None:
        return awake
    return max(min(asleep_since, awake), now - LONGEST_SLEEP)


def list_due(
    readers: Iterable[Reader],
    default_schedule: DefaultSchedule,
    unplanned: Unplanned,
    *,
    now: datetime,
    since: datetime,
    on_error: Callable[[Reader, Exception], None] = lambda _reader, _error: None,
) -> tuple[Due, ...]:
    """The readers whose issue is due by now, or will be within ``FETCH_AHEAD``, by instant.

    If several dates came due for a reader between ``since`` and now, only the last one counts: its
    issue contains what the others would have brought. A date that the ledger has a delivery for is
    never due again, even if the clock is set back or the reader moves to another time zone. A
    reader whose settings raise an unexpected exception is left out and given to ``on_error``.
    """
    dates = cache(
        lambda at, zone: tuple(_local_dates(at, zone, since=since, until=now + FETCH_AHEAD))
    )
    found: defaultdict[_DueDate, array[int]] = defaultdict(lambda: array("q"))
    attempt = Isolated()  # one for all: there may be 100,000 readers
    for reader in readers:
        if not reader.is_served:
            continue
        with attempt:
            for due_date in _dates_of(reader.subscriber, default_schedule, dates, now):
                found[due_date].append(reader.id)
        if attempt.error is not None:
            on_error(reader, attempt.error)
            attempt.error = None
    dues = (Due(day, at, unplanned(day, found[at, day])) for at, day in sorted(found))
    return tuple(due for due in dues if due.readers)


def next_due(
    reader: Reader,
    default_schedule: DefaultSchedule,
    unplanned: Unplanned,
    *,
    now: datetime,
    since: datetime,
) -> Due | None:
    """When a reader's next issue is due, by the rule of :func:`list_due`; None if none comes.

    What is due already comes first. The arguments are those of :func:`list_due`.
    """
    for due in list_due([reader], default_schedule, unplanned, now=now, since=since):
        return due
    own, today = reader.subscriber, now.date()
    first = max(own.paused_until or today, today - _WEEK)
    if not reader.is_served or date.max - first <= LONGEST_GAP + 2 * _WEEK:
        return None
    at, zone = own.at or default_schedule.at, own.timezone or default_schedule.timezone
    start = max(now, local_instant(first, time.min, zone))
    for instant, day in _local_dates(at, zone, since=start, until=start + LONGEST_GAP + _WEEK):
        if is_due(own, day, default_schedule.cadence) and unplanned(day, [reader.id]):
            return Due(day, instant, [reader.id])
    return None


_DueDate = tuple[datetime, date]


def _dates_of(
    subscriber: Subscriber,
    default: DefaultSchedule,
    dates: Callable[[str, str], Iterable[_DueDate]],
    now: datetime,
) -> list[_DueDate]:
    """A subscriber's last date that came due, and the one that comes within ``FETCH_AHEAD``."""
    at, zone = subscriber.at or default.at, subscriber.timezone or default.timezone
    own = [found for found in dates(at, zone) if is_due(subscriber, found[1], default.cadence)]
    past = [found for found in own if found[0] <= now]
    return [*past[-1:], *(found for found in own if found[0] > now)]


def _local_dates(at: str, timezone: str, *, since: datetime, until: datetime) -> Iterable[_DueDate]:
    """The local dates whose instant is between the two, oldest first."""
    local_time, zone = time.fromisoformat(at), load_zone(timezone)
    day = since.astimezone(zone).date() - _DAY
    while day <= until.astimezone(zone).date() + _DAY:
        instant = local_instant(day, local_time, timezone)
        if since <= instant <= until and date_exists(day, timezone):
            yield instant, day
        day += _DAY
