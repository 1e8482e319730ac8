import itertools
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.model import Reader, Subscriber
from newsletter.model.zones import load_zone, zone_names
from newsletter.readers.due import (
    DefaultSchedule,
    date_exists,
    earliest_instant,
    list_due,
    local_instant,
)
from tests.support.factories import DAY, subscriber

SCHEDULE = DefaultSchedule("07:00", "Europe/Zurich", "daily")
SEVEN = datetime(2026, 8, 3, 5, 0, tzinfo=UTC)
"""Seven o'clock in Zurich on DAY."""
WALL_TIMES = (
    "00:00",
    "00:30",
    "01:00",
    "01:30",
    "02:00",
    "02:30",
    "07:00",
    "12:00",
    "23:00",
    "23:30",
)
STRANGE = ("Australia/Lord_Howe", "America/Nuuk", "Pacific/Apia", "Africa/Cairo", "America/Havana")
STEP, HOUR = timedelta(days=1), timedelta(hours=1)
FULL = os.environ.get("NEWSLETTER_TESTS") == "full"
ZONES = sorted(zone_names())[:: 1 if FULL else 60]
YEARS = (2011, 2025, 2026, 2027) if FULL else (2026,)


def days(first: date, last: date) -> Iterable[date]:
    return (first + timedelta(days=n) for n in range((last - first).days + 1))


def readers(*subscribers: Subscriber) -> list[Reader]:
    return [
        Reader(id=n, subscriber=s, status="confirmed", decided=0, origin="file")
        for n, s in enumerate(subscribers, start=1)
    ]


class Ledger:
    """Records which reader was planned for which date."""

    def __init__(self) -> None:
        self.by_day: defaultdict[date, list[int]] = defaultdict(list)

    def unplanned(self, day: date, readers: Sequence[int]) -> Sequence[int]:
        return [reader for reader in readers if reader not in self.by_day[day]]

    def plan_due(
        self, subscribed: list[Reader], now: datetime, *, asleep_since: datetime | None = None
    ) -> list[date]:
        """Plan everything due; return the dates, one for each reader."""
        since = earliest_instant(now, asleep_since=asleep_since)
        found = list_due(subscribed, SCHEDULE, self.unplanned, now=now, since=since)
        due = [one for one in found if one.instant <= now]
        for one in due:
            self.by_day[one.day] += one.readers
        return [one.day for one in due for _ in one.readers]


@pytest.mark.parametrize(
    ("day", "at", "zone", "expected"),
    [
        ("2026-08-03", "07:00", "Europe/Zurich", "2026-08-03T05:00"),
        ("2026-03-29", "02:30", "Europe/Zurich", "2026-03-29T01:30"),
        ("2026-10-25", "02:30", "Europe/Zurich", "2026-10-25T00:30"),
        ("2026-04-24", "00:00", "Africa/Cairo", "2026-04-23T22:00"),
        ("2026-10-04", "02:15", "Australia/Lord_Howe", "2026-10-03T15:45"),
        ("2026-04-05", "01:45", "Australia/Lord_Howe", "2026-04-04T14:45"),
        ("2026-03-28", "23:30", "America/Nuuk", "2026-03-29T01:30"),
    ],
)
def test_a_local_time_survives_clock_changes(day: str, at: str, zone: str, expected: str) -> None:
    found = local_instant(date.fromisoformat(day), time.fromisoformat(at), zone)
    assert found == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def test_a_date_that_a_zone_skipped_does_not_exist() -> None:
    assert not date_exists(date(2011, 12, 30), "Pacific/Apia")
    assert date_exists(date(2011, 12, 29), "Pacific/Apia")
    assert date_exists(date(2011, 12, 31), "Pacific/Apia")
    assert date_exists(date(2011, 12, 30), "Pacific/Pago_Pago")


def test_readers_are_listed_an_hour_before_their_time() -> None:
    ledger, subscribed = Ledger(), readers(subscriber())
    early = SEVEN - timedelta(minutes=59)

    def found(now: datetime) -> list[tuple[date, datetime, int]]:
        seen = list_due(
            subscribed, SCHEDULE, ledger.unplanned, now=now, since=now - timedelta(hours=12)
        )
        return [(one.day, one.instant, len(one.readers)) for one in seen]

    assert found(SEVEN - timedelta(minutes=61)) == []
    assert found(early) == found(SEVEN) == [(DAY, SEVEN, 1)]
    assert ledger.plan_due(subscribed, early) == []
    assert ledger.plan_due(subscribed, SEVEN) == [DAY]
    assert ledger.plan_due(subscribed, SEVEN) == []


