"""Compares the letters that a server received with what the naive renderer makes.

A few hundred letters are sent as :mod:`bench.send` sends them, in groups and over several
connections, to a server that keeps them.
"""

import asyncio
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

from bench.compose import PUBLICATION, links_of
from bench.naive import in_one_pass
from bench.sending import PAPERS, composed
from bench.turns import FROZEN, freeze, ours, turn
from bench.workload import Morning, morning
from newsletter.cli.demo import Inbox
from newsletter.issue.editions import lead_length
from newsletter.letter.assembling import WORDS_A_MINUTE, InboxLines
from newsletter.letter.fragments import IssueFragments
from newsletter.model import Edition
from newsletter.stores import open_store
from newsletter.templates import HTML, TEXT

LETTERS = 200
CONNECTIONS = 4


class Keeping(Inbox):
    """An inbox with PIPELINING (RFC 2920)."""

    async def handle_EHLO(  # noqa: N802 - the name aiosmtpd calls
        self,
        _server: SMTP,
        session: Session,
        _envelope: Envelope,
        name: str,
        answers: list[str],
    ) -> list[str]:
        """Offer PIPELINING."""
        session.host_name = name  # aiosmtpd leaves this to the hook
        greeting, *extensions = answers
        return [greeting, "250-PIPELINING", *extensions]


def check(folder: Path) -> int:
    """Send and compare; return the number of letters.

    Raises:
        AssertionError: a letter is missing or differs from the naive renderer's.
    """
    freeze(folder, LETTERS)
    asyncio.run(_sent(folder))
    taken = [_parsed(file) for file in sorted((folder / "taken").glob("*.eml"))]
    by_reader = {message["To"]: message for message in taken}
    day = morning(PAPERS, LETTERS)
    store = open_store(f"sqlite:///{folder / FROZEN}")
    fragments, plans = composed(day, store.readers())
    store.close()
    due = [plan.edition for plan in plans if plan.edition.papers]
    assert len(taken) == len(by_reader) == len(due), "a letter is missing, or there twice"
    for edition in due:
        message = by_reader[edition.to.email]
        for kind, name in (("html", HTML), ("plain", TEXT)):
            same = _body(message, kind) == _naive(name, day, fragments, edition)
            assert same, f"the {kind} part for {edition.to.email} differs"
    return len(due)


async def _sent(folder: Path) -> None:
    async with Keeping(folder / "taken") as inbox:
        await asyncio.to_thread(turn, ours()[-1], folder, inbox.port, CONNECTIONS, LETTERS)


def _parsed(file: Path) -> EmailMessage:
    message = message_from_bytes(file.read_bytes(), policy=policy.SMTP)
    assert isinstance(message, EmailMessage)
    return message


def _body(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    content = part.get_content()
    assert isinstance(content, str)
    return content.replace("\r\n", "\n").rstrip()


def _naive(name: str, day: Morning, fragments: IssueFragments, edition: Edition) -> str:
    _, preheader = InboxLines(fragments).of(edition.papers)
    whole = in_one_pass(
        name,
        edition,
        day.issue,
        PUBLICATION,
        links_of(edition),
        preheader=preheader,
        minutes=_minutes(fragments, edition),
    )
    return whole.rstrip()


def _minutes(fragments: IssueFragments, edition: Edition) -> int:
    read = 0
    for section in edition.sections:
        length = lead_length(edition.summary) if section.leads else edition.summary
        read += sum(fragments.words[length][paper] for paper in section.cards)
        read += sum(fragments.words["titles"][paper] for paper in section.rows)
    return max(1, round(read / WORDS_A_MINUTE))
