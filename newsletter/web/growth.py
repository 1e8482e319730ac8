"""Growth, week by week: how many readers there were, came and left, as a plot has them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate

from newsletter.model import DailyGrowth

SPAN = 26
"""Weeks looked back on."""

WEEK = timedelta(weeks=1)


@dataclass(frozen=True, slots=True)
class Week:
    """A week from Monday on: who came, who left, and how many readers there were at its end."""

    monday: date
    came: int
    left: int
    readers: int


@dataclass(frozen=True, slots=True)
class Growth:
    """The weeks since the first reader came, at most the last :data:`SPAN`, oldest first.

    Attributes:
        weeks: they are.
        most: the most readers of any week.
        moved: the most that came or left within a week.
    """

    weeks: tuple[Week, ...]
    most: int
    moved: int


def growth(daily_growth: Sequence[DailyGrowth], today: date) -> Growth:
    """How a newsletter grew, from the days on which readers came and left."""
    now = _monday(today)
    first = min((_monday(each.day) for each in daily_growth), default=now + WEEK)
    mondays = [first + n * WEEK for n in range((now - first) // WEEK + 1)]
    came = dict.fromkeys(mondays, 0)
    left = dict.fromkeys(mondays, 0)
    for each in daily_growth:
        came[_monday(each.day)] += each.came
        left[_monday(each.day)] += each.left
    there = accumulate(came[monday] - left[monday] for monday in mondays)
    weeks = tuple(
        Week(monday, came[monday], left[monday], readers)
        for monday, readers in zip(mondays, there, strict=True)
    )[-SPAN:]
    return Growth(
        weeks,
        most=max((week.readers for week in weeks), default=0),
        moved=max((max(week.came, week.left) for week in weeks), default=0),
    )


def _monday(day: date) -> date:
    return day - timedelta(days=day.weekday())
