"""What a server's refusal is about: the reader's mailbox, or the sender, the message, the moment.

One rule book for replies in session, delivery reports and providers' webhooks.
"""

import re
from functools import cache, lru_cache

from newsletter.delivery import refusal_words
from newsletter.text.patterns import pattern

Cause = refusal_words.Cause

READER_GONE: frozenset[Cause] = frozenset({"no such mailbox", "no such domain"})
"""The causes that count against a reader. Everything else may be our fault or will pass."""

_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?!\.?\d)")
"""An enhanced status code (RFC 3463) that is not part of an IP address."""

_REPLY = re.compile(r"(?:^|said:|;)\s*([245])[0-5]\d(?=[\s-])", re.IGNORECASE)
"""A reply's code (RFC 5321, 4.2), where a reply can begin."""

_MAX_WORDS = 2_000  # characters of a reply that are read

_ADDRESS = re.compile(
    r"(?<![\w.!#$%&'*+/=?^{|}~-])[a-z0-9.!#$%&'*+/=?^_{|}~-]{1,250}@[a-z0-9.-]{1,250}",
    re.IGNORECASE | re.ASCII,
)
_NOT_WORDS = re.compile(
    r"https?://[^\s<>\"]{1,500}"
    r"|\b(?:[A-Za-z0-9_-]{1,63}\.){1,9}(?:[a-z]{2,24}|[A-Z]{2,24})\b"  # host names
    r"|\b[245]\d\d[ -]+(?=#?[245]\.\d{1,3}\.\d{1,3}\b)"  # Gmail repeats its codes in each line
    r"|(?<![\d.])#?[245]\.\d{1,3}\.\d{1,3}\b(?!\.\d)"
    r"|\(in reply to (?:RCPT TO|DATA|end of DATA) command\)|\b[Hh]ost (?:\S{1,300} )?said:"
    r"|\bto (?:the )?sender\b|[<>\[\]]"
)
"""What stands in a reply and would be read as words: an address may be ``spam@sender.example``."""

_IRONPORT = re.compile(r"5\.1\.0 - Unknown address error", re.IGNORECASE)
"""IronPort puts this before every refusal, also of the sender or for a full mailbox."""

_BLOCKLISTS = pattern(refusal_words.BLOCKLISTS)
_NAMES = {name: getattr(refusal_words, name) for name in ("NOT_HERE", "BLOCKLISTS", "WHO", "GONE")}


@cache  # most commands never meet a refusal, and the rules take some time to compile
def _rules() -> tuple[tuple[Cause, re.Pattern[str]], ...]:
    return tuple((about, pattern(lines, **_NAMES)) for about, lines in refusal_words.REFUSALS)


_SUBJECTS: dict[str, Cause] = {"3": "temporary", "4": "temporary", "6": "content", "7": "policy"}
_CODES: dict[tuple[str, ...], Cause] = {
    ("1", "1"): "no such mailbox",
    ("1", "2"): "no such domain",
    ("1", "3"): "no such mailbox",
    ("1", "6"): "no such mailbox",
    ("1", "7"): "sender",
    ("1", "8"): "sender",
    ("1", "10"): "no such domain",  # RFC 7505; Exchange's RecipientNotFound has words
    ("2", "2"): "mailbox full",
    ("2", "3"): "content",
    ("3", "4"): "content",
    ("4", "4"): "no such domain",
    ("5", "3"): "rate",
    **{("7", str(detail)): "sender" for detail in (*range(20, 28), 29)},
    ("7", "28"): "rate",
}
"""What the codes of RFC 3463, 7372, 7505 mean where a reply has no words that are known. Not 1.0,
4.1 and the bare 550: servers give them for anything."""

_NAMES_MAILBOX = re.compile(
    r"recipient|mailbox(?! unavail)|\buser|account|unknown|address rejected"
)
"""Words that a refusal needs before a report's code is believed: Sendmail gives 5.1.1 to every 550
at RCPT, also to "550 go away"."""


def cause(status: str, said: str) -> Cause:
    """What a refusal is about.

    The server's words decide, because codes lie: 5.1.1 also stands before blocklists, full
    mailboxes and daily limits, and 5.7.1 before unknown users. Its codes decide where none of its
    words is known; those of its own reply before ``status``.

    Args:
        status: the enhanced status code of a report (RFC 3464, 2.3.4); may be empty.
        said: the server's reply, with its code if it has one; may be empty.
    """
    return _cause(status[:_MAX_WORDS], said[:_MAX_WORDS])


@lru_cache(maxsize=512)  # a relay says the same to many letters, and is asked about it again
def _cause(status: str, said: str) -> Cause:
    said = _IRONPORT.sub("", said).strip()
    own, reported = _exact_code(said), _exact_code(status)
    code = own or reported
    words = f"{'.'.join(code)} {_words(said)}".rstrip()
    passes = _is_temporary(status, said)
    about = next((about for about, rule in _rules() if rule.search(words)), None)
    if about is None and code:
        about = _CODES.get(code[1:]) or _SUBJECTS.get(code[1])
        if about in READER_GONE and said and not (own or _NAMES_MAILBOX.search(words)):
            about = None
    if about in READER_GONE and passes and "nxdomain" not in words:
        return "temporary"
    if about in READER_GONE and "sender" in {_CODES.get(one[1:]) for one in (own, reported)}:
        return "sender"  # "501 5.1.7 invalid address"
    return about or ("temporary" if passes else "unknown")


def is_servers(reply: str) -> bool:
    """Whether a reply is a server's: those begin with a code (RFC 5321, 4.2), ours with a word."""
    return reply[:1].isdigit()


def refuses_reader(reply: str) -> bool:
    """Whether a reply to one of our letters says that the mailbox does not exist."""
    return reply.startswith("5") and cause("", reply) in READER_GONE


def _words(said: str) -> str:
    """A reply's words in lower case, without codes, addresses, and names of hosts."""
    said = _ADDRESS.sub(" address ", said)
    lists = " ".join(_BLOCKLISTS.findall(said.lower()))  # often only a link names them
    return " ".join(f"{_NOT_WORDS.sub(' ', said)} {lists}".lower().split())


def _exact_code(text: str) -> tuple[str, ...]:
    """The first enhanced status code in a text that says more than its class; empty if none."""
    codes = (found.groups() for found in _STATUS.finditer(text))
    return next((code for code in codes if code[1:] != ("0", "0")), ())


def _is_temporary(status: str, said: str) -> bool:
    """Whether a refusal is of class 4: by the reply's code, or else by a status code."""
    found = _REPLY.search(said) or _STATUS.search(said) or _STATUS.search(status)
    return found is not None and found[1] == "4"
