"""Several connections to one server, sharing one stream of letters."""

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator

from newsletter.errors import NewsletterError, TransportError
from newsletter.model import Letter, NotSent, Outcome, Unknown
from newsletter.ports import Clock, Mark, Settle
from newsletter.transports.smtp.breaker import Breaker
from newsletter.transports.smtp.connecting import open_session, tls_context
from newsletter.transports.smtp.limits import ConnectionLimit, DomainLimit
from newsletter.transports.smtp.rate import RateLimit
from newsletter.transports.smtp.refusals import ServerGoneError, refused
from newsletter.transports.smtp.session import Session
from newsletter.transports.smtp.settings import SmtpSettings

_PAUSES = (1.0, 2.0, 4.0)
"""Seconds to wait before each new try at a server that was there and is gone."""

_PATIENCE = 5
"""How much strain in a row one connection bears before it gives the server up."""

_MOST_ASIDE = 200
"""Letters to slowed domains that may wait while others go before them."""

_MEND_REFUSALS = (
    "no reader is blamed, the letters are tried again; see in the server's log what it holds "
    "against the sender"
)


class SmtpTransport:
    """Sends letters to one SMTP server."""

    def __init__(self, settings: SmtpSettings, clock: Clock) -> None:
        self.settings = settings
        self._clock = clock

    async def send(self, letters: AsyncIterator[Letter], mark: Mark, settle: Settle) -> None:
        """Send every letter of the stream, over as many connections as the settings say.

        A connection is opened for the first letter that waits for it. One that the server will
        not have is given up, and its letter goes over the others; when the last is gone, so is
        the server. Cancelled, it settles the letters in hand by how far each had come.

        Raises:
            TransportError: the server refuses us or is gone; the message has its place, its
                words and the remedy.
        """
        tls = tls_context(self.settings)
        await _Sending(self.settings, self._clock, tls, letters, mark, settle).run()


