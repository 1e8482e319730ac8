"""What every store decides alike: the states that outcomes, counts and rosters lead to."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import Any, TypeVar

from newsletter.issue.composing import MAX_PAPER_AGE
from newsletter.model import (
    RECEIPT,
    DailyGrowth,
    DeliveryState,
    Issue,
    Item,
    MailEventEffect,
    MailEventKind,
    NotSent,
    Outcome,
    PublishedIssue,
    ReaderHistory,
    Status,
    Subscriber,
    Unknown,
)
from newsletter.text import clean, folded

GONE: frozenset[Status] = frozenset({"unsubscribed", "blocked", "removed"})
"""The status of those who got letters, or might have, and get none any more."""

NO_ISSUE = "there is no issue of {}; `newsletter send` makes one, `newsletter status` shows others."
"""What is told of a day that has no issue."""

OPERATORS_WORD = "operator: "
"""What the reply of a delivery begins with where the operator said what became of it."""

PATIENCE = timedelta(hours=20)
"""How long after its freeze a deferred letter is tried; then its papers go into the next."""

OTHER_BYTES = "not sent again: its bytes are no longer those that may have left before"
"""What is told of a letter in doubt that cannot be made again byte for byte."""

HARD_DAYS = 3
"""Hard bounces on so many different days block a reader: one may be a server's bad day."""

HARD_WITHIN = timedelta(days=90)
"""How far apart these days may be."""

_CODES = re.compile(r"\d{3}( \d\.\d{1,3}\.\d{1,3})?\b")

T = TypeVar("T")


def in_doubt(doubts: int) -> DeliveryState:
    """The state of a letter nobody knows the fate of, by how often that was so before.

    It is sent again once, the same bytes under the same Message-ID; in doubt a second time it
    is held and named.
    """
    return "held" if doubts else "unknown"


def run_of(token: str) -> str:
    """The run a claim's token was made by."""
    return token.partition(".")[0]


def words_of(outcome: Outcome) -> str:
    """The server's reply, or why there is none."""
    said = outcome.reason if isinstance(outcome, NotSent | Unknown) else outcome.reply
    return storable(said)


def resolved(*, arrived: bool) -> tuple[DeliveryState, str]:
    """The end of a held letter that the operator knows the fate of, and what is told of it."""
    if arrived:
        return "accepted", f"{OPERATORS_WORD}it arrived"
    return "failed", f"{OPERATORS_WORD}it did not arrive"


def listed(status: Status) -> Status:
    """The status of a known reader who stands in the operator's file."""
    return status if status in {"unsubscribed", "blocked"} else "confirmed"


def struck(status: Status) -> Status:
    """The status of a reader of the file who stands in it no longer."""
    return status if status in {"unsubscribed", "blocked"} else "removed"


def taken_in(known: Subscriber, before: Subscriber, listed: Subscriber) -> Subscriber:
    """A reader of the file after its words changed from ``before`` to ``listed``.

    What they chose on the page wins until the file's value for that very field changes.
    """
    wants = replace(known.filter, **_changes(before.filter, listed.filter))
    return replace(known, **(_changes(before, listed) | {"filter": wants}))


def _changes(before: Any, after: Any) -> dict[str, Any]:  # noqa: ANN401 - any dataclass
    values = {field.name: getattr(after, field.name) for field in fields(after)}
    return {name: value for name, value in values.items() if value != getattr(before, name)}


def wording(item: Item) -> str:
    """What a paper is searched in: every word follows a space, so that its beginning is found."""
    return f" {folded(clean(' '.join((item.title, item.abstract, *item.authors))))}"


def sought(words: Sequence[str]) -> list[str]:
    """What is looked for in a :func:`wording`, for these words."""
    return [f" {word}" for word in folded(clean(" ".join(words))).split()]


def in_turn(frozen: Iterable[tuple[date, datetime, int]]) -> tuple[PublishedIssue, ...]:
    """The issues frozen on these days, then, with these cutoffs; the last one first."""
    found, after = [], 0
    for day, at, cutoff in sorted(frozen, key=lambda each: each[1]):
        found.append(PublishedIssue(day, after, max(after, cutoff), at))
        after = found[-1].cutoff
    return tuple(reversed(found))


