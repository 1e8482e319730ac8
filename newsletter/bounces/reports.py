"""Delivery reports in the standard form (RFC 3464, RFC 6533), and complaints (RFC 5965). Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from email.message import Message

from newsletter.bounces.messages import (
    RETURNED,
    Fields,
    blocks,
    headers,
    inner_mail,
    leaves,
    part_text,
    readable_text,
)
from newsletter.delivery.refusals import READER_GONE, cause
from newsletter.model import MailEventKind

Verdict = tuple[MailEventKind | None, str]
"""What a report means and the words that say so; None: nothing that matters."""

_STATUS_PARTS = frozenset({"message/delivery-status", "message/global-delivery-status"})
_FEEDBACK = "message/feedback-report"
HARMLESS = frozenset({"not-spam", "auth-failure", "dmarc"})
"""The types of feedback reports (RFC 5965, 7.3) that are no complaints."""

_MICROSOFT = "x-hmxmroriginalrecipient"
"""Microsoft's feedback loop (JMRP) sends no feedback report, but the letter with this field."""

_STATUS_TEXT = re.compile(r"^(?:final|original)-recipient[ \t]*:", re.IGNORECASE | re.MULTILINE)
_FEEDBACK_TEXT = re.compile(r"^feedback-type[ \t]*:", re.IGNORECASE | re.MULTILINE)
_DIAGNOSTIC_TYPE = re.compile(r"^[\w-]{1,20};\s*")
_RECIPIENT = {"final-recipient", "original-recipient"}
_ADDRESS = re.compile(r"[^\s<>\"(),:;@]{1,250}@[^\s<>\"(),:;@]{1,250}")
_MAX_FIELD = 1_000  # characters of a field in which an address is sought
_MAX_RECIPIENTS = 100  # blocks of a report that are judged
_MAX_DEPTH = 5  # mails within mails


@dataclass(slots=True)
class Report:
    """The parts of a mail that matter if it is a report.

    Attributes:
        statuses: the blocks of a delivery report, one for the report and one for each recipient.
        feedback: the blocks of a feedback report.
        returned: the header fields of the letters that it returns.
        notice: what it says to a person.
    """

    statuses: list[Fields] = field(default_factory=list)
    feedback: list[Fields] = field(default_factory=list)
    returned: list[Fields] = field(default_factory=list)
    notice: str = ""


def find_report(mail: Message, depth: int = 0) -> Report:
    """The report in a mail, or in a mail that it forwards."""
    report, inner = Report(notice=readable_text(mail)), []
    for part in leaves(mail):
        kind = part.get_content_type()
        if kind in _STATUS_PARTS:
            report.statuses += blocks(part_text(part))
        elif kind == _FEEDBACK:
            report.feedback += blocks(part_text(part))
        elif kind in RETURNED:
            found = inner_mail(part)
            report.returned += [headers(found)] if found else blocks(part_text(part))[:1]
            inner += [found] if found else []
    if report.statuses or report.feedback:
        return report
    for forwarded in inner if depth < _MAX_DEPTH else []:
        within = find_report(forwarded, depth + 1)
        if within.statuses or within.feedback:
            return within
    _read_as_text(report)
    return report


def recipients(report: Report) -> Iterator[str]:
    """The addresses that a report names as its recipients, in lower case.

    The letter's own address comes first: a server may report the address that it was forwarded to.
    """
    names = ("original-recipient", "final-recipient", "original-rcpt-to", _MICROSOFT)
    named = [block[name] for name in names for block in _blocks(report) if name in block]
    sent_to = [block["to"] for block in report.returned if "to" in block]
    for text in (*sent_to, *named):
        yield from (address.lower() for address in _ADDRESS.findall(text[:_MAX_FIELD])[:1])


def complaint(report: Report) -> Verdict | None:
    """What a feedback report means; None if there is none, or if it does not say its type."""
    for block in report.feedback:
        if kind := block.get("feedback-type", "").strip().lower():
            agent = block.get("user-agent", "").strip()
            said = f"{kind} ({agent})" if agent else kind
            return (None if kind in HARMLESS else "complaint"), said
    if not report.statuses and any(_MICROSOFT in block for block in report.returned):
        return "complaint", "abuse (Microsoft's feedback loop)"
    return None


def delivery(report: Report, explained: str) -> Verdict | None:
    """What a delivery report means; None if it names no recipient.

    ``explained`` is the reason that it gives to a person, for reports without the server's words.
    """
    named = [b for b in report.statuses if b.keys() & {"final-recipient", "action", "status"}]
    if not named:
        return None
    said = " ".join(f"{named[-1].get('status', '')} {_words(named[-1]) or explained}".split())
    # One recipient who can be reached is enough: an alias with one dead member still works.
    kinds = [_kind(block, explained) for block in named[:_MAX_RECIPIENTS]]
    if set(kinds) == {None}:
        return None, "a report of success"
    return ("hard" if all(kind == "hard" for kind in kinds) else "soft"), said


def _kind(recipient: Fields, explained: str) -> MailEventKind | None:
    """What a report says about one recipient (RFC 3464, 2.3).

    ``hard``: the mailbox does not exist. ``soft``: policy, size, a full mailbox, out of time.
    """
    action = recipient.get("action", "failed").strip().lower()
    if action in {"delivered", "relayed", "expanded"}:
        return None
    status = recipient.get("status", "")
    words = _words(recipient)
    about = cause(status, words or explained)
    if about == "unknown" and not words:  # the text gives no reason either
        about = cause(status, "")
    return "hard" if about in READER_GONE and action != "delayed" else "soft"


def _words(recipient: Fields) -> str:
    """The server's words in a block (``smtp; 550 no such user``)."""
    diagnostic = recipient.get("diagnostic-code", "")
    return _DIAGNOSTIC_TYPE.sub("", diagnostic)


def _read_as_text(report: Report) -> None:
    """Read a report whose machine part is sent as plain text."""
    if _STATUS_TEXT.search(report.notice):
        report.statuses += [b for b in blocks(report.notice) if b.keys() & _RECIPIENT]
    elif _FEEDBACK_TEXT.search(report.notice):
        report.feedback += blocks(report.notice)


def _blocks(report: Report) -> Sequence[Fields]:
    return [*report.statuses, *report.feedback, *report.returned]