class _Sending:
    """One call of :meth:`SmtpTransport.send`: what its connections share."""

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
        self._pace = RateLimit(settings.rate_per_second, clock)
        self._crowd, self._domains = ConnectionLimit(settings.connections), DomainLimit()
        self._breaker = Breaker()
        self._turn, self._freed = asyncio.Lock(), asyncio.Event()
        self._aside: deque[Letter] = deque()
        self._failure: NewsletterError | None = None
        self._met = self._exhausted = self._stopped = False

    async def run(self) -> None:
        lines = [asyncio.create_task(self._line()) for _ in range(self._settings.connections)]
        for line in lines:
            line.add_done_callback(self._heed)
        try:
            ends = await asyncio.gather(*lines, return_exceptions=True)
        finally:
            for letter, outcome in self._breaker.end():
                await self._settle(letter, outcome)
            for letter in self._aside:
                await self._settle(letter, NotSent("no connection to send it over"))
        self._conclude([end for end in ends if isinstance(end, Exception)])

    def _heed(self, line: asyncio.Task[None]) -> None:
        """Let the other lines finish what they have where one met more than a lost server."""
        error = None if line.cancelled() else line.exception()
        self._stopped |= error is not None and not isinstance(error, ServerGoneError)
        self._freed.set()

    def _conclude(self, errors: list[Exception]) -> None:
        """Raise the gravest error; lost connections are none while the others did the work."""
        if self._failure is not None:
            raise self._failure
        if self._breaker.reason:
            raise refused(self._settings, self._breaker.reason, _MEND_REFUSALS)
        if errors and (self._stopped or self._aside or not self._exhausted):
            raise min(errors, key=_gravity)

    async def _line(self) -> None:
        """One connection at a time, opened anew where it breaks, while there are letters."""
        line = _Line(self)
        while await self._crowd.enter():
            try:
                if (letter := await self.take()) is None:
                    self._crowd.close()
                    return
                session = await self._open(letter)
                await session.converse(line)
            finally:
                self._crowd.leave()
            if line.strain >= _PATIENCE:
                raise ServerGoneError(
                    f"{self._settings.place}: the connection broke again and again, last: "
                    f"{line.reason}; see what the server's log says, then run again"
                )

    @property
    def crowded(self) -> bool:
        """Whether there are more connections than the server bears."""
        return self._crowd.crowded

    async def take(self, *, patient: bool = True) -> Letter | None:
        """The next letter; None when there is none, or none is to be sent any more.

        Only the patient wait: for the pace, and for letters under way to a slowed domain.
        """
        if not patient and self._settings.rate_per_second:
            return None
        while not (self._stopped or self._breaker.reason):
            self._freed.clear()
            async with self._turn:
                letter = await self._admitted()
            if letter is not None:
                self._domains.enter(letter)
                return letter
            if not (patient and self._aside):
                return None
            await self._freed.wait()
        return None

    async def _admitted(self) -> Letter | None:
        """The next letter whose domain takes one more now, be it one that was put aside."""
        for letter in self._aside:
            if self._domains.admits(letter):
                self._aside.remove(letter)
                return letter
        while len(self._aside) < _MOST_ASIDE and not self._exhausted:
            await self._pace.turn()
            following = await self._drawn()
            if following is None:
                self._exhausted = True
            elif self._domains.admits(following):
                return following
            else:
                self._aside.append(following)
        return None

    async def _drawn(self) -> Letter | None:
        """The next letter of the stream; where it fails there are no more, and what is sent ends.

        Whoever asks may have a letter under way, whose answer is to be heard.
        """
        try:
            return await anext(self._letters, None)
        except NewsletterError as error:
            self._failure, self._stopped = error, True
            return None

    async def settle(self, letter: Letter, outcome: Outcome) -> None:
        """Say what became of a letter, as soon as it is clear what that means."""
        self._crowd.note(outcome)
        self.gone(letter, outcome)
        for ended, fate in self._breaker.note(letter, outcome):
            await self._settle(ended, fate)

    def gone(self, letter: Letter, outcome: Outcome | None = None) -> None:
        """Note that a letter is under way no more."""
        self._domains.leave(letter, outcome)
        self._freed.set()

    def put_back(self, letter: Letter) -> None:
        """Have a letter taken by whoever can, be it that all others have gone."""
        self.gone(letter)
        self._aside.appendleft(letter)
        self._crowd.reopen()

    async def _open(self, letter: Letter) -> Session:
        """A session, as there is this letter to send; it goes back to be taken by whoever can."""
        self.put_back(letter)
        session = await self._try_opening()
        self._met = True
        return session

    async def _try_opening(self) -> Session:
        """Open a session; a server that was there already gets a few tries more."""
        for pause in _PAUSES:
            try:
                return await open_session(self._settings, self._tls)
            except ServerGoneError:
                if not self._met:
                    raise
                self._crowd.strained()
            await self._clock.sleep(pause)
        return await open_session(self._settings, self._tls)


class _Line:
    """What one connection after the other takes its letters from, and how much it bore."""

    def __init__(self, sending: _Sending) -> None:
        self._sending = sending
        self.strain = 0
        self.reason = ""

    async def take(self, *, patient: bool = True) -> Letter | None:
        """See :class:`~newsletter.transports.smtp.session.Line`."""
        return None if self._sending.crowded else await self._sending.take(patient=patient)

    async def mark(self, letter: Letter) -> bool:
        """See :class:`~newsletter.transports.smtp.session.Line`."""
        granted = await self._sending.mark(letter)
        if not granted:
            self._sending.gone(letter)
        return granted

    def put_back(self, letter: Letter) -> None:
        """See :class:`~newsletter.transports.smtp.session.Line`."""
        self._sending.put_back(letter)

    async def settle(self, letter: Letter, outcome: Outcome) -> None:
        """See :class:`~newsletter.transports.smtp.session.Line`."""
        match outcome:
            case NotSent(reason):
                self.strain, self.reason = self.strain + 1, reason
            case Unknown(reason):
                # each of these is a reader in doubt
                self.strain, self.reason = self.strain + 3, reason
            case _:
                self.strain = 0
        await self._sending.settle(letter, outcome)


def _gravity(error: Exception) -> int:
    """What is to be told first: our own trouble, then a refusal, then a lost server."""
    return isinstance(error, TransportError) + isinstance(error, ServerGoneError)
