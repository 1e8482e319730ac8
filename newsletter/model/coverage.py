"""Which listing dates of a source are read, and which are still owed to the readers.

A source has parts (arXiv's archives; most sources have one), and its calendar says on which dates
it lists papers. For each part and date the store has one :class:`Coverage`, so that a list that was
never read is named until it is read or given up.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal

from newsletter.model.zones import load_zone

CoverageState = Literal["growing", "missing", "covered", "filled", "lost"]
"""What is known of a list: it may still grow; it was never read and its date is over; it was read
when it could no longer change; it was read after it had been missing; it can no longer be read."""

OPEN_COVERAGE: frozenset[CoverageState] = frozenset({"growing", "missing"})
"""The states of a list that is asked for again."""

_DAY = timedelta(days=1)

_EVERY_DAY = frozenset(range(7))


@dataclass(frozen=True, slots=True)
class Calendar:
    """The dates on which a source lists papers.

    Attributes:
        zone: the time zone of its dates.
        weekdays: the weekdays with a list; Monday is 0.
        settles: how long after the end of a date its list may still grow.
        past: whether the list of a past date can be asked for; otherwise only the present one can.
        overlaps: whether an answer repeats a part of the one before, unless something fell out
            between them.
        kept: how long after a date its list is asked for before it is given up.
        interval: how long to wait between two polls while a list grows.
    """

    zone: str = "UTC"
    weekdays: frozenset[int] = _EVERY_DAY
    settles: timedelta = timedelta()
    past: bool = True
    overlaps: bool = False
    kept: timedelta = timedelta(days=30)
    interval: timedelta = timedelta(hours=1)

    def today(self, now: datetime) -> date:
        """The source's date at an instant, whether it lists papers on it or not."""
        return now.astimezone(load_zone(self.zone)).date()

    def starts(self, day: date) -> datetime:
        """The instant at which a date begins there."""
        return datetime.combine(day, time(), load_zone(self.zone))

    def last_before(self, day: date) -> date:
        """The last date with a list before a date."""
        ahead = range(1, 8)
        return next(d for n in ahead if (d := day - n * _DAY).weekday() in self.weekdays)

    def is_over(self, day: date, now: datetime) -> bool:
        """Whether a date has ended there."""
        return now >= self.starts(day + _DAY)

    def is_settled(self, day: date, now: datetime) -> bool:
        """Whether the list of a date can no longer grow."""
        return now >= self.starts(day + _DAY) + self.settles

    def is_given_up(self, day: date, now: datetime) -> bool:
        """Whether the list of a date is no longer asked for."""
        return now >= self.starts(day + _DAY) + self.kept

    def days(self, first: date, now: datetime) -> Iterator[date]:
        """The dates with a list from ``first`` until now, oldest first."""
        for ahead in range((self.today(now) - first).days + 1):
            day = first + ahead * _DAY
            if day.weekday() in self.weekdays:
                yield day


ARXIV = Calendar("America/New_York", frozenset(range(5)), interval=timedelta(minutes=30))
"""arXiv announces papers at 20:00 New York time, Sunday to Thursday, as the list of the next date;
the feed shows it from midnight to midnight. A list may come late on its date, at any hour."""

DATED = Calendar(settles=timedelta(days=2, hours=18))
"""Sites that keep a list for each date (UTC), and add to it for some days."""

STREAM = Calendar(past=False, overlaps=True)
"""Feeds, which have only their newest entries."""

FILES = Calendar(past=False)
"""Saved files, which are all read each time."""


@dataclass(frozen=True, slots=True)
class ListRequest:
    """One list to ask a source for: that of a part for a date.

    ``as_of`` tells which date is the present one; it is not the clock's time in a replay.
    """

    part: str
    day: date
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Coverage:
    """What is known of the list of one part of a source for one listing date.

    Attributes:
        papers: how many papers it had when it was read last.
        digest: a hash of its papers' names, to recognise an earlier date's list.
        checked: when it was asked for last, in vain or not; None: never.
        answered: when it was read last.
        detail: why it is missing, or what is odd about it.
    """

    source: str
    part: str
    day: date
    state: CoverageState
    papers: int = 0
    digest: str = ""
    checked: datetime | None = None
    answered: datetime | None = None
    detail: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it is asked for again."""
        return self.state in OPEN_COVERAGE
