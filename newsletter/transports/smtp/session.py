"""Sends letters over one open connection, with or without pipelining."""

import contextlib
from abc import ABC, abstractmethod
from typing import Protocol

from typing_extensions import override

from newsletter.delivery.refusals import is_servers
from newsletter.model import (
    Accepted,
    Deferred,
    Envelope,
    Letter,
    NotSent,
    Outcome,
    Refused,
    Unknown,
)
from newsletter.transports.smtp.connection import Connection, Reply
from newsletter.transports.smtp.relay import limit_in
from newsletter.transports.smtp.replies import (
    CHECK_SENDER,
    DONE,
    GO_AHEAD,
    NEVER,
    NOT_NOW,
    error_text,
    final_outcome,
    is_about_helo,
    is_mailbox,
    refusal,
    refused_sender,
    reply_text,
    server_error,
)
from newsletter.transports.smtp.settings import SmtpSettings

SERVICE_CLOSING = 421
BAD_SEQUENCE = 503
_LOGIN_REQUIRED = 530
"""The server wants a login (RFC 4954, section 6), or TLS first (RFC 3207, section 4)."""

_QUIT_TIMEOUT = 5.0
_STOPPED = "stopped before the letter left"
_NO_ANSWER = "no answer to the final dot"

_CHECK_LOGIN = "set what it asks for: smtp.username and smtp.password, or smtp.security"


class LetterQueue(Protocol):
    """Where a session gets its letters, and reports what became of them."""

    @property
    def paused(self) -> bool:
        """Whether even a letter fetched ahead of time must wait."""

    def ready_letter(self) -> Letter | None:
        """The next letter if there is one that may leave at once; None if not, or not yet.

        None, too, while a limit is known, so that no connection takes more than its share.
        """

    async def next_letter(self, *, wait: bool = True) -> Letter | None:
        """The next letter; None if there is none, or if no more may be sent.

        Without ``wait`` also None if the next letter may not leave yet.
        """

    async def mark(self, letter: Letter) -> bool:
        """Whether the letter may leave; asked once, before the server can have all of it."""

    def settle(self, letter: Letter, outcome: Outcome) -> None:
        """Report what became of a letter: once for each, except after a refused mark."""

    def put_back(self, letter: Letter) -> None:
        """Return a letter that the server has not heard of, for another connection to send."""


class Session(ABC):
    """An open connection, and a way to send letters over it."""

    def __init__(self, settings: SmtpSettings, connection: Connection) -> None:
        self._settings = settings
        self._connection = connection
        self._sender = ""  # the last one that was checked

    @abstractmethod
    async def send_letters(self, queue: LetterQueue) -> None:
        """Send the letters of the queue, as long as there are any and the connection holds.

        Every letter taken is settled or put back, even if this raises or is cancelled.

        Raises:
            TransportError: the server refuses the sender, and so every letter.
        """

    async def quit(self) -> None:
        """End the session and close the connection."""
        try:
            self._connection.write(b"QUIT\r\n")
            await self._connection.read_reply(_QUIT_TIMEOUT)
        except OSError:
            self._connection.abort()
        else:
            self._connection.close()

    async def _read_reply(self) -> Reply:
        """Read the next reply.

        Raises:
            OSError: there is none, or it says that the server is closing.
        """
        code, words = await self._connection.read_reply(self._settings.timeout)
        if code == SERVICE_CLOSING:
            raise ConnectionAbortedError(reply_text(code, words))
        return code, words

    async def _next_letter(self, queue: LetterQueue, *, wait: bool = True) -> Letter | None:
        """The next letter with addresses that SMTP can carry; others are refused here.

        Raises:
            TransportError: the sender's address is not one.
        """
        while (letter := queue.ready_letter() or await queue.next_letter(wait=wait)) is not None:
            if self._can_carry(letter, queue):
                return letter
        return None

    def _can_carry(self, letter: Letter, queue: LetterQueue) -> bool:
        """Whether SMTP can carry the letter's addresses; if not, it is refused here.

        Raises:
            TransportError: the sender's address is not one.
        """
        sender, recipient = letter.envelope.sender, letter.envelope.recipient
        if sender != self._sender and not is_mailbox(sender):
            words = f"the sender {sender!a} is no address"
            queue.settle(letter, NotSent(words))
            raise server_error(self._settings, words, CHECK_SENDER)
        self._sender = sender
        if is_mailbox(recipient):
            return True
        queue.settle(letter, Refused(f"not sent: {recipient!a} is no address SMTP can carry"))
        return False

    def _sender_refusal(self, letter: Letter, code: int, words: str) -> NotSent | None:
        """What the reply to MAIL means for this letter; None if the server takes the sender.

        Raises:
            TransportError: the server refuses the sender for good.
            OSError: it lost count of the commands.
        """
        if code // 100 == DONE:
            return None
        text = reply_text(code, words)
        if code == BAD_SEQUENCE or code // 100 not in {NOT_NOW, NEVER}:
            raise ConnectionAbortedError(text)
        if code // 100 == NEVER and limit_in(text) is None:
            if code == _LOGIN_REQUIRED:
                raise server_error(self._settings, text, _CHECK_LOGIN)
            raise refused_sender(self._settings, letter.envelope.sender, text)
        return NotSent(text)

    def _refusal(self, code: int, words: str) -> Refused | Deferred:
        """What a refusal at RCPT or DATA means for the letter.

        Raises:
            TransportError: the server refuses the name in EHLO, and so every letter. Postfix waits
                for RCPT to say so (``smtpd_delay_reject``).
        """
        if code // 100 == NEVER and is_about_helo(words) and " said:" not in words:
            raise server_error(self._settings, reply_text(code, words), _CHECK_LOGIN)
        return refusal(code, words)


