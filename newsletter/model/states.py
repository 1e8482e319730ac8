"""The states of a delivery and of an issue: what each means, and which may follow it.

The facts about states stand in the two tables here, and the named sets below each table are derived
from it. Tests compare the tables and the drawing in docs/delivery.md and the CHECK constraints of
the store with them. A state that is added to a ``Literal`` alone stops the import.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Literal, get_args

from newsletter.model.closed_sets import complete
from newsletter.model.windows import RETRY_PERIOD

DeliveryState = Literal[
    "pending",
    "claimed",
    "committing",
    "accepted",
    "deferred",
    "failed",
    "unknown",
    "held",
    "expired",
    "suppressed",
    "empty",
]
"""The state of one reader's delivery, as it is stored."""

Whereabouts = Literal["not sent", "on its way", "in doubt", "arrived", "refused"]
"""What is known about a letter: whether it left, and whether the server answered."""

Weight = Literal["open", "delayed", "done", "error"]
"""How a delivery counts: ``open`` and ``delayed`` keep its issue open, and an ``error`` makes the
issue ``done_with_errors``. ``delayed`` and ``error`` are reported to the operator as trouble."""


NOT_BUILT = "not sent: unexpected"
"""How the reply begins of a letter that could not be built because of an unexpected exception."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFacts:
    """What one state of a delivery means.

    Attributes:
        meaning: half a sentence for the docs.
        letter: what is known of the letter.
        weight: how the delivery counts.
        leased: whether a run holds it under a lease.
        decides: whether the papers of the edition are decided for the reader; those of every
            other state stay owed to the next issue.
        becomes: the states that may follow, each with what leads there.
    """

    meaning: str
    letter: Whereabouts
    weight: Weight
    leased: bool = False
    decides: bool = False
    becomes: Mapping[DeliveryState, str] = field(default_factory=dict)


_LATE_ANSWER = "the answer came late"
_READER_LEFT = "the reader left"
_LATER_LETTER = "the reader has a later letter"

DELIVERY_STATES: Mapping[DeliveryState, DeliveryFacts] = complete(
    "DELIVERY_STATES",
    get_args(DeliveryState),
    {
        "pending": DeliveryFacts(
            meaning="planned, and not sent yet",
            letter="not sent",
            weight="open",
            becomes={
                "claimed": "a run claims it, with a token and a lease",
                "suppressed": _READER_LEFT,
                "expired": _LATER_LETTER,
            },
        ),
        "claimed": DeliveryFacts(
            meaning="claimed by a run",
            letter="not sent",
            weight="open",
            leased=True,
            becomes={
                "pending": "cut off before the dot, or the lease ran out",
                "committing": "the mark, made before the dot",
                "accepted": _LATE_ANSWER,
                "deferred": "4xx before the dot",
                "failed": "5xx before the dot, or the letter cannot be rendered",
                "unknown": "a power cut may have taken its mark",
                "held": "its bytes have changed, or in doubt a second time",
            },
        ),
        "committing": DeliveryFacts(
            meaning="marked: from here on it may have left",
            letter="on its way",
            weight="open",
            leased=True,
            becomes={
                "pending": "certainly not sent",
                "accepted": "250",
                "deferred": "4xx",
                "failed": "5xx",
                "unknown": "cut off before the answer came",
                "held": "in doubt a second time",
            },
        ),
        "accepted": DeliveryFacts(
            meaning="the server took it", letter="arrived", weight="done", decides=True
        ),
        "deferred": DeliveryFacts(
            meaning="the server asked to try again later",
            letter="not sent",
            weight="delayed",
            becomes={
                "claimed": "when its next try has come",
                "suppressed": _READER_LEFT,
                "expired": f"after {RETRY_PERIOD // timedelta(hours=1)} hours, or {_LATER_LETTER}",
            },
        ),
        "failed": DeliveryFacts(
            meaning="refused for good, or impossible to render", letter="refused", weight="error"
        ),
        "unknown": DeliveryFacts(
            meaning="in doubt: it may have left, but no answer came",
            letter="in doubt",
            weight="delayed",
            becomes={
                "claimed": "once more, same Message-ID, same bytes",
                "suppressed": _READER_LEFT,
                "held": f"if in_doubt is hold, or {_LATER_LETTER}",
                "pending": _LATE_ANSWER,
                "accepted": _LATE_ANSWER,
                "deferred": _LATE_ANSWER,
                "failed": _LATE_ANSWER,
            },
        ),
        "held": DeliveryFacts(
            meaning="in doubt a second time: only the operator decides",
            letter="in doubt",
            weight="error",
            becomes={
                "accepted": "the operator knows that it arrived",
                "failed": "the operator knows that it did not",
                "pending": _LATE_ANSWER,
                "deferred": _LATE_ANSWER,
            },
        ),
        "expired": DeliveryFacts(
            meaning="given up; its papers are owed to the next issue",
            letter="not sent",
            weight="error",
        ),
        "suppressed": DeliveryFacts(
            meaning="the reader left before it was sent", letter="not sent", weight="done"
        ),
        "empty": DeliveryFacts(
            meaning="no paper for this reader", letter="not sent", weight="done", decides=True
        ),
    },
)
"""Every state of a delivery. A restored store may change any of them (docs/delivery.md)."""


def _weighing(*weights: Weight) -> frozenset[DeliveryState]:
    return frozenset(s for s, facts in DELIVERY_STATES.items() if facts.weight in weights)


def _being(*letters: Whereabouts) -> frozenset[DeliveryState]:
    return frozenset(s for s, facts in DELIVERY_STATES.items() if facts.letter in letters)


def _before(next_state: DeliveryState) -> tuple[DeliveryState, ...]:
    return tuple(s for s, facts in DELIVERY_STATES.items() if next_state in facts.becomes)


OPEN = _weighing("open", "delayed")  # states that a later run may still change
TROUBLED = _weighing("delayed", "error")  # these are reported to the operator
ERRORS = _weighing("error")  # an issue that ends with one of these is ``done_with_errors``

FREE = _before("claimed")
"""A run may claim these, in this order. Doubtful ones come last, so that a run that keeps stopping
early does not retry the same ones. A deferred one is free once its next try has come."""

LEASED = frozenset(state for state, facts in DELIVERY_STATES.items() if facts.leased)
"""A run holds these under a lease."""

SETTLEABLE = frozenset(_before("accepted"))
"""A settlement under the right token may end these. Doubtful ones keep their token: a late answer
of the server is still the truth about that letter."""

DECIDING = frozenset(state for state, facts in DELIVERY_STATES.items() if facts.decides)
"""The papers of these editions are decided for the reader."""

MAY_HAVE_LEFT = _being("on its way", "in doubt", "arrived")
"""A letter in one of these may be in the reader's inbox."""

