"""Letters one command at a time, for servers without pipelining.

The phases of RFC 5321 3.3 are taken one by one, and ``fate`` always says the worst that is true so
far: a letter whose line broke before the final dot must be sent again, one whose line broke after
it is in doubt.
"""

from newsletter.model import Letter, NotSent, Outcome, Unknown
from newsletter.transports.smtp.refusals import BROKEN, in_words
from newsletter.transports.smtp.replies import (
    answer_to_dot,
    cut_off,
    is_go_ahead,
    is_positive,
    refusal,
)
from newsletter.transports.smtp.session import SERVICE_CLOSING, Line, SmtpDialogue, mail, rcpt


class Lockstep:
    """A session that waits for each answer before it says more.

    Attributes:
        fate: what is to be settled for the letter in hand if all ends now; None when it is not
            ours to settle.
    """

    def __init__(self, dialogue: SmtpDialogue) -> None:
        self.fate: Outcome | None = None
        self._talk = dialogue
        self._connection = dialogue.connection

    async def converse(self, line: Line) -> None:
        """See :meth:`~newsletter.transports.smtp.session.Session.converse`."""
        for _ in range(self._talk.settings.per_connection):
            letter = await self._talk.next_letter(line)
            if letter is None:
                break
            await self._carry(letter, line)
            if not self._connection.alive:
                return
        await self._talk.goodbye()

    async def _carry(self, letter: Letter, line: Line) -> None:
        try:
            await self._send(letter, line)
        finally:
            if self.fate is not None:
                await line.settle(letter, self.fate)

    async def _send(self, letter: Letter, line: Line) -> None:
        """Send one letter; ``fate`` is what became of it, also when this raises."""
        self.fate = NotSent("stopped before the final dot")
        try:
            if await self._announce(letter):
                await self._convey(letter, line)
        except BROKEN as error:
            self.fate = cut_off(self.fate, in_words(error))
        finally:
            if self.fate is None or isinstance(self.fate, NotSent | Unknown):
                self._connection.drop()

    async def _announce(self, letter: Letter) -> bool:
        """MAIL, RCPT, DATA; whether the server waits for the content."""
        self._talk.heed_sender(*await self._command(mail(letter.envelope)))
        code, words = await self._command(rcpt(letter.envelope))
        if is_positive(code):
            code, words = await self._command(b"DATA\r\n")
        if not is_go_ahead(code):
            self.fate = refusal(code, words)
            await self._reset()
        return is_go_ahead(code)

    async def _command(self, command: bytes) -> tuple[int, str]:
        self._connection.write(command)
        return await self._talk.heard()

    async def _reset(self) -> None:
        """End a refused transaction (RFC 5321 4.1.1.5); a server that cannot is left."""
        try:
            code, _ = await self._command(b"RSET\r\n")
        except BROKEN:
            self._connection.drop()
        else:
            if not is_positive(code):
                self._connection.drop()

    async def _convey(self, letter: Letter, line: Line) -> None:
        """The content, the mark, the dot and its answer."""
        settings = self._talk.settings
        self._connection.write(*letter.envelope.content)
        await self._connection.drained(settings.timeout)
        if not await line.mark(letter):
            self.fate = None
            return
        self._connection.write(b".\r\n")
        self.fate = Unknown("no answer to the final dot")
        code, words = await self._connection.reply(settings.answer_timeout)
        self.fate = answer_to_dot(code, words)
        if code == SERVICE_CLOSING:
            self._connection.drop()
