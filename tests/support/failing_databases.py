"""Databases that fail at a statement that the test chooses.

PostgreSQL runs behind a proxy that reads its protocol and cuts the connection; SQLite interrupts
the statement itself. The commit of a transaction counts as a statement.
"""

import asyncio
import contextlib
import sqlite3
import threading
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sqlalchemy import event

from newsletter.stores.sql import SqlStore

ENDS_REQUEST = frozenset({b"Q", b"S"})
"""The messages of PostgreSQL's protocol that end a request: Query and Sync."""


@dataclass
class Interruption:
    """When the database fails.

    Attributes:
        at: the number of the statement, from 1.
        executed: whether the server still executes that statement.
        permanent: whether every later statement fails too.
    """

    at: int
    executed: bool
    permanent: bool
    statements: int = 0
    happened: bool = field(default=False)

    def strikes_now(self) -> bool:
        """Count a statement; return whether to interrupt it."""
        self.statements += 1
        strikes = self.statements >= self.at if self.permanent else self.statements == self.at
        self.happened |= strikes
        return strikes


def interrupt_sqlite(store: SqlStore, cut: Interruption) -> None:
    """Let SQLite interrupt a statement of this store; an interrupted statement is not executed."""

    def interrupted(connection: Any) -> None:  # noqa: ANN401 - SQLAlchemy's and the driver's
        if cut.strikes_now():
            left = [1]
            raw: sqlite3.Connection = connection.connection.dbapi_connection
            raw.set_progress_handler(lambda: left.pop() if left else 0, 1)

    def before(connection: Any, *_: object) -> None:  # noqa: ANN401
        interrupted(connection)

    event.listen(store._database._engine, "before_cursor_execute", before)
    event.listen(store._database._engine, "commit", interrupted)


@contextlib.contextmanager
def interrupted_postgres(url: str, cut: Interruption) -> Iterator[str]:
    """Run a proxy to a PostgreSQL server that cuts a connection; yield its URL.

    It runs in another thread, because a delivery blocks its own event loop while it waits for
    the store.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    proxy = _proxy(url, cut)
    try:
        yield asyncio.run_coroutine_threadsafe(proxy.__aenter__(), loop).result()
    finally:
        asyncio.run_coroutine_threadsafe(proxy.__aexit__(None, None, None), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextlib.asynccontextmanager
async def _proxy(url: str, cut: Interruption) -> AsyncIterator[str]:
    (folder,) = parse_qs(urlsplit(url).query)["host"]
    connections: set[asyncio.Task[None]] = set()
    writers: set[StreamWriter] = set()

    def accept(reader: StreamReader, writer: StreamWriter) -> None:
        writers.add(writer)
        connections.add(
            asyncio.ensure_future(_forward_requests(f"{folder}/.s.PGSQL.5432", cut, reader, writer))
        )

    proxy = await asyncio.start_server(accept, "127.0.0.1", 0)
    listening = proxy.sockets[0]
    port = listening.getsockname()[1]
    try:
        yield f"postgresql://postgres:@127.0.0.1:{port}/postgres?sslmode=disable"
    finally:
        # A connection accepted just before the server closes would fail to begin, and stay open.
        asyncio.get_running_loop().remove_reader(listening.fileno())
        for _ in range(3):
            await asyncio.sleep(0)  # noqa: TID251 - one turn of the loop: accepted ones begin
        proxy.close()
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        for writer in writers:  # a connection may have been cancelled before it began
            writer.close()
        await asyncio.gather(*(w.wait_closed() for w in writers), return_exceptions=True)


async def _forward_requests(
    socket: str, cut: Interruption, reader: StreamReader, writer: StreamWriter
) -> None:
    """Forward one connection's requests and answers until it is cut."""
    server_reader, server = await asyncio.open_unix_connection(socket)
    try:
        if cut.permanent and cut.happened:
            return
        server.write(await _message(reader, kind=False))
        await _answer(server_reader, writer)
        while request := await _request(reader):
            is_cut = cut.strikes_now()
            if is_cut and not cut.executed:
                return
            server.write(request)
            await _answer(server_reader, None if is_cut else writer)
            if is_cut:
                return
    except (ConnectionError, asyncio.IncompleteReadError):
        pass  # one of the two ends closed its connection
    finally:
        writer.close()
        server.close()


async def _message(reader: StreamReader, *, kind: bool = True) -> bytes:
    """Read one message; the first of a connection has no kind byte."""
    head = await reader.readexactly(5 if kind else 4)
    return head + await reader.readexactly(int.from_bytes(head[-4:]) - 4)


async def _request(reader: StreamReader) -> bytes:
    """Read messages up to the one that asks for an answer; empty if the client ends."""
    request = b""
    while request[-5:] != b"X\x00\x00\x00\x04":
        message = await _message(reader)
        request += message
        if message[:1] in ENDS_REQUEST:
            return request
    return b""


async def _answer(reader: StreamReader, writer: StreamWriter | None) -> None:
    """Read messages until the server is ready for the next request; forward them to ``writer``."""
    message = b""
    while message[:1] != b"Z":
        message = await _message(reader)
        if writer is not None:
            writer.write(message)