def test_readers_are_grouped_by_instant_and_local_date() -> None:
    subscribed = readers(
        subscriber("a@example.org"),
        subscriber("b@example.org", at="06:00", timezone="Europe/London"),
        subscriber("c@example.org", at="17:00", timezone="Pacific/Auckland"),
        subscriber("d@example.org", at="19:00", timezone="Pacific/Honolulu"),
    )
    found = list_due(subscribed, SCHEDULE, Ledger().unplanned, now=SEVEN, since=SEVEN)
    assert [(one.day, list(one.readers)) for one in found] == [
        (date(2026, 8, 2), [4]),
        (DAY, [1, 2, 3]),
    ]
    assert {one.instant for one in found} == {SEVEN}


def test_cadence_pause_and_status_are_respected() -> None:
    sunday = SEVEN - STEP
    subscribed = readers(
        subscriber("a@example.org", cadence="weekdays"),
        subscriber("b@example.org", cadence="weekly", day=6),
        subscriber("c@example.org", paused_until=DAY),
        subscriber("d@example.org", cadence="paused"),
    )
    subscribed.append(Reader(5, subscriber("e@example.org"), "unconfirmed", 0, "store"))
    ledger = Ledger()
    ledger.plan_due(subscribed, sunday)
    ledger.plan_due(subscribed, SEVEN)
    assert dict(ledger.by_day) == {date(2026, 8, 2): [2], DAY: [1, 3]}


@pytest.mark.parametrize("slept", [timedelta(hours=5), timedelta(days=3), timedelta(days=40)])
def test_one_issue_follows_a_sleep_of_any_length(slept: timedelta) -> None:
    woke = SEVEN + timedelta(hours=4)
    ledger, subscribed = Ledger(), readers(subscriber())
    ledger.plan_due(subscribed, SEVEN - STEP)
    assert ledger.plan_due(subscribed, woke, asleep_since=woke - slept) == [DAY]
    assert ledger.plan_due(subscribed, woke, asleep_since=woke - slept) == []


def test_a_weekly_day_slept_through_is_sent_after_waking() -> None:
    subscribed = readers(subscriber(cadence="weekly"))
    woke = SEVEN + 2 * STEP
    assert Ledger().plan_due(subscribed, woke, asleep_since=SEVEN - STEP) == [DAY]


def test_a_new_weekly_reader_waits_for_their_day() -> None:
    """A reader who joins on Wednesday and reads on Mondays gets nothing before Monday."""
    subscribed = readers(subscriber(cadence="weekly"))
    assert Ledger().plan_due(subscribed, SEVEN + 2 * STEP) == []


def test_setting_the_clock_repeats_nothing() -> None:
    ledger, subscribed = Ledger(), readers(subscriber())
    ledger.plan_due(subscribed, SEVEN - STEP)
    sent = [
        ledger.plan_due(subscribed, now, asleep_since=SEVEN - STEP)
        for now in (SEVEN, SEVEN - timedelta(hours=2), SEVEN, SEVEN + 3 * STEP, SEVEN, SEVEN + STEP)
    ]
    assert sent == [[DAY], [], [], [DAY + 3 * STEP], [], [DAY + STEP]]


@pytest.mark.parametrize(
    ("before", "after"),
    [("Pacific/Auckland", "America/Los_Angeles"), ("America/Los_Angeles", "Pacific/Auckland")],
)
def test_moving_reader_gets_one_issue_per_date(before: str, after: str) -> None:
    ledger = Ledger()
    now = SEVEN - 3 * STEP
    moved = SEVEN
    while now < SEVEN + 3 * STEP:
        zone = before if now < moved else after
        ledger.plan_due(readers(subscriber(timezone=zone)), now)
        now += timedelta(minutes=30)
    assert set(map(len, ledger.by_day.values())) <= {0, 1}
    assert all(ledger.by_day[day] == [1] for day in days(DAY - 2 * STEP, DAY + STEP))


def walk_due(zone: str, first: date, last: date, step: timedelta) -> Counter[tuple[date, int]]:
    """What a newsletter sends if it plans what is due every ``step``, by date and reader."""
    subscribed = readers(
        *(subscriber(f"{n}@example.org", at=at, timezone=zone) for n, at in enumerate(WALL_TIMES))
    )
    ledger = Ledger()
    now = datetime(first.year, first.month, first.day, tzinfo=UTC) - STEP
    while now.date() <= last + STEP:
        ledger.plan_due(subscribed, now)
        now += step
    return Counter((day, reader) for day, ids in ledger.by_day.items() for reader in ids)


def check_walk(zone: str, first: date, last: date, step: timedelta) -> None:
    sent = walk_due(zone, first, last, step)
    assert set(sent.values()) == {1}, zone
    for day in days(first, last):
        expected = len(WALL_TIMES) if date_exists(day, zone) else 0
        assert sum(sent[day, n] for n in range(1, len(WALL_TIMES) + 1)) == expected, (zone, day)


