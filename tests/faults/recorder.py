"""An SMTP server that records each message before it accepts it, and reports every phase.

A recorded message was received, even if the sender never learned that. A requested fault affects
the next letter.
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
"""When to strike: at MAIL, at DATA, between the final dot and its reply, after the reply."""

LIMIT = 16 * 1024 * 1024


class Fault(Enum):
    """A fault of the server that affects one letter."""

    UNTAKEN = "the connection is cut after DATA"
    REFUSED_YET = "RCPT is answered 450"
    DEFERRED = "the dot is answered 451"
    UNANSWERED = "received, and the connection cut before the reply"
    ANSWERED = "received, accepted, and the connection cut"
    STALLED = "received, and no reply ever comes"


IN_DOUBT = frozenset({Fault.UNANSWERED, Fault.STALLED})
"""The faults after which no sender can know whether the letter was accepted."""


@dataclass(frozen=True, slots=True)
class ReceivedMessage:
    """One received message."""

    message_id: str
    recipient: str
    digest: str


@dataclass
class Recorder:
    """The received messages, and what to do at each phase of each message.

    Attributes:
        on_phase: called with the phase and the number of messages received so far.
        rate_limit: the least number of seconds between two messages.
        fault: the fault of the next letter.
        unanswered: the recipients of messages that were received without a reply.
        sessions: the number of open connections.
        listening: while it is not set, the server reads no further command.
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
        """The number of messages per recipient."""
        return Counter(one.recipient for one in self.received)

    async def session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until the client ends it."""
        self.sessions += 1
        try:
            await self._converse(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # a struck sender breaks its connections
        finally:
            self.sessions -= 1
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
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
                if self._take_fault(Fault.REFUSED_YET):
                    recipient = None
                writer.write(b"250 2.1.5 ok\r\n" if recipient else b"450 4.2.0 not yet\r\n")
            elif verb == b"DATA":
                if recipient is None:
                    writer.write(b"503 5.5.1 for nobody\r\n")
                elif not await self._receive(reader, writer, recipient):
                    return
            elif verb == b"QUIT":
                writer.write(b"221 2.0.0 bye\r\n")
                return
            else:
                writer.write(b"250 2.0.0 ok\r\n")

    async def _wait_for_turn(self) -> None:
        """Wait ``rate_limit`` seconds, one message at a time."""
        if self.rate_limit:
            async with self.turn:
                await pause(self.rate_limit)

    def _take_fault(self, *faults: Fault) -> Fault | None:
        """Take the requested fault if it is one of these; each request affects one letter."""
        fault = self.fault if self.fault in faults else None
        self.fault = None if fault else self.fault
        return fault

    async def _receive(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, recipient: str
    ) -> bool:
        """Read a message, record it, and only then reply; False if the connection must close."""
        self.on_phase("DATA", len(self.received))
        writer.write(b"354 go on\r\n")
        if self._take_fault(Fault.UNTAKEN):
            return False
        content = await reader.readuntil(b"\r\n.\r\n")
        await self._wait_for_turn()
        if self._take_fault(Fault.DEFERRED):
            writer.write(b"451 4.3.0 not yet\r\n")
            return True
        headers = BytesHeaderParser(policy=SMTP).parsebytes(content)
        digest = hashlib.sha256(content).hexdigest()
        self.received.append(ReceivedMessage(str(headers["Message-ID"]), recipient, digest))
        self.on_phase("dot", len(self.received))
        fault = self._take_fault(Fault.UNANSWERED, Fault.STALLED, Fault.ANSWERED)
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
    """Wait in real time, whatever the sender's clock says."""
    await asyncio.sleep(seconds)  # noqa: TID251 - real time: a torture steps the sender's clock


@asynccontextmanager
async def recording(recorder: Recorder) -> AsyncIterator[Recorder]:
    """Let the recorder listen on loopback until the block ends."""
    server = await asyncio.start_server(recorder.session, "127.0.0.1", 0, limit=LIMIT)
    recorder.port = server.sockets[0].getsockname()[1]
    recorder.listening.set()
    try:
        yield recorder
    finally:
        server.close()
