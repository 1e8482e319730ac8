"""A real SMTP server on loopback that keeps the messages it accepts."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser

from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass(frozen=True, slots=True)
class ReceivedMail:
    """One message as the server received it."""

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
    """Collects the title of every paper: the element marked so on a card, and what a row says.

    A row has the upvotes before it, in ``b``, and the organization after it, in ``small``. A
    correction, whose title is marked as ``new``, is none.
    """

    def __init__(self) -> None:
        super().__init__()
        self.titles: list[str] = []
        self._inside = self._beside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        classes = {*(dict(attrs).get("class") or "").split()}
        if {"paper", "row"} & classes:
            self._inside = tag
            self.titles.append("")
        elif "new" in classes and self._inside:
            self._inside = ""
            self.titles.pop()
        elif tag in {"b", "small"}:
            self._beside = tag

    def handle_endtag(self, tag: str) -> None:
        if tag == self._inside:
            self._inside = ""
            self.titles[-1] = self.titles[-1].strip()
        elif tag == self._beside:
            self._beside = ""

    def handle_data(self, data: str) -> None:
        if self._inside and not self._beside:
            self.titles[-1] += data


@dataclass
class Inbox:
    """A real SMTP server on loopback, in its own thread.

    ``answer`` gets a recipient and returns a refusal for RCPT, or None to accept. A server that is
    ``dropping`` receives a message and cuts the connection instead of replying.
    """

    answer: Callable[[str], str | None] = lambda _recipient: None
    arrivals: list[ReceivedMail] = field(default_factory=list)
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
        self.arrivals.append(ReceivedMail(envelope.mail_from, recipient, envelope.content))
        if self.dropping:
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
        return "250 taken"

    def to(self, email: str) -> list[ReceivedMail]:
        """The messages to one recipient."""
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
        asyncio.run_coroutine_threadsafe(_cancel_sessions(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _cancel_sessions() -> None:
    """Cancel the sessions that are still open."""
    sessions = asyncio.all_tasks() - {asyncio.current_task()}
    for session in sessions:
        session.cancel()
    await asyncio.gather(*sessions, return_exceptions=True)
    await asyncio.sleep(0)  # noqa: TID251 - lets the loop close the sockets
