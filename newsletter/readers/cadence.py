"""On which days a reader gets an issue."""

from datetime import date

from newsletter.model import CADENCES, Days, Subscriber


def due(
    subscriber: Subscriber, day: date, default: Days = "daily", *, everyone: bool = False
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
    return everyone or CADENCES[chosen].falls_on(day, subscriber.day)


def is_paused(subscriber: Subscriber, day: date) -> bool:
    """Whether the subscriber has asked for nothing on ``day``.

    A pause without an end lasts; one with ``paused_until`` ends on that day. The date alone
    pauses too, whatever the cadence it interrupts.
    """
    if subscriber.paused_until is not None:
        return day < subscriber.paused_until
    return subscriber.cadence == "paused"
