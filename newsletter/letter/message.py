"""From an edition to the bytes that are sent (RFC 5322, 2045, 2369, 2919, 8058).

What readers share is encoded once. Each piece ends at a line boundary, a hard one or a soft break
of quoted-printable, so that a letter is a list of encoded pieces. No line begins with a dot, so
the transport need not look for lines to dot-stuff.
"""

import binascii
import re
from collections.abc import Sequence
from datetime import datetime
from email.utils import format_datetime
from functools import cached_property, lru_cache
from typing import cast

from markupsafe import escape

from newsletter.errors import RenderError
from newsletter.letter.assembling import AssembledLetter, LetterAssembler, render_letter
from newsletter.letter.compiling import TOKENS, CompiledIssue, Encoding, links_by_place
from newsletter.letter.fragments import IssueFragments, placeholder, split_at_placeholders
from newsletter.letter.headers import (
    MAX_LINE,
    encode_subject,
    headers_of,
    is_plain,
    shared_headers,
)
from newsletter.letter.links import (
    MAX_ADDRESS,
    MAX_LOCAL_PART,
    Keyring,
    LetterSeals,
    Links,
    bounce_tag,
    keyed_hash,
    letter_links,
    letter_tag,
    links_with,
    own_mailbox,
    sign_links,
)
from newsletter.letter.rendering import BROADCAST_LINKS
from newsletter.model import (
    Broadcast,
    Edition,
    Envelope,
    Publication,
    Recipient,
    Rendering,
    WireLines,
    digest_of,
    piece_digest,
    wire_lines,
)

_EMAIL, _SUBJECT, _MESSAGE_ID, _MAILBOX = map(
    placeholder, ("email", "subject", "message_id", "mailbox")
)

_MAX_SUBJECTS = 4_096  # encoded subjects that are cached: more than an issue has papers

_PART_HEADERS = (
    "Content-Type: text/{kind}; charset=utf-8\r\n"
    "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
)

_ONE_PLAIN_LINE = re.compile(r"[\w+/:@-][\w+/:@.-]{0,74}", re.ASCII).fullmatch
"""Matches most tokens and addresses: they need no encoding."""

_LEADING_DOTS = re.compile(rb"^\.+", re.MULTILINE)
_TRAILING_BLANKS = re.compile(r"[ \t]+\n")
_NOT_IN_HEADERS = re.compile(r"[^!-~]|[<>,;:()\[\]\\\"]")


