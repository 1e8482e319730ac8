"""Real HTTP servers on loopback: one calls a function, the other follows a script of faults.

A scripted site maps a path to its answer: the bytes of a whole response, a list of responses to
give in turn (the last one forever), or a coroutine that writes whatever it likes.
"""

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

POLL = 0.01
"""Seconds between two checks whether the server is to stop."""


Page = tuple[int, Mapping[str, str], bytes]
"""An answer: status, headers, body."""


@contextlib.contextmanager
def serve(answer: Callable[[str, Mapping[str, str]], Page]) -> Iterator[str]:
    """Serve ``answer``, which gets a path and its query, on loopback; yield the origin."""

    class Handler(BaseHTTPRequestHandler):
        disable_nagle_algorithm = True  # a body in its own packet does not wait for an ACK

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
            status, headers, body = answer(parts.path, query)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=[POLL], daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def daily_papers(days: Mapping[str, list[Any]]) -> Callable[[str, Mapping[str, str]], Page]:
    """An ``answer`` for :func:`serve` that pages through daily papers as Hugging Face does."""

    def answer(path: str, query: Mapping[str, str]) -> Page:
        if path != "/api/daily_papers":
            return 404, {}, b"not found"
        items = days.get(query.get("date", ""), [])
        limit, page = int(query.get("limit", "50")), int(query.get("p", "0"))
        part = items[page * limit : (page + 1) * limit]
        return 200, {"Content-Type": "application/json"}, json.dumps(part).encode()

    return answer


Writing = Callable[[asyncio.StreamWriter], Awaitable[None]]
Response = bytes | list[bytes] | Writing


@dataclass(frozen=True, slots=True)
class Request:
    """A request: path with query, and headers in lower case."""

    target: str
    headers: Mapping[str, str]


@dataclass
class Site:
    """A running site and the requests it received."""

    answers: dict[str, Response] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        """The site's origin."""
        return f"http://127.0.0.1:{self.port}"

    async def handle_connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer one request and close the connection."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
            request = Request(head[0].split(" ")[1], headers)
            self.requests.append(request)
            await self._answer(request, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            writer.transport.abort()
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> None:
        path = request.target.partition("?")[0]
        found = self.answers.get(request.target, self.answers.get(path, response(404)))
        if callable(found):
            await found(writer)
            return
        if isinstance(found, list):
            found = found.pop(0) if len(found) > 1 else found[0]
        writer.write(found)
        await writer.drain()


def response(status: int = 200, body: bytes = b"", **headers: str) -> bytes:
    """A whole response; ``_`` in a header's name stands for a hyphen."""
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if status != HTTPStatus.NOT_MODIFIED:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


@contextlib.asynccontextmanager
async def scripted_site(answers: Mapping[str, Response]) -> AsyncIterator[Site]:
    """Run a site with these answers."""
    site = Site(dict(answers))
    connections: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(asyncio.ensure_future(site.handle_connection(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0, limit=2**20)
    site.port = server.sockets[0].getsockname()[1]
    try:
        yield site
    finally:
        server.close()
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
