"""Sends one stream of letters over several connections to one server."""

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator

from typing_extensions import override

from newsletter.errors import NewsletterError, TransportError
from newsletter.model import Letter, NotSent, Outcome, Unknown
from newsletter.ports import Clock, Mark, Settle, Transport
from newsletter.transports.smtp.breaker import Breaker
from newsletter.transports.smtp.connecting import open_session, tls_context
from newsletter.transports.smtp.limits import ConnectionLimit, DomainLimit, RateLimit
from newsletter.transports.smtp.replies import ServerGoneError, server_error
from newsletter.transports.smtp.session import LetterQueue, Session
from newsletter.transports.smtp.settings import SmtpSettings

_RETRY_PAUSES = (1.0, 2.0, 4.0)
"""Seconds before each new attempt to reach a server that was there in this ``send``."""

_MAX_FAILURES = 5  # after so many failures in a row a connection task gives up the server

_UNKNOWN_COUNTS = 3
"""How many failures a letter in doubt counts for: it is worse than one known as not sent."""

_MAX_SET_ASIDE = 200  # letters to slowed domains that may wait while others go first

_READ_LOG = (
    "no reader is blamed and the letters will be tried again; the server's log says what it has "
    "against the sender"
)


class SmtpTransport(Transport):
    """Sends letters to one SMTP server, over as many connections as the settings allow.

    A connection is opened when a letter waits for it. If the server refuses the connection, its
    letter goes over the others; if it refuses the last one, the server is lost.
    """

    def __init__(self, settings: SmtpSettings, clock: Clock) -> None:
        self.settings = settings
        self._clock = clock

    @override
    async def send(self, letters: AsyncIterator[Letter], mark: Mark, settle: Settle) -> None:
        tls = tls_context(self.settings)
        await _Send(self.settings, self._clock, tls, letters, mark, settle).run()


