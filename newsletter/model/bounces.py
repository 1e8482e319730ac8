"""What comes back by mail: bounces, complaints, readers who leave."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

MailEventKind = Literal["hard", "soft", "complaint", "unsubscribe"]
"""What a mail that came back means: nobody is there, not now, called spam, wants no more."""

MailEventEffect = Literal["again", "unknown", "noted", "suppressed", "unsubscribed"]
"""What a return did: nothing, as it was noted before; nothing, as there is no such reader; it
was noted; with it, or before, the reader was blocked or left."""


@dataclass(frozen=True, slots=True)
class MailEvent:
    """One mail that came back, and whom it is about.

    ``digest`` names the mail itself, so that it counts once however often it is read. ``day`` is
    the mail's own date; ``said`` the words of the server or the reader.
    """

    digest: str
    kind: MailEventKind
    reader: int
    day: date
    said: str = ""


@dataclass(frozen=True, slots=True)
class Suppression:
    """A blocked reader, and why: the returns that count, newest last."""

    email: str
    since: datetime
    why: str
