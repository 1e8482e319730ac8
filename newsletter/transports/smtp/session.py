"""One connection to the server, driven phase by phase.

aiosmtplib's own ``sendmail`` raises the same error whether the line broke before the final dot
or after it, and the one letter must be sent again where the other must not. So the phases of
RFC 5321 3.3 are taken one by one here, and ``fate`` always says the worst that is true so far.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast

import aiosmtplib
from aiosmtplib.protocol import SMTPProtocol

from newsletter.model import Envelope, NotSent, Outcome, Refused, Unknown
from newsletter.transports.smtp.refusals import BROKEN, in_words, refused
from newsletter.transports.smtp.settings import SmtpSettings
from newsletter.transports.smtp.wire import (
    answer_to_dot,
    cut_off,
    is_go_ahead,
    is_mailbox,
    is_permanent,
    is_positive,
    refusal,
    reply_text,
    wire_form,
)

_SERVICE_CLOSING = 421
_GOODBYE = 5.0
_MEND_SENDER = "check that sender: is an address which smtp.username may send as"


class Session:
    """An open connection, good for one letter after the other.

    Attributes:
        fate: what is to be settled for the letter in hand if all ends now; None when it is
            not ours to settle.
    """

    def __init__(
        self, settings: SmtpSettings, client: aiosmtplib.SMTP, protocol: SMTPProtocol
    ) -> None:
        self.fate: Outcome | None = None
        self._settings = settings
        self._client = client
        self._protocol = protocol
        self._transport = cast("asyncio.WriteTransport", protocol.transport)
        # A high-water mark of 0 makes "drained" mean that every byte is with the kernel.
        self._transport.set_write_buffer_limits(high=0)
        # It closes the transport when it is collected: it lives as long as the session.
        self._writer = asyncio.StreamWriter(
            self._transport, protocol, None, asyncio.get_running_loop()
        )

    @property
    def alive(self) -> bool:
        """Whether another letter may be sent over it."""
        return self._client.is_connected

    async def send(self, envelope: Envelope, mark: Callable[[], Awaitable[bool]]) -> None:
        """Send one letter; ``fate`` is what became of it, also when this raises.

        Raises:
            TransportError: the server refuses the sender, and so every letter.
        """
        self.fate = NotSent("stopped before the final dot")
        try:
            if await self._announce(envelope):
                await self._convey(envelope.content, mark)
        except BROKEN as error:
            self.fate = cut_off(self.fate, in_words(error))
        finally:
            if self.fate is None or isinstance(self.fate, NotSent | Unknown):
                self.drop()

    async def close(self) -> None:
        """Say goodbye, if there is anyone to say it to."""
        try:
            await self._client.quit(timeout=_GOODBYE)
        except BROKEN:
            self.drop()

    def drop(self) -> None:
        """Cut the line at once; what is not on the wire yet never will be."""
        self._transport.abort()
        self._client.close()

    async def _announce(self, envelope: Envelope) -> bool:
        """MAIL, RCPT, DATA; whether the server waits for the content."""
        if not is_mailbox(envelope.recipient):
            self.fate = Refused(f"not sent: {envelope.recipient!a} is no address SMTP can carry")
            return False
        await self._mail(envelope.sender)
        return await self._granted(
            f"RCPT TO:<{envelope.recipient}>".encode("ascii"), is_positive
        ) and await self._granted(b"DATA", is_go_ahead)

    async def _mail(self, sender: str) -> None:
        if not is_mailbox(sender):
            raise refused(self._settings, f"the sender {sender!a} is no address", _MEND_SENDER)
        code, words = await self._command(f"MAIL FROM:<{sender}>".encode("ascii"))
        if is_permanent(code):
            raise refused(self._settings, reply_text(code, words), _MEND_SENDER)
        if not is_positive(code):
            raise aiosmtplib.SMTPSenderRefused(code, words, sender)

    async def _granted(self, command: bytes, yes: Callable[[int], bool]) -> bool:
        """Whether the server says yes; if it does not, the letter ends there."""
        code, words = await self._command(command)
        if not yes(code):
            self.fate = refusal(code, words)
            await self._reset()
        return yes(code)

    async def _command(self, command: bytes) -> tuple[int, str]:
        """One command and its answer; a server that is closing breaks the line."""
        code, words = await self._client.execute_command(command)
        if code == _SERVICE_CLOSING:
            raise aiosmtplib.SMTPResponseException(code, words)
        return code, words

    async def _reset(self) -> None:
        """End a refused transaction (RFC 5321 4.1.1.5); a server that cannot is left."""
        try:
            await self._client.rset()
        except BROKEN:
            self.drop()

    async def _convey(
        self, content: tuple[bytes, ...], mark: Callable[[], Awaitable[bool]]
    ) -> None:
        """The content, the mark, the dot and its answer."""
        await self._write(content)
        if not await mark():
            self.fate = None
            return
        self._protocol.write(b".\r\n")
        self.fate = Unknown("no answer to the final dot")
        code, words = await self._protocol.read_response(self._settings.answer_timeout)
        self.fate = answer_to_dot(code, words)
        if code == _SERVICE_CLOSING:
            self.drop()

    async def _write(self, content: tuple[bytes, ...]) -> None:
        """Put the content on the wire, and wait until it has left this process."""
        # Joined: from Python 3.12 on writelines() passes by the flow control that drain() asks.
        self._writer.write(b"".join(wire_form(content)))
        async with asyncio.timeout(self._settings.timeout):
            await self._writer.drain()
        if self._transport.is_closing():
            raise aiosmtplib.SMTPServerDisconnected("Connection lost")
