"""Decides what a server's reply says about its limits, and keeps to them while letters are sent."""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from newsletter.model import Accepted, Deferred, Letter, NotSent, Outcome, Refused, Unknown
from newsletter.ports import Clock
from newsletter.transports.smtp.limits import ConnectionLimit
from newsletter.transports.smtp.relay import REST, Relay, limit_in
from newsletter.transports.smtp.settings import SmtpSettings

_log = logging.getLogger(__name__)

ALIKE = 8  # so many deferrals without a reason in a row are the server's limit
ALIKE_DOMAINS = 3  # fewer are enough if they are for so many domains

_RETRY_PAUSES = (1.0, 2.0, 4.0)
"""Seconds before each new attempt to reach a server that was there in this run."""

_LIMIT_PAUSES = (*_RETRY_PAUSES, 8.0, 16.0, 32.0, 64.0)
"""The same if it says that there are too many connections, which ends with its minute."""

_SESSION_ENDS = frozenset({"421", "452"})
"""Codes with which servers end a session that has had enough letters."""

Settled = tuple[Letter, Outcome]


@dataclass
class SessionCount:
    """The letters of one session.

    Attributes:
        taken: how many it was given.
        accepted: how many of them the server accepted.
        full: whether the server takes no more of them over this connection.
    """

    taken: int = 0
    accepted: int = 0
    full: bool = False


