"""Delivery reports that only a person was meant to read: Exim, qmail, Exchange, Yahoo and others.

Pure. Nothing here names a reader: what a report says is about whom its signed parts name.
"""

import re
from collections.abc import Iterator
from email.message import Message
from itertools import islice

from newsletter.bounces import words
from newsletter.bounces.messages import header
from newsletter.bounces.reports import Report, Verdict
from newsletter.delivery.refusals import READER_GONE, cause
from newsletter.text.patterns import pattern

_DAEMON = pattern(words.DAEMONS, re.IGNORECASE)
_ALWAYS_REPORTS = re.compile(r"mailer[-_ ]daemon", re.IGNORECASE)
_SUBJECT = pattern(words.REPORT_SUBJECTS, re.IGNORECASE)
_PHRASE = pattern(words.REPORT_PHRASES, re.IGNORECASE)
_COPY = re.compile(rf"^[ \t>|]*(?:{pattern(words.COPY).pattern})", re.IGNORECASE | re.MULTILINE)
_QUIET = pattern(words.QUIET, re.IGNORECASE)
_CODE = re.compile(r"(?<![\d.])[45]\d\d[ -]|(?<![\d.])[#(]?[45]\.\d{1,3}\.\d{1,3}\b(?!\.\d)")
_BESIDE_ADDRESS = re.compile(
    r"^\W{0,9}[^\s<>@]{1,100}@[^\s<>@]{1,200}|because|reason|error|\bsaid\b", re.IGNORECASE
)
_ASIDE = re.compile(
    r"^[^\w\n]{0,20}(?:>>>|sent <<<|->)(?!.*mail from)[^\n]*$"
    r"|\((?:expanded|generated) from:?[^()\n]*\)"
    r"|^[ \t>]*(?:the )?(?:message )?subject\b[^:\n]{0,30}:[^\n]*(?:\n[ \t]+[^\n:@]*$)?",
    re.IGNORECASE | re.MULTILINE,
)
"""Commands of a session, aliases, and the letter's subject, which may be about spam and policies.
``MAIL FROM`` stays: then the server refused the sender."""

_MAX_NOTICE = 8_000  # characters that can hold the reason
_MAX_PARAGRAPHS = 50
_MIN_NOTICE = 10  # characters before the returned letter; with fewer the notice follows it


def bounce(mail: Message, report: Report) -> Verdict | None:
    """What a report in words means; None if a mail is no report."""
    if not _is_report(mail, report):
        return None
    said = reason(report.notice)
    return ("hard" if cause("", said) in READER_GONE else "soft"), said


def is_daemons(mail: Message) -> bool:
    """Whether a mail comes from a mail system, or says so: it is no person's automatic reply."""
    return bool(_DAEMON.search(header(mail, "From")) or _SUBJECT.search(header(mail, "Subject")))


def reason(notice: str, *, only_servers: bool = False) -> str:
    """Why a letter came back, in the words that a report has for a person; empty if it says none.

    The server's own words are those with a code or beside an address. Where several explain the
    failure, the one that blames nobody is taken.
    """
    copy = _COPY.search(notice, 0, _MAX_NOTICE)
    end = copy.start() if copy and copy.start() > _MIN_NOTICE else _MAX_NOTICE
    paragraphs = list(islice(_paragraphs(_ASIDE.sub("", notice[:end])), _MAX_PARAGRAPHS))
    servers = [p for p in paragraphs if _CODE.search(p) or _BESIDE_ADDRESS.search(p)]
    others = [p for p in paragraphs if p not in servers and not _QUIET.match(p)]
    for candidates in (servers, () if only_servers else others):
        about = {words: cause("", words) for words in candidates}
        known = [words for words in candidates if about[words] != "unknown"]
        if known:
            return next((words for words in known if about[words] not in READER_GONE), known[0])
    return next(iter(servers if only_servers else [*servers, *others]), "")


def _is_report(mail: Message, report: Report) -> bool:
    """Whether a mail without a machine's report is one for a person."""
    if "X-Failed-Recipients" in mail or mail.get_param("report-type") == "delivery-status":
        return True
    sender = header(mail, "From")
    subject = _SUBJECT.search(header(mail, "Subject")) is not None
    phrase = _PHRASE.search(report.notice[:5_000]) is not None
    if _DAEMON.search(sender):
        return subject or phrase or _ALWAYS_REPORTS.search(sender) is not None
    no_person = header(mail, "Return-Path") == "<>"
    return (subject and (phrase or no_person)) or (phrase and no_person and bool(report.returned))


def _paragraphs(text: str) -> Iterator[str]:
    """The paragraphs of a text, each in one line.

    Of a session only the server's lines are read: Sendmail adds its own "User unknown" to them.
    """
    for block in re.split(r"\n[ \t>|*]*\n", text):
        lines = block.splitlines()
        session = [line for line in lines if line.lstrip().startswith(("<<<", ">>>"))]
        words = " ".join(" ".join(session or lines).split())
        if words:
            yield words[:2_000]
