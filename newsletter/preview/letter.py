"""A letter's bytes, read back as a mail program reads them."""

import re
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage

from newsletter.preview.choice import Scheme

_SCHEME = re.compile(r"\(\s*prefers-color-scheme\s*:\s*(light|dark)\s*\)")


@dataclass(frozen=True, slots=True)
class Letter:
    """One letter as the page shows it; ``source`` is the message's own text."""

    to: str
    subject: str
    html: str
    text: str
    headers: tuple[tuple[str, str], ...]
    source: str

    @classmethod
    def read(cls, content: bytes) -> "Letter":
        """A message, parsed."""
        message = message_from_bytes(content, policy=policy.SMTP)
        assert isinstance(message, EmailMessage)
        return cls(
            to=str(message["To"]),
            subject=str(message["Subject"]),
            html=_part(message, "html"),
            text=_part(message, "plain"),
            headers=tuple((name, str(value)) for name, value in message.items()),
            source=content.decode("utf-8", errors="replace"),
        )

    @property
    def size(self) -> int:
        """Bytes of HTML, which Gmail counts."""
        return len(self.html.encode())


def on(scheme: Scheme, html: str) -> str:
    """The HTML as a screen of this scheme shows it, whatever that of the machine is."""
    return _SCHEME.sub(lambda asked: "all" if asked[1] == scheme else "not all", html)


def _part(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    content = "" if part is None else part.get_content()
    assert isinstance(content, str)
    return content
