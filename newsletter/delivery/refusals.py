"""Whom a server's refusal blames (RFC 3463, RFC 5248): the reader's mailbox, or nobody."""

import re

_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?!\.?\d)")
"""An enhanced status code (RFC 3463), and no part of an IP address."""

_NOT_THE_READER = frozenset({(1, 7), (1, 8)})
"""Among the addresses of X.1: these two are the sender's."""

_NOBODY_THERE = frozenset({(2, 1), (4, 1), (4, 4)})
"""Beside X.1: a mailbox that is closed, how Exchange refuses unknown users, a domain without
a server."""

_NO_MAILBOX = re.compile(
    r"no such (?:user|mailbox|recipient|address|person)|(?:user|mailbox|recipient|address|account)"
    r".{0,40}(?:unknown|not found|not exist|invalid|disabled|inactive)"
    r"|(?:unknown|invalid) (?:user|mailbox|recipient|address|account)|unrouteable address",
    re.IGNORECASE,
)
"""How servers say so where they give no exact code."""


def nobody_there(status: str, said: str) -> bool:
    """Whether a refusal says that there is no such reader.

    Args:
        status: the enhanced status code; empty where none was given apart from the reply.
        said: the server's reply.
    """
    found = _STATUS.search(status)
    if found is None or found.groups()[1:] == ("0", "0"):  # Exim says no more; the reply may
        found = _STATUS.search(said) or found
    if found is None or found.groups()[1:] == ("0", "0"):
        return not (found is not None and found[1] == "4") and _by_words(said)
    if found[1] != "5":
        return False
    subject, detail = int(found[2]), int(found[3])
    address = subject == 1 and (subject, detail) not in _NOT_THE_READER
    return address or (subject, detail) in _NOBODY_THERE


def is_servers(reply: str) -> bool:
    """Whether a server said it: its replies begin with a code (RFC 5321, 4.2), our words do not."""
    return reply[:1].isdigit()


def refuses_reader(reply: str) -> bool:
    """Whether a reply to one of our own letters says so; whatever else it says is about us."""
    return reply.startswith("5") and nobody_there("", reply)


def _by_words(said: str) -> bool:
    """Whether a refusal without an exact code means that.

    A relay that begins to refuse everything says 550, too: only words about the mailbox blame
    the reader.
    """
    return bool(_NO_MAILBOX.search(said)) and "sender" not in said.lower()
