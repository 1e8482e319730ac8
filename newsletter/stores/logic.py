"""What the store decides without a database: pure functions of states, readers and texts."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache

from newsletter import text as texts
from newsletter.model import (
    LEFT,
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
    field_changes,
    field_values,
    subscriber_with,
)
from newsletter.model.windows import MAX_PAPER_AGE
from newsletter.text import clean, fold
from newsletter.text.plurals import singular

GONE: frozenset[Status] = frozenset({"unsubscribed", "blocked", "removed"})
"""The statuses of readers who get no letters any more."""

NO_ISSUE = "there is no issue of {}; `newsletter send` makes one, `newsletter status` shows others."
"""The error message for a day without an issue."""

BY_OPERATOR = "operator: "  # begins the reply of a delivery whose outcome the operator decided

REMOVED = "removed"  # the reply of a letter whose details were removed

OTHER_BYTES = "not sent again: its bytes are no longer those that may have left before"
"""The reply of a letter in doubt that cannot be rendered again byte for byte."""

HARD_DAYS = 3  # hard bounces on this many days block a reader; one day may be a server's bad day
HARD_WITHIN = timedelta(days=90)  # the longest time between the first and the last of these days
MASS_OF_FEW = 3  # hard bounces of fewer readers never speak of the sender
MASS = 5  # from here on a third of the letters is enough

_REPLY_CODES = re.compile(r"\d{3}( \d\.\d{1,3}\.\d{1,3})?\b")


# -- deliveries ----------------------------------------------------------------------------------


def claim_token(token: str, reader: object) -> str:
    """The token of one reader's claim, made from that of the whole claim."""
    return f"{token}.{reader}"


def run_of(token: str) -> str:
    """The name of the run that a claim's token belongs to."""
    return token.partition(".")[0]


def reply_of(outcome: Outcome) -> str:
    """The server's reply, or the reason why there is none."""
    return storable(outcome.reason if isinstance(outcome, NotSent | Unknown) else outcome.reply)


def reply_without_names(reply: str) -> str:
    """A server's reply reduced to its codes (RFC 5321, 3463), because its text may name a person.

    The operator's own replies stay; a receipt is cut to its first word.
    """
    if reply.startswith(BY_OPERATOR) or reply == REMOVED:
        return reply
    if reply.startswith(RECEIPT):
        return RECEIPT
    codes = _REPLY_CODES.match(reply)
    return codes[0] if codes else ""


def resolved_state(*, arrived: bool) -> tuple[DeliveryState, str]:
    """The state and reply of a held delivery whose outcome the operator knows."""
    if arrived:
        return "accepted", f"{BY_OPERATOR}it arrived"
    return "failed", f"{BY_OPERATOR}it did not arrive"


# -- issues --------------------------------------------------------------------------------------


def numbers_of(issue: Issue) -> list[int]:
    """The ingest numbers of an issue's papers, in its order."""
    return [paper.number for paper in issue.papers]


def published(frozen: Iterable[tuple[date, datetime, int]]) -> tuple[PublishedIssue, ...]:
    """Published issues, newest first, from their day, first freeze and last cutoff."""
    issues, after = list[PublishedIssue](), 0
    for day, at, cutoff in sorted(frozen, key=lambda each: each[1]):
        issues.append(PublishedIssue(day, after, max(after, cutoff), at))
        after = issues[-1].cutoff
    return tuple(reversed(issues))


class OwedCounter:
    """Finds the papers of an issue that a reader is owed, without the code that composes editions.

    The audit compares editions with it.
    """

    def __init__(self, issue: Issue) -> None:
        oldest = issue.frozen_at - MAX_PAPER_AGE
        self._papers = [
            (paper.number, paper.group)
            for paper in issue.papers
            if not paper.muted and paper.first_seen >= oldest
        ]
        self._numbers = frozenset(number for number, _ in self._papers)
        self._by_group = defaultdict[int, set[int]](set)
        for number, group in self._papers:
            self._by_group[group].add(number)
        self._after = lru_cache(maxsize=1024)(self._numbers_after)

    def count(self, history: ReaderHistory) -> int:
        """How many papers are new to this reader, or judged again, and were not sent yet."""
        return len(self._find(history))

    def numbers(self, history: ReaderHistory) -> tuple[int, ...]:
        """The ingest numbers of these papers, in the issue's order."""
        found = self._find(history)
        return tuple(number for number, _ in self._papers if number in found)

    def _find(self, history: ReaderHistory) -> frozenset[int]:
        new = self._after(history.reader.decided)
        if not history.again and not history.sent:
            return new
        sent = (self._by_group[group] for group in history.sent & self._by_group.keys())
        return (new | history.again & self._numbers).difference(*sent)

    def _numbers_after(self, decided: int) -> frozenset[int]:
        return frozenset(number for number in self._numbers if number > decided)


# -- readers -------------------------------------------------------------------------------------


def status_in_file(status: Status) -> Status:
    """The status of a known reader who is listed in the operator's file."""
    return status if status in LEFT else "confirmed"


def status_removed_from_file(status: Status) -> Status:
    """The status of a reader of the operator's file who is no longer listed there."""
    return status if status in LEFT else "removed"


