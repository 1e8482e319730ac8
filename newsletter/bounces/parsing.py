"""What a mail that came back means: pure, and it takes any bytes whatever.

It knows delivery status notifications (RFC 3464, RFC 6533), feedback reports (RFC 5965), the
mails of readers who leave, and automatic replies (RFC 3834), which mean nothing.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.utils import parsedate_to_datetime
from typing import Literal

from newsletter.bounces.classifying import blame
from newsletter.model import MailEventKind

Meaning = MailEventKind | Literal["wish", "aside", "unreadable"]
"""What a mail means; a ``wish`` is one the operator has to fulfil; ``aside`` asks for nothing;
``unreadable`` is none that is known here."""

Headers = Mapping[str, str]

_RECIPIENTS = ("Delivered-To", "X-Original-To", "Envelope-To", "To", "Cc")
_REPORTS = frozenset({"message/delivery-status", "message/global-delivery-status"})
_RETURNED = frozenset(
    {"message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers"}
)
_FEEDBACK = "message/feedback-report"
_HARMLESS = frozenset({"not-spam", "auth-failure"})
_ASKS = re.compile(
    r"\b(unsubscribe|pause|weekly|preferences)\s+([\w-]+\.[0-9a-z]+\.[\w-]+)", re.IGNORECASE
)
_LEAVES = re.compile(r"\s*(?:re:\s*)*unsubscribe\s*", re.IGNORECASE)
_WISHES = {
    "pause": "asks for a pause",
    "weekly": "asks for a letter a week",
    "preferences": "asks for other topics",
}
_MESSAGE_ID = re.compile(r"<[^<>\s]+>")
_BLANK_LINE = re.compile(r"\n[ \t]*\n")


@dataclass(frozen=True, slots=True)
class ParsedMail:
    """One mail that came back.

    Attributes:
        name: the mail's own Message-ID, or a digest of its bytes: it counts once under it.
        meaning: what it means.
        said: the server's words, what the reader wishes, or why it means nothing.
        sent: its date, where it has one that can be read.
        addresses: what may hold the return path of the letter it is about, best first.
        letters: Message-IDs of the letters it brings back.
        token: what the subject carries after its verb.
    """

    name: str
    meaning: Meaning
    said: str
    sent: datetime | None = None
    addresses: tuple[str, ...] = ()
    letters: tuple[str, ...] = ()
    token: str = ""


def parse(content: bytes) -> ParsedMail:
    """What a mail means."""
    digest = hashlib.blake2b(content, digest_size=16).hexdigest()
    if not content.strip():
        return ParsedMail(digest, "unreadable", "it is empty, or not ours to read")
    try:
        return _parsed(message_from_bytes(content), digest)
    except RecursionError:
        return ParsedMail(digest, "unreadable", "its parts are nested without end")


def _parsed(mail: Message, digest: str) -> ParsedMail:
    inside = mail.get_payload() if mail.is_multipart() else []
    parts = [part for part in inside if isinstance(part, Message)]
    returned = [fields for part in parts for fields in _returned(part)]
    reports = [f for part in parts if part.get_content_type() in _REPORTS for f in _fields(part)]
    feedback = [f for part in parts if part.get_content_type() == _FEEDBACK for f in _fields(part)]
    subject = _subject(mail)
    meaning, said = _meaning(mail, subject, reports, feedback)
    asks = _ASKS.search(subject) if meaning in {"unsubscribe", "wish"} else None
    return ParsedMail(
        name=_only(mail.get("Message-ID")) or digest,
        meaning=meaning,
        said=said,
        sent=_date(mail),
        addresses=tuple(_addresses(mail, [*reports, *feedback, *returned])),
        letters=tuple(
            found
            for fields in returned
            for found in _MESSAGE_ID.findall(fields.get("message-id", ""))
        ),
        token="" if asks is None else asks[2],
    )


def _meaning(
    mail: Message, subject: str, reports: Sequence[Headers], feedback: Sequence[Headers]
) -> tuple[Meaning, str]:
    if feedback:
        return _complaint(feedback[0])
    if reports:
        return _bounce(reports)
    if mail.get_content_type() == "multipart/report":
        return "unreadable", "a report without a part that a machine can read"
    automatic = str(mail.get("Auto-Submitted", "no")).strip().lower()
    if automatic.startswith("auto-replied"):
        return "aside", "an automatic reply"
    return _wish(subject)


def _wish(subject: str) -> tuple[Meaning, str]:
    if (asks := _ASKS.search(subject)) is not None:
        verb = asks[1].lower()
        return ("unsubscribe", "by mail") if verb == "unsubscribe" else ("wish", _WISHES[verb])
    if _LEAVES.fullmatch(subject):
        return "unsubscribe", "by mail"
    return "unreadable", "no bounce, no complaint, no wish to leave"


def _complaint(fields: Headers) -> tuple[Meaning, str]:
    kind = fields.get("feedback-type", "").strip().lower()
    agent = fields.get("user-agent", "").strip()
    said = f"{kind} ({agent})" if agent else kind
    if not kind:
        return "unreadable", "a feedback report without its type"
    return ("aside" if kind in _HARMLESS else "complaint"), said


def _bounce(blocks: Sequence[Headers]) -> tuple[Meaning, str]:
    recipients = [b for b in blocks if "final-recipient" in b or "action" in b or "status" in b]
    if not recipients:
        return "unreadable", "a delivery report that names no recipient"
    meaning = blame(recipients)
    last = recipients[-1]
    words = last.get("diagnostic-code", "").partition(";")[2] or last.get("diagnostic-code", "")
    said = " ".join(f"{last.get('status', '')} {words}".split())
    return meaning, "a report of success" if meaning == "aside" else said


def _returned(part: Message) -> Iterator[Headers]:
    """The headers of a letter that a part brings back."""
    if part.get_content_type() not in _RETURNED:
        return
    inner = part.get_payload()
    if isinstance(inner, list) and inner and isinstance(inner[0], Message):
        yield _headers(inner[0])
    else:
        yield from _fields(part)[:1]


def _fields(part: Message) -> list[Headers]:
    """The blocks of fields a part holds, between blank lines."""
    inner = part.get_payload()
    if isinstance(inner, list):  # as Python's parser takes message/* apart
        blocks = [block for block in inner if isinstance(block, Message)]
        rest = [text for block in blocks if isinstance(text := block.get_payload(), str)]
        return [*map(_headers, blocks), *(f for text in rest for f in _blocks(text))]
    found = part.get_payload(decode=True)
    return _blocks(found.decode("utf-8", "replace")) if isinstance(found, bytes) else []


def _blocks(text: str) -> list[Headers]:
    blocks = _BLANK_LINE.split(text.replace("\r\n", "\n").strip())
    read = (_headers(message_from_bytes(block.encode("utf-8", "replace"))) for block in blocks)
    return [fields for fields in read if fields]


def _headers(message: Message) -> Headers:
    """A message's fields by lower-case name; of those that come twice the first."""
    found: dict[str, str] = {}
    for name, value in message.items():
        found.setdefault(name.lower(), str(value))
    return found


def _addresses(mail: Message, inside: Sequence[Headers]) -> Iterator[str]:
    for name in _RECIPIENTS:
        yield from map(str, mail.get_all(name, []))
    yield from map(str, mail.get_all("Received", []))
    for fields in inside:
        yield from (fields[n] for n in ("original-mail-from", "return-path") if n in fields)


def _subject(mail: Message) -> str:
    written = " ".join(str(mail.get("Subject", "")).split())
    try:
        return str(make_header(decode_header(written)))
    except (MessageError, LookupError, ValueError):
        return written


def _date(mail: Message) -> datetime | None:
    try:
        found = parsedate_to_datetime(str(mail.get("Date", "")))
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _only(header: object) -> str:
    found = _MESSAGE_ID.search(str(header or ""))
    return found[0] if found else ""