class MessageBuilder:
    """Builds the letters of one issue; a letter has the same bytes whenever it is built.

    Links, Message-IDs and return paths are signed with the key that the fragments name.
    """

    def __init__(self, fragments: IssueFragments, keys: Keyring) -> None:
        self._fragments, self._publication = fragments, fragments.publication
        self._day = fragments.day
        self._keys = keys.signing_as(fragments.signed_by)
        self._seals = LetterSeals(self._keys, self._day)
        before, self._between, self._end = _boundaries(fragments.day.isoformat())
        headers = shared_headers(
            self._publication, fragments.frozen_at, fragments.day.isoformat(), "issue"
        )
        self._head = wire_lines(headers + before)
        self._frame_digest = piece_digest(self._head + self._between + self._end)
        links = links_with(self._publication, TOKENS, _MAILBOX)
        self._fields = split_at_placeholders(
            _personal_headers(_EMAIL, _SUBJECT, _MESSAGE_ID, links)
        )
        self._assembler: LetterAssembler[WireLines] = LetterAssembler(
            CompiledIssue(fragments, _ON_THE_WIRE, links if fragments.sealed else None)
        )
        self._encode_subject = lru_cache(maxsize=_MAX_SUBJECTS)(encode_subject)

    def render(self, edition: Edition) -> Rendering:
        """One reader's letter as they read it."""
        return render_letter(self._fragments, edition, self._links(edition.to.id))

    def build(self, edition: Edition) -> Envelope:
        """One reader's letter, ready to be sent.

        Raises:
            RenderError: the address cannot be written in a header.
        """
        _check_address(edition.to.email)
        if not self._fragments.sealed:
            return self._build_unsealed(edition)
        tokens, tag = self._seals.sign(edition.to.id)
        own = dict(zip(TOKENS, tokens, strict=True))
        own[_MAILBOX] = own_mailbox(self._publication, self._keys, edition.to.id)
        letter = self._assembler.assemble(edition, own)
        message_id, subject = self._message_id(tag), self._subject(letter.subject)
        values = {**own, _EMAIL: edition.to.email, _SUBJECT: subject, _MESSAGE_ID: message_id}
        fields = "".join([values.get(text, text) for text in self._fields]).encode("ascii")
        digest = digest_of((self._frame_digest, *letter.digests, fields, *letter.own))
        return self._envelope(edition.to, message_id, fields, letter, digest)

    def _build_unsealed(self, edition: Edition) -> Envelope:
        """A letter of an issue that an earlier version froze, with the bytes that it gave it.

        That version signed each link apart, and took the digest of the letter from its pieces.
        """
        to, links = edition.to, self._links(edition.to.id)
        own = links_by_place(links)
        letter = self._assembler.assemble(edition, own)
        digests = self._digest_assembler.assemble(edition, own)
        message_id = self._message_id(letter_tag(self._day, to.id, self._keys))
        subject = self._subject(letter.subject)
        fields = _personal_headers(to.email, subject, message_id, links).encode("ascii")
        first, head, between, end = map(
            piece_digest, (fields, self._head, self._between, self._end)
        )
        digest = digest_of((first, head, *digests.text, between, *digests.html, end))
        return self._envelope(to, message_id, fields, letter, digest)

    @cached_property
    def _digest_assembler(self) -> LetterAssembler[bytes]:
        """Assembles letters that have a digest in place of each piece."""

        def digest(text: str) -> bytes:
            return piece_digest(quoted_printable(text)) if text else b""

        return LetterAssembler(CompiledIssue(self._fragments, Encoding(digest, bytes.join)))

    def _envelope(
        self,
        to: Recipient,
        message_id: str,
        fields: bytes,
        letter: AssembledLetter[WireLines],
        digest: str,
    ) -> Envelope:
        pieces = (fields, self._head, *letter.text, self._between, *letter.html, self._end)
        sender = return_path(self._publication, to.id, to.email, self._keys)
        content = cast("tuple[WireLines, ...]", pieces)
        return Envelope(sender, to.email, message_id, content, digest)

    def _message_id(self, tag: str) -> str:
        return f"<{self._day.isoformat()}.{tag}@{self._publication.domain}>"

    def _links(self, reader: int) -> Links:
        fragments, publication = self._fragments, self._publication
        if not fragments.sealed:
            return sign_links(publication, self._keys, self._day, fragments.frozen_at, reader)
        return letter_links(publication, self._keys, self._day, reader)

    def _subject(self, pieces: Sequence[str]) -> str:
        """The subject encoded; a title followed by a plain count is encoded once an issue."""
        title, count = pieces[0], "".join(pieces[1:])
        if not (count and title.endswith(" ") and is_plain(count)):
            return self._encode_subject(title + count)
        value = self._encode_subject(title)
        column = len(value) - (value.rfind("\r\n") + 2 if "\r\n" in value else -len("Subject: "))
        fold = " " if column + 1 + len(count) <= MAX_LINE else "\r\n "
        return f"{value}{fold}{count}"


class BroadcastBuilder:
    """Builds the emails of a note to all readers; an email has the same bytes whenever it is built.

    As in an issue, links, Message-IDs and return paths are signed with the key that it names.
    """

    def __init__(self, broadcast: Broadcast, keys: Keyring) -> None:
        self._broadcast, self._publication = broadcast, broadcast.publication
        self._keys = keys.signing_as(broadcast.signed_by)
        before, self._between, self._end = _boundaries("note")
        headers = shared_headers(self._publication, broadcast.at, broadcast.key[:12], "note")
        self._head = wire_lines(headers + before)
        self._subject = encode_subject(broadcast.subject)

    def render(self, reader: int) -> Rendering:
        """One reader's note as they read it."""
        return self._with_links(self._links(reader))

    def build(self, to: Recipient) -> Envelope:
        """One reader's note, ready to be sent.

        Raises:
            RenderError: the address cannot be written in a header.
        """
        _check_address(to.email)
        links = self._links(to.id)
        made = self._with_links(links)
        tag = keyed_hash(f"note:{self._broadcast.key}:{to.id}", self._keys)[:24]
        message_id = f"<note.{tag}@{self._publication.domain}>"
        return Envelope(
            sender=return_path(self._publication, to.id, to.email, self._keys),
            recipient=to.email,
            message_id=message_id,
            content=(
                wire_lines(
                    _personal_headers(to.email, self._subject, message_id, links).encode("ascii")
                ),
                self._head,
                quoted_printable(made.text),
                self._between,
                quoted_printable(made.html),
                self._end,
            ),
        )

    def _links(self, reader: int) -> Links:
        at = self._broadcast.at
        return sign_links(self._publication, self._keys, at.date(), at, reader)

    def _with_links(self, links: Links) -> Rendering:
        html, text = self._broadcast.html, self._broadcast.text
        for name in BROADCAST_LINKS:
            link: str = getattr(links, name)
            html = html.replace(placeholder(name), escape(link))
            text = text.replace(placeholder(name), link)
        return Rendering((self._broadcast.subject,), html, text)