def moved(came: Mapping[date, int], left: Mapping[date, int]) -> tuple[DailyGrowth, ...]:
    """What happened on each day on which anybody came or left, oldest first."""
    days = (DailyGrowth(day, came.get(day, 0), left.get(day, 0)) for day in sorted({*came, *left}))
    return tuple(each for each in days if each.came or each.left)


def bare(reply: str) -> str:
    """A server's reply without its words, which may name somebody: its codes (RFC 5321, 3463).

    What the operator said names nobody, and stays; of a receipt, the word that it is one.
    """
    if reply.startswith(OPERATORS_WORD):
        return reply
    if reply.startswith(RECEIPT):
        return RECEIPT
    found = _CODES.match(reply)
    return found[0] if found else ""


def fate(status: Status, kind: MailEventKind, hard_days: Iterable[date]) -> Status:
    """The status of a reader after a return of this kind.

    Args:
        status: as it was.
        kind: what came back.
        hard_days: the days of all hard bounces that count, this one's included.
    """
    if kind == "unsubscribe":
        return "unsubscribed"
    ends = kind == "complaint" or (kind == "hard" and too_many(hard_days))
    return "blocked" if ends and status != "unsubscribed" else status


def too_many(hard_days: Iterable[date]) -> bool:
    """Whether hard bounces came on so many days, close enough to one another."""
    days = sorted(set(hard_days))
    return any(
        last - first <= HARD_WITHIN
        for first, last in zip(days, days[HARD_DAYS - 1 :], strict=False)
    )


def effect(after: Status) -> MailEventEffect:
    """What a return did to a reader whose status is this one now."""
    if after == "blocked":
        return "suppressed"
    return "unsubscribed" if after == "unsubscribed" else "noted"


def why_blocked(returns: Sequence[tuple[MailEventKind, date, str]]) -> str:
    """Why a reader is blocked, from the returns that count, oldest first."""
    complaints = [(day, said) for kind, day, said in returns if kind == "complaint"]
    bounces = [(day, said) for kind, day, said in returns if kind == "hard"]
    if complaints:
        day, said = complaints[-1]
        return f"complained on {day}" + (f": {said}" if said else "")
    if bounces:
        days = len({day for day, _ in bounces})
        return f"hard bounces on {days} days, last on {bounces[-1][0]}: {bounces[-1][1]}"
    return "blocked by the operator"


def numbers_of(issue: Issue) -> list[int]:
    """The ingest numbers of an issue's papers, in its order."""
    return [paper.number for paper in issue.papers]


class OwedCounter:
    """How many papers of an issue readers are owed, worked out apart from how editions are cut.

    The audit holds the editions against it.
    """

    def __init__(self, issue: Issue) -> None:
        oldest = issue.frozen_at - MAX_PAPER_AGE
        self._papers = [
            (paper.number, paper.group)
            for paper in issue.papers
            if not paper.muted and paper.first_seen >= oldest
        ]
        self._count = lru_cache(maxsize=1024)(self._counted)

    def to(self, history: ReaderHistory) -> int:
        """How many this reader is owed: new since their last letter or again, and not sent."""
        return self._count(history.reader.decided, history.again, history.sent)

    def _counted(self, decided: int, again: frozenset[int], sent: frozenset[int]) -> int:
        return sum(
            (number > decided or number in again) and group not in sent
            for number, group in self._papers
        )


def token_for(token: str, reader: object) -> str:
    """The token of one reader's claim within a run's."""
    return f"{token}.{reader}"


def storable(words: str) -> str:
    """Text from outside that every database takes: no NUL, no half of a character."""
    return (
        words.encode("utf-8", "replace").decode("utf-8").replace("\0", "\N{REPLACEMENT CHARACTER}")
    )


def chunks(values: Iterable[T], size: int) -> Iterator[Sequence[T]]:
    """The values in pieces of ``size``, without ever holding more."""
    rest = iter(values)
    while piece := tuple(islice(rest, size)):
        yield piece