class _Send:
    """One call of :meth:`SmtpTransport.send`: the letters and limits its connections share."""

    def __init__(
        self,
        settings: SmtpSettings,
        clock: Clock,
        tls: ssl.SSLContext | None,
        letters: AsyncIterator[Letter],
        mark: Mark,
        settle: Settle,
    ) -> None:
        self._settings, self._clock, self._tls = settings, clock, tls
        self._letters, self.mark, self._settle = letters, mark, settle
        self._rate_limit = RateLimit(settings.per_second, clock)
        self._domain_limit = DomainLimit()
        self.connection_limit = ConnectionLimit(settings.connections)
        self._breaker = Breaker()
        self._stream_lock, self._letter_ended = asyncio.Lock(), asyncio.Event()
        self._set_aside: deque[Letter] = deque()
        self._stream_error: NewsletterError | None = None
        self._was_connected = self._stream_ended = self._stopped = False

    async def run(self) -> None:
        tasks = [asyncio.create_task(self._connect()) for _ in range(self._settings.connections)]
        for task in tasks:
            task.add_done_callback(self._on_task_done)
        try:
            results = await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            for letter, outcome in self._breaker.finish():
                await self._settle(letter, outcome)
            for letter in self._set_aside:
                await self._settle(letter, NotSent("no connection to send it over"))
        self._raise_error([result for result in results if isinstance(result, Exception)])

    def _on_task_done(self, task: asyncio.Task[None]) -> None:
        """After an error other than a lost server, let the others only finish what they have."""
        error = None if task.cancelled() else task.exception()
        self._stopped |= error is not None and not isinstance(error, ServerGoneError)
        self._letter_ended.set()

    def _raise_error(self, errors: list[Exception]) -> None:
        """Raise the most serious error; a lost connection is none if the others did the work."""
        if self._stream_error is not None:
            raise self._stream_error
        if self._breaker.reason:
            raise server_error(self._settings, self._breaker.reason, _READ_LOG)
        if errors and (self._stopped or self._set_aside or not self._stream_ended):
            raise min(errors, key=_severity)

    async def _connect(self) -> None:
        """Keep one connection, a new one after each that broke, as long as there are letters."""
        queue = _ConnectionQueue(self)
        while await self.connection_limit.acquire():
            try:
                if (letter := await self.next_letter(wait=True)) is None:
                    self.connection_limit.close()
                    return
                # Opening takes time; meanwhile another connection may send this letter.
                self.put_back(letter)
                session = await self._open_session()
                self._was_connected = True
                await session.send_letters(queue)
            finally:
                self.connection_limit.release()
            if queue.failures >= _MAX_FAILURES:
                raise ServerGoneError(
                    f"{self._settings.address}: the connection broke again and again, last: "
                    f"{queue.last_failure}; see what the server's log says, then run again"
                )

    async def _open_session(self) -> Session:
        """Open a session; if the server was there before, with a few retries."""
        for pause in _RETRY_PAUSES:
            try:
                return await open_session(self._settings, self._tls)
            except ServerGoneError:
                if not self._was_connected:
                    raise
                self.connection_limit.halve()
            await self._clock.sleep(pause)
        return await open_session(self._settings, self._tls)

    async def next_letter(self, *, wait: bool) -> Letter | None:
        """See ``LetterQueue``. It waits for the rate, and for letters to slowed domains."""
        if not wait and self._settings.rate is not None:
            return None
        while not (self._stopped or self._breaker.reason):
            self._letter_ended.clear()
            async with self._stream_lock:
                letter = await self._next_allowed()
            if letter is not None:
                self._domain_limit.acquire(letter)
                return letter
            if not (wait and self._set_aside):
                return None
            await self._letter_ended.wait()
        return None

    async def _next_allowed(self) -> Letter | None:
        """The next letter whose domain takes one more now, first of those set aside."""
        for letter in self._set_aside:
            if self._domain_limit.allows(letter):
                self._set_aside.remove(letter)
                return letter
        while len(self._set_aside) < _MAX_SET_ASIDE and not self._stream_ended:
            await self._rate_limit.wait()
            following = await self._read_stream()
            if following is None:
                self._stream_ended = True
            elif self._domain_limit.allows(following):
                return following
            else:
                self._set_aside.append(following)
        return None

    async def _read_stream(self) -> Letter | None:
        """The next letter of the stream; None after its end, or after an error.

        The error is kept for the end of ``run``: the session that asks may have a letter under
        way, and its answer must be read first.
        """
        try:
            return await anext(self._letters, None)
        except NewsletterError as error:
            self._stream_error, self._stopped = error, True
            return None

    async def settle(self, letter: Letter, outcome: Outcome) -> None:
        """Settle what the breaker lets through: this letter, earlier ones, or none yet."""
        self.connection_limit.record(outcome)
        self.release(letter, outcome)
        for settled, final in self._breaker.record(letter, outcome):
            await self._settle(settled, final)

    def release(self, letter: Letter, outcome: Outcome | None = None) -> None:
        """Record that a letter is no longer under way."""
        self._domain_limit.release(letter, outcome)
        self._letter_ended.set()

    def put_back(self, letter: Letter) -> None:
        """Let any connection take a letter, a new one if all others have ended."""
        self.release(letter)
        self._set_aside.appendleft(letter)
        self.connection_limit.reopen()


class _ConnectionQueue(LetterQueue):
    """The shared letters as one connection task sees them; counts its failures in a row."""

    def __init__(self, shared: _Send) -> None:
        self._shared = shared
        self.failures = 0
        self.last_failure = ""

    @override
    async def next_letter(self, *, wait: bool = True) -> Letter | None:
        if self._shared.connection_limit.exceeded:
            return None  # this connection is one too many: let it end
        return await self._shared.next_letter(wait=wait)

    @override
    async def mark(self, letter: Letter) -> bool:
        may_leave = await self._shared.mark(letter)
        if not may_leave:
            self._shared.release(letter)
        return may_leave

    @override
    async def settle(self, letter: Letter, outcome: Outcome) -> None:
        if isinstance(outcome, NotSent | Unknown):
            self.failures += _UNKNOWN_COUNTS if isinstance(outcome, Unknown) else 1
            self.last_failure = outcome.reason
        else:
            self.failures = 0
        await self._shared.settle(letter, outcome)

    @override
    def put_back(self, letter: Letter) -> None:
        self._shared.put_back(letter)


def _severity(error: Exception) -> int:
    """Lowest for the most serious: an error of our own, then a refusal, then a lost server."""
    return isinstance(error, TransportError) + isinstance(error, ServerGoneError)