class Throttle:
    """Reads the limits of one server from its replies, for all connections to it.

    A letter that meets a limit is given back as not sent, to be sent again in the same run. What
    changes is the number of connections, of letters over one, or of letters in a time. Letters
    that left before such a change do not count again.

    Attributes:
        relay: what is known of the server; it is changed.
        reason: why the sending must stop; empty while it may go on.
        put_off: how many letters met the limit of an hour or a day.
    """

    def __init__(
        self, relay: Relay, settings: SmtpSettings, connections: ConnectionLimit, clock: Clock
    ) -> None:
        self.relay, self._settings = relay, settings
        self._connections, self._clock = connections, clock
        self._era = 0
        self._under_way: dict[int, tuple[Letter, int]] = {}  # by reader, with the era it left in
        self.reason = ""
        self.put_off = 0
        self._unclear: list[tuple[Letter, Deferred]] = []
        self._suspected = self._refused_openings = 0
        self._open_at = 0.0
        self._keeps_connections = False

    @property
    def _now(self) -> float:
        return self._clock.now().timestamp()

    @property
    def idle_for(self) -> float | None:
        """Seconds until a letter may leave; None: not before another one is answered."""
        pace = self.relay.pace
        return 0.0 if pace.is_open else pace.delay(self._now)

    def leave(self, letter: Letter) -> None:
        """Count a letter that leaves."""
        pace = self.relay.pace
        pace.leave(self._now if pace.needs_time else 0.0)
        self._under_way[letter.claim.reader] = letter, self._era

    @property
    def under_way(self) -> list[Letter]:
        """The letters that have left and are not answered yet."""
        return [letter for letter, _ in self._under_way.values()]

    def take_back(self, letter: Letter) -> None:
        """Do not count a letter that left: the server did not get it."""
        self.relay.pace.take_back(tried=self._is_current(letter))

    def _is_current(self, letter: Letter) -> bool:
        """Whether a letter left after the last change; asked once for each."""
        _, era = self._under_way.pop(letter.claim.reader, (letter, -1))
        return era == self._era

    def record(self, letter: Letter, outcome: Outcome, session: SessionCount) -> list[Settled]:
        """Record an outcome, and return the letters that can be settled now."""
        current = self._is_current(letter)
        if isinstance(outcome, Accepted):
            session.accepted += 1
            if current and not self.relay.pace.is_open:
                self.relay.pace.accept(self._now)
            return [(letter, outcome), *(self.finish() if self._unclear else ())]
        reply = "" if isinstance(outcome, Unknown) else _reply(outcome)
        match limit_in(reply):
            case "hour" | "day" as limit:
                self._rest(self._clock.now() + REST[limit], reply)
                self.put_off += 1
                return [(letter, Deferred(reply, self.relay.rests_until))]
            case "session" | "many" | "unclear" as limit if self._ends_session(
                reply, session, certain=limit == "session", current=current
            ):
                self.relay.pace.take_back(tried=current)
            case "unclear" if isinstance(outcome, Deferred) and not self.relay.pace.is_paused:
                return self._hold(letter, outcome, current=current)
            case "unclear" if not reply.startswith("421"):
                self._slow_down(reply, current=current)
            case None | "unclear":
                self.relay.pace.take_back(tried=current)
                return [(letter, outcome)]
            case "connections" if self._connections.working > 1:
                self._use_fewer_connections(current=current)
            case _:
                self._slow_down(reply, current=current)
        return [(letter, NotSent(reply, limited=True))]

    def finish(self) -> list[Settled]:
        """Return the letters that were held back: each deferral was about its letter alone."""
        held, self._unclear = self._unclear, []
        return list(held)

    def _hold(self, letter: Letter, outcome: Deferred, *, current: bool) -> list[Settled]:
        """Hold a deferral without a reason until it is clear whether it is about all letters."""
        self._unclear.append((letter, outcome))
        domains = {one.envelope.recipient.rpartition("@")[2].lower() for one, _ in self._unclear}
        if len(self._unclear) < ALIKE and len(domains) < ALIKE_DOMAINS:
            self.relay.pace.take_back(tried=current)
            return []
        self._slow_down(outcome.reply, current=current)
        held, self._unclear = self._unclear, []
        return [(one, NotSent(deferred.reply, limited=True)) for one, deferred in held]

    def _ends_session(
        self, reply: str, session: SessionCount, *, certain: bool, current: bool
    ) -> bool:
        """Whether the reply says that this session has had enough letters.

        If it does not say so itself, a letter over another connection must show it, and the number
        is learned once it is met a second time.
        """
        if not session.accepted or not (certain or reply[:3] in _SESSION_ENDS):
            return False
        if not session.full:
            if certain or self._suspected == session.accepted:
                self.relay.per_session = session.accepted
                self._learned()
            self._suspected = session.accepted
        session.full = True
        if not certain and current:
            self.relay.pace.pause()
            self._era += 1
        return True

    def _use_fewer_connections(self, *, current: bool) -> None:
        if current:
            self.relay.connections = self._connections.lower(self._connections.working - 1)
            self._era += 1
            self._learned()
        self.relay.pace.take_back(tried=current)

    def _slow_down(self, reply: str, *, current: bool) -> None:
        pace = self.relay.pace
        if not current:
            pace.take_back(tried=False)
            return
        if not pace.is_paused:
            _log.info("%s: it takes no more emails for now", self._settings.address)
        self._era += 1
        pace.refuse(self._now)
        self._learned()
        if pace.exhausted:
            self.reason = f"it takes no email, however long it is given, last: {reply}"

    def _rest(self, until: datetime, reply: str) -> None:
        if not self.relay.rests(self._clock.now()):
            self.relay.rests_until, self.relay.said = until, reply
            self._learned()

    @property
    def opening_wait(self) -> float:
        """Seconds until a further connection may be tried."""
        if not self._refused_openings:
            return 0.0
        return min(max(0.0, self._open_at - self._now), _LIMIT_PAUSES[-1])

    @property
    def per_session(self) -> float:
        """After how many letters a connection is replaced; never while others are refused."""
        most = math.inf if self._keeps_connections else self._settings.per_connection
        return min(most, self.relay.per_session or most)

    def opened(self) -> None:
        """Count a connection that the server let in."""
        self._refused_openings = 0
        self._connections.opened()

    def may_reopen(self, reply: str, *, was_connected: bool) -> bool:
        """Whether a connection may be tried again in this run, after the server refused one.

        While others work, it is kept to these. ``reply`` is the server's, if it gave one;
        ``was_connected`` says whether it was there in this run.
        """
        pauses: Sequence[float] = _RETRY_PAUSES if was_connected else ()
        if self._connections.working or limit_in(reply) in {"connections", "rate", "many"}:
            pauses = _LIMIT_PAUSES
        if self._connections.working:
            self.relay.connections = self._connections.lower(self._connections.working)
            self._keeps_connections = True
            self._learned()
        elif self._refused_openings >= len(pauses):
            return False
        else:
            self._connections.restart()
        if not self.opening_wait:  # of several that were tried at once the first one counts
            self._open_at = self._now + pauses[min(self._refused_openings, len(pauses) - 1)]
            self._refused_openings += 1
        return True

    def _learned(self) -> None:
        self.relay.changed = self._clock.now()


def _reply(outcome: Refused | Deferred | NotSent) -> str:
    return outcome.reason if isinstance(outcome, NotSent) else outcome.reply
