"""The breaker: a server that refuses letter after letter is stopped before readers are blamed."""

from collections import deque

from newsletter.delivery.refusals import is_servers, refuses_reader
from newsletter.model import Accepted, Deferred, Letter, NotSent, Outcome, Refused, Unknown

IN_A_ROW = 20
"""As many refusals in a row are readers' addresses; one more is the server's word about us."""

WINDOW = 200
"""Over so many answers …"""

SHARE = 10
"""… no more refusals than this, five in a hundred."""

Ended = tuple[Letter, Outcome]
_Answered = Accepted | Refused | Deferred


class Breaker:
    """Counts refusals (5xx), and holds back those in a row until it is clear what they mean.

    Attributes:
        reason: why no more letters should leave; empty while they may.
    """

    def __init__(self) -> None:
        self.reason = ""
        self._held_back: list[tuple[Letter, _Answered]] = []
        self._recent: deque[bool] = deque(maxlen=WINDOW)
        self._welcome = False

    def note(self, letter: Letter, outcome: Outcome) -> list[Ended]:
        """What can be settled, now that this letter came to this.

        When the breaker trips, refusals in a row become deferrals: they speak of us. A deferral
        says nothing of those that name no mailbox; they wait for a letter that is accepted.
        """
        if isinstance(outcome, NotSent | Unknown) or not is_servers(outcome.reply):
            return [(letter, outcome)]
        refused = _is_5xx(outcome)
        self._recent.append(refused)
        if not refused:
            self._welcome = True
            clear = self.rest() if isinstance(outcome, Accepted) else self._named()
            return [(letter, outcome), *clear]
        self._held_back.append((letter, outcome))
        self._judge(outcome)
        return self.rest() if self.reason else []

    def rest(self) -> list[Ended]:
        """What is held back still, as it is to be settled."""
        held, self._held_back = self._held_back, []
        if self.reason:
            return [(letter, _softened(outcome)) for letter, outcome in held]
        return list(held)

    def _named(self) -> list[Ended]:
        """Those held back that say that it is for the reader's mailbox."""
        held = self._held_back
        self._held_back = [one for one in held if not refuses_reader(one[1].reply)]
        return [one for one in held if refuses_reader(one[1].reply)]

    def end(self) -> list[Ended]:
        """What is held back when there are no more letters.

        A refusal that no accepted letter followed, and that says not that it is for the reader's
        mailbox, may be the first of many; so it is a deferral. Where there was no answer but
        refusals, it is us whom the server refuses. Of a letter all alone its sender has to judge.
        """
        if len(self._recent) <= 1:
            return self.rest()
        blamed = [refuses_reader(outcome.reply) for _, outcome in self._held_back]
        if not (self._welcome or all(blamed)):
            last = self._held_back[-1][1].reply
            self.reason = f"it refused each of {len(blamed)} letters, last: {last}"
        ends = zip(self.rest(), blamed, strict=True)
        return [(letter, fate if clear else _softened(fate)) for (letter, fate), clear in ends]

    def _judge(self, last: _Answered) -> None:
        if len(self._held_back) > IN_A_ROW:
            self.reason = f"it refused {len(self._held_back)} letters in a row, last: {last.reply}"
        elif len(self._recent) == WINDOW and sum(self._recent) > SHARE:
            share = f"{sum(self._recent)} of the last {WINDOW} letters"
            self.reason = f"it refused {share}, last: {last.reply}"


def _softened(outcome: Outcome) -> Outcome:
    """A refusal that speaks of us is a deferral."""
    return Deferred(outcome.reply) if isinstance(outcome, Refused) else outcome


def _is_5xx(outcome: _Answered) -> bool:
    """Whether the server said no for good, be it of the reader or, with 5.7.x, of us."""
    return outcome.reply.startswith("5")
