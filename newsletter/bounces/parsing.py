"""Says what a returned mail means. Pure; any bytes are accepted.

A signed word of the reader is asked for first, then a delivery report, a complaint, a request
without a signed word, and last an automatic reply, which means nothing: mail programs mark requests
to unsubscribe as automatic, and mail systems their reports.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import Message
from email.utils import parsedate_to_datetime
from typing import Literal

from newsletter.bounces import prose, reports, requests
from newsletter.bounces.messages import blocks, header, leaves
from newsletter.bounces.reports import Report
from newsletter.model import MailEventKind

Meaning = MailEventKind | Literal["wish", "aside", "unreadable"]
"""What a mail means. ``wish``: a request that the operator has to fulfil; ``aside``: nothing to do;
``unreadable``: not understood."""

_MESSAGE_ID = re.compile(r"<[^<>\s]{1,500}>")
_RECEIPT = "message/disposition-notification"
_RETURNED = re.compile(r"^[ \t>|]*(?:return-path|message-id)[ \t]*:", re.IGNORECASE | re.MULTILINE)
_QUOTED = re.compile(r"^[ \t>|]+(?=\S+:)", re.MULTILINE)


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
    report = reports.find_report(mail)
    meaning, said, token = _meaning(mail, report)
    is_report = meaning in {"hard", "soft", "complaint"}
    if is_report and not report.returned:
        report.returned += blocks(_copy(report.notice))
    named = [*reports.recipients(report), header(mail, "X-Failed-Recipients").lower()]
    return ParsedMail(
        id=next(iter(_MESSAGE_ID.findall(str(mail.get("Message-ID", "")))), digest),
        meaning=meaning,
        said=said,
        sent=_date(mail),
        address_fields=tuple(_address_fields(mail, report)),
        letter_ids=tuple(
            letter_id
            for fields in report.returned
            for letter_id in _MESSAGE_ID.findall(fields.get("message-id", ""))
        ),
        token=token,
        recipients=tuple(dict.fromkeys(filter(None, named))) if is_report else (),
    )


def _meaning(mail: Message, report: Report) -> tuple[Meaning, str, str]:
    """What a mail means, the words that say so, and the signed token of a request."""
    is_report = bool(report.statuses or report.feedback)
    if request := requests.signed_request(mail, "" if is_report else report.notice):
        return request
    if verdict := _report_verdict(mail, report):
        return verdict[0] or "aside", verdict[1], ""
    if request := requests.bare_request(mail, report.notice):
        return request
    if is_report or mail.get_content_type() == "multipart/report" or prose.is_daemons(mail):
        return "unreadable", "a report without a part that a machine can read", ""
    if requests.is_automatic(mail):
        return "aside", "an automatic reply", ""
    return "unreadable", "not a bounce, a complaint or an unsubscribe request", ""


def _report_verdict(mail: Message, report: Report) -> reports.Verdict | None:
    if any(part.get_content_type() == _RECEIPT for part in leaves(mail)):
        return None, "a receipt"
    explained = prose.reason(report.notice, only_servers=True) if report.statuses else ""
    return (
        reports.delivery(report, explained)
        or reports.complaint(report)
        or (None if report.feedback else prose.bounce(mail, report))
    )


def _copy(notice: str) -> str:
    """The part of a report in words that returns the letter, as header fields."""
    found = _RETURNED.search(notice)
    return "" if found is None else _QUOTED.sub("", notice[found.start() :])


def _address_fields(mail: Message, report: Report) -> Iterator[str]:
    yield from requests.came_to(mail)
    for fields in (*report.statuses, *report.feedback, *report.returned):
        yield from (fields[n] for n in ("original-mail-from", "return-path") if n in fields)


def _date(mail: Message) -> datetime | None:
    try:
        date = parsedate_to_datetime(str(mail.get("Date", "")))
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
