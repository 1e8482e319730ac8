"""Sends one stream of letters over several connections to one server."""

import asyncio
import logging
import ssl

from typing_extensions import override

from newsletter.delivery.refusals import cause
from newsletter.errors import TransportError
from newsletter.model import Accepted, Deferred, Letter, NotSent, Outcome, Refused, Unknown
from newsletter.ports import Clock, Letters, Mark, Settle
from newsletter.transports.smtp.breaker import Breaker
from newsletter.transports.smtp.connecting import open_session
from newsletter.transports.smtp.letter_stream import LetterStream
from newsletter.transports.smtp.limits import ConnectionLimit, DomainLimit, RateLimit
from newsletter.transports.smtp.relay import Relay
from newsletter.transports.smtp.replies import (
    ServerGoneError,
    refused_sender,
    server_error,
)
from newsletter.transports.smtp.session import LetterQueue, Session
from newsletter.transports.smtp.settings import SmtpSettings
from newsletter.transports.smtp.throttle import SessionCount, Throttle

_log = logging.getLogger(__name__)

_MAX_FAILURES = 5  # after so many failures in a row a connection task gives up the server

_UNKNOWN_COUNTS = 3
"""How many failures a letter in doubt counts for: it is worse than one known as not sent."""

_LONGEST_IDLE = 10.0
"""Seconds for which a connection is kept open without a letter; servers end idle sessions."""

_LOOK_AGAIN = 0.5  # seconds between two looks at what another call has learned

_REFUSED_SENDERS = 3  # so many in a row stop the sending; without an accepted letter, the first

_READ_LOG = (
    "no reader is blamed, and the emails will be tried again; the server's log says why it refuses "
    "the sender"
)


