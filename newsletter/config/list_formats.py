"""What the columns of a list of readers mean, in lists of any origin.

The columns of other programs are those that they document, and that their exports have: Mailchimp's
audience export, listmonk's and Ghost's exports of subscribers and members, Buttondown's of
subscribers and unsubscribers, Substack's email list in its two forms.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

from newsletter.model import Status
from newsletter.text.dates import find_day

Meaning = Literal[
    "email", "name", "first name", "last name", "status", "subscribed", "disabled", "left",
    "bounced", "agreed", "joined",
]  # fmt: skip
"""What a column says. ``subscribed`` and ``disabled`` are yes or no; ``left`` and ``bounced`` are
dates, as are ``agreed`` (to the emails) and ``joined`` (the list)."""

Facts = Mapping[Meaning, str]
"""What a row says, without what is empty."""

_WORDS: Mapping[Status, str] = {
    "confirmed": "confirmed, subscribed, active, enabled, regular, premium, paid, free, gifted,"
    " comped, trialed, churning, churned, past due",
    "unconfirmed": "unconfirmed, unactivated, pending, inactive, unpaid, upcoming, nonsubscribed,"
    " non subscribed, transactional",
    "unsubscribed": "unsubscribed, removed, disabled, archived, left, cancelled, canceled,"
    " opted out",
    "blocked": "blocked, blocklisted, cleaned, bounced, undeliverable, complained, spammy,"
    " malformed, junk, spam",
}
_STATUSES = {word: status for status, words in _WORDS.items() for word in words.split(", ")}
"""What the words for a reader's status mean, as :func:`normal` gives them."""

_GRAVITY: tuple[Status, ...] = ("confirmed", "unconfirmed", "unsubscribed", "blocked")
_INSTANT = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:\.\d+)?)? ?(Z|[+-]\d\d:?\d\d)?"
)
_NO = frozenset({"no", "n", "false", "f", "0"})
_YES = frozenset({"yes", "y", "true", "t", "1"})

_EMAIL: Mapping[str, Meaning] = dict.fromkeys(
    ("email", "e mail", "mail", "email address", "e mail address", "mail address"), "email"
)
_NAME: Mapping[str, Meaning] = {
    "name": "name",
    "full name": "name",
    "first name": "first name",
    "fname": "first name",
    "last name": "last name",
    "surname": "last name",
    "lname": "last name",
}


@dataclass(frozen=True, slots=True)
class ListFormat:
    """A program's lists of readers; columns are named as :func:`normal` gives them.

    Attributes:
        name: the program's name; empty for lists of no program.
        marks: sets of columns, one of which a list must have to be the program's.
        columns: what the columns mean that are read.
        files: how the name of a file begins whose readers have a status by that alone.
        note: what the operator should know about such lists.
    """

    name: str
    marks: tuple[frozenset[str], ...]
    columns: Mapping[str, Meaning]
    files: Mapping[str, Status] = field(default_factory=dict)
    note: str = ""


_COURSE: Mapping[str, Meaning] = {
    "status": "status",
    "subscribed": "subscribed",
    "unsubscribed": "disabled",
    "opted out": "disabled",
    "unsubscribed at": "left",
    "unsubscribed on": "left",
    "unsubscribe date": "left",
    "unsubscribed date": "left",
    "bounced at": "bounced",
    "confirmed at": "agreed",
    "subscribed at": "joined",
    "subscribed on": "joined",
    "subscription date": "joined",
}
"""Columns that many programs have; to ignore them would subscribe people who left."""

PLAIN = ListFormat("", (), {**_EMAIL, **_NAME, **_COURSE})
"""A list of no program that is known; its other columns are settings of a reader."""

