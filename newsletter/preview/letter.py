"""Which letter the page shows, and its bytes as a mail program parses them."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parseaddr
from html import unescape
from typing import Literal, TypeVar, get_args
from urllib.parse import urlencode
from zlib import crc32

View = Literal["html", "text", "headers", "source"]
Width = Literal["desktop", "phone"]
Scheme = Literal["light", "dark"]

_SCHEME = re.compile(r"\(\s*prefers-color-scheme\s*:\s*(light|dark)\s*\)")

_HIDDEN = re.compile(r"<div[^>]*display:\s*none[^>]*>([^<]*)</div>")
_TITLE = re.compile(r"<(a|span)\b([^>]*)>([^<]+)<")
_BLANK = {ord(each): " " for each in "\u034f\u200c\u00a0"}  # what pads a preheader

MARKED = "<style>:target{outline:3px solid #0a84ff;outline-offset:4px;scroll-margin:24px}</style>"
"""Shows on which paper of the letter a link from the list of papers leads."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Choice:
    """Which letter is shown, and how.

    ``email`` is empty for a reader who wants everything; ``all_papers`` shows all papers of the
    day, as if nothing had ever been sent. ``page`` is empty for the day's letter, else a short
    email or a web page.
    """

    day: date
    email: str
    theme: str
    all_papers: bool = False
    page: str = ""
    view: View = "html"
    width: Width = "desktop"
    scheme: Scheme = "light"

    @property
    def letter(self) -> tuple[date, str, str, bool, str]:
        """The part of the choice that the letter's bytes depend on."""
        return self.day, self.email, self.theme, self.all_papers, self.page

    @property
    def query(self) -> str:
        """The choice as the query of an address."""
        return urlencode(asdict(self) | {"all_papers": "1" if self.all_papers else ""})


def parse_choice(
    query: Mapping[str, str], default: Choice, themes: Collection[str], pages: Collection[str]
) -> Choice:
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
        page=page if (page := query.get("page", "")) in pages else "",
        view=_one_of(get_args(View), query.get("view"), default.view),
        width=_one_of(get_args(Width), query.get("width"), default.width),
        scheme=_one_of(get_args(Scheme), query.get("scheme"), default.scheme),
    )


def _one_of(choices: Sequence[T], value: str | None, default: T) -> T:
    return next((choice for choice in choices if choice == value), default)


@dataclass(frozen=True, slots=True)
class ParsedLetter:
    """A letter's message, parsed; ``source`` is the message itself as text."""

    sender: str
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

    @property
    def preheader(self) -> str:
        """What an inbox shows beside the subject: the text at the top, which the letter hides."""
        hidden = _HIDDEN.search(self.html)
        return " ".join(unescape(hidden[1]).translate(_BLANK).split()) if hidden else ""


def parse_letter(content: bytes) -> ParsedLetter:
    """Parse a message."""
    message = message_from_bytes(content, policy=policy.SMTP)
    assert isinstance(message, EmailMessage)
    return ParsedLetter(
        sender=parseaddr(str(message["From"]))[0] or str(message["From"]),
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


def anchor(title: str) -> str:
    """The name of the place in the marked letter where a paper with this title is."""
    return f"paper-{crc32(title.encode()):08x}"


def mark_titles(html: str) -> tuple[str, frozenset[str]]:
    """The HTML with an anchor at every text that may be a title, and the names of the anchors."""
    found = set[str]()

    def mark(element: re.Match[str]) -> str:
        name = anchor(unescape(element[3]))
        if name in found:
            return element[0]
        found.add(name)
        return f'<{element[1]} id="{name}"{element[2]}>{element[3]}<'

    marked = _TITLE.sub(mark, html)
    return marked.replace("</head>", f"{MARKED}</head>", 1), frozenset(found)


def force_scheme(scheme: Scheme, html: str) -> str:
    """The HTML as a screen of this scheme shows it, whatever the machine's own is."""
    return _SCHEME.sub(lambda found: "all" if found[1] == scheme else "not all", html)
