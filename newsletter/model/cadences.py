"""How often a reader gets an issue: one table, which settings, pages and schedules follow.

A cadence added to ``Days`` alone stops the import. :mod:`newsletter.model.windows` refuses one
whose issues are too far apart for the other time spans.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal, get_args

from newsletter.model.closed_sets import complete

Days = Literal["daily", "weekdays", "weekly"]
"""The days on which issues fall, as a newsletter or a reader may choose them."""

Cadence = Literal[Days, "paused"]
"""What a reader may choose: a cadence, or a pause."""

Weekday = Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)
"""The days of the week by their number (``date.weekday()``)."""

_FRIDAY = WEEKDAYS.index("Friday")


@dataclass(frozen=True, slots=True, kw_only=True)
class CadenceFacts:
    """What one cadence means.

    Attributes:
        words: what the readers' pages call it.
        falls_on: whether an issue of this date is for a reader who chose this weekday.
        longest_gap: the longest time between two issues; None if this cadence has none.
        asks_weekday: whether the reader's weekday matters.
    """

    words: str
    falls_on: Callable[[date, int], bool]
    longest_gap: timedelta | None
    asks_weekday: bool = False


CADENCES: Mapping[Cadence, CadenceFacts] = complete(
    "CADENCES",
    get_args(Cadence),
    {
        "daily": CadenceFacts(
            words="every day", falls_on=lambda _day, _chosen: True, longest_gap=timedelta(days=1)
        ),
        "weekdays": CadenceFacts(
            words="Monday to Friday",
            falls_on=lambda day, _chosen: day.weekday() <= _FRIDAY,
            longest_gap=timedelta(days=3),
        ),
        "weekly": CadenceFacts(
            words="once a week",
            falls_on=lambda day, chosen: day.weekday() == chosen,
            longest_gap=timedelta(weeks=1),
            asks_weekday=True,
        ),
        "paused": CadenceFacts(
            words="not at all, for now",
            falls_on=lambda _day, _chosen: False,
            longest_gap=None,
        ),
    },
)
"""Every cadence."""