class Sending:
    """One call of :meth:`SmtpTransport.send`: the letters and limits its connections share."""

    def __init__(
        self,
        settings: SmtpSettings,
        clock: Clock,
        tls: ssl.SSLContext | None,
        relay: Relay,
        letters: Letters,
        mark: Mark,
        settle: Settle,
    ) -> None:
        self._settings, self._clock, self._tls = settings, clock, tls
        self._stream, self.mark, self._settle = LetterStream(letters), mark, settle
        self._rate_limit = RateLimit(settings.per_second, clock)
        self._domain_limit = DomainLimit()
        self.connection_limit = ConnectionLimit(settings.connections, relay.connections)
        self._breaker = Breaker()
        self.relay, self.throttle = relay, Throttle(relay, settings, self.connection_limit, clock)
        self._stream_lock, self._letter_ended = asyncio.Lock(), asyncio.Event()
        self._sender_error: TransportError | None = None
        self._senders_refused = self._opening = 0
        self._was_connected = self._stopped = self._welcome = False

    async def run(self) -> None:
        """Send the letters, or put them off while the server takes none."""
        if not self._rests:
            await self._run()
        if self._rests:
            await self._put_off()

    async def _run(self) -> None:
        tasks = [asyncio.create_task(self._connect()) for _ in range(self._settings.connections)]
        for task in tasks:
            task.add_done_callback(self._on_task_done)
        try:
            results = await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            for letter, outcome in (*self.throttle.finish(), *self._breaker.finish()):
                self._settle(letter, outcome)
            for letter in self._stream.set_aside:
                self._settle(letter, NotSent("no connection to send it over"))
        self._raise_error([result for result in results if isinstance(result, Exception)])

    @property
    def _rests(self) -> bool:
        return self.relay.rests_until is not None and self.relay.rests(self._clock.now())

    async def _put_off(self) -> None:
        """Defer the rest of the letters until the server may take some again."""
        count, until, said = self.throttle.put_off, self.relay.rests_until, self.relay.said
        while (letter := await self._stream.read()) is not None:
            self._settle(letter, Deferred(said, until))
            count += 1
        if self._stream.error is not None:
            raise self._stream.error
        notice = self.relay.notice(self._settings.address, self._clock.now())
        _log.warning("%s (%d emails wait)", notice, count)

    def _on_task_done(self, task: asyncio.Task[None]) -> None:
        """After an error other than a lost server, let the others only finish what they have."""
        error = None if task.cancelled() else task.exception()
        self._stopped |= error is not None and not isinstance(error, ServerGoneError)
        self._letter_ended.set()

    def _raise_error(self, errors: list[Exception]) -> None:
        """Raise the most serious error; a lost connection is none if the others did the work."""
        if self._stream.error is not None:
            raise self._stream.error
        if self._sender_error is not None:
            raise self._sender_error
        if reason := self._breaker.reason or self.throttle.reason:
            raise server_error(self._settings, reason, _READ_LOG)
        if errors and (self._stopped or self._stream.set_aside or not self._stream.ended):
            raise min(errors, key=_severity)

    async def _connect(self) -> None:
        """Keep one connection, a new one after each that broke, as long as there are letters."""
        queue = _ConnectionQueue(self)
        while await self.connection_limit.acquire():
            session = None
            try:
                if not await self._letter_waits():
                    self.connection_limit.close()
                    return
                session = await self._open_session()
                if session is not None:
                    queue.begin()
                    await session.send_letters(queue)
            finally:
                worked = session is not None and not queue.retired
                self.connection_limit.release(worked=worked)
            if queue.failures >= _MAX_FAILURES:
                raise ServerGoneError(
                    f"{self._settings.address}: the connection broke again and again, last: "
                    f"{queue.last_failure}; see what the server's log says, then run again"
                )

    async def _open_session(self) -> Session | None:
        """Open a session; None if the server takes none now, and it is worth to wait.

        Raises:
            TransportError: it takes none, and there is no other connection.
        """
        if not await self._may_open():
            return None
        self._opening += 1
        try:
            session = await open_session(self._settings, self._tls)
        except ServerGoneError as error:
            if not self.throttle.may_reopen(error.reply, was_connected=self._was_connected):
                self._stopped = True  # before another task tries, too
                raise
            return None
        except TransportError:
            if not self.connection_limit.working:
                self._stopped = True
                raise
            self.connection_limit.lower(self.connection_limit.working, final=True)
            return None
        finally:
            self._opening -= 1
        self._was_connected = True
        self.throttle.opened()
        return session

    async def _may_open(self) -> bool:
        """Wait until a connection may be opened again; False if there is no more need for it."""
        while self._is_going() and (seconds := self.throttle.opening_wait) > 0:
            if self.connection_limit.crowded or not await self._has_letter():
                return False
            await self._clock.sleep(min(seconds, 1.0))
        return self._is_going() and not self.connection_limit.crowded

    async def _has_letter(self) -> bool:
        async with self._stream_lock:
            return await self._has_aside(1)

    def _is_going(self) -> bool:
        """Whether letters may still be taken."""
        halted = self._stopped or self._stream.error or self._sender_error or self._breaker.reason
        return not (halted or self.throttle.reason or self._rests)

    @property
    def paused(self) -> bool:
        """Whether the next letter must wait for the server's limits."""
        return self.throttle.idle_for != 0

    async def _letter_waits(self) -> bool:
        """Wait until a further connection is worth opening; False if there are no more letters.

        There are never more connections being opened than letters that wait for them.
        """
        while self._is_going():
            self._letter_ended.clear()
            async with self._stream_lock:
                if await self._has_aside(self._opening + 1):
                    if not self.paused:
                        return True
                    await self._wait_for_limits()
                    continue
                if not self._stream.set_aside:
                    return False
            await self._letter_ended.wait()
        return False

    async def _has_aside(self, number: int) -> bool:
        """Whether so many letters that may leave are set aside, after reading more if needed."""
        while True:
            allowed = sum(map(self._domain_limit.allows, self._stream.set_aside))
            if allowed >= number or not self._stream.may_read:
                return allowed >= number
            await self._rate_limit.wait()
            if (letter := await self._stream.read()) is None:
                return False
            self._stream.set_aside.append(letter)

    async def _wait_for_limits(self, longest: float | None = None) -> bool:
        """Wait until the server's limits allow a letter; False if that takes too long (seconds)."""
        while self._is_going() and (seconds := self.throttle.idle_for) != 0:
            if seconds is None and self.throttle.under_way:
                self._letter_ended.clear()
                await self._letter_ended.wait()
            elif seconds is None:  # another call of ``send`` has the letter that is tried
                await self._clock.sleep(_LOOK_AGAIN)
            elif longest is not None and seconds > longest:
                return False
            else:
                await self._clock.sleep(seconds)
        return True

    def ready_letter(self) -> Letter | None:
        """See ``LetterQueue``: the next letter of the batch, as long as no limit is known."""
        limited = self._settings.rate is not None or not self.relay.pace.is_open
        if limited or self._stream.set_aside or not self._is_going():
            return None
        letter = self._allowed(self._stream.read_ready())
        if letter is not None:
            self._leave(letter)
        return letter

    def _allowed(self, letter: Letter | None) -> Letter | None:
        """The letter; None if others to its domain go first: then it is set aside."""
        if letter is None or self._domain_limit.allows(letter):
            return letter
        self._stream.set_aside.append(letter)
        return None

    def _leave(self, letter: Letter) -> None:
        self._domain_limit.acquire(letter)
        self.throttle.leave(letter)

    async def next_letter(self, *, wait: bool) -> Letter | None:
        """See ``LetterQueue``. It waits for the rate, and for letters to slowed domains."""
        if not wait and (self._settings.rate is not None or self.paused):
            return None
        while self._is_going():
            self._letter_ended.clear()
            async with self._stream_lock:
                waits = self.paused and await self._has_aside(1)
                if waits and not await self._wait_for_limits(_LONGEST_IDLE):
                    return None
                letter = await self._next_allowed() if self._is_going() else None
                if letter is not None and self.paused:  # since it was asked for
                    self._stream.set_aside.appendleft(letter)
                    continue
                if letter is not None:
                    self._leave(letter)
                    return letter
            if not (wait and self._stream.set_aside):
                return None
            await self._letter_ended.wait()
        return None

    async def _next_allowed(self) -> Letter | None:
        """The next letter whose domain takes one more now, first of those set aside."""
        letter = self._stream.take_aside(self._domain_limit.allows)
        while letter is None and self._stream.may_read:
            await self._rate_limit.wait()
            letter = self._allowed(await self._stream.read())
        return letter

    def settle(self, letter: Letter, outcome: Outcome, session: SessionCount) -> bool:
        """Settle what throttle and breaker let through: this letter, earlier ones, or none yet.

        Returns whether the connection failed: the server did not name a limit.
        """
        self._domain_limit.release(letter)
        settled = self.throttle.record(letter, outcome, session)
        self._letter_ended.set()
        for one, known in settled:
            checked = self._check_sender(one, known)
            self.connection_limit.record(checked)
            if isinstance(checked, Deferred) and checked.reply.startswith("4"):
                self._domain_limit.slow(one, self.throttle.under_way)
            for other, final in self._breaker.record(one, checked):
                self._settle(other, final)
        known = settled[0][1] if settled else outcome
        return isinstance(known, Unknown) or (isinstance(known, NotSent) and not known.limited)

    def _check_sender(self, letter: Letter, outcome: Outcome) -> Outcome:
        """The outcome, or that it was not sent if the server refuses our sender, and so all."""
        if isinstance(outcome, Accepted):
            self._welcome, self._senders_refused = True, 0
            return outcome
        if not isinstance(outcome, Deferred | Refused) or not outcome.reply.startswith("5"):
            return outcome
        if cause("", outcome.reply) != "sender":
            return outcome
        self._senders_refused += 1
        if self._welcome and self._senders_refused < _REFUSED_SENDERS:
            return outcome
        if self._sender_error is None:
            sender = letter.envelope.sender
            self._sender_error = refused_sender(self._settings, sender, outcome.reply)
        return NotSent(outcome.reply, limited=True)

    def release(self, letter: Letter) -> None:
        """Record that a letter is no longer under way, and that the server did not get it."""
        self._domain_limit.release(letter)
        self.throttle.take_back(letter)
        self._letter_ended.set()

    def put_back(self, letter: Letter) -> None:
        """Let any connection take a letter, a new one if all others have ended."""
        self.release(letter)
        self._stream.set_aside.appendleft(letter)
        self.connection_limit.reopen()


