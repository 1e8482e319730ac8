"""Several connections to one server, sharing one stream of letters."""

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator
from functools import partial

from newsletter.errors import TransportError
from newsletter.model import Letter, NotSent, Outcome, Unknown
from newsletter.ports import Clock, Mark, Settle
from newsletter.transports.smtp.opening import open_session, tls_context
from newsletter.transports.smtp.pace import Pace
from newsletter.transports.smtp.refusals import ServerGoneError
from newsletter.transports.smtp.session import Session
from newsletter.transports.smtp.settings import SmtpSettings

_PAUSES = (1.0, 2.0, 4.0)
"""Seconds to wait before each new try at a server that was there and is gone."""

_PATIENCE = 5
"""How much strain in a row one connection bears before it gives the server up."""


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
        self._letters, self._mark, self._settle = letters, mark, settle
        self._pace = Pace(settings.rate_per_second, clock)
        self._turn = asyncio.Lock()
        self._handed_back: deque[Letter] = deque()
        self._met = self._exhausted = self._stopped = False

    async def run(self) -> None:
        lines = [asyncio.create_task(self._line()) for _ in range(self._settings.connections)]
        for line in lines:
            line.add_done_callback(self._heed)
        try:
            ends = await asyncio.gather(*lines, return_exceptions=True)
        finally:
            for letter in self._handed_back:
                await self._settle(letter, NotSent("no connection to send it over"))
        self._conclude([end for end in ends if isinstance(end, Exception)])

    def _heed(self, line: asyncio.Task[None]) -> None:
        """Let the other lines finish what they have where one met more than a lost server."""
        error = None if line.cancelled() else line.exception()
        self._stopped |= error is not None and not isinstance(error, ServerGoneError)

    def _conclude(self, errors: list[Exception]) -> None:
        """Raise the gravest error; lost connections are none while the others did the work."""
        if self._stopped or self._handed_back or not self._exhausted:
            raise min(errors, key=_gravity)

    async def _line(self) -> None:
        """One connection: letter after letter, opened anew where it breaks."""
        session: Session | None = None
        strain = 0
        try:
            while (letter := await self._take()) is not None:
                if session is None or not session.alive:
                    session = await self._open(letter)
                await self._carry(letter, session)
                strain = self._bear(strain, session.fate)
        finally:
            if session is not None:
                await session.close()

    async def _take(self) -> Letter | None:
        """The next letter; None when there is none, or none is to be sent any more."""
        async with self._turn:
            if self._stopped:
                return None
            await self._pace.turn()
            if self._handed_back:
                return self._handed_back.popleft()
            letter = await anext(self._letters, None)
            self._exhausted |= letter is None
            return letter

    async def _open(self, letter: Letter) -> Session:
        """A session for this letter, which goes back to the others if there is none."""
        opened = False
        try:
            session = await self._try_opening()
            opened = self._met = True
        finally:
            if not opened:
                self._handed_back.append(letter)
        return session

    async def _try_opening(self) -> Session:
        """Open a session; a server that was there already gets a few tries more."""
        for pause in _PAUSES:
            try:
                return await open_session(self._settings, self._tls)
            except ServerGoneError:
                if not self._met:
                    raise
            await self._clock.sleep(pause)
        return await open_session(self._settings, self._tls)

    async def _carry(self, letter: Letter, session: Session) -> None:
        try:
            await session.send(letter.envelope, partial(self._mark, letter))
        finally:
            if session.fate is not None:
                await self._settle(letter, session.fate)

    def _bear(self, strain: int, fate: Outcome | None) -> int:
        """The strain after this letter; too much of it in a row gives the server up."""
        match fate:
            case None:
                return strain
            case NotSent(reason):
                strain += 1
            case Unknown(reason):
                strain += 3  # each of these is a reader in doubt
            case _:
                return 0
        if strain >= _PATIENCE:
            raise ServerGoneError(
                f"{self._settings.place}: the connection broke again and again, last: {reason}; "
                "see what the server's log says, then run again"
            )
        return strain


def _gravity(error: Exception) -> int:
    """What is to be told first: our own trouble, then a refusal, then a lost server."""
    return isinstance(error, TransportError) + isinstance(error, ServerGoneError)
