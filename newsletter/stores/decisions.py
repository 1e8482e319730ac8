"""What every store decides alike: the states that outcomes, counts and rosters lead to."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from itertools import islice
from typing import TypeVar

from newsletter.model import (
    Accepted,
    Counts,
    Deferred,
    DeliveryState,
    Issue,
    IssueState,
    NotSent,
    Outcome,
    Refused,
    ReturnEffect,
    ReturnKind,
    Status,
    Unknown,
)

SETTLED: dict[type[Outcome], DeliveryState] = {
    Accepted: "accepted",
    Refused: "failed",
    Deferred: "deferred",
    NotSent: "pending",
    Unknown: "unknown",
}
"""The state each outcome leads to."""

UNDER_CLAIM: frozenset[DeliveryState] = frozenset({"claimed", "committing", "unknown", "held"})
"""States a settlement may end. A claim taken back in doubt keeps its token: a late answer of
the server is still the truth about that letter."""

FREE: frozenset[DeliveryState] = frozenset({"pending", "deferred", "unknown"})
"""States a delivery may be claimed in; a deferred one when its next try has come."""

PATIENCE = timedelta(hours=20)
"""How long after its freeze a deferred letter is tried; then its papers go into the next."""

HARD_DAYS = 3
"""Hard bounces on so many different days block a reader: one may be a server's bad day."""

HARD_WITHIN = timedelta(days=90)
"""How far apart these days may be."""

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


def closed(counts: Counts, state: IssueState) -> IssueState:
    """The state of an issue with these counts: it is closed when nothing is open."""
    if counts.open or state not in {"frozen", "sending", "done", "done_with_errors"}:
        return state
    return "done_with_errors" if counts.failed + counts.held + counts.expired else "done"


def reopened(counts: Counts, state: IssueState) -> IssueState:
    """The state of an issue after a freeze: open again, or closed if nothing is."""
    stays = state in {"sending", "held", "cancelled"}
    return closed(counts, state if stays else "frozen")


def listed(status: Status) -> Status:
    """The status of a known reader who stands in the operator's file."""
    return status if status in {"unsubscribed", "blocked"} else "confirmed"


def struck(status: Status) -> Status:
    """The status of a reader of the file who stands in it no longer."""
    return status if status in {"unsubscribed", "blocked"} else "removed"


def fate(status: Status, kind: ReturnKind, hard_days: Iterable[date]) -> Status:
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


def effect(after: Status) -> ReturnEffect:
    """What a return did to a reader whose status is this one now."""
    if after == "blocked":
        return "suppressed"
    return "unsubscribed" if after == "unsubscribed" else "noted"


def why_blocked(returns: Sequence[tuple[ReturnKind, date, str]]) -> str:
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


def token_for(token: str, reader: int) -> str:
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
