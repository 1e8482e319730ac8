"""Whom a delivery status notification blames: the reader's mailbox, or nobody yet."""

from collections.abc import Iterable, Mapping
from typing import Literal

from newsletter.delivery.refusals import nobody_there
from newsletter.model import MailEventKind

Blame = MailEventKind | Literal["aside"]
"""``aside``: the report is of no failure."""


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
    nobody = nobody_there(fields.get("status", ""), fields.get("diagnostic-code", ""))
    return "hard" if nobody else "soft"
