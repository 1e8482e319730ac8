"""An SMTP server that writes down what it takes before it says so, and strikes by a plan.

What is in its record was received, whatever the sender came to know of it. A fault it was asked
for befalls the next letter.
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.parser import BytesHeaderParser
from email.policy import SMTP
from enum import Enum
from typing import Literal

Phase = Literal["MAIL", "DATA", "dot", "answered"]
"""When to strike: at MAIL, at DATA, between the dot and its answer, after the answer."""

LIMIT = 16 * 1024 * 1024


class Fault(Enum):
    """How a letter fares ill."""

    UNTAKEN = "the line is cut after DATA"
    REFUSED_YET = "RCPT is answered 450"
    DEFERRED = "the dot is answered 451"
    UNANSWERED = "taken, and the line cut before the answer"
    ANSWERED = "taken, answered, and the line cut"
    STALLED = "taken, and nothing is said any more"


IN_DOUBT = frozenset({Fault.UNANSWERED, Fault.STALLED})
"""The faults after which no sender can know."""


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """One message, as it was received."""

    message_id: str
    recipient: str
    digest: str


@dataclass
class Recorder:
    """The record, and what to do at each phase of each message.

    ``on_phase`` is called with the phase and the number of messages taken so far; ``fault`` befalls
    the next letter. A message is taken ``rate_limit`` seconds after the one before at the earliest.
    ``unanswered`` are the recipients of letters taken and never answered. While it is not
    ``listening`` it hears nothing more. ``sessions`` are open now.
    """

    on_phase: Callable[[Phase, int], None] = lambda _phase, _count: None
    rate_limit: float = 0.0
    received: list[ReceivedMessage] = field(default_factory=list)
    fault: Fault | None = None
    unanswered: set[str] = field(default_factory=set)
    port: int = 0
    sessions: int = 0
    listening: asyncio.Event = field(default_factory=asyncio.Event)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def by_recipient(self) -> Counter[str]:
        """How often each address got something."""
        return Counter(one.recipient for one in self.received)

    async def session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until the other end has had enough."""
        self.sessions += 1
        try:
            await self._talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the sender was struck
        finally:
            self.sessions -= 1
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        recipient: str | None = None
        writer.write(b"220 recorder ready\r\n")
        while line := await reader.readline():
            await self.listening.wait()
            verb = line[:4].upper()
            if verb == b"EHLO":
                writer.write(b"250-recorder\r\n250-PIPELINING\r\n250 ENHANCEDSTATUSCODES\r\n")
            elif verb == b"MAIL":
                self.on_phase("MAIL", len(self.received))
                writer.write(b"250 2.1.0 ok\r\n")
            elif verb == b"RCPT":
                recipient = line.decode().partition("<")[2].partition(">")[0]
                if self._befalls(Fault.REFUSED_YET):
                    recipient = None
                writer.write(b"250 2.1.5 ok\r\n" if recipient else b"450 4.2.0 not yet\r\n")
            elif verb == b"DATA":
                if recipient is None:
                    writer.write(b"503 5.5.1 for nobody\r\n")
                elif not await self._take(reader, writer, recipient):
                    return
            elif verb == b"QUIT":
                writer.write(b"221 2.0.0 bye\r\n")
                return
            else:
                writer.write(b"250 2.0.0 ok\r\n")

    async def _keep_pace(self) -> None:
        """Wait until this server has had the time it takes for a message."""
        if self.rate_limit:
            async with self.turn:
                await pause(self.rate_limit)

    def _befalls(self, *faults: Fault) -> Fault | None:
        """The fault that was asked for, if it is one of these; it befalls one letter."""
        fault = self.fault if self.fault in faults else None
        self.fault = None if fault else self.fault
        return fault

    async def _take(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, recipient: str
    ) -> bool:
        """Read a message, write it down, and only then answer; whether the line stands."""
        self.on_phase("DATA", len(self.received))
        writer.write(b"354 go on\r\n")
        if self._befalls(Fault.UNTAKEN):
            return False
        content = await reader.readuntil(b"\r\n.\r\n")
        await self._keep_pace()
        if self._befalls(Fault.DEFERRED):
            writer.write(b"451 4.3.0 not yet\r\n")
            return True
        headers = BytesHeaderParser(policy=SMTP).parsebytes(content)
        digest = hashlib.sha256(content).hexdigest()
        self.received.append(ReceivedMessage(str(headers["Message-ID"]), recipient, digest))
        self.on_phase("dot", len(self.received))
        fault = self._befalls(Fault.UNANSWERED, Fault.STALLED, Fault.ANSWERED)
        if fault in IN_DOUBT:
            self.unanswered.add(recipient)
        if fault is Fault.STALLED:
            await reader.read()
        if fault not in IN_DOUBT:
            writer.write(b"250 2.0.0 taken\r\n")
            await writer.drain()
            self.on_phase("answered", len(self.received))
        return fault is None


async def pause(seconds: float) -> None:
    """Wait in the machine's time, whatever the sender's clock says."""
    await asyncio.sleep(seconds)  # noqa: TID251 - a torture stands outside the clock it steps


@asynccontextmanager
async def recording(recorder: Recorder) -> AsyncIterator[Recorder]:
    """The recorder, listening on loopback until the block ends."""
    server = await asyncio.start_server(recorder.session, "127.0.0.1", 0, limit=LIMIT)
    recorder.port = server.sockets[0].getsockname()[1]
    recorder.listening.set()
    try:
        yield recorder
    finally:
        server.close()
