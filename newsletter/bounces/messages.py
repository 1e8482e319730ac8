"""Reads the parts and header fields of a mail, also of one that breaks the rules. Pure."""

import base64
import quopri
import re
from collections.abc import Iterator, Mapping
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from html import unescape
from itertools import islice

Fields = Mapping[str, str]
"""Header fields by lower-case name; the first if a name comes twice."""

RETURNED = frozenset(
    {"message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers"}
)
"""The content types of a returned letter (RFC 6522, RFC 6533)."""

_MAX_TEXT = 100_000  # characters of a part, and of all that a person reads, that are read
_MAX_PARTS = 20  # parts with text that are read
_MAX_HEADER = 2_000  # characters of a header field that are read
_BLANK_LINE = re.compile(r"\n[ \t]*\n")
_FIELD = re.compile(r"([!-9;-~]{1,76})[ \t]*:[ \t]*(.*)", re.DOTALL)
_FOLDED = re.compile(r"\n[ \t]+")
_TAG = re.compile(r"<(?:br|/?p|/?div|/?tr|/?li)\b[^<>]{0,200}>", re.IGNORECASE)
_MARKUP = re.compile(r"<[^<>]{0,2000}>")


def leaves(mail: Message) -> Iterator[Message]:
    """The parts of a mail that hold content. A mail within it is one part."""
    payload = mail.get_payload()
    if isinstance(payload, list) and mail.get_content_maintype() != "message":
        for part in payload:
            if isinstance(part, Message):
                yield from leaves(part)
    else:
        yield mail


def inner_mail(part: Message) -> Message | None:
    """The mail within a part, if it is one."""
    payload = part.get_payload()
    if part.get_content_type() in RETURNED and isinstance(payload, list) and payload:
        return payload[0] if isinstance(payload[0], Message) else None
    return None


def part_text(part: Message) -> str:
    """A part's content as text, whatever its encoding and charset."""
    payload = part.get_payload()
    if isinstance(payload, list):  # Python's parser splits message/* before it decodes
        text = "\n\n".join(_source(inner) for inner in payload if isinstance(inner, Message))
        encoding = str(part.get("Content-Transfer-Encoding", "")).strip().lower()
        content = _decoded(text.encode("utf-8", "surrogateescape"), encoding)
    else:
        decoded = part.get_payload(decode=True)
        content = decoded if isinstance(decoded, bytes) else b""
    text = _text(content[: 4 * _MAX_TEXT], part.get_content_charset("utf-8"))
    return text.replace("\r\n", "\n").replace("\r", "\n")[:_MAX_TEXT]


def readable_text(mail: Message) -> str:
    """What a person reads in a mail: its plain text, or else the text of its HTML."""
    found = (part for part in leaves(mail) if part.get_content_maintype() == "text")
    texts = list(islice(found, _MAX_PARTS))
    plain = [part_text(p) for p in texts if p.get_content_type() == "text/plain"]
    html = [part_text(p) for p in texts if p.get_content_type() == "text/html"]
    marked = (unescape(_MARKUP.sub(" ", _TAG.sub("\n", text))) for text in html)
    return "\n\n".join(plain if any(map(str.strip, plain)) else marked)[:_MAX_TEXT]


def blocks(text: str) -> list[Fields]:
    """The blocks of header fields in a text; blank lines separate them."""
    found = (fields(block) for block in _BLANK_LINE.split(text.strip()))
    return [block for block in found if block]


def fields(block: str) -> Fields:
    """The header fields of a block, also those with a space before the colon."""
    found: dict[str, str] = {}
    for line in _FOLDED.sub(" ", block).splitlines():
        if (field := _FIELD.fullmatch(line)) is not None:
            found.setdefault(field[1].lower(), field[2].strip())
    return found


def headers(mail: Message) -> Fields:
    """A mail's header fields, also those with bytes that are not ASCII."""
    found: dict[str, str] = {}
    for name, value in mail.raw_items():
        text = str(value).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        found.setdefault(name.strip().lower(), text)
    return found


def header(mail: Message, name: str) -> str:
    """A header field in one line, with its encoded words decoded; empty if there is none."""
    raw = " ".join(headers(mail).get(name.lower(), "")[:_MAX_HEADER].split())
    try:
        return str(make_header(decode_header(raw)))
    except (MessageError, LookupError, ValueError):
        return raw


def _source(mail: Message) -> str:
    payload = mail.get_payload()
    lines = [f"{name}: {value}\n" for name, value in mail.raw_items()]
    return "".join(lines) + "\n" * bool(lines) + (payload if isinstance(payload, str) else "")


def _decoded(content: bytes, encoding: str) -> bytes:
    if encoding == "quoted-printable":
        return quopri.decodestring(content)
    if encoding == "base64":
        letters = re.sub(rb"[^A-Za-z0-9+/]", b"", content)
        return base64.b64decode(letters[: len(letters) // 4 * 4] + _rest(letters))
    return content


def _rest(letters: bytes) -> bytes:
    """The last letters of base64, filled up; nothing if one letter is left over."""
    rest = letters[len(letters) // 4 * 4 :]
    return rest + b"=" * (4 - len(rest)) if len(rest) > 1 else b""


def _text(content: bytes, charset: str) -> str:
    try:
        return content.decode(charset, "replace")
    except (LookupError, ValueError):  # ValueError: a name with a null byte
        return content.decode("utf-8", "replace")
