"""The demo's inbox: a real SMTP server on loopback that keeps what it gets as ``.eml`` files."""

import asyncio
from pathlib import Path
from types import TracebackType
from typing import Self

from aiosmtpd.smtp import SMTP, Envelope, Session

from newsletter.transports.folder import file_name


class Inbox:
    """Listens on a free port of 127.0.0.1 while its ``async with`` block lasts.

    Attributes:
        folder: where the letters go, one file each: ``00001-ada@example.org.eml``; it is made
            where there is none.
        host: the address it listens on.
        port: the port it listens on, once the block has begun.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host = "127.0.0.1"
        self.port = 0
        self._taken = 0
        self._sessions: list[SMTP] = []

    async def __aenter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._greet, self.host, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.close()
        for session in self._sessions:
            if session.transport is not None:
                session.transport.close()
        await self._server.wait_closed()

    def _greet(self) -> SMTP:
        session = SMTP(self, hostname="localhost", loop=asyncio.get_running_loop())
        self._sessions.append(session)
        return session

    async def handle_DATA(  # noqa: N802 - the name aiosmtpd calls
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Keep a letter, once for each recipient, and only then take responsibility for it."""
        assert isinstance(envelope.content, bytes)
        for recipient in envelope.rcpt_tos:
            self._taken += 1
            self._keep(f"{self._taken:05}-{file_name(recipient)}", envelope.content)
        return "250 2.0.0 taken"

    def _keep(self, name: str, content: bytes) -> None:
        unfinished = self.folder / f"{name}.part"
        unfinished.write_bytes(content)
        unfinished.replace(self.folder / name)
