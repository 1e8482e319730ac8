"""Send an issue to the operator's own addresses first, and stop one that is far off the usual.

The readers of :class:`Canary` are in the first wave of each issue. Until the issue is cleared, only
their letters leave. It is cleared after a time, or by the operator (:func:`publishing.release`).
Everything is derived from the store, so that a restart changes nothing.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from statistics import median

from newsletter.model import ERRORS, OPEN, Delivery, IssueSize
from newsletter.ports import Store

COMPARED = 14  # an issue is compared with so many before it
MIN_COMPARED = 8  # with fewer nothing is unusual: a week of daily issues has a weekend in it
FACTOR = 4  # so many times more than the most, or less than the least, of those is unusual
MIN_PAPERS = 20  # a difference of fewer papers is none
MIN_PLANNED = 20  # among fewer readers the share of those who get papers says nothing


@dataclass(frozen=True, slots=True)
class Canary:
    """Who gets an issue first, and when the others follow.

    ``wait`` is counted from the freeze of the first wave; None: until the operator approves.
    """

    addresses: tuple[str, ...]
    wait: timedelta | None


@dataclass(frozen=True, slots=True)
class Turn:
    """Whose letters of an issue may leave now.

    Attributes:
        readers: their ids; None for everybody.
        hold: why the issue must be held for the operator; empty if it must not.
        until: when the others follow, if that is known.
        is_over: whether the others' time has come.
    """

    readers: Collection[int] | None = None
    hold: str = ""
    until: datetime | None = None
    is_over: bool = False


def canary_readers(store: Store, canary: Canary | None) -> Sequence[int]:
    """The ids of the confirmed readers who get each issue first."""
    if canary is None:
        return ()
    return [one.id for one in store.readers(emails=canary.addresses) if one.is_served]


def find_turn(store: Store, canary: Canary | None, day: date, now: datetime) -> Turn:
    """Whose letters of a frozen issue may leave, by what the store knows of it."""
    if canary is None or store.is_cleared(day):
        return Turn()
    first = canary_readers(store, canary)
    letters = [row for reader in first for row in store.deliveries_to(reader) if row.day == day]
    if any(letter.state in OPEN for letter in letters):
        return Turn(first)
    if wrong := what_is_wrong(letters):
        return Turn(first, hold=wrong)
    if canary.wait is None:
        return Turn(first, hold="the first emails have left; it waits for your approval")
    until = store.wave_heads(day)[0].frozen_at + canary.wait
    if now < until:
        return Turn(first, until=until)
    this, *earlier = _sizes_up_to(store, day)
    unusual = what_is_unusual(this, earlier)
    return Turn(first, hold=unusual, is_over=not unusual)


def what_is_wrong(letters: Sequence[Delivery]) -> str:
    """In words, why the first letters of an issue say nothing good of it; empty if they do."""
    if not letters:
        return "none of the addresses of `issue.canary` is a reader who gets emails"
    failed = [f"to {row.email}: {row.reply}" for row in letters if row.state in ERRORS]
    return "; ".join(f"the first email failed, {each}" for each in failed)


def _sizes_up_to(store: Store, day: date) -> list[IssueSize]:
    """The sizes of an issue and of those before it, newest first."""
    sizes = store.issue_sizes(limit=COMPARED + 3)  # a few later ones may be frozen already
    return [*sizes[next(place for place, size in enumerate(sizes) if size.day == day) :]]


def what_is_unusual(issue: IssueSize, earlier: Sequence[IssueSize]) -> str:
    """In words, how an issue is far off those before it; empty if it is not, or they are few."""
    if len(earlier) < MIN_COMPARED:
        return ""
    found = (of(issue, earlier) for of in (_unusual_papers, _unusual_share, _unusual_size))
    return next(filter(None, found), "")


def _unusual_papers(issue: IssueSize, earlier: Sequence[IssueSize]) -> str:
    papers = [one.papers for one in earlier]
    if abs(issue.papers - median(papers)) < MIN_PAPERS or not _is_far(issue.papers, papers):
        return ""
    return f"{issue.papers} papers, where the last issues had {min(papers)} to {max(papers)}"


def _unusual_share(issue: IssueSize, earlier: Sequence[IssueSize]) -> str:
    large = [one for one in earlier if one.planned >= MIN_PLANNED]
    if issue.planned < MIN_PLANNED or len(large) < MIN_COMPARED:
        return ""
    now, least = _served(issue), min(map(_served, large))
    if now * FACTOR >= least:
        return ""
    return f"{now:.0%} of the readers get papers, where it was {least:.0%} at least"


def _served(issue: IssueSize) -> float:
    return (issue.planned - issue.empty) / issue.planned


def _unusual_size(issue: IssueSize, earlier: Sequence[IssueSize]) -> str:
    sizes = [one.letter_size / max(one.papers, 1) for one in earlier if one.letter_size]
    now = issue.letter_size / max(issue.papers, 1)
    if not issue.letter_size or len(sizes) < MIN_COMPARED or not _is_far(now, sizes):
        return ""
    usual = f"{min(sizes):,.0f} to {max(sizes):,.0f}"
    return f"{now:,.0f} compressed bytes for a paper, where it was {usual}"


def _is_far(value: float, usual: Sequence[float]) -> bool:
    return value * FACTOR < min(usual) or value > max(usual) * FACTOR
