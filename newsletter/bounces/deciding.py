"""Whom a failed delivery blames (RFC 3463, RFC 5248): the reader's mailbox, or nobody yet."""

import re
from collections.abc import Iterable, Mapping
from typing import Literal

from newsletter.model import ReturnKind

Blame = ReturnKind | Literal["aside"]
"""``aside``: the report is of no failure."""

_STATUS = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")
_REPLY = re.compile(r"(?:^|;|\s)([45]\d\d)[ -]")

_NOT_THE_READER = frozenset({(1, 7), (1, 8)})
"""Among the addresses of X.1: these two are the sender's."""

_NOBODY_THERE = frozenset({(2, 1), (4, 1), (4, 4)})
"""Beside X.1: a mailbox that is closed, how Exchange refuses unknown users, a domain without
a server."""

_NO_MAILBOX = frozenset({"521", "550", "551", "553", "556"})
"""Replies (RFC 5321, RFC 7504) that say so where nothing more exact is said."""


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
        return _by_reply(said, permanent=found is None or found[1] == "5")
    if found[1] != "5":
        return "soft"
    subject, detail = int(found[2]), int(found[3])
    address = subject == 1 and (subject, detail) not in _NOT_THE_READER
    return "hard" if address or (subject, detail) in _NOBODY_THERE else "soft"


def _by_reply(said: str, *, permanent: bool) -> ReturnKind:
    reply = _REPLY.search(said)
    if reply is None:
        return "hard" if permanent else "soft"
    return "hard" if reply[1] in _NO_MAILBOX else "soft"