def merge_file_changes(known: Subscriber, before: Subscriber, after: Subscriber) -> Subscriber:
    """A reader's settings after the operator's file changed from ``before`` to ``after``.

    The reader's own choice of a field stays until the file's value of that very field changes.
    """
    changed = {each.field: each.after for each in field_changes(before, after)}
    return subscriber_with(field_values(known) | changed)


@dataclass(frozen=True, slots=True)
class OwnChoices:
    """What a reader of the store chose, while the operator's file has them, too.

    Attributes:
        subscriber: their own choices in the fields that the file names.
        named: the fields that the file names.
    """

    subscriber: Subscriber
    named: tuple[str, ...] = ()


def follow_file(
    known: Subscriber, own: OwnChoices, before: Subscriber, after: Subscriber, named: Iterable[str]
) -> tuple[Subscriber, OwnChoices]:
    """A reader's settings, and their own choices, once the file says ``after`` in ``named`` fields.

    What the file begins to name, or says otherwise than ``before``, replaces their choice. In what
    it names no more they get their own choice back, unless they have changed it since.
    """
    names, values, mine = sorted(named), field_values(known), field_values(own.subscriber)
    old, new = field_values(before), field_values(after)
    for name in names:
        if name not in own.named:
            mine[name] = values[name]
        if name not in own.named or old[name] != new[name]:
            values[name] = new[name]
    for name in {*own.named}.difference(names):
        if values[name] == old[name]:
            values[name] = mine[name]
    return subscriber_with(values), OwnChoices(subscriber_with(mine), tuple(names))


def named_fields(listed: Subscriber) -> frozenset[str]:
    """The fields that a file names at least, if it is not known: those not at their default."""
    default = field_values(Subscriber(listed.email))
    return frozenset(name for name, value in field_values(listed).items() if value != default[name])


def growth(joined: Mapping[date, int], left: Mapping[date, int]) -> tuple[DailyGrowth, ...]:
    """The days on which readers joined or left, oldest first."""
    days = (DailyGrowth(d, joined.get(d, 0), left.get(d, 0)) for d in sorted({*joined, *left}))
    return tuple(each for each in days if each.came or each.left)


def status_after(status: Status, kind: MailEventKind, hard_days: Iterable[date]) -> Status:
    """A reader's status after a returned mail of this kind.

    Args:
        status: the status before.
        kind: the kind of the returned mail.
        hard_days: the days of all hard bounces that count, this one included.
    """
    if kind == "unsubscribe":
        return "unsubscribed"
    blocks = kind == "complaint" or (kind == "hard" and are_too_many(hard_days))
    return "blocked" if blocks and status != "unsubscribed" else status


def are_too_many(hard_days: Iterable[date]) -> bool:
    """Whether hard bounces on these days block a reader."""
    days = sorted(set(hard_days))
    return any(
        last - first <= HARD_WITHIN
        for first, last in zip(days, days[HARD_DAYS - 1 :], strict=False)
    )


def is_mass(readers: int, letters: int) -> bool:
    """Whether hard bounces of so many readers, out of so many letters, speak of the sender.

    Mailboxes go one by one: two of five may. Most of them at once, or a third of many, do not.
    """
    return readers >= MASS_OF_FEW and (
        2 * readers > letters or (readers >= MASS and 3 * readers > letters)
    )


def effect_of(after: Status) -> MailEventEffect:
    """The effect of a returned mail on a reader whose status is now ``after``."""
    if after == "blocked":
        return "suppressed"
    return "unsubscribed" if after == "unsubscribed" else "noted"


def why_blocked(events: Sequence[tuple[MailEventKind, date, str]]) -> str:
    """Why a reader is blocked, from the mail events that count, oldest first."""
    complaints = [(day, said) for kind, day, said in events if kind == "complaint"]
    bounces = [(day, said) for kind, day, said in events if kind == "hard"]
    if complaints:
        day, said = complaints[-1]
        return f"complained on {day}" + (f": {said}" if said else "")
    if bounces:
        days = len({day for day, _ in bounces})
        return f"hard bounces on {days} days, last on {bounces[-1][0]}: {bounces[-1][1]}"
    return "blocked by the operator"


# -- texts ---------------------------------------------------------------------------------------


def storable(text: str) -> str:
    """Text that every database accepts: without NUL and without half a surrogate pair."""
    if text.isascii() and "\0" not in text:  # nearly every reply, and quickly seen
        return text
    return (
        text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\N{REPLACEMENT CHARACTER}")
    )


def search_text(item: Item) -> str:
    """The text that a search looks through; a space before each word marks its beginning."""
    keywords = map(texts.tex_to_unicode, item.keywords)  # as pages show them, with links to here
    text = " ".join((item.title, item.abstract, *item.authors, *keywords))
    return f" {fold(clean(text))}"


def search_terms(words: Sequence[str]) -> list[tuple[str, ...]]:
    """What to look for in a :func:`search_text`: for each word one of these strings.

    A plural stands for the singular, too, with which it mostly begins.
    """
    return [_search_term(word) for word in fold(clean(" ".join(words))).split()]


def _search_term(word: str) -> tuple[str, ...]:
    one = singular(word)
    return (f" {one}",) if word.startswith(one) else (f" {word}", f" {one}")
