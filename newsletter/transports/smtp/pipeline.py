"""Letters in one stream (RFC 2920): a letter's content, and the next one announced behind it.

Each letter costs one round trip: while the server answers to a letter's final dot it has the next
one's MAIL, RCPT and DATA already. The mark is made before the content leaves, as the dot leaves
with it; so a letter cut off in its content is in doubt here, where lockstep knows it unsent.
"""

from newsletter.model import Letter, NotSent, Outcome, Unknown
from newsletter.transports.smtp.refusals import BROKEN, in_words
from newsletter.transports.smtp.replies import answer_to_dot, is_go_ahead, is_positive, refusal
from newsletter.transports.smtp.session import SERVICE_CLOSING, Line, SmtpDialogue, mail, rcpt

_STOPPED = "stopped before the letter left"
_UNHEARD = "no answer to the final dot"


class _NotGrantedError(Exception):
    """A letter may not be marked: it, and what was to follow it here, does not leave."""


class Pipeline:
    """A session that announces the next letter while the last one is on its way."""

    def __init__(self, dialogue: SmtpDialogue) -> None:
        self._talk = dialogue
        self._connection = dialogue.connection
        self._sent: Letter | None = None
        self._announced: Letter | None = None
        self._following: Letter | None = None
        self._count = 0
        self._in_transaction = False

    async def converse(self, line: Line) -> None:
        """See :meth:`~newsletter.transports.smtp.session.Session.converse`."""
        broke = ""
        try:
            self._say(announced=await self._next(line))
            while self._announced is not None:
                await self._proceed(line)
        except _NotGrantedError:
            self._connection.drop()
        except BROKEN as error:
            broke = in_words(error)
            self._connection.drop()
        finally:
            await self._settle_rest(line, broke)
        if self._connection.alive:
            await self._talk.goodbye()

    async def _next(self, line: Line, *, patient: bool = True) -> Letter | None:
        """The next letter to announce, up to the cap of a connection."""
        if self._count == self._talk.settings.per_connection:
            return None
        letter = await self._talk.next_letter(line, patient=patient)
        self._count += letter is not None
        return letter

    def _say(self, *content: bytes, announced: Letter | None) -> None:
        """Write one group: a letter's content to its dot, and the next one's announcement."""
        group = [*content]
        self._announced = announced
        if announced is not None:
            reset = b"RSET\r\n" if self._in_transaction else b""
            group += [reset, mail(announced.envelope), rcpt(announced.envelope), b"DATA\r\n"]
        if group:
            self._connection.write(*group)

    async def _proceed(self, line: Line) -> None:
        """Hear what the server says to the announced letter, and do what follows."""
        letter = self._announced
        assert letter is not None
        verdict = await self._verdict()
        if verdict is not None:
            self._announced = None
            await line.settle(letter, verdict)
            self._say(announced=await self._upcoming(line))
            return
        self._following = await self._upcoming(line, patient=False)
        if not await line.mark(letter):
            self._announced = None  # not ours to settle
            raise _NotGrantedError
        await self._convey(letter, line)
        if self._announced is None:
            self._say(announced=await self._upcoming(line))

    async def _upcoming(self, line: Line, *, patient: bool = True) -> Letter | None:
        """The letter that was taken ahead, or else the next one."""
        ahead, self._following = self._following, None
        return ahead or await self._next(line, patient=patient)

    async def _verdict(self) -> Outcome | None:
        """What the answers to an announcement mean for its letter; None: its content may come."""
        if self._in_transaction and not is_positive((await self._talk.heard())[0]):
            raise ConnectionAbortedError("the server cannot reset")
        self._talk.heed_sender(*await self._talk.heard())
        recipient = await self._talk.heard()
        data = await self._talk.heard()
        self._in_transaction = not (is_positive(recipient[0]) and is_go_ahead(data[0]))
        if not self._in_transaction:
            return None
        if is_go_ahead(data[0]):
            # It waits for a content that is for nobody; a lone dot ends that.
            self._connection.write(b".\r\n")
            await self._talk.heard()
        return refusal(*(data if is_positive(recipient[0]) else recipient))

    async def _convey(self, letter: Letter, line: Line) -> None:
        """The content, the dot and its answer, with the following letter announced behind them.

        The letter after that one is made while these travel.
        """
        following, self._following = self._following, None
        self._sent = letter
        self._say(*letter.envelope.content, b".\r\n", announced=following)
        self._following = await self._next(line, patient=False)
        code, words = await self._connection.reply(self._talk.settings.answer_timeout)
        outcome = answer_to_dot(code, words)
        self._sent = None
        await line.settle(letter, outcome)
        if code == SERVICE_CLOSING or isinstance(outcome, Unknown):
            raise ConnectionAbortedError(words)

    async def _settle_rest(self, line: Line, broke: str) -> None:
        """Settle what is still in hand when the conversation is over, and cut the line then.

        ``broke`` is why the line broke; empty where we stopped. A line that broke says nothing of
        the letter it had not heard of yet.
        """
        sent, announced, following = self._sent, self._announced, self._following
        self._sent = self._announced = self._following = None
        if sent or announced or following:
            self._connection.drop()
        if sent is not None:
            await line.settle(sent, Unknown(broke or _UNHEARD))
        if announced is not None:
            await line.settle(announced, NotSent(broke or _STOPPED))
        if following is not None and broke:
            line.put_back(following)
        elif following is not None:
            await line.settle(following, NotSent(_STOPPED))
