"""What a session is: letters taken from a line, said over a connection, each settled."""

from dataclasses import dataclass
from typing import Protocol

from newsletter.model import Envelope, Letter, Outcome, Refused
from newsletter.transports.smtp.connection import Connection, Reply
from newsletter.transports.smtp.refusals import refused
from newsletter.transports.smtp.replies import is_mailbox, is_permanent, is_positive, reply_text
from newsletter.transports.smtp.settings import SmtpSettings

SERVICE_CLOSING = 421
BAD_SEQUENCE = 503
_GOODBYE = 5.0
_LOGIN_WANTED = 530
"""Asked for a login (RFC 4954, section 6), or for TLS before anything else (RFC 3207, 4)."""

_MEND_SENDER = "check that sender: is an address which smtp.username may send as"
_MEND_LOGIN = "set what it asks for: smtp.username and smtp.password, or smtp.security"


class Line(Protocol):
    """Where a session's letters come from, and where it tells what became of them."""

    async def take(self, *, patient: bool = True) -> Letter | None:
        """The next letter; None when there is none, or none is to be sent any more.

        Those who are not patient are told None where they would have to wait for others.
        """

    async def mark(self, letter: Letter) -> bool:
        """Whether the letter may leave; asked once, before it can have left."""

    async def settle(self, letter: Letter, outcome: Outcome) -> None:
        """What became of a letter; told once for every letter taken, but for refused marks."""

    def put_back(self, letter: Letter) -> None:
        """Let another connection have a letter that was taken and that the server knows not of."""


class Session(Protocol):
    """An open connection and a way to send letters over it."""

    async def converse(self, line: Line) -> None:
        """Send the letters of the line, while there are any and the connection is good.

        Every letter taken is settled or put back, also when this raises or is cancelled.

        Raises:
            TransportError: the server refuses the sender, and so every letter.
        """


@dataclass(frozen=True, slots=True)
class SmtpDialogue:
    """What both kinds of session say and understand alike."""

    settings: SmtpSettings
    connection: Connection

    async def heard(self, timeout: float | None = None) -> Reply:  # noqa: ASYNC109 - of a reply
        """The next reply.

        Raises:
            OSError: there is none, or it says that the server is closing.
        """
        code, words = await self.connection.reply(timeout or self.settings.timeout)
        if code == SERVICE_CLOSING:
            raise ConnectionAbortedError(reply_text(code, words))
        return code, words

    async def next_letter(self, line: Line, *, patient: bool = True) -> Letter | None:
        """The next letter of the line that SMTP can carry; the others are refused here."""
        while (letter := await line.take(patient=patient)) is not None:
            if self.can_carry(letter.envelope):
                return letter
            await line.settle(letter, _uncarriable(letter.envelope))
        return None

    def can_carry(self, envelope: Envelope) -> bool:
        """Whether the recipient is an address SMTP can carry.

        Raises:
            TransportError: the sender is none.
        """
        if not is_mailbox(envelope.sender):
            words = f"the sender {envelope.sender!a} is no address"
            raise refused(self.settings, words, _MEND_SENDER)
        return is_mailbox(envelope.recipient)

    def heed_sender(self, code: int, words: str) -> None:
        """Go on where the server takes the sender.

        Raises:
            TransportError: it never will.
            OSError: not now, or it lost count of the conversation.
        """
        if is_permanent(code) and code != BAD_SEQUENCE:
            remedy = _MEND_LOGIN if code == _LOGIN_WANTED else _MEND_SENDER
            raise refused(self.settings, reply_text(code, words), remedy)
        if not is_positive(code):
            raise ConnectionAbortedError(reply_text(code, words))

    async def goodbye(self) -> None:
        """End the session, if there is anyone to hear it."""
        try:
            self.connection.write(b"QUIT\r\n")
            await self.connection.reply(_GOODBYE)
        except OSError:
            self.connection.drop()
        else:
            self.connection.close()


def mail(envelope: Envelope) -> bytes:
    """The command that names the sender."""
    return f"MAIL FROM:<{envelope.sender}>\r\n".encode("ascii")


def rcpt(envelope: Envelope) -> bytes:
    """The command that names the recipient."""
    return f"RCPT TO:<{envelope.recipient}>\r\n".encode("ascii")


def _uncarriable(envelope: Envelope) -> Outcome:
    return Refused(f"not sent: {envelope.recipient!a} is no address SMTP can carry")