def _commands(envelope: Envelope) -> tuple[bytes, bytes, bytes]:
    mail, rcpt = f"MAIL FROM:<{envelope.sender}>\r\n", f"RCPT TO:<{envelope.recipient}>\r\n"
    return mail.encode("ascii"), rcpt.encode("ascii"), b"DATA\r\n"


class LockstepSession(Session):
    """Waits for each reply before it says more (RFC 5321 3.3), for servers without pipelining."""

    _outcome: Outcome | None = None
    """The outcome of the letter in hand if all ends now; None if its mark was refused."""

    @override
    async def send_letters(self, queue: LetterQueue) -> None:
        while (letter := await self._next_letter(queue)) is not None:
            self._outcome = NotSent("stopped before the final dot")
            await self._send(letter, queue)
            if not self._connection.alive:
                return
        await self.quit()

    async def _send(self, letter: Letter, queue: LetterQueue) -> None:
        """Send one letter, and settle it by how far it came, even if this raises."""
        try:
            if await self._announce(letter):
                await self._transmit(letter, queue)
        except OSError as error:
            kind = Unknown if isinstance(self._outcome, Unknown) else NotSent
            self._outcome = kind(error_text(error))
            self._connection.abort()
        finally:
            if not self._is_answered:
                self._connection.abort()
            if self._outcome is not None:
                queue.settle(letter, self._outcome)

    @property
    def _is_answered(self) -> bool:
        """Whether the server's reply ended the letter, so that the connection can be used again."""
        if isinstance(self._outcome, NotSent):
            return is_servers(self._outcome.reason)
        return isinstance(self._outcome, Accepted | Deferred | Refused)

    async def _announce(self, letter: Letter) -> bool:
        """MAIL, RCPT, DATA; whether the server waits for the content."""
        mail, rcpt, data = _commands(letter.envelope)
        refused: Outcome | None = self._sender_refusal(letter, *await self._command(mail))
        if refused is None:
            code, words = await self._command(rcpt)
            if code // 100 == DONE:
                code, words = await self._command(data)
            if code == GO_AHEAD:
                return True
            refused = self._refusal(code, words)
        self._outcome = refused
        await self._reset()
        return False

    async def _command(self, command: bytes) -> Reply:
        self._connection.write(command)
        return await self._read_reply()

    async def _reset(self) -> None:
        """End a refused transaction (RFC 5321 4.1.1.5); if that fails, drop the connection."""
        with contextlib.suppress(OSError):
            if (await self._command(b"RSET\r\n"))[0] // 100 == DONE:
                return
        self._connection.abort()

    async def _transmit(self, letter: Letter, queue: LetterQueue) -> None:
        """Send the content, get the mark, send the dot, read its reply."""
        self._connection.write(*letter.envelope.content)
        await self._connection.drain(self._settings.timeout)
        if not await queue.mark(letter):
            self._outcome = None
            return
        self._connection.write(b".\r\n")
        self._outcome = Unknown(_NO_ANSWER)
        code, words = await self._connection.read_reply(self._settings.answer_timeout)
        self._outcome = final_outcome(code, words)
        if code == SERVICE_CLOSING:
            self._connection.abort()


class _MarkRefusedError(Exception):
    """A letter may not leave, and what was to follow it on this connection does not either."""