FORMATS = (
    ListFormat(
        "Mailchimp",
        (frozenset({"leid", "euid"}), frozenset({"member rating", "optin time"})),
        {
            **_EMAIL,
            **_NAME,
            "status": "status",
            "unsub time": "left",
            "clean time": "bounced",
            "confirm time": "agreed",
            "optin time": "joined",
        },
        {
            "unsubscribed": "unsubscribed",
            "cleaned": "blocked",
            "nonsubscribed": "unconfirmed",
            "non subscribed": "unconfirmed",
        },
    ),
    ListFormat(
        "listmonk",
        (frozenset({"uuid", "attributes", "status"}),),
        {"email": "email", "name": "name", "status": "status", "created at": "joined"},
        note="listmonk's export does not say who confirmed: export a list's confirmed readers only",
    ),
    ListFormat(
        "Ghost",
        (frozenset({"subscribed to emails", "created at"}),),
        {
            "email": "email",
            "name": "name",
            "subscribed to emails": "subscribed",
            "deleted at": "left",
            "created at": "joined",
        },
    ),
    ListFormat(
        "Buttondown",
        (
            frozenset({"creation date", "type"}),
            frozenset({"creation date", "subscriber type"}),
            frozenset({"email address", "unsubscription date"}),
        ),
        {
            "email address": "email",
            "email": "email",
            "type": "status",
            "subscriber type": "status",
            "unsubscription date": "left",
            "undeliverability date": "bounced",
            "creation date": "joined",
        },
        {"unsubscribers": "unsubscribed"},
    ),
    ListFormat(
        "Substack",
        (frozenset({"email disabled"}), frozenset({"stripe plan", "start date"})),
        {
            "email": "email",
            "name": "name",
            "email disabled": "disabled",
            "created at": "joined",
            "start date": "joined",
        },
    ),
)
"""The programs whose lists are recognised."""


def normal(name: str) -> str:
    """A column's name or a word without case, with one space for all that is no letter or digit."""
    return " ".join(re.findall(r"[^\W_]+", name.casefold()))


def recognise(columns: Collection[str]) -> ListFormat:
    """The format of a list with these columns, named as :func:`normal` gives them."""
    named = frozenset(columns)
    for each in FORMATS:
        if any(marks <= named for marks in each.marks):
            return each
    return PLAIN


def status_of_file(format_: ListFormat, name: str) -> Status:
    """The status of all readers in a file of this name, as some programs sort them."""
    found = (status for start, status in format_.files.items() if normal(name).startswith(start))
    return next(found, "confirmed")


def status_of(facts: Facts, of_file: Status = "confirmed") -> Status:
    """A reader's status: the gravest of what the row and the file's name say.

    Raises:
        ValueError: a word in the row has no known meaning.
    """
    found: list[Status] = [of_file]
    if word := facts.get("status"):
        if normal(word) not in _STATUSES:
            known = ", ".join(_GRAVITY)
            raise ValueError(f"the status {word!r} is not known; write one of {known}")
        found.append(_STATUSES[normal(word)])
    if "left" in facts or _is(facts, "disabled") or not _is(facts, "subscribed", otherwise=True):
        found.append("unsubscribed")
    if "bounced" in facts:
        found.append("blocked")
    return gravest(*found)


def gravest(*statuses: Status) -> Status:
    """Of several statuses of one reader the one that counts."""
    return max(statuses, key=_GRAVITY.index)


def _is(facts: Facts, name: Meaning, *, otherwise: bool = False) -> bool:
    word = facts.get(name, "").casefold()
    if not word:
        return otherwise
    if word not in _YES | _NO and find_day(word) is None:
        raise ValueError(f"{word!r} is neither yes nor no ({name})")
    return word not in _NO


def name_of(facts: Facts) -> str:
    """A reader's name: the whole one, or the first and the last."""
    parts = (facts.get("first name", ""), facts.get("last name", ""))
    return facts.get("name") or " ".join(filter(None, parts))


def date_of(facts: Facts, *names: Meaning) -> str | None:
    """The first of these dates that a row has, in ISO 8601; without a zone it is taken for UTC.

    Of a date in another form only the day is read, if it cannot be misread.
    """
    for text in (facts[name] for name in names if name in facts):
        if found := _INSTANT.match(text):
            day, time, zone = found.groups()
            return f"{day}T{time or '00:00'}{zone or 'Z'}"
        if found_day := find_day(text):
            return f"{found_day}T00:00Z"
    return None
