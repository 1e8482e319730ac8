"""From an edition to the bytes that are sent (RFC 5322, 2045, 2369, 2919, 8058).

What readers share is encoded once, in the forme. Each piece ends on a line boundary of its own,
a hard one or a soft break of quoted-printable, so letters are lists of encoded pieces; none of
their lines begins with a dot, so nothing on the way to the wire has to look at them again.
"""

import binascii
import re
from collections.abc import Sequence
from datetime import datetime
from email.header import Header
from email.headerregistry import Address, BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, Policy
from email.utils import format_datetime
from functools import lru_cache

from newsletter.errors import RenderError
from newsletter.letter.assembling import CompiledIssue, Personal, assemble_letter
from newsletter.letter.fragments import IssueFragments
from newsletter.letter.links import Keyring, bounce_tag, letter_tag
from newsletter.model import Edition, Envelope, Publication, Rendering, WireLines

LINE = 76
"""Most columns of an encoded line (RFC 2045, 6.7; RFC 2047, 2)."""

_MOST_SUBJECTS = 4_096
"""Encoded subjects kept: more than an issue has papers."""

_ROW = LINE - 1
"""Characters of an encoded line that ends in a soft break."""

_PART = (
    "Content-Type: text/{kind}; charset=utf-8\r\n"
    "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
)

_LEADING_DOTS = re.compile(rb"^\.+", re.MULTILINE)
_BLANK_ENDS = re.compile(r"[ \t]+\n")
_UNMAILABLE = re.compile(r"[^!-~]|[<>,;:()\[\]\\\"]")


class _AsWritten(UnstructuredHeader, BaseHeader):
    """A header of addresses in angle brackets, which must never become encoded words.

    On its own, the standard library turns an address longer than a line into ``=?utf-8?q?…``,
    and no mail program can follow it then.
    """

    def fold(self, *, policy: Policy) -> str:
        """The header on one line, as it is."""
        return f"{self.name}: {self}{policy.linesep}"


def _registry() -> HeaderRegistry:
    registry = HeaderRegistry()
    for name in ("list-id", "list-help", "list-owner", "list-archive", "feedback-id"):
        registry.map_to_type(name, _AsWritten)
    return registry


_POLICY = SMTP.clone(header_factory=_registry())


class MessageBuilder:
    """Makes the letters of one issue, byte for byte the same whenever it is asked.

    Args:
        sheet: the issue's sheet, with the newsletter as it was named at the freeze.
        keys: what Message-IDs and return paths are made with; the key the sheet names signs.
    """

    def __init__(self, sheet: IssueFragments, keys: Keyring) -> None:
        self._publication = sheet.publication
        self._day = sheet.day
        self._keys = keys.signing_as(sheet.signed_by)
        self._head, self._between, self._end = _constant(sheet)
        self._forme = CompiledIssue(sheet, quoted_printable)
        self._encoded = lru_cache(maxsize=_MOST_SUBJECTS)(encode_subject)

    def letter(self, edition: Edition, personal: Personal) -> Envelope:
        """One reader's letter, ready for the wire.

        Raises:
            RenderError: the address is not one a header can hold.
        """
        if _UNMAILABLE.search(personal.email):
            raise RenderError(f"{personal.email!r} cannot stand in a header; correct the address.")
        tag = letter_tag(self._day, personal.reader, self._keys)
        message_id = f"<{self._day.isoformat()}.{tag}@{self._publication.domain}>"
        made = assemble_letter(self._forme, edition, personal)
        return Envelope(
            sender=return_path(self._publication, personal.reader, self._keys),
            recipient=personal.email,
            message_id=message_id,
            content=(
                self._personal(made.subject, personal, message_id),
                self._head,
                *made.text,
                self._between,
                *made.html,
                self._end,
            ),
        )

    def _personal(self, subject: Sequence[str], personal: Personal, message_id: str) -> WireLines:
        ways_out = f"<{personal.links.mail}>"
        one_click = ""
        if personal.links.post:
            ways_out = f"<{personal.links.post}>,\r\n {ways_out}"
            one_click = "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
        fields = (
            f"To: {personal.email}\r\n"
            f"Subject: {self._subject(subject)}\r\n"
            f"Message-ID: {message_id}\r\n"
            f"List-Unsubscribe: {ways_out}\r\n{one_click}"
        )
        return WireLines(fields.encode("ascii"))

    def _subject(self, pieces: Sequence[str]) -> str:
        """The subject encoded; its paper only once, where a plain count follows it."""
        paper, count = pieces[0], "".join(pieces[1:])
        if not (count and paper.endswith(" ") and _is_plain(count)):
            return self._encoded(paper + count)
        title = self._encoded(paper)
        column = len(title) - (title.rfind("\r\n") + 2 if "\r\n" in title else -len("Subject: "))
        fold = " " if column + 1 + len(count) <= LINE else "\r\n "
        return f"{title}{fold}{count}"


