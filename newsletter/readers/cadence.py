"""On which days a reader gets an issue."""

from collections.abc import Callable, Mapping
from datetime import date

from newsletter.model import Cadence, Subscriber

FRIDAY = 4

_FALLS_ON: Mapping[Cadence, Callable[[date, int], bool]] = {
    "daily": lambda _day, _chosen: True,
    "weekdays": lambda day, _chosen: day.weekday() <= FRIDAY,
    "weekly": lambda day, chosen: day.weekday() == chosen,
    "paused": lambda _day, _chosen: False,
}


def due(
    subscriber: Subscriber, day: date, default: Cadence = "daily", *, everyone: bool = False
) -> bool:
    """Whether the issue of ``day`` is for this subscriber.

    ``default`` is the newsletter's own cadence, followed by those who chose none and by those
    whose pause is over. ``everyone`` overrides cadences, never a pause.
    """
    if is_paused(subscriber, day):
        return False
    chosen = subscriber.cadence
    if chosen is None or chosen == "paused":
        chosen = default
    return everyone or _FALLS_ON[chosen](day, subscriber.day)


def is_paused(subscriber: Subscriber, day: date) -> bool:
    """Whether the subscriber has asked for nothing on ``day``.

    A pause without an end lasts; one with ``paused_until`` ends on that day. The date alone
    pauses too, whatever the cadence it interrupts.
    """
    if subscriber.paused_until is not None:
        return day < subscriber.paused_until
    return subscriber.cadence == "paused"