def _personal_headers(email: str, subject: str, message_id: str, links: Links) -> str:
    """The headers of one reader's letter; the subject is encoded."""
    unsubscribe = f"<{links.mail}>"
    one_click = ""
    if links.post:
        unsubscribe = f"<{links.post}>,\r\n {unsubscribe}"
        one_click = "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    return (
        f"To: {email}\r\n"
        f"Subject: {subject}\r\n"
        f"Message-ID: {message_id}\r\n"
        f"List-Unsubscribe: {unsubscribe}\r\n{one_click}"
    )


def _check_address(email: str) -> None:
    if _NOT_IN_HEADERS.search(email):
        raise RenderError(f"{email!r} cannot be written in a header; correct the address.")


def build_note(
    publication: Publication,
    rendering: Rendering,
    recipient: str,
    *,
    name: str,
    at: datetime,
    sender: str | None = None,
) -> Envelope:
    """A short letter to one person, outside any issue, that asks for no automatic reply.

    ``name`` begins its Message-ID; ``sender`` is the return path (RFC 5321), None for the
    newsletter's own address.

    Raises:
        RenderError: the address cannot be written in a header.
    """
    _check_address(recipient)
    message_id = f"<{name}@{publication.domain}>"
    subject = encode_subject("".join(rendering.subject))
    fields = {
        "To": recipient,
        "Date": format_datetime(at),
        "MIME-Version": "1.0",
        "Auto-Submitted": "auto-generated",  # RFC 3834: vacation programs do not answer
    }
    before, between, end = _boundaries("note")
    content = (
        wire_lines(f"Subject: {subject}\r\nMessage-ID: {message_id}\r\n".encode()),
        wire_lines(headers_of(publication, fields)),
        before,
        quoted_printable(rendering.text),
        between,
        quoted_printable(rendering.html),
        end,
    )
    return Envelope(sender or publication.sender_email, recipient, message_id, content)


def _boundaries(name: str) -> tuple[WireLines, WireLines, WireLines]:
    """The lines before the text part, between it and the HTML part, and at the end.

    The boundary cannot occur inside: in quoted-printable an underscore never follows ``=``.
    """
    boundary = f"=_{name}"
    head = f'Content-Type: multipart/alternative; boundary="{boundary}"\r\n'
    text, html = (
        f"\r\n--{boundary}\r\n{_PART_HEADERS.format(kind=kind)}" for kind in ("plain", "html")
    )
    end = f"\r\n--{boundary}--\r\n"
    return wire_lines((head + text).encode()), wire_lines(html.encode()), wire_lines(end.encode())


def return_path(
    publication: Publication, reader: int, email: str, keys: Keyring, *, note: bool = False
) -> str:
    """The return path (RFC 5321): one per reader and address if bounces are read, else the sender.

    A ``note`` asks to confirm the address. A path that would be too long for a mail server has no
    tag: that letter leaves all the same.
    """
    if publication.bounces is None:
        return publication.sender_email
    local, _, domain = publication.bounces.rpartition("@")
    tagged = f"{local}+{bounce_tag(reader, keys, email, note=note)}"
    fits = len(tagged) <= MAX_LOCAL_PART and len(f"{tagged}@{domain}") <= MAX_ADDRESS
    return f"{tagged}@{domain}" if fits else publication.bounces


def quoted_printable(text: str) -> WireLines:
    """A text in quoted-printable (RFC 2045, 6.7), ending at a line boundary.

    A text that does not end a line ends in a soft break. No line begins with a dot. White space
    at the end of a line is dropped: it means nothing in either part, and relays may drop it.
    """
    if _ONE_PLAIN_LINE(text):
        return WireLines(f"{text}=\r\n".encode())
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if " \n" in text or "\t\n" in text:
        text = _TRAILING_BLANKS.sub("\n", text)
    lines = _encode_lines(text.encode())
    if b"\n." in lines or lines.startswith(b"."):
        lines = _LEADING_DOTS.sub(lambda dots: b"=2E=\n" * len(dots[0]), lines)
    return wire_lines(lines.replace(b"\n", b"\r\n"))


def _encode_lines(text: bytes) -> bytes:
    if not text or text.endswith(b"\n"):
        return binascii.b2a_qp(text)
    # The extra character at the end keeps a column free for the soft break.
    lines = binascii.b2a_qp(text + b"x")[:-1]
    return lines if lines.endswith(b"\n") else lines + b"=\n"


def _join(between: WireLines, pieces: list[WireLines]) -> WireLines:
    return WireLines(between.join(pieces))


_ON_THE_WIRE: Encoding[WireLines] = Encoding(quoted_printable, _join)
