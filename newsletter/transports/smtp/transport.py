"""The transport of letters to one SMTP server, and what it remembers of that server."""

from datetime import date, datetime, timedelta
from pathlib import Path

from typing_extensions import override

from newsletter.ports import Clock, Letters, Mark, Settle, Transport
from newsletter.transports.smtp.connecting import tls_context
from newsletter.transports.smtp.relay import Relay, RelayFile
from newsletter.transports.smtp.replies import LoginRefusedError
from newsletter.transports.smtp.sending import Sending
from newsletter.transports.smtp.settings import SmtpSettings

_REFUSED_LOGIN_KEPT = timedelta(hours=1)
"""How long a process does not repeat a login that was refused: servers block those who do."""


class SmtpTransport(Transport):
    """Sends letters to one SMTP server, over as many connections as the settings allow.

    A connection is opened when a letter waits for it. If the server refuses the connection, its
    letter goes over the others; if it refuses the last one, the server is lost. What it learns of
    the server's limits is kept for later calls, and in ``memory`` for later processes.
    """

    def __init__(self, settings: SmtpSettings, clock: Clock, memory: Path | None = None) -> None:
        self.settings = settings
        self._clock = clock
        self._memory = RelayFile(memory)
        self._relay, self._loaded = Relay(), date.min
        self._refused_login: tuple[LoginRefusedError, datetime] | None = None

    @override
    async def send(self, letters: Letters, mark: Mark, settle: Settle) -> None:
        self._check_login()
        tls = tls_context(self.settings)
        relay = self._recall()
        before = relay.changed
        try:
            await Sending(self.settings, self._clock, tls, relay, letters, mark, settle).run()
        except LoginRefusedError as error:
            self._refused_login = error, self._clock.now()
            raise
        finally:
            if relay.changed != before:
                self._memory.save(self.settings.address, relay)

    def _check_login(self) -> None:
        """Raise the error of a login that was refused a short while ago."""
        if self._refused_login is not None:
            error, at = self._refused_login
            if timedelta() <= self._clock.now() - at < _REFUSED_LOGIN_KEPT:
                raise LoginRefusedError(*error.args)

    def _recall(self) -> Relay:
        """What is known of the server. It is read once a day, as it counts less every day."""
        today = self._clock.now().date()
        if self._loaded != today:
            self._relay = self._memory.load(self.settings.address, self._clock.now())
            self._loaded = today
        return self._relay
