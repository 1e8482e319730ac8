"""Which letter the page shows, and its bytes as a mail program parses them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Literal, TypeVar, get_args
from urllib.parse import urlencode

View = Literal["html", "text", "headers", "source"]
Width = Literal["desktop", "phone"]
Scheme = Literal["light", "dark"]

_SCHEME = re.compile(r"\(\s*prefers-color-scheme\s*:\s*(light|dark)\s*\)")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Choice:
    """Which letter is shown, and how.

    ``email`` is empty for a reader who wants everything; ``all_papers`` shows all papers of the
    day, as if nothing had ever been sent.
    """

    day: date
    email: str
    theme: str
    all_papers: bool = False
    view: View = "html"
    width: Width = "desktop"
    scheme: Scheme = "light"

    @property
    def letter(self) -> tuple[date, str, str, bool]:
        """The part of the choice that the letter's bytes depend on."""
        return self.day, self.email, self.theme, self.all_papers

    @property
    def query(self) -> str:
        """The choice as the query of an address."""
        return urlencode(asdict(self) | {"all_papers": "1" if self.all_papers else ""})


def parse_choice(query: Mapping[str, str], default: Choice, themes: tuple[str, ...]) -> Choice:
    """The choice in a query; what is missing or invalid is as in ``default``."""
    try:
        day = date.fromisoformat(query.get("day", ""))
    except ValueError:
        day = default.day
    theme = query.get("theme", "")
    return Choice(
        day=day,
        email=query.get("email", default.email),
        theme=theme if theme in themes else default.theme,
        all_papers=bool(query.get("all_papers", "")),
        view=_one_of(get_args(View), query.get("view"), default.view),
        width=_one_of(get_args(Width), query.get("width"), default.width),
        scheme=_one_of(get_args(Scheme), query.get("scheme"), default.scheme),
    )


def _one_of(choices: Sequence[T], value: str | None, default: T) -> T:
    return next((choice for choice in choices if choice == value), default)


@dataclass(frozen=True, slots=True)
class ParsedLetter:
    """A letter's message, parsed; ``source`` is the message itself as text."""

    to: str
    subject: str
    html: str
    text: str
    headers: tuple[tuple[str, str], ...]
    source: str

    @property
    def size(self) -> int:
        """Bytes of HTML, which Gmail limits."""
        return len(self.html.encode())


def parse_letter(content: bytes) -> ParsedLetter:
    """Parse a message."""
    message = message_from_bytes(content, policy=policy.SMTP)
    assert isinstance(message, EmailMessage)
    return ParsedLetter(
        to=str(message["To"]),
        subject=str(message["Subject"]),
        html=_part(message, "html"),
        text=_part(message, "plain"),
        headers=tuple((name, str(value)) for name, value in message.items()),
        source=content.decode("utf-8", errors="replace"),
    )


def _part(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    content = "" if part is None else part.get_content()
    assert isinstance(content, str)
    return content


def force_scheme(scheme: Scheme, html: str) -> str:
    """The HTML as a screen of this scheme shows it, whatever the machine's own is."""
    return _SCHEME.sub(lambda found: "all" if found[1] == scheme else "not all", html)
