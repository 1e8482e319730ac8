"""Letters to send in tests, a recorder of marks and settlements, and a transport in memory."""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from newsletter.model import (
    Accepted,
    Claim,
    Edition,
    Envelope,
    Letter,
    NotSent,
    Outcome,
    Recipient,
    Unknown,
    WireLines,
)
from newsletter.ports import Letters, Mark, Settle

BODY = (WireLines(b"Subject: papers\r\n"), WireLines(b"\r\n"), WireLines(b"One paper.\r\n"))


def claim(number: int = 1, recipient: str = "ada@example.org") -> Claim:
    """A claim on this reader's letter."""
    edition = Edition(Recipient(number, recipient), sections=())
    return Claim(wave=1, reader=number, token=f"run.1.{number}", edition=edition, attempt=1)


def letter(recipient: str = "ada@example.org", *content: bytes, number: int = 1) -> Letter:
    """A letter to this recipient."""
    envelope = Envelope(
        sender="papers@example.org",
        recipient=recipient,
        message_id=f"<{number}@example.org>",
        content=tuple(map(WireLines, content or (f"To: {recipient}\r\n".encode(), *BODY))),
    )
    return Letter(claim(number, recipient), envelope)


def letters(count: int) -> list[Letter]:
    """This many letters, each to another reader."""
    return [letter(f"reader{n}@example.org", number=n) for n in range(1, count + 1)]


@dataclass
class DeliveryRecorder:
    """Grants every mark except for ``refuse``; records marks and settlements."""

    refuse: frozenset[str] = frozenset()
    before_mark: Callable[[str], None] = lambda _recipient: None
    marked: list[str] = field(default_factory=list)
    settled: list[tuple[str, Outcome]] = field(default_factory=list)
    streamed: int = 0

    async def stream(self, waiting: Iterable[Letter]) -> AsyncIterator[Iterator[Letter]]:
        """Yield the letters in batches of three, and count those taken."""
        rest = iter(waiting)
        while batch := tuple(islice(rest, 3)):
            yield self._counted(batch)

    def _counted(self, batch: Iterable[Letter]) -> Iterator[Letter]:
        for one in batch:
            self.streamed += 1
            yield one

    async def mark(self, one: Letter) -> bool:
        """Record the mark; return whether the letter may be sent."""
        self.before_mark(one.envelope.recipient)
        self.marked.append(one.envelope.recipient)
        return one.envelope.recipient not in self.refuse

    def settle(self, one: Letter, outcome: Outcome) -> None:
        """Record the settlement."""
        self.settled.append((one.envelope.recipient, outcome))

    def outcome(self, recipient: str = "ada@example.org") -> Outcome:
        """The outcome of one letter, which must have been settled exactly once."""
        (found,) = [outcome for name, outcome in self.settled if name == recipient]
        return found


async def one_by_one(letters: Letters) -> AsyncIterator[Letter]:
    """The letters of a stream, without its batches."""
    async for batch in letters:
        for letter in batch:
            yield letter


class MemoryTransport:
    """Accepts every letter and keeps the accepted ones in ``letters``, in order.

    Args:
        answers: other outcomes by recipient. A ``NotSent`` is settled before its mark, all others
            after it; an ``Unknown`` did arrive.
    """

    def __init__(self, answers: Mapping[str, Outcome] | None = None) -> None:
        self.answers = dict(answers or {})
        self.letters: list[Letter] = []

    async def send(self, letters: Letters, mark: Mark, settle: Settle) -> None:
        """Send the letters one after the other."""
        async for letter in one_by_one(letters):
            answer = self.answers.get(letter.envelope.recipient, Accepted("250 kept"))
            outcome: Outcome | None = NotSent("stopped before it was kept")
            try:
                if isinstance(answer, NotSent) or await mark(letter):
                    outcome = answer
                    if isinstance(answer, Accepted | Unknown):
                        self.letters.append(letter)
                else:
                    outcome = None
            finally:
                if outcome is not None:
                    settle(letter, outcome)
