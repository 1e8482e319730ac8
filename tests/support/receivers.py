"""Transports, each with the receiver that its letters go to, for the contract of transports."""

import asyncio
import contextlib
import socket
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import httpx2
from typing_extensions import override

from newsletter.errors import TransportError
from newsletter.model import Accepted, Deferred, Letter, NotSent, Outcome, Refused, Unknown
from newsletter.ports import Letters, Mark, Settle, Transport
from newsletter.transports.folder import FolderTransport, file_name
from newsletter.transports.smtp import SmtpSettings, SmtpTransport
from tests.support.clocks import SkippingClock
from tests.support.outgoing import MemoryTransport, one_by_one
from tests.support.smtp_servers import Fault, FaultyServer, Reply, faulty_server

Fate = Literal["accepted", "refused", "deferred", "lost", "stalled"]
"""What a receiver does to one letter: accepts, refuses, or defers it; takes it and closes the
connection without an answer; takes it and never answers."""


class Receiver(ABC):
    """A transport and the receiver behind it."""

    transport: Transport
    most_in_hand = 1
    """How many letters the transport may hold at once."""

    @abstractmethod
    def arrived(self) -> list[tuple[str, bytes]]:
        """The letters it has: the recipient's :func:`file_name`, and the content."""

    async def go_away(self) -> None:
        """Take no letters from now on, like a server that is down."""
        raise NotImplementedError

    async def come_back(self) -> None:
        """Take letters again."""
        raise NotImplementedError

    def treat_next(self, *fates: Fate) -> None:
        """Treat the next letters in these ways. Only a receiver that answers can."""
        raise NotImplementedError


class FolderReceiver(Receiver):
    """A folder. It never refuses a single letter."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "parent" / "letters"
        self.transport = FolderTransport(self._folder)

    @override
    def arrived(self) -> list[tuple[str, bytes]]:
        return [(path.name, path.read_bytes()) for path in self._folder.glob("*.eml")]

    @override
    async def go_away(self) -> None:
        self._folder.parent.write_text("a file where the folder should be", encoding="utf-8")

    @override
    async def come_back(self) -> None:
        self._folder.parent.unlink()


class MemoryReceiver(Receiver):
    """The transport that other tests use in place of a real one. Its receiver is always there."""

    def __init__(self) -> None:
        self.transport = self._memory = MemoryTransport()

    @override
    def arrived(self) -> list[tuple[str, bytes]]:
        sent = [letter.envelope for letter in self._memory.letters]
        return [(file_name(one.recipient), b"".join(one.content)) for one in sent]


class SmtpReceiver(Receiver):
    """A real SMTP server on loopback, with three connections to it."""

    most_in_hand = 9

    def __init__(self, server: FaultyServer) -> None:
        self._server = server
        settings = SmtpSettings(host=server.host, port=server.port, security="none", connections=3)
        self.transport = SmtpTransport(settings, SkippingClock())

    @override
    def arrived(self) -> list[tuple[str, bytes]]:
        return [(file_name(one.recipient), one.content) for one in self._server.received]

    @override
    async def go_away(self) -> None:
        self._server.script["connect"] = ["421 4.3.2 down for maintenance"] * 99

    @override
    async def come_back(self) -> None:
        self._server.script.clear()

    @override
    def treat_next(self, *fates: Fate) -> None:
        self._server.script["dot"] = [_SMTP_ANSWERS[fate] for fate in fates]


_SMTP_ANSWERS: dict[Fate, Reply] = {
    "accepted": "250 2.0.0 taken",
    "refused": "550 5.1.1 no such user",
    "deferred": "451 4.7.1 greylisted",
    "lost": Fault.EOF,
    "stalled": Fault.STALL,
}


class HttpTransport(Transport):
    """Posts each letter to an HTTP API. Written from the docstring of ``Transport`` alone."""

    def __init__(self, url: str) -> None:
        self._url = url

    @override
    async def send(self, letters: Letters, mark: Mark, settle: Settle) -> None:
        async with httpx2.AsyncClient(trust_env=False, timeout=60) as client:
            async for letter in one_by_one(letters):
                outcome: Outcome | None = NotSent("stopped before it was posted")
                try:
                    if await mark(letter):
                        outcome = Unknown("the server did not answer")
                        outcome = await self._post(client, letter)
                    else:
                        outcome = None
                finally:
                    if outcome is not None:
                        settle(letter, outcome)
                if isinstance(outcome, NotSent):
                    raise TransportError(f"{self._url}: {outcome.reason}; check that it runs")

    async def _post(self, client: httpx2.AsyncClient, letter: Letter) -> Outcome:
        try:
            answer = await client.post(self._url, content=b"".join(letter.envelope.content))
        except httpx2.ConnectError as error:
            return NotSent(str(error))
        except httpx2.HTTPError as error:
            return Unknown(str(error))
        reply = f"{answer.status_code} {answer.reason_phrase}"
        if answer.is_success:
            return Accepted(reply)
        if answer.status_code == httpx2.codes.UNPROCESSABLE_CONTENT:
            return Refused(reply)
        return Deferred(reply)


class HttpReceiver(Receiver):
    """A small HTTP server on loopback that keeps what is posted to it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._letters: list[bytes] = []
        self._fates: list[Fate] = []
        self._connections: set[asyncio.Task[None]] = set()
        self.transport = HttpTransport(f"http://127.0.0.1:{port}/letters")

    @override
    def arrived(self) -> list[tuple[str, bytes]]:
        recipients = [
            body.split(b"\r\n")[0].decode().removeprefix("To: ") for body in self._letters
        ]
        return [
            (file_name(recipient), body)
            for recipient, body in zip(recipients, self._letters, strict=True)
        ]

    @override
    async def come_back(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port)

    @override
    async def go_away(self) -> None:
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()

    @override
    def treat_next(self, *fates: Fate) -> None:
        self._fates = list(fates)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(asyncio.ensure_future(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(EOFError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.partition(b"content-length:")[2].split()[0])
                body = await reader.readexactly(length)
                fate = self._fates.pop(0) if self._fates else None
                if fate not in {"refused", "deferred"}:
                    self._letters.append(body)
                if fate == "stalled":
                    await asyncio.Event().wait()
                if fate == "lost":
                    break
                status = {"refused": "422 No such user", "deferred": "429 Slow down"}
                answer = status.get(fate or "", "202 Accepted")
                writer.write(f"HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n".encode())
                await writer.drain()


@contextlib.asynccontextmanager
async def memory(_folder: Path) -> AsyncIterator[Receiver]:
    yield MemoryReceiver()


@contextlib.asynccontextmanager
async def folder(folder: Path) -> AsyncIterator[Receiver]:
    yield FolderReceiver(folder)


@contextlib.asynccontextmanager
async def smtp(_folder: Path) -> AsyncIterator[Receiver]:
    async with faulty_server({}) as server:
        yield SmtpReceiver(server)


@contextlib.asynccontextmanager
async def smtp_pipelined(_folder: Path) -> AsyncIterator[Receiver]:
    async with faulty_server({}, pipelining=True) as server:
        yield SmtpReceiver(server)


@contextlib.asynccontextmanager
async def http(_folder: Path) -> AsyncIterator[Receiver]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        receiver = HttpReceiver(free.getsockname()[1])
    await receiver.come_back()
    try:
        yield receiver
    finally:
        await receiver.go_away()
