"""What may stay of a text or an address from outside: characters and links."""

# ruff: noqa: RUF001 - characters that look alike are the subject here

import re
import unicodedata
from collections.abc import Iterator
from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

from newsletter.text.kept import kept

MAX_MARKS = 30
"""Combining marks in a row: the limit of Unicode's Stream-Safe Text Format (UAX #15, 12.4).

More of them smear over other lines, and normalising them takes quadratic time."""

_UNPRINTABLE = re.compile(
    "["
    r"\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f"  # controls that are no white space
    r"\ud800-\udfff"  # halves of a pair
    r"\u00ad\u200b\u2060\ufeff"  # invisible hyphens, joints and marks
    r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f"  # direction marks and overrides
    r"\ufff9-\ufffb\U000e0001-\U000e007f"  # annotations and tags
    r"\ue000-\uf8ff\U000f0000-\U0010ffff"  # private use
    r"\ufdd0-\ufdef\ufffe\uffff"  # noncharacters, like the last two of each plane
    + "".join(
        f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0x10000, 0xF0000, 0x10000)
    )
    + "]"
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_LOOKALIKES = str.maketrans("‐‑‒–—―−‘’“”", "-------''\"\"")


def clean(text: str) -> str:
    """The text without characters that cannot be shown, sent, or put into XML 1.0.

    White space is collapsed. Control and private characters, lone surrogates, noncharacters,
    direction overrides and invisible joiners are removed. The result is composed (NFC).
    """
    on_one_line = text.replace("\n", " ")
    if on_one_line.isascii() and on_one_line.isprintable():  # most texts: the short way
        return " ".join(on_one_line.split())
    if not text.isascii():
        text = "".join(_stream_safe(_join_surrogates(text)))
    printable = _UNPRINTABLE.sub("", text)
    return " ".join(unicodedata.normalize("NFC", printable).split())


@kept(1024)
def fold(text: str) -> str:
    """The text for comparing: without case and accents, with plain hyphens and quotes."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text).translate(_LOOKALIKES)
    bare = "".join(c for c in decomposed if not unicodedata.combining(c))
    return unicodedata.normalize("NFKC", bare.casefold())


def _join_surrogates(text: str) -> str:
    """Join each pair of surrogates into its character."""
    if not _SURROGATE.search(text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")


def _stream_safe(text: str) -> Iterator[str]:
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.combining(character) else 0
        if marks <= MAX_MARKS:
            yield character


MAX_URL_LENGTH = 2_000  # browsers and mail clients differ in what they do with longer addresses

_FORBIDDEN_IN_URL = re.compile(r"[\s\x00-\x20\x7f-\xa0\ud800-\udfff\\]")
_HOST = re.compile(r"[a-z0-9._-]+|\[[0-9a-f:.]+\]")
_SAFE = "%/:?#[]@!$&'()*+,;=-._~|"


@kept(2048)
def http_url(value: str | None) -> str | None:
    """An absolute http or https address as a link (RFC 3986), or None if it cannot be one.

    None for relative addresses, other schemes, credentials, white space, control characters,
    backslashes, and more than ``MAX_URL_LENGTH`` characters. Other characters than ASCII are
    percent-encoded (RFC 3987), in the host by IDNA.
    """
    value = (value or "").strip()
    if not value or _FORBIDDEN_IN_URL.search(value):
        return None
    try:
        parts = urlsplit(value)
        netloc = _netloc(parts)
    except ValueError:  # a host that is not valid IDNA raises UnicodeError, a ValueError
        return None
    if parts.scheme not in {"http", "https"} or netloc is None:
        return None
    path, query, fragment = (quote(part, safe=_SAFE) for part in parts[2:])
    url = urlunsplit((parts.scheme, netloc, path, query, fragment))
    return url if len(url) <= MAX_URL_LENGTH else None


def _netloc(parts: SplitResult) -> str | None:
    """Host and port; None without a host, or with credentials."""
    if not parts.hostname or "@" in parts.netloc:
        return None
    host = parts.hostname.encode("idna").decode("ascii")
    host = f"[{host}]" if ":" in host else host
    if not _HOST.fullmatch(host):
        return None
    return host if parts.port is None else f"{host}:{parts.port}"
