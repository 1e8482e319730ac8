"""The mail that comes back from readers, and what it says of them."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

MailEventKind = Literal["hard", "soft", "complaint", "unsubscribe"]
"""A returned mail: no such mailbox, a temporary failure, marked as spam, an unsubscribe request."""

MailEventEffect = Literal[
    "again", "unknown", "noted", "suppressed", "unsubscribed", "elsewhere", "mass"
]
"""What recording a returned mail did.

``again``: it was recorded before. ``unknown``: the store does not have the reader. ``noted``: it
was recorded only. ``elsewhere``: it is about another address than the reader's present one.
``mass``: it is one of so many that they speak of the sender. ``suppressed`` and ``unsubscribed``:
the reader is blocked or has left, by this mail or already before.
"""


@dataclass(frozen=True, slots=True)
class MailEvent:
    """One returned mail.

    Attributes:
        digest: a hash of the mail, so that it counts once even if it is read again.
        kind: what it means.
        reader: the id of the reader it is about.
        day: the mail's own date.
        said: the words of the server or the reader.
        address: the address that the letter was sent to; empty if unknown.
        letter: the day of the issue of the letter that came back, where known.
    """

    digest: str
    kind: MailEventKind
    reader: int
    day: date
    said: str = ""
    address: str = ""
    letter: date | None = None


@dataclass(frozen=True, slots=True)
class Suppression:
    """A blocked reader; ``why`` summarises the returned mails that led to it."""

    email: str
    since: datetime
    why: str


@dataclass(frozen=True, slots=True)
class MassReport:
    """Hard bounces of so many readers that they speak of the sender, and do not count.

    Attributes:
        letter: the day of the letters that came back.
        readers: how many readers' letters did.
        letters: how many letters that issue has.
    """

    letter: date
    readers: int
    letters: int


@dataclass(frozen=True, slots=True)
class SentLetter:
    """The day of a letter, and the address that it was sent to."""

    day: date
    address: str


@dataclass(frozen=True, slots=True)
class LeftMail:
    """A mail that needs a person: where it is, why it was left there, and since when."""

    mailbox: str
    name: str
    why: str
    since: datetime