class PipelinedSession(Session):
    """Announces the next letter together with the last one's content (RFC 2920).

    A letter costs one round trip: while the server answers a final dot, it already has MAIL, RCPT
    and DATA of the next letter. The mark comes before the content, because the dot leaves with it;
    so a letter cut off in its content is in doubt here, while lockstep knows that it was not sent.
    """

    # Up to three letters are in hand: one sent and not answered, one announced to the server,
    # one fetched from the queue ahead of time.
    _sent: Letter | None = None
    _announced: Letter | None = None
    _fetched: Letter | None = None
    _in_transaction = False

    @override
    async def send_letters(self, queue: LetterQueue) -> None:
        error_words = ""
        try:
            self._write_group(announced=await self._next_letter(queue))
            while self._announced is not None:
                await self._continue(self._announced, queue)
        except _MarkRefusedError:
            self._connection.abort()
        except OSError as error:
            error_words = error_text(error)
            self._connection.abort()
        finally:
            await self._settle_rest(queue, error_words)
        if self._connection.alive:
            await self.quit()

    async def _fetch(self, queue: LetterQueue, *, wait: bool) -> Letter | None:
        """The letter fetched ahead of time, or else the next one."""
        fetched, self._fetched = self._fetched, None
        if fetched is not None and queue.paused:
            queue.put_back(fetched)
        elif fetched is not None and self._can_carry(fetched, queue):
            return fetched
        return await self._next_letter(queue, wait=wait)

    def _write_group(self, *content: bytes, announced: Letter | None) -> None:
        """Write one group: a letter's content up to its dot, and the next one's commands."""
        self._announced = announced
        if announced is not None:
            reset = (b"RSET\r\n",) if self._in_transaction else ()
            content = (*content, *reset, *_commands(announced.envelope))
        if content:
            self._connection.write(*content)

    async def _continue(self, letter: Letter, queue: LetterQueue) -> None:
        """Read the replies to the announced letter, and do what follows from them."""
        refused = None if self._is_taken() else await self._read_refusal(letter)
        if refused is not None:
            self._announced = None
            queue.settle(letter, refused)
            self._write_group(announced=await self._fetch(queue, wait=True))
            return
        self._fetched = await self._fetch(queue, wait=False)
        if not await queue.mark(letter):
            self._announced = None  # must not be settled
            raise _MarkRefusedError
        await self._transmit(letter, queue)
        if self._announced is None:
            self._write_group(announced=await self._fetch(queue, wait=True))

    def _is_taken(self) -> bool:
        """Whether MAIL, RCPT and DATA are answered, all well; if not, nothing is read."""
        replies = self._connection.replies
        if self._in_transaction or len(replies) < 3:  # noqa: PLR2004 - the commands
            return False
        (mail, _), (rcpt, _), (data, _) = replies[0], replies[1], replies[2]
        taken = mail // 100 == rcpt // 100 == DONE and data == GO_AHEAD
        if taken:
            for _ in range(3):
                replies.popleft()
        return taken

    async def _read_refusal(self, letter: Letter) -> Outcome | None:
        """Read the replies to MAIL, RCPT and DATA; None if the content may be sent."""
        if self._in_transaction and (await self._read_reply())[0] // 100 != DONE:
            raise ConnectionAbortedError("the server cannot reset")
        refused = self._sender_refusal(letter, *await self._read_reply())
        recipient = await self._read_reply()
        data = await self._read_reply()
        is_taken = refused is None and recipient[0] // 100 == DONE
        self._in_transaction = not is_taken or data[0] != GO_AHEAD
        if not self._in_transaction:
            return None
        if data[0] == GO_AHEAD:
            # The server waits for content that has no recipient; a lone dot ends that.
            self._connection.write(b".\r\n")
            await self._read_reply()
        return refused or self._refusal(*(data if is_taken else recipient))

    async def _transmit(self, letter: Letter, queue: LetterQueue) -> None:
        """Send the content and the dot with the next announcement, and read the dot's reply."""
        following, self._fetched = self._fetched, None
        self._sent = letter
        self._write_group(*letter.envelope.content, b".\r\n", announced=following)
        # The letter after the next is built here, while these bytes travel.
        self._fetched = queue.ready_letter()
        code, words = await self._connection.read_reply(self._settings.answer_timeout)
        outcome = final_outcome(code, words)
        self._sent = None
        queue.settle(letter, outcome)
        if code == SERVICE_CLOSING or isinstance(outcome, Unknown):
            raise ConnectionAbortedError(reply_text(code, words))

    async def _settle_rest(self, queue: LetterQueue, error_words: str) -> None:
        """Settle the letters still in hand, and drop the connection if there are any.

        ``error_words`` says why the connection broke; it is empty if the sending was stopped.
        """
        sent, announced, fetched = self._sent, self._announced, self._fetched
        self._sent = self._announced = self._fetched = None
        if sent or announced or fetched:
            self._connection.abort()
        if sent is not None:
            queue.settle(sent, Unknown(error_words or _NO_ANSWER))
        if announced is not None:
            queue.settle(announced, NotSent(error_words or _STOPPED))
        if fetched is not None and error_words:
            queue.put_back(fetched)  # the server has not heard of it: this was not its failure
        elif fetched is not None:
            queue.settle(fetched, NotSent(_STOPPED))
