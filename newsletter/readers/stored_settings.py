"""What of a reader's stored settings can be used.

An older or a newer version, another program or a hand may have written them. Nothing here may raise
for any value, so that one reader's settings never stop the others.
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date
from operator import attrgetter
from typing import Any, get_args

from newsletter.model import (
    CADENCES,
    SUBSCRIBER_FIELDS,
    Breadth,
    Filter,
    Reader,
    ReaderFault,
    Rule,
    Subscriber,
    Summary,
    field_values,
    subscriber_with,
)
from newsletter.model.closed_sets import complete
from newsletter.model.zones import zone_names
from newsletter.papers.topics import lost_topics

_ADDRESS = re.compile(r"[!-?A-~]+@[!-?A-~]+")  # printable ASCII; forms and files check the rest
_WALL_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")

_FALLBACKS = ("name", "at", "timezone", "summary", "breadth")
"""Fields without which a reader can be served as well: the newsletter's own default is used."""

_MAX_NAMED = 3  # readers of a lost topic that are named
_MAX_SHOWN = 60  # characters of a value that a fault quotes


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value.isprintable()


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0


def _has_only(kind: type) -> Callable[[Any], bool]:
    return lambda values: isinstance(values, tuple) and all(isinstance(v, kind) for v in values)


def _one_of(values: Collection[str]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and value in values


def _like(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _or_none(is_usable: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or is_usable(value)


_USABLE: Mapping[str, Callable[[Any], bool]] = complete(
    "_USABLE",
    SUBSCRIBER_FIELDS,
    {
        "email": _like(_ADDRESS),
        "name": _is_text,
        "topics": _has_only(str),
        "include": _has_only(Rule),
        "exclude": _has_only(Rule),
        "min_upvotes": _is_count,
        "max_items": _or_none(_is_count),
        "breadth": _one_of(get_args(Breadth)),
        "cadence": _or_none(_one_of(CADENCES)),
        "day": lambda value: type(value) is int and value in range(7),
        "paused_until": _or_none(lambda value: type(value) is date),
        "at": _or_none(_like(_WALL_TIME)),
        "timezone": _or_none(_one_of(zone_names())),
        "summary": _one_of(get_args(Summary)),
    },
)
"""Whether a value of each field can be used."""

_values: Callable[[Subscriber], tuple[object, ...]] = attrgetter(
    *(f"filter.{name}" if name in Filter.__dataclass_fields__ else name for name in _USABLE)
)
_NO_ADDRESS: Any = object()  # no default: every address is checked

_CHECKS = list(zip(_USABLE, _values(Subscriber(_NO_ADDRESS)), _USABLE.values(), strict=True))
"""Each field with its default, which needs no check: most readers have most fields at it."""


def checked(subscriber: Subscriber) -> tuple[Subscriber, str, str]:
    """A subscriber as they can be served, and in words the fault or the fallback, if there is one.

    The two are :attr:`Reader.fault` and :attr:`Reader.fallback`.
    """
    wrong = {
        name: value
        for value, (name, default, is_usable) in zip(_values(subscriber), _CHECKS, strict=True)
        if value is not default and not is_usable(value)
    }
    if not wrong:
        return subscriber, "", ""
    default = Subscriber(subscriber.email)
    words = ", ".join(f"{name} {_shown(value)}" for name, value in wrong.items())
    if not wrong.keys() <= {*_FALLBACKS}:
        return default, f"stored settings cannot be used: {words}", ""
    defaults = field_values(default)
    served = subscriber_with(field_values(subscriber) | {name: defaults[name] for name in wrong})
    return served, "", f"{words} cannot be used; the newsletter's own takes its place"


def find_fault(reader: Reader, topics: Mapping[str, str]) -> ReaderFault | None:
    """What is wrong with a reader's settings, in a newsletter with these topics, by each name."""
    wants, words = reader.subscriber.filter, reader.fault or reader.fallback
    lost = lost_topics(wants.topics, topics)
    if lost and not words:
        dead = len(lost) == len({*wants.topics}) and not wants.include
        which = "none of their topics" if dead else "not every topic that they follow"
        words = f"the newsletter has {which} any more: {_shown(lost)}"
    if not words:
        return None
    lost = () if reader.fallback else lost
    email, served = reader.subscriber.email, not reader.fault
    return ReaderFault(reader.id, email, words, served=served, stored=True, lost=lost)


FORMERLY = (
    "add it to the `formerly:` of the topic that takes its place (newsletter topics rename does), "
    "or let its readers choose another"
)
"""What to do about a topic that readers follow and the newsletter does not have."""


def lost_topic_lines(faults: Iterable[ReaderFault]) -> list[str]:
    """Each topic that readers follow and the newsletter does not have: how many, and who."""
    followers: dict[str, list[str]] = {}
    for fault in faults:
        for name in fault.lost:
            followers.setdefault(name, []).append(fault.email)
    return [
        f"there is no topic {name!r}, but {_readers_follow(len(emails))} it: "
        + ", ".join(emails[:_MAX_NAMED])
        + (f" and {len(emails) - _MAX_NAMED} more" if emails[_MAX_NAMED:] else "")
        for name, emails in sorted(followers.items())
    ]


def _readers_follow(number: int) -> str:
    return "1 reader follows" if number == 1 else f"{number} readers follow"


def _shown(value: object) -> str:
    return repr(value)[:_MAX_SHOWN]
