"""Stops the sending when the server refuses letter after letter, before readers get the blame."""

from collections import deque

from newsletter.delivery.refusals import is_servers, refuses_reader
from newsletter.model import Accepted, Deferred, Letter, NotSent, Outcome, Refused, Unknown

MAX_IN_A_ROW = 20
"""So many refusals in a row can be bad addresses; with one more the server refuses the sender."""

WINDOW = 200  # the last answers that are counted
MAX_IN_WINDOW = 10  # this many of them may be refusals: five in a hundred

Settled = tuple[Letter, Outcome]
_Answered = Accepted | Refused | Deferred


class Breaker:
    """Counts refusals (5xx) and holds them back until it is clear whom they blame.

    Attributes:
        reason: why the sending must stop; empty while it may go on.
    """

    def __init__(self) -> None:
        self.reason = ""
        self._held: list[tuple[Letter, _Answered]] = []
        self._recent_refusals: deque[bool] = deque(maxlen=WINDOW)
        self._only_refusals = True

    def record(self, letter: Letter, outcome: Outcome) -> list[Settled]:
        """Record an outcome, and return the letters that can be settled now.

        An accepted letter confirms the refusals before it. A deferred one confirms only those that
        name the reader's mailbox. If the breaker opens, the refusals in a row become deferrals.
        """
        if isinstance(outcome, Accepted):
            self._record_welcome()
            return [(letter, outcome), *self._release()]
        if isinstance(outcome, NotSent | Unknown) or not is_servers(outcome.reply):
            return [(letter, outcome)]
        if not outcome.reply.startswith("5"):  # with 5.7.x it is a Deferred, too
            self._record_welcome()
            return [(letter, outcome), *self._release_mailboxes()]
        self._recent_refusals.append(True)
        self._held.append((letter, outcome))
        self._open_if_too_many(outcome)
        return self._release() if self.reason else []

    def _record_welcome(self) -> None:
        self._recent_refusals.append(False)
        self._only_refusals = False

    def finish(self) -> list[Settled]:
        """Return the letters still held back, when there are no more answers to come.

        No accepted letter followed these refusals, so each may have been the first of many: it
        becomes a deferral, unless it names the reader's mailbox. If there were only refusals, the
        server refuses the sender. A single letter is left to the caller to judge.
        """
        if len(self._recent_refusals) <= 1:
            return self._release()
        name_mailbox = [refuses_reader(outcome.reply) for _, outcome in self._held]
        if self._only_refusals and not all(name_mailbox):
            last = self._held[-1][1].reply
            self.reason = f"it refused each of {len(self._held)} emails, last: {last}"
        return [
            (letter, outcome if names_it else _as_deferred(outcome))
            for (letter, outcome), names_it in zip(self._release(), name_mailbox, strict=True)
        ]

    def _release(self) -> list[Settled]:
        held, self._held = self._held, []
        if self.reason:
            return [(letter, _as_deferred(outcome)) for letter, outcome in held]
        return list(held)

    def _release_mailboxes(self) -> list[Settled]:
        """Release the refusals that name the reader's mailbox."""
        held = self._held
        self._held = [one for one in held if not refuses_reader(one[1].reply)]
        return [one for one in held if refuses_reader(one[1].reply)]

    def _open_if_too_many(self, last: _Answered) -> None:
        refusals = sum(self._recent_refusals)
        if len(self._held) > MAX_IN_A_ROW:
            self.reason = f"it refused {len(self._held)} emails in a row, last: {last.reply}"
        elif len(self._recent_refusals) == WINDOW and refusals > MAX_IN_WINDOW:
            share = f"{refusals} of the last {WINDOW} emails"
            self.reason = f"it refused {share}, last: {last.reply}"


def _as_deferred(outcome: Outcome) -> Outcome:
    return Deferred(outcome.reply) if isinstance(outcome, Refused) else outcome