class _ConnectionQueue(LetterQueue):
    """The shared letters as one connection task sees them; counts its failures in a row."""

    def __init__(self, shared: Sending) -> None:
        self._shared = shared
        self.begin()
        self.failures = 0
        self.last_failure = ""

    def begin(self) -> None:
        """Begin a new session."""
        self._session = SessionCount()
        self.retired = False

    @property
    def paused(self) -> bool:
        return self._session.full or self._shared.relay.pace.is_paused

    @property
    def _has_ended(self) -> bool:
        """Whether this session gets no more letters."""
        if self._session.full or self._session.taken >= self._shared.throttle.per_session:
            return True
        self.retired = self.retired or self._shared.connection_limit.retire()
        return self.retired

    @override
    def ready_letter(self) -> Letter | None:
        letter = None if self._has_ended else self._shared.ready_letter()
        self._session.taken += letter is not None
        return letter

    @override
    async def next_letter(self, *, wait: bool = True) -> Letter | None:
        letter = None if self._has_ended else await self._shared.next_letter(wait=wait)
        self._session.taken += letter is not None
        return letter

    @override
    async def mark(self, letter: Letter) -> bool:
        may_leave = await self._shared.mark(letter)
        if not may_leave:
            self._shared.release(letter)
        return may_leave

    @override
    def settle(self, letter: Letter, outcome: Outcome) -> None:
        failed = self._shared.settle(letter, outcome, self._session)
        if not failed:
            self.failures = 0
        elif isinstance(outcome, NotSent | Unknown):
            self.failures += _UNKNOWN_COUNTS if isinstance(outcome, Unknown) else 1
            self.last_failure = outcome.reason

    @override
    def put_back(self, letter: Letter) -> None:
        self._session.taken -= 1
        self._shared.put_back(letter)


def _severity(error: Exception) -> int:
    """Lowest for the most serious: an error of our own, then a refusal, then a lost server."""
    return isinstance(error, TransportError) + isinstance(error, ServerGoneError)