def build_note(
    publication: Publication,
    rendering: Rendering,
    recipient: str,
    *,
    name: str,
    at: datetime,
    sender: str | None = None,
) -> Envelope:
    """A short letter to one person, outside any issue; nobody answers it by machine (RFC 3834).

    Args:
        publication: the newsletter that writes.
        rendering: what it says.
        recipient: whom it goes to.
        name: what the Message-ID begins with.
        at: its date.
        sender: the return path (RFC 5321); the newsletter's own address where it is None.
    """
    message_id = f"<{name}@{publication.domain}>"
    subject = encode_subject("".join(rendering.subject))
    named = WireLines(f"Subject: {subject}\r\nMessage-ID: {message_id}\r\n".encode())
    head = EmailMessage(policy=_POLICY)
    head["From"] = _from(publication)
    head["To"] = Address(addr_spec=recipient)
    head["Date"] = format_datetime(at)
    head["MIME-Version"] = "1.0"
    head["Auto-Submitted"] = "auto-generated"
    fields = WireLines(b"".join(_POLICY.fold_binary(key, value) for key, value in head.items()))
    before, between, end = _parts("note")
    text, html = quoted_printable(rendering.text), quoted_printable(rendering.html)
    content = (named, fields, before, text, between, html, end)
    return Envelope(sender or publication.sender_email, recipient, message_id, content)


def _parts(name: str) -> tuple[WireLines, WireLines, WireLines]:
    """What stands before the text part, between it and the HTML part, and at the end.

    The boundary cannot occur inside: in quoted-printable an underscore never follows ``=``.
    """
    boundary = f"=_{name}"
    head = f'Content-Type: multipart/alternative; boundary="{boundary}"\r\n'
    text, html = (f"\r\n--{boundary}\r\n{_PART.format(kind=kind)}" for kind in ("plain", "html"))
    before, between, end = head + text, html, f"\r\n--{boundary}--\r\n"
    return WireLines(before.encode()), WireLines(between.encode()), WireLines(end.encode())


def return_path(publication: Publication, reader: int, keys: Keyring) -> str:
    """The return path (RFC 5321): one of each reader's own where bounces are read back."""
    if publication.bounces is None:
        return publication.sender_email
    local, _, domain = publication.bounces.rpartition("@")
    return f"{local}+{bounce_tag(reader, keys)}@{domain}"


def quoted_printable(piece: str) -> WireLines:
    """A piece in quoted-printable (RFC 2045, 6.7), ending on a line boundary.

    A piece that does not end a line ends in a soft break. No line begins with a dot. White space
    at a line's end is dropped: it means nothing in either part, and transports eat it.
    """
    if piece.isascii() and piece.isprintable() and "=" not in piece and "." not in piece[::_ROW]:
        return _as_it_is(piece)
    text = piece.replace("\r\n", "\n").replace("\r", "\n") if "\r" in piece else piece
    if " \n" in text or "\t\n" in text:
        text = _BLANK_ENDS.sub("\n", text)
    lines = _lines(text.encode())
    if b"\n." in lines or lines.startswith(b"."):
        lines = _LEADING_DOTS.sub(_dots, lines)
    return WireLines(lines.replace(b"\n", b"\r\n"))


def _as_it_is(piece: str) -> WireLines:
    """A piece of one line in which nothing needs encoding, as most links and addresses are."""
    rows = [f"{piece[at : at + _ROW]}=\r\n" for at in range(0, len(piece), _ROW)]
    return WireLines.trusted("".join(rows).encode("ascii"))


def _lines(text: bytes) -> bytes:
    if not text or text.endswith(b"\n"):
        return binascii.b2a_qp(text)
    # A letter after the end keeps the column free that the soft break needs.
    lines = binascii.b2a_qp(text + b"x")[:-1]
    return lines if lines.endswith(b"\n") else lines + b"=\n"


def _dots(match: re.Match[bytes]) -> bytes:
    return b"=2E=\n" * len(match[0])


def encode_subject(subject: str) -> str:
    """A subject as a header's value: plain where it can be, else in encoded words (RFC 2047).

    What looks like an encoded word is encoded itself, so that nobody decodes it.
    """
    text = " ".join(subject.split())
    charset = "us-ascii" if _is_plain(text) else "utf-8"
    header = Header(text, charset, maxlinelen=LINE, header_name="Subject")
    return header.encode(linesep="\r\n")


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable() and "=?" not in text


def _constant(sheet: IssueFragments) -> tuple[WireLines, WireLines, WireLines]:
    """What every letter of the issue has before its text, between text and HTML, and at its end."""
    message = EmailMessage(policy=_POLICY)
    for name, value in _headers(sheet).items():
        message[name] = value
    head = b"".join(_POLICY.fold_binary(name, value) for name, value in message.items())
    before, between, end = _parts(sheet.day.isoformat())
    return WireLines(head + before), between, end


def _headers(sheet: IssueFragments) -> dict[str, object]:
    """The headers that are the same in every letter of the issue."""
    publication = sheet.publication
    mailbox = f"<mailto:{publication.operator or publication.sender_email}>"
    headers: dict[str, object] = {
        "From": _from(publication),
        "Date": format_datetime(sheet.frozen_at),
        "MIME-Version": "1.0",
        "List-Id": f"<{_label(publication)}.{publication.domain}>",
        "List-Help": mailbox,
        "List-Owner": mailbox,
        "List-Post": "NO",
        "Precedence": "bulk",
        "Auto-Submitted": "auto-generated",
        "Feedback-ID": f"{sheet.day.isoformat()}:{_label(publication)}:issue:{publication.domain}",
    }
    if publication.url:
        headers["List-Archive"] = f"<{publication.url.rstrip('/')}/archive>"
    return headers


def _from(publication: Publication) -> Address:
    name = " ".join(publication.sender_name.replace("=?", "= ?").split())
    return Address(display_name=name, addr_spec=publication.sender_email)


def _label(publication: Publication) -> str:
    """The sender's local part as a label of List-Id (RFC 2919)."""
    local = publication.sender_email.rpartition("@")[0].lower()
    return re.sub(r"[^a-z0-9]+", "-", local).strip("-") or "newsletter"
