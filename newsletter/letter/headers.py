"""The headers of a letter that readers share, and subjects (RFC 5322, 2047, 2369, 2919)."""

import re
from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import lru_cache
from hashlib import blake2b
from string import ascii_letters, digits

from newsletter.model import Publication

MAX_LINE = 76  # most columns of an encoded line (RFC 2045, 6.7; RFC 2047, 2)

_UNQUOTED = frozenset(ascii_letters + digits + "!*+-/")
_AROUND_WORD = len("=?utf-8?q??=")  # characters of an encoded word besides its data
_SENDER_ID_LENGTHS = range(5, 16)


def encode_subject(subject: str) -> str:
    """A subject as a header's value: plain if possible, else in encoded words (RFC 2047).

    A title that looks like an encoded word is encoded too, so that no mail program decodes it.
    """
    text = " ".join(subject.split())
    if not is_plain(text):
        return _encoded_words(text)
    if len(f"Subject: {text}") <= MAX_LINE:
        return text
    return Header(text, maxlinelen=MAX_LINE, header_name="Subject").encode(linesep="\r\n")


def _encoded_words(text: str) -> str:
    """A subject in encoded words, one a line: in Q encoding, or in B if that is shorter."""
    parts = list(map(_in_q, text))
    in_q = sum(map(len, parts)) <= -(-len(text.encode()) // 3) * 4
    sizes = map(len, parts if in_q else map(str.encode, text))
    words, start, size = list[str](), 0, 0
    room = MAX_LINE - len("Subject: ") - _AROUND_WORD

    def end_word(end: int) -> None:
        data = "".join(parts[start:end]) if in_q else b64encode(text[start:end].encode()).decode()
        words.append(f"=?utf-8?{'q' if in_q else 'b'}?{data}?=")

    for place, added in enumerate(sizes):
        if size + added > (room if in_q else room // 4 * 3):  # no character is split
            end_word(place)
            start, size, room = place, 0, MAX_LINE - 1 - _AROUND_WORD
        size += added
    end_word(len(text))
    return "\r\n ".join(words)


@lru_cache(maxsize=1024)
def _in_q(character: str) -> str:
    """A character in Q encoding (RFC 2047, 4.2)."""
    if character in _UNQUOTED:
        return character
    return "_" if character == " " else "".join(f"={byte:02X}" for byte in character.encode())


def is_plain(text: str) -> bool:
    """Whether a header may have this text as it is."""
    return text.isascii() and text.isprintable() and "=?" not in text


def shared_headers(publication: Publication, at: datetime, name: str, kind: str) -> bytes:
    """The headers that are the same in every letter of an issue, or of another mailing.

    Its ``name`` and ``kind`` are how the mail providers' reports tell it from others.
    """
    mailbox = f"<mailto:{publication.operator or publication.sender_email}>"
    label, domain = _list_label(publication), publication.domain
    fields = {
        "Date": format_datetime(at),
        "MIME-Version": "1.0",
        "List-Id": f"<{label}.{domain}>",
        "List-Help": mailbox,
        "List-Owner": mailbox,
        "List-Post": "NO",
        "Precedence": "bulk",
        "Auto-Submitted": "auto-generated",
        "Feedback-ID": f"{name}:{label}:{kind}:{_sender_id(domain)}",
    }
    if publication.url:
        fields["List-Archive"] = f"<{publication.url.rstrip('/')}/archive>"
    return headers_of(publication, fields)


def headers_of(publication: Publication, fields: Mapping[str, str]) -> bytes:
    """The headers From and Reply-To, then these ASCII fields.

    Only these two may need encoding. The standard library would turn an address in angle brackets
    that is longer than a line into ``=?utf-8?q?…``, and mail programs cannot follow that.
    """
    name = " ".join(publication.sender_name.replace("=?", "= ?").split())
    message = EmailMessage(policy=SMTP)
    message["From"] = Address(display_name=name, addr_spec=publication.sender_email)
    if publication.reply_to:
        message["Reply-To"] = publication.reply_to
    people = b"".join(SMTP.fold_binary(field, value) for field, value in message.items())
    lines = "".join(f"{field}: {value}\r\n" for field, value in fields.items())
    return people + lines.encode("ascii")


def _sender_id(domain: str) -> str:
    """The sender in Feedback-ID: 5 to 15 characters, the same in every letter of a domain.

    https://support.google.com/a/answer/6254652
    """
    if len(domain) in _SENDER_ID_LENGTHS:
        return domain
    return f"{domain[:6]}-{blake2b(domain.encode(), digest_size=4).hexdigest()}"


def _list_label(publication: Publication) -> str:
    """The sender's local part as a label of List-Id (RFC 2919)."""
    local = publication.sender_email.rpartition("@")[0].lower()
    return re.sub(r"[^a-z0-9]+", "-", local).strip("-") or "newsletter"