ARRIVED = _being("arrived")  # the server took these letters, so their papers count as sent
UNSENT = _being("not sent") - LEASED  # these letters have not left, and nobody sends them now
IN_DOUBT = _being("in doubt")  # it is not known whether these letters arrived
ANSWERED = _being("arrived", "refused")  # the server's final reply ended these


@dataclass(frozen=True, slots=True)
class Counts:
    """How many deliveries of an issue are in each state."""

    pending: int = 0
    claimed: int = 0
    committing: int = 0
    accepted: int = 0
    deferred: int = 0
    failed: int = 0
    unknown: int = 0
    held: int = 0
    expired: int = 0
    suppressed: int = 0
    empty: int = 0

    def of(self, states: Collection[DeliveryState]) -> int:
        """How many deliveries are in any of these states."""
        return sum(getattr(self, state) for state in states)

    @property
    def open(self) -> int:
        """The number of deliveries that a later run may still change."""
        return self.of(OPEN)

    @property
    def planned(self) -> int:
        """The number of deliveries; invariant I1 compares the editions with it."""
        return self.of(DELIVERY_STATES.keys())


# The fields are written out so that mypy knows ``counts.accepted`` and refuses a misspelt one.
complete("Counts", DELIVERY_STATES, {count.name: count for count in fields(Counts)})

IssueState = Literal[
    "frozen", "sending", "done", "done_with_errors", "skipped", "held", "cancelled"
]
"""The state of one day's issue, as it is stored."""

IssueCommand = Literal["cancel", "hold", "release"]
"""The operator's commands about an issue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueFacts:
    """What one state of an issue means.

    Attributes:
        meaning: half a sentence for the docs.
        letters_may_leave: whether a run may claim and send its letters.
        stopped: whether the operator stopped it; only the operator ends that, and meanwhile no
            page shows the issue.
        by_counts: whether the state follows the deliveries: done once none of them is open.
        after_freeze: the state after a further wave was frozen.
        commands: the operator's commands that the state allows.
    """

    meaning: str
    letters_may_leave: bool = False
    stopped: bool = False
    by_counts: bool = False
    after_freeze: IssueState = "frozen"
    commands: tuple[IssueCommand, ...] = ()


ISSUE_STATES: Mapping[IssueState, IssueFacts] = complete(
    "ISSUE_STATES",
    get_args(IssueState),
    {
        "frozen": IssueFacts(
            meaning="stored, nothing sent yet",
            letters_may_leave=True,
            by_counts=True,
            commands=("cancel", "hold"),
        ),
        "sending": IssueFacts(
            meaning="some letters have left",
            letters_may_leave=True,
            by_counts=True,
            after_freeze="sending",
            commands=("cancel", "hold"),
        ),
        "done": IssueFacts(meaning="every delivery is at its end", by_counts=True),
        "done_with_errors": IssueFacts(
            meaning="the same, and some failed, expired or are held", by_counts=True
        ),
        "skipped": IssueFacts(
            meaning="there was nothing to send; the same date may be tried again",
            commands=("cancel", "hold"),
        ),
        "held": IssueFacts(
            meaning="stopped by the operator, until released",
            stopped=True,
            after_freeze="held",
            commands=("cancel", "release"),
        ),
        "cancelled": IssueFacts(
            meaning="stopped by the operator for good",
            stopped=True,
            after_freeze="cancelled",
            commands=("cancel",),
        ),
    },
)
"""Every state of an issue."""

OPEN_ISSUE = frozenset(state for state, facts in ISSUE_STATES.items() if facts.letters_may_leave)
"""Letters of an issue in one of these states may leave."""

STOPPED_ISSUE = frozenset(state for state, facts in ISSUE_STATES.items() if facts.stopped)
"""Only the operator ends these states, and no page shows issues in them."""

DONE_ISSUE = frozenset(
    state
    for state, facts in ISSUE_STATES.items()
    if facts.by_counts and not facts.letters_may_leave
)
"""An issue in one of these states has no open delivery."""


def allowing(command: IssueCommand) -> frozenset[IssueState]:
    """The states of an issue in which the operator may give this command."""
    return frozenset(state for state, facts in ISSUE_STATES.items() if command in facts.commands)


def state_by_counts(counts: Counts, state: IssueState) -> IssueState:
    """The state of an issue with these counts: done once nothing is open."""
    if counts.open or not ISSUE_STATES[state].by_counts:
        return state
    return "done_with_errors" if counts.of(ERRORS) else "done"


def state_after_freeze(counts: Counts, state: IssueState) -> IssueState:
    """The state of an issue after a further wave: open again, or done if nothing is open."""
    return state_by_counts(counts, ISSUE_STATES[state].after_freeze)
