"""A whole newsletter in a folder, for acceptance tests: real commands, real SMTP, real HTTP.

The vocabulary is small: write a configuration, serve listings, run a command, read the letters.
"""

import asyncio
import contextlib
import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.processes import run_command

SHARED = Path(__file__).parents[2] / "shared"
"""Other people's listings; the tests that read them skip where they are not."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message as the server took it."""

    sender: str
    recipient: str
    content: bytes

    @property
    def message(self) -> EmailMessage:
        """The message, parsed by Python's own parser."""
        parsed = message_from_bytes(self.content, policy=policy.SMTP)
        assert isinstance(parsed, EmailMessage)
        return parsed

    @property
    def html(self) -> str:
        """The HTML part."""
        return self._part("html")

    @property
    def text(self) -> str:
        """The text part."""
        return self._part("plain")

    @property
    def titles(self) -> list[str]:
        """The titles of the papers shown, on cards and rows."""
        reader = _Titles()
        reader.feed(self.html)
        return reader.titles

    def _part(self, kind: str) -> str:
        part = self.message.get_body((kind,))
        assert part is not None
        content = part.get_content()
        assert isinstance(content, str)
        return content


class _Titles(HTMLParser):
    """Collects the text of every element marked as a paper's title."""

    def __init__(self) -> None:
        super().__init__()
        self.titles: list[str] = []
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if "paper" in (dict(attrs).get("class") or "").split():
            self._inside = tag
            self.titles.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == self._inside:
            self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.titles[-1] += data


@dataclass
class Inbox:
    """A real SMTP server on loopback, in a thread of its own.

    ``answer`` may refuse: it gets a recipient and says what to answer at RCPT, or None for yes.
    One that is ``dropping`` takes a letter and cuts the line instead of saying so.
    """

    answer: Callable[[str], str | None] = lambda _recipient: None
    arrivals: list[Arrival] = field(default_factory=list)
    port: int = 0
    dropping: bool = False

    async def handle_RCPT(  # noqa: N802 - the name aiosmtpd calls
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _opts: list[str]
    ) -> str:
        refusal = self.answer(address)
        if refusal is not None:
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - the name aiosmtpd calls
        self, server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        assert isinstance(envelope.content, bytes)
        assert envelope.mail_from is not None
        (recipient,) = envelope.rcpt_tos
        self.arrivals.append(Arrival(envelope.mail_from, recipient, envelope.content))
        if self.dropping:
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        return "250 taken"

    def to(self, email: str) -> list[Arrival]:
        """What arrived for one reader."""
        return [arrival for arrival in self.arrivals if arrival.recipient == email]


@contextlib.contextmanager
def open_inbox(answer: Callable[[str], str | None] = lambda _recipient: None) -> Iterator[Inbox]:
    """An inbox that listens until the block ends."""
    inbox = Inbox(answer)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    listening = loop.create_server(lambda: SMTP(inbox, enable_SMTPUTF8=True), "127.0.0.1", 0)
    server = asyncio.run_coroutine_threadsafe(listening, loop).result()
    inbox.port = server.sockets[0].getsockname()[1]
    try:
        yield inbox
    finally:
        loop.call_soon_threadsafe(server.close)
        asyncio.run_coroutine_threadsafe(_quiet(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _quiet() -> None:
    """End the sessions that are still open."""
    sessions = asyncio.all_tasks() - {asyncio.current_task()}
    for session in sessions:
        session.cancel()
    await asyncio.gather(*sessions, return_exceptions=True)
    await asyncio.sleep(0)  # noqa: TID251 - a turn of the loop, for the sockets to close


POLL = 0.01
"""Seconds until a server notices that it is to end."""

Page = tuple[int, Mapping[str, str], bytes]
"""An answer: status, headers, body."""


@contextlib.contextmanager
def serve(answer: Callable[[str, Mapping[str, str]], Page]) -> Iterator[str]:
    """A real HTTP server on loopback; ``answer`` gets a path and its query. Yields its origin."""

    class Handler(BaseHTTPRequestHandler):
        disable_nagle_algorithm = True  # the body, written by itself, does not wait for an ACK

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
            """Keep quiet."""

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
    """Hugging Face's daily papers as an answer for :func:`serve`, paged as the real one is."""

    def answer(path: str, query: Mapping[str, str]) -> Page:
        if path != "/api/daily_papers":
            return 404, {}, b"not found"
        items = days.get(query.get("date", ""), [])
        limit, page = int(query.get("limit", "50")), int(query.get("p", "0"))
        part = items[page * limit : (page + 1) * limit]
        return 200, {"Content-Type": "application/json"}, json.dumps(part).encode()

    return answer


@dataclass
class Newsletter:
    """A newsletter's folder and its command."""

    folder: Path
    smtp_port: int = 1

    def configure(self, **settings: object) -> None:
        """Write newsletter.yaml (YAML holds JSON) with these settings over plain ones."""
        plain = {
            "name": "Daily Papers",
            "sender": "Daily Papers <papers@example.org>",
            "postal_address": "1 Example Street, Example",
            "timezone": "UTC",
            "schedule": {"at": "07:00", "days": "daily"},
            "store": "sqlite:///newsletter.db",
            "subscribers": "subscribers.yaml",
            "smtp": {"host": "127.0.0.1", "port": self.smtp_port, "security": "none"},
            "sources": [],
        }
        text = json.dumps({**plain, **settings}, indent=1)
        (self.folder / "newsletter.yaml").write_text(text, encoding="utf-8")

    def subscribe(self, *subscribers: Mapping[str, object]) -> None:
        """Write subscribers.yaml."""
        text = json.dumps({"subscribers": list(subscribers)}, indent=1)
        (self.folder / "subscribers.yaml").write_text(text, encoding="utf-8")

    def run(self, *words: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Run the real command, in the folder; ``code`` is the exit code it must have."""
        done = run_command(words, self.folder, {**os.environ, "NO_COLOR": "1"})
        assert code is None or done.returncode == code, (done.returncode, done.stdout, done.stderr)
        return done

    def json(self, *words: str, code: int | None = 0) -> Any:  # noqa: ANN401 - any JSON
        """Run the command with --json and read its answer."""
        return json.loads(self.run(*words, "--json", code=code).stdout)

    def send(self, day: str, *words: str, code: int | None = 0) -> Any:  # noqa: ANN401 - any JSON
        """Send the issue of a day."""
        return self.json("send", "--date", day, "--yes", *words, code=code)
