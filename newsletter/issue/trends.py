"""What is known of a paper from before: how its upvotes have grown, and how long it is listed."""

from collections.abc import Mapping
from datetime import date, timedelta

from newsletter.model import Issue

REMEMBERED = timedelta(days=6)  # how far back: further, a weekday would not say which one

_LEAST_GAIN = (10, 1.25)  # upvotes, and the factor by which they must have grown to be news
_ORDINALS = ("second", "third", "fourth", "fifth", "sixth", "seventh")

Counts = Mapping[date, int]
"""A paper's upvotes by the days on which it was listed."""


def find_trends(issue: Issue, history: Mapping[int, Counts], cutoff: int) -> dict[int, str]:
    """For papers of the issue, by index, what to add to their upvotes.

    ``history`` is by the papers' groups. Papers above ``cutoff``, that of the issue before, are new
    and have no trend: all grow on their first day.
    """
    found = (
        (index, _trend(paper.item.upvotes or 0, history.get(paper.group, {}), issue.day))
        for index, paper in enumerate(issue.papers)
        if paper.number <= cutoff and not paper.muted
    )
    return {index: words for index, words in found if words}


def _trend(upvotes: int, counts: Counts, today: date) -> str:
    """``up 40 since Friday``, else ``third day``, else nothing."""
    days = sorted(day for day in counts if today - REMEMBERED <= day <= today)
    if not days or days[0] == today:
        return ""
    gain, (least, factor) = upvotes - counts[days[0]], _LEAST_GAIN
    if gain >= least and upvotes >= counts[days[0]] * factor:
        since = "yesterday" if today - days[0] == timedelta(days=1) else f"{days[0]:%A}"
        return f"up {gain} since {since}"
    return f"{_ORDINALS[len(days) - 2]} day" if today in days and upvotes else ""
