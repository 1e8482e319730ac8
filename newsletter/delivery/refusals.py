"""Whether a server's refusal is about the reader's mailbox (RFC 3463, RFC 5248)."""

import re

_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?!\.?\d)")
"""An enhanced status code (RFC 3463) that is not part of an IP address."""

_NOT_THE_READER = frozenset({(1, 7), (1, 8)})
"""The codes of X.1 (addresses) that are about the sender's address."""

_NOBODY_THERE = frozenset({(2, 1), (4, 1), (4, 4)})
"""Codes outside X.1 that mean the same: a closed mailbox (2.1), an unknown user at Exchange (4.1),
a domain without a server (4.4)."""

_NO_MAILBOX = re.compile(
    r"no such (?:user|mailbox|recipient|address|person)|(?:user|mailbox|recipient|address|account)"
    r".{0,40}(?:unknown|not found|not exist|invalid|disabled|inactive)"
    r"|(?:unknown|invalid) (?:user|mailbox|recipient|address|account)|unrouteable address",
    re.IGNORECASE,
)
"""How servers say that there is no such mailbox if they give no exact code."""


def nobody_there(status: str, said: str) -> bool:
    """Whether a server's reply, or a bounce's enhanced status code, says there is no such mailbox.

    A relay that begins to refuse everything says 550 too. So without an exact code the words
    decide, and not the reply's code.
    """
    found = _STATUS.search(status)
    if found is None or _is_inexact(found):  # Exim gives 5.0.0; the reply may have more
        found = _STATUS.search(said) or found
    if found is None or _is_inexact(found):
        by_words = bool(_NO_MAILBOX.search(said)) and "sender" not in said.lower()
        return by_words and (found is None or found[1] != "4")
    if found[1] != "5":
        return False
    subject, detail = int(found[2]), int(found[3])
    address = subject == 1 and (subject, detail) not in _NOT_THE_READER
    return address or (subject, detail) in _NOBODY_THERE


def is_servers(reply: str) -> bool:
    """Whether a reply is a server's: those begin with a code (RFC 5321, 4.2), ours with a word."""
    return reply[:1].isdigit()


def refuses_reader(reply: str) -> bool:
    """Whether a reply to one of our letters says that the mailbox does not exist."""
    return reply.startswith("5") and nobody_there("", reply)


def _is_inexact(status: re.Match[str]) -> bool:
    return status.groups()[1:] == ("0", "0")
