"""Whom a failed delivery blames (RFC 3463, RFC 5248): the reader's mailbox, or nobody yet."""

import re
from collections.abc import Iterable, Mapping
from typing import Literal

from newsletter.model import ReturnKind

Blame = ReturnKind | Literal["aside"]
"""``aside``: the report is of no failure."""

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


def blame(recipients: Iterable[Mapping[str, str]]) -> Blame:
    """What a delivery status notification means, from its blocks of recipients (RFC 3464, 2.3).

    It is ``hard`` only where nobody is at the end of any of them: an alias with one dead member
    still reaches somebody. Policy, size, full boxes, time run out are ``soft``.
    """
    kinds = [_of_one(fields) for fields in recipients]
    failures = [kind for kind in kinds if kind != "aside"]
    if not failures:
        return "aside"
    return "hard" if all(kind == "hard" for kind in kinds) else "soft"


def _of_one(fields: Mapping[str, str]) -> Blame:
    action = fields.get("action", "failed").strip().lower()
    if action in {"delivered", "relayed", "expanded"}:
        return "aside"
    if action == "delayed":
        return "soft"
    status, said = fields.get("status", ""), fields.get("diagnostic-code", "")
    found = _STATUS.search(status)
    if found is None or found.groups()[1:] == ("0", "0"):  # Exim says no more; the reply may
        found = _STATUS.search(said) or found
    if found is None or found.groups()[1:] == ("0", "0"):
        return "soft" if found is not None and found[1] == "4" else _by_words(said)
    if found[1] != "5":
        return "soft"
    subject, detail = int(found[2]), int(found[3])
    address = subject == 1 and (subject, detail) not in _NOT_THE_READER
    return "hard" if address or (subject, detail) in _NOBODY_THERE else "soft"


def _by_words(said: str) -> ReturnKind:
    """What a refusal without an exact code means.

    A relay that begins to refuse everything says 550, too: only words about the mailbox blame
    the reader.
    """
    return "hard" if _NO_MAILBOX.search(said) and "sender" not in said.lower() else "soft"
