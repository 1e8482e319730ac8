"""A note as a message: one short letter to one person, outside any issue (RFC 5322, 3834)."""

from collections.abc import Mapping
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Protocol

from newsletter.message import encoded, quoted
from newsletter.model import Envelope, Publication
from newsletter.subscriptions import Note, Reception
from newsletter.tokens import bounce_tag, keyed_hash

LINKS = {"confirm": "confirm", "known": "preferences", "move": "confirm"}
"""For each kind of note what its templates call the link it carries."""

KINDS = tuple(LINKS)
HOURS = "48"
"""How long a link to confirm by is good, as templates say it."""

_BOUNDARY = "=_note"
_PART = (
    "\r\n--{boundary}\r\nContent-Type: text/{kind}; charset=utf-8\r\n"
    "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
)


class Template(Protocol):
    """What a note's part is set by; Jinja's templates are such."""

    def render(self, *, publication: Publication, **words: str) -> str:
        """The part's text."""


class Stationery(Protocol):
    """The templates of a kind of note."""

    @property
    def subject(self) -> Template:
        """Of its subject."""

    @property
    def text(self) -> Template:
        """Of its text part."""

    @property
    def html(self) -> Template:
        """Of its HTML part."""


def written(
    note: Note, here: Reception, stationery: Mapping[str, Stationery], now: datetime
) -> Envelope:
    """A note ready for the wire. Nothing in it is in the words of whoever asked for it."""
    publication, email = here.publication, note.reader.subscriber.email
    sheets = stationery[note.kind]
    words = {LINKS[note.kind]: note.link, "hours": HOURS}
    subject = " ".join(sheets.subject.render(publication=publication, **words).split())
    message_id = (
        f"<note.{keyed_hash(f'{now.isoformat()}:{email}', here.keys)[:24]}@{publication.domain}>"
    )
    head = EmailMessage(policy=SMTP)
    head["From"] = Address(publication.sender_name, addr_spec=publication.sender_email)
    head["To"] = Address(addr_spec=email)
    head["Date"] = format_datetime(now)
    head["MIME-Version"] = "1.0"
    head["Auto-Submitted"] = "auto-generated"
    head["Content-Type"] = f'multipart/alternative; boundary="{_BOUNDARY}"'
    named = f"Subject: {encoded(subject)}\r\nMessage-ID: {message_id}\r\n".encode()
    parts = (
        _part(kind, template.render(publication=publication, **words))
        for kind, template in (("plain", sheets.text), ("html", sheets.html))
    )
    ending = f"\r\n--{_BOUNDARY}--\r\n".encode()
    fields = b"".join(SMTP.fold_binary(name, value) for name, value in head.items())
    content = (named, fields, *parts, ending)
    return Envelope(_sender(note, here), email, message_id, content)


def _part(kind: str, text: str) -> bytes:
    head = _PART.format(boundary=_BOUNDARY, kind=kind).encode()
    return head + quoted(text if text.endswith("\n") else f"{text}\n")


def _sender(note: Note, here: Reception) -> str:
    """The return path: the reader's own, where bounces are read back."""
    publication = here.publication
    if publication.bounces is None:
        return publication.sender_email
    local, _, domain = publication.bounces.rpartition("@")
    return f"{local}+{bounce_tag(note.reader.id, here.keys)}@{domain}"