@pytest.mark.parametrize(
    ("zone", "first", "last"),
    [
        ("Australia/Lord_Howe", date(2026, 4, 3), date(2026, 4, 8)),
        ("Australia/Lord_Howe", date(2026, 10, 2), date(2026, 10, 7)),
        ("America/Nuuk", date(2026, 3, 26), date(2026, 3, 31)),
        ("America/Nuuk", date(2026, 10, 22), date(2026, 10, 27)),
        ("Pacific/Apia", date(2011, 12, 27), date(2012, 1, 2)),
        ("Africa/Cairo", date(2026, 4, 22), date(2026, 4, 26)),
        ("Africa/Cairo", date(2026, 10, 28), date(2026, 11, 1)),
        ("Europe/Zurich", date(2026, 3, 27), date(2026, 3, 31)),
        ("Europe/Zurich", date(2026, 10, 23), date(2026, 10, 27)),
    ],
)
def test_one_issue_a_date_where_clocks_are_strange(zone: str, first: date, last: date) -> None:
    check_walk(zone, first, last, timedelta(minutes=30))


DAYS_BACK = st.integers(0, 45 * 365)
AT_TIMES = st.times().map(lambda at: at.replace(second=0, microsecond=0))
ODD_ZONES = st.sampled_from((*STRANGE, "Antarctica/Troll", "Africa/Casablanca", "Asia/Gaza"))
ANY_ZONE = st.one_of(ODD_ZONES, st.sampled_from(sorted(zone_names())))


@given(zone=ANY_ZONE, back=DAYS_BACK, at=AT_TIMES)
def test_a_local_time_is_the_first_with_that_name(zone: str, back: int, at: time) -> None:
    """Compared with every offset that the zone has around that date."""
    day, rules = date(2037, 12, 31) - back * STEP, load_zone(zone)
    local = datetime.combine(day, at, UTC)
    around = [(local + hours * HOUR).astimezone(rules) for hours in range(-48, 49)]
    offsets = [one.utcoffset() or timedelta() for one in around]
    named = [
        local - offset
        for offset in offsets
        if (local - offset).astimezone(rules).replace(tzinfo=UTC) == local
    ]
    assert local_instant(day, at, zone) == min(named, default=local - offsets[0])


@pytest.mark.slow
@given(
    zone=ANY_ZONE, back=DAYS_BACK, where=st.sampled_from(["at a change", "anywhere"]), at=AT_TIMES
)
@settings(max_examples=30)
def test_one_issue_a_date_whatever_the_calendar(zone: str, back: int, where: str, at: time) -> None:
    """Walked in ticks of an hour, at a clock change if the zone has one in the year before."""
    last, rules = date(2037, 12, 31) - back * STEP, load_zone(zone)
    year = [datetime.combine(last - n * STEP, time(), UTC) for n in range(365)]
    changes = [
        one.date()
        for one in year
        if one.astimezone(rules).utcoffset() != (one - STEP).astimezone(rules).utcoffset()
    ]
    first = (changes[0] if where == "at a change" and changes else last) - 2 * STEP
    subscribed, ledger = readers(subscriber(at=f"{at:%H:%M}", timezone=zone)), Ledger()
    start = datetime.combine(first - 2 * STEP, time(), UTC)
    for hours in range(9 * 24):
        ledger.plan_due(subscribed, start + hours * HOUR)
    sent = {day: len(ids) for day, ids in ledger.by_day.items() if ids}
    wanted = {day: 1 for day in days(first, first + 4 * STEP) if date_exists(day, zone)}
    assert wanted.items() <= sent.items()
    assert set(sent.values()) == {1}


def check_instants(zones: Iterable[str], years: Iterable[int]) -> int:
    """Check that the instants of a wall time are in the order of their dates; return the count."""
    checked = 0
    for zone in zones:
        for year in years:
            for at in WALL_TIMES:
                there = [
                    d for d in days(date(year, 1, 1), date(year, 12, 31)) if date_exists(d, zone)
                ]
                found = [local_instant(day, time.fromisoformat(at), zone) for day in there]
                assert all(one < other for one, other in itertools.pairwise(found)), zone
                checked += len(found)
    return checked


def test_every_date_of_a_year_has_its_own_instant() -> None:
    assert check_instants(STRANGE, [2026]) == len(STRANGE) * 365 * len(WALL_TIMES)


@pytest.mark.slow
def test_every_date_has_its_own_instant_in_every_zone() -> None:
    checked = check_instants(ZONES, YEARS)
    assert checked >= len(ZONES) * len(YEARS) * len(WALL_TIMES) * 364


@pytest.mark.slow
def test_one_issue_a_date_in_every_zone() -> None:
    for zone in ZONES:
        for year in YEARS:
            check_walk(zone, date(year, 1, 1), date(year, 12, 31), timedelta(hours=6))
