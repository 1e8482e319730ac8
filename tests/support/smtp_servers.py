"""Real SMTP servers on loopback: one that follows a script of faults, and one that works.

A script maps a stage to the replies to give each time that stage is reached. After the last one,
and at stages without an entry, the server behaves well. A reply is a line of SMTP, or a
:class:`Fault`. The messages that the server accepted are in ``received``.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

Stage = Literal["connect", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "body", "dot", "RSET", "QUIT"]
"""The stages at which a server may misbehave; ``body`` is while it receives the content."""


class Fault(Enum):
    """What a server does instead of replying."""

    EOF = "closes the connection"
    RESET = "aborts the connection"
    STALL = "never replies again"
    LATE = "accepts after a second"


Reply = str | Fault


@dataclass(frozen=True, slots=True)
class TakenMessage:
    """A received message, without dot-stuffing."""

    sender: str
    recipient: str
    content: bytes


_GOOD: Mapping[str, str] = {
    "connect": "220 localhost ESMTP",
    "EHLO": "250-localhost\r\n250 8BITMIME",
    "AUTH": "235 2.7.0 welcome",
    "MAIL": "250 2.1.0 ok",
    "RCPT": "250 2.1.5 ok",
    "DATA": "354 go on",
    "dot": "250 2.0.0 taken",
    "RSET": "250 2.0.0 ok",
    "QUIT": "221 2.0.0 bye",
}


@dataclass
class FaultyServer:
    """An SMTP server with a script. It keeps a message even if its dot gets a fault or garbage."""

    script: dict[Stage, list[Reply]] = field(default_factory=dict)
    greeting: str = _GOOD["EHLO"]
    received: list[TakenMessage] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    connections: int = 0
    host: str = "127.0.0.1"
    port: int = 0

    @property
    def timeout(self) -> float:
        """Seconds that a client should wait for a reply: few only if the script has a stall."""
        stalls = any(Fault.STALL in answers for answers in self.script.values())
        return 0.5 if stalls else 60.0

    async def handle_connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Serve one client."""
        self.connections += 1
        try:
            if await self._reply_to("connect", writer):
                await self._serve_commands(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            writer.transport.abort()
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _serve_commands(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        sender = recipient = ""
        while line := (await reader.readline()).decode().strip():
            self.commands.append(line)
            verb = _stage(line)
            sender = line[len("MAIL FROM:<") : -1] if verb == "MAIL" else sender
            recipient = line[len("RCPT TO:<") : -1] if verb == "RCPT" else recipient
            go_on = await self._reply_to(verb, writer)
            if verb == "DATA" and go_on == "354":
                go_on = await self._receive(sender, recipient, reader, writer)
            if not go_on or verb == "QUIT":
                return

    async def _receive(
        self,
        sender: str,
        recipient: str,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> str:
        if self.script.get("body"):
            await reader.readline()
            return await self._reply_to("body", writer)
        lines = []
        while (line := await reader.readuntil(b"\r\n")) != b".\r\n":
            lines.append(line.removeprefix(b"."))
        answer = self._next("dot")
        if isinstance(answer, Fault) or not answer.startswith(("4", "5")):
            self.received.append(TakenMessage(sender, recipient, b"".join(lines)))
        return await self._send_reply(answer, writer)

    def _next(self, stage: Stage) -> Reply:
        answers = self.script.get(stage)
        if not answers and stage == "EHLO":
            return self.greeting
        return answers.pop(0) if answers else _GOOD[stage]

    async def _reply_to(self, stage: Stage, writer: asyncio.StreamWriter) -> str:
        return await self._send_reply(self._next(stage), writer)

    async def _send_reply(self, answer: Reply, writer: asyncio.StreamWriter) -> str:
        """Send a reply and return its code; empty once the connection is over."""
        match answer:
            case Fault.EOF:
                return ""
            case Fault.RESET:
                writer.transport.abort()
                return ""
            case Fault.STALL:
                await asyncio.Event().wait()
                return ""
            case Fault.LATE:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(asyncio.Event().wait(), timeout=1)
                return await self._send_reply("250 2.0.0 taken", writer)
            case str():
                writer.write(answer.encode() + b"\r\n")
                await writer.drain()
                return "" if answer.startswith("421") else answer[:3]


def _stage(line: str) -> Stage:
    verb = line.partition(" ")[0].upper()
    stages: Sequence[Stage] = ("EHLO", "AUTH", "MAIL", "RCPT", "DATA", "RSET", "QUIT")
    return next(stage for stage in stages if stage == verb)


PIPELINING = "250-localhost\r\n250-PIPELINING\r\n250 8BITMIME"
"""The reply to EHLO of a server with PIPELINING (RFC 2920)."""


@contextlib.asynccontextmanager
async def faulty_server(
    script: Mapping[Stage, Sequence[Reply]], *, pipelining: bool = False
) -> AsyncIterator[FaultyServer]:
    """Run a server that follows a script."""
    greeting = PIPELINING if pipelining else _GOOD["EHLO"]
    faulty_server = FaultyServer(
        {stage: list(answers) for stage, answers in script.items()}, greeting
    )
    connections: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(asyncio.ensure_future(faulty_server.handle_connection(reader, writer)))

    server = await asyncio.start_server(accept, faulty_server.host, 0)
    faulty_server.port = server.sockets[0].getsockname()[1]
    try:
        yield faulty_server
    finally:
        server.close()
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


@dataclass
class WorkingServer:
    """A real aiosmtpd server, which keeps the messages it receives."""

    pipelining: bool = False
    received: list[TakenMessage] = field(default_factory=list)
    host: str = "localhost"
    port: int = 0

    async def handle_EHLO(  # noqa: N802 - the name aiosmtpd calls
        self,
        _server: SMTP,
        session: Session,
        _envelope: Envelope,
        name: str,
        answers: list[str],
    ) -> list[str]:
        session.host_name = name  # aiosmtpd leaves this to the hook
        greeting, *extensions = answers
        return [greeting, *["250-PIPELINING"] * self.pipelining, *extensions]

    async def handle_DATA(  # noqa: N802 - the name aiosmtpd calls
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        assert isinstance(envelope.content, bytes)
        (recipient,) = envelope.rcpt_tos
        self.received.append(TakenMessage(envelope.mail_from or "", recipient, envelope.content))
        return "250 2.0.0 taken"

    def authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, who: object
    ) -> AuthResult:
        """Accept only the user ``ada`` with the password ``s3cret``."""
        assert isinstance(who, LoginPassword)
        return AuthResult(success=(who.login, who.password) == (b"ada", b"s3cret"), handled=False)


@contextlib.asynccontextmanager
async def working_server(
    *,
    starttls: ssl.SSLContext | None = None,
    tls: ssl.SSLContext | None = None,
    login: bool = False,
    pipelining: bool = False,
) -> AsyncIterator[WorkingServer]:
    """Run a working server, optionally with STARTTLS, TLS from the first byte, or a login."""
    server = WorkingServer(pipelining)
    async with listen(
        server,
        tls=tls,
        tls_context=starttls,
        require_starttls=starttls is not None,
        auth_required=login,
        authenticator=server.authenticate if login else None,
    ):
        yield server


@contextlib.asynccontextmanager
async def listen(
    server: WorkingServer,
    *,
    tls: ssl.SSLContext | None = None,
    **options: Any,  # noqa: ANN401 - aiosmtpd's own
) -> AsyncIterator[None]:
    """Serve on loopback with these options of aiosmtpd until the block ends."""
    loop = asyncio.get_running_loop()

    def accept() -> SMTP:
        return SMTP(server, hostname="localhost", loop=loop, **options)

    listening = await loop.create_server(accept, "127.0.0.1", 0, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield
    finally:
        listening.close()
