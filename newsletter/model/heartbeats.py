"""Who is at work: the sign of life of a newsletter that stays awake."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A process that stays awake, as it last said.

    ``name`` tells it from others (``run on host``); ``started`` is when it began, ``seen`` when
    it last looked at the clock, both UTC; ``said`` is its last word, such as an error.
    """

    name: str
    started: datetime
    seen: datetime
    said: str = ""
