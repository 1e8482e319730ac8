"""Says what a returned mail means. Pure; any bytes are accepted.

It understands delivery status notifications (RFC 3464, RFC 6533), feedback reports (RFC 5965),
readers' requests, and automatic replies (RFC 3834), which mean nothing.
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

from newsletter.delivery.refusals import READER_GONE, cause
from newsletter.model import MailEventKind

Meaning = MailEventKind | Literal["wish", "aside", "unreadable"]
"""What a mail means. ``wish``: a request that the operator has to fulfil; ``aside``: nothing to do;
``unreadable``: not understood."""

Headers = Mapping[str, str]

_RECIPIENTS = ("Delivered-To", "X-Original-To", "Envelope-To", "To", "Cc")
_REPORTS = frozenset({"message/delivery-status", "message/global-delivery-status"})
_RETURNED = frozenset(
    {"message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers"}
)
_FEEDBACK = "message/feedback-report"
_HARMLESS = frozenset({"not-spam", "auth-failure"})
_REQUEST = re.compile(
    r"\b(unsubscribe|pause|weekly|preferences)\s+([\w-]+\.[0-9a-z]+\.[\w-]+)", re.IGNORECASE
)
_BARE_UNSUBSCRIBE = re.compile(r"\s*(?:re:\s*)*unsubscribe\s*", re.IGNORECASE)
_WISHES = {
    "pause": "asks for a pause",
    "weekly": "asks for a letter a week",
    "preferences": "asks for other topics",
}
_MESSAGE_ID = re.compile(r"<[^<>\s]+>")
_BLANK_LINE = re.compile(r"\n[ \t]*\n")


@dataclass(frozen=True, slots=True)
class ParsedMail:
    """One returned mail.

    Attributes:
        id: its Message-ID, or a digest of its bytes. A mail counts once under its id.
        said: the server's words, the reader's request, or why the mail means nothing.
        sent: its date, if it has one that can be read.
        address_fields: header fields that may hold the letter's return path, best first.
        letter_ids: Message-IDs of the letters that it returns.
        token: the signed token in its subject.
        recipients: the addresses that a report names as its recipients, in lower case.
    """

    id: str
    meaning: Meaning
    said: str
    sent: datetime | None = None
    address_fields: tuple[str, ...] = ()
    letter_ids: tuple[str, ...] = ()
    token: str = ""
    recipients: tuple[str, ...] = ()


def parse(content: bytes) -> ParsedMail:
    """What a mail means."""
    digest = hashlib.blake2b(content, digest_size=16).hexdigest()
    if not content.strip():
        return ParsedMail(digest, "unreadable", "it is empty, or the newsletter may not read it")
    try:
        return _parse_message(message_from_bytes(content), digest)
    except RecursionError:
        return ParsedMail(digest, "unreadable", "its parts are nested too deeply")


def _parse_message(mail: Message, digest: str) -> ParsedMail:
    payload = mail.get_payload() if mail.is_multipart() else []
    parts = [part for part in payload if isinstance(part, Message)]
    returned = [fields for part in parts for fields in _returned_headers(part)]
    reports = [f for part in parts if part.get_content_type() in _REPORTS for f in _fields(part)]
    feedback = [f for part in parts if part.get_content_type() == _FEEDBACK for f in _fields(part)]
    subject = _subject(mail)
    meaning, said = _meaning(mail, subject, reports, feedback)
    request = _REQUEST.search(subject) if meaning in {"unsubscribe", "wish"} else None
    return ParsedMail(
        id=next(iter(_MESSAGE_ID.findall(str(mail.get("Message-ID", "")))), digest),
        meaning=meaning,
        said=said,
        sent=_date(mail),
        address_fields=tuple(_address_fields(mail, [*reports, *feedback, *returned])),
        letter_ids=tuple(
            letter_id
            for fields in returned
            for letter_id in _MESSAGE_ID.findall(fields.get("message-id", ""))
        ),
        token="" if request is None else request[2],
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
    return _request(subject)


def _request(subject: str) -> tuple[Meaning, str]:
    if (request := _REQUEST.search(subject)) is not None:
        verb = request[1].lower()
        return ("unsubscribe", "by mail") if verb == "unsubscribe" else ("wish", _WISHES[verb])
    if _BARE_UNSUBSCRIBE.fullmatch(subject):
        return "unsubscribe", "by mail"
    return "unreadable", "not a bounce, a complaint or an unsubscribe request"


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
    last = recipients[-1]
    diagnostic = last.get("diagnostic-code", "")
    words = diagnostic.partition(";")[2] or diagnostic
    said = " ".join(f"{last.get('status', '')} {words}".split())
    # One recipient who can be reached is enough: an alias with one dead member still works.
    kinds = [_bounce_kind(fields) for fields in recipients]
    if set(kinds) == {"aside"}:
        return "aside", "a report of success"
    return ("hard" if all(kind == "hard" for kind in kinds) else "soft"), said


def _bounce_kind(recipient: Headers) -> Meaning:
    """What a report says about one recipient (RFC 3464, 2.3).

    ``hard``: the mailbox does not exist. ``soft``: policy, size, a full mailbox, out of time.
    """
    action = recipient.get("action", "failed").strip().lower()
    if action in {"delivered", "relayed", "expanded"}:
        return "aside"
    status, diagnostic = recipient.get("status", ""), recipient.get("diagnostic-code", "")
    gone = (
        action != "delayed"
        and cause(status, diagnostic.partition(";")[2] or diagnostic) in READER_GONE
    )
    return "hard" if gone else "soft"


def _returned_headers(part: Message) -> Iterator[Headers]:
    """The headers of a letter that a part returns."""
    if part.get_content_type() not in _RETURNED:
        return
    payload = part.get_payload()
    if isinstance(payload, list) and payload and isinstance(payload[0], Message):
        yield _headers(payload[0])
    else:
        yield from _fields(part)[:1]


def _fields(part: Message) -> list[Headers]:
    """The blocks of header fields in a part; blank lines separate them."""
    payload = part.get_payload()
    if isinstance(payload, list):  # Python's parser splits message/* into messages
        blocks = [block for block in payload if isinstance(block, Message)]
        rest = [text for block in blocks if isinstance(text := block.get_payload(), str)]
        return [*map(_headers, blocks), *(f for text in rest for f in _blocks(text))]
    content = part.get_payload(decode=True)
    return _blocks(content.decode("utf-8", "replace")) if isinstance(content, bytes) else []


def _blocks(text: str) -> list[Headers]:
    blocks = _BLANK_LINE.split(text.replace("\r\n", "\n").strip())
    headers = (_headers(message_from_bytes(block.encode("utf-8", "replace"))) for block in blocks)
    return [fields for fields in headers if fields]


def _headers(message: Message) -> Headers:
    """A message's header fields by lower-case name; the first if a name comes twice."""
    headers: dict[str, str] = {}
    for name, value in message.items():
        headers.setdefault(name.lower(), str(value))
    return headers


def _address_fields(mail: Message, blocks: Sequence[Headers]) -> Iterator[str]:
    for name in (*_RECIPIENTS, "Received"):
        yield from map(str, mail.get_all(name, []))
    for fields in blocks:
        yield from (fields[n] for n in ("original-mail-from", "return-path") if n in fields)


def _subject(mail: Message) -> str:
    raw = " ".join(str(mail.get("Subject", "")).split())
    try:
        return str(make_header(decode_header(raw)))
    except (MessageError, LookupError, ValueError):
        return raw


def _date(mail: Message) -> datetime | None:
    try:
        date = parsedate_to_datetime(str(mail.get("Date", "")))
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
