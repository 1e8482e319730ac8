"""A transport that keeps letters in memory, and answers as a test tells it to."""

from collections.abc import AsyncIterator, Mapping

from newsletter.model import Accepted, Letter, NotSent, Outcome, Unknown
from newsletter.ports import Mark, Settle


class MemoryTransport:
    """Takes every letter, and keeps those it accepted in ``letters``, in order.

    Args:
        answers: what becomes of the letters to these recipients instead. A ``NotSent`` is cut
            off before its mark, the others are marked first; an ``Unknown`` did arrive.
    """

    def __init__(self, answers: Mapping[str, Outcome] | None = None) -> None:
        self.answers = dict(answers or {})
        self.letters: list[Letter] = []

    async def send(self, letters: AsyncIterator[Letter], mark: Mark, settle: Settle) -> None:
        """Send every letter of the stream, one after the other."""
        async for letter in letters:
            answer = self.answers.get(letter.envelope.recipient, Accepted("250 kept"))
            if isinstance(answer, NotSent) or await mark(letter):
                if isinstance(answer, Accepted | Unknown):
                    self.letters.append(letter)
                await settle(letter, answer)
