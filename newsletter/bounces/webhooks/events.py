"""What every webhook needs: the request, its JSON, and the events in it as parsed mails.

All values come from outside, so each is read with its type: a value of another type counts as
missing, and an event without an address or a known kind means nothing.
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Protocol

from typing_extensions import override

from newsletter.bounces.parsing import Meaning, ParsedMail
from newsletter.bounces.reports import HARMLESS
from newsletter.delivery.refusals import READER_GONE, cause

MAX_AGE = timedelta(hours=25)
"""The oldest signature that is accepted: SendGrid tries for 24 hours, the others for less."""

MAX_SKEW = timedelta(minutes=10)
"""How far a signature's time may be ahead of this machine's clock."""

MAX_ADDRESS = 320  # characters of an address (RFC 3696, 3)

Fields = Mapping[str, object]
"""A JSON object."""

Fetch = Callable[[str], bytes]
"""Returns what an HTTPS address answers; raises OSError if there is no answer."""


@dataclass(frozen=True, slots=True)
class Post:
    """One request to a webhook.

    Attributes:
        body: its content.
        headers: its header fields, by name in lower case.
        secret: the password that it carries, in its address or its Authorization field.
        now: when it arrived.
    """

    body: bytes
    headers: Mapping[str, str]
    secret: str
    now: datetime


class Webhook(Protocol):
    """One mail service's webhook.

    ``waits``: reading a request may take long, because something has to be fetched.
    """

    waits: ClassVar[bool]

    def read(self, post: Post) -> Sequence[ParsedMail]:
        """The bounces, complaints and unsubscribes that a request tells of; others are left out.

        Raises:
            PostError: the request is forged, too old or garbled, or cannot be checked now.
        """


@dataclass(frozen=True, slots=True)
class PasswordWebhook(Webhook):
    """The webhook of a service that signs nothing, but can send a password.

    ``mails`` reads one event.
    """

    secret: str
    mails: Callable[[Fields], Iterator[ParsedMail]]
    waits: ClassVar[bool] = False

    @override
    def read(self, post: Post) -> Sequence[ParsedMail]:
        check_secret(post, self.secret)
        return tuple(mail for each in objects_in(read_json(post.body)) for mail in self.mails(each))


class PostError(Exception):
    """A request that is refused; ``status`` is that of HTTP (RFC 9110, 15)."""

    def __init__(self, status: int, said: str) -> None:
        self.status = status
        super().__init__(said)


def forged(said: str) -> PostError:
    """The refusal of a request that has not proven where it comes from."""
    return PostError(403, said)


def read_json(body: bytes) -> object:
    """The JSON value in a request's body.

    Raises:
        PostError: it is not JSON, or nested too deeply.
    """
    try:
        value: object = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise PostError(400, "This is not JSON.") from error
    return value


def fields_of(value: object) -> Fields:
    """A JSON object; an empty one if the value is something else."""
    return value if isinstance(value, dict) else {}


def objects_in(value: object) -> Iterator[Fields]:
    """The objects in a JSON list, or a single one that stands for itself."""
    yield from map(fields_of, value if isinstance(value, list) else [value])


def text_of(value: object) -> str:
    """A JSON text or number as text that can be stored; empty if the value is something else."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return str(value).encode("utf-8", "replace").decode().strip()


def time_of(value: object) -> datetime | None:
    """A time in seconds since 1970, or in ISO 8601; None if it cannot be read."""
    text = text_of(value)
    try:
        if text[4:5] == "-":
            at = datetime.fromisoformat(text)
            return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
        return datetime.fromtimestamp(float(text), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def id_of(fields: Fields, name: str) -> str:
    """What identifies an event: this field, or its whole content without one."""
    return text_of(fields.get(name)) or json.dumps(fields, sort_keys=True)


def address_of(text: str) -> str:
    """The address in ``Name <address>`` or a plain address, in lower case; empty without one."""
    address = text.rpartition("<")[2].partition(">")[0].strip().lower()
    return address if "@" in address and len(address) <= MAX_ADDRESS else ""


def check_age(signed: datetime | None, now: datetime) -> None:
    """Refuse a signature that is too old, so that a recorded request cannot be sent again later.

    Raises:
        PostError: its time is too old, in the future, or missing.
    """
    if signed is None or not -MAX_SKEW <= now - signed <= MAX_AGE:
        raise forged("The signature is too old, or its time is wrong.")


def check_secret(post: Post, secret: str) -> None:
    """Refuse a request without the right password, compared in constant time.

    Raises:
        PostError: the password is missing or wrong.
    """
    if not hmac.compare_digest(post.secret.encode("utf-8", "replace"), secret.encode()):
        raise PostError(401, "This address needs the password from newsletter.yaml.")


def bounce_meaning(status: str, said: str) -> Meaning:
    """What a bounce means, from its status (RFC 3463) and the server's words."""
    return "hard" if cause(status, said) in READER_GONE else "soft"


def complaint_meaning(kind: str) -> Meaning:
    """What a complaint of this type (RFC 5965, 7.3) means."""
    return "aside" if kind in HARMLESS else "complaint"


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a mail service about one address.

    Attributes:
        service: the name of the service.
        id: what identifies the event; an event counts once.
        email: the address it is about.
        at: when it happened.
        sender: the return path of the letter, if the service gives it back.
        letter_id: the Message-ID of the letter, with or without its angle brackets.
    """

    service: str
    id: str
    email: str
    at: datetime | None
    sender: str = ""
    letter_id: str = ""

    def bounced(
        self, said: str, status: str = "", otherwise: str = "", kind: str = ""
    ) -> ParsedMail:
        """A bounce: the server's words decide what it means, as in a report by mail.

        Args:
            said: the words of the server that refused the letter.
            status: the status (RFC 3463) that this server gave.
            otherwise: the status that the service's own class stands for. It decides where the
                server said nothing; if it is temporary, it excuses words without a code.
            kind: this class in the service's words.
        """
        excuses = otherwise.startswith("4")
        known = status or (otherwise if excuses or not said else "")
        return self.means(bounce_meaning(known, said), f"{known} {said or kind}")

    def means(self, meaning: Meaning, said: str = "") -> ParsedMail:
        """The event as a parsed mail with this meaning."""
        address = address_of(self.email)
        return ParsedMail(
            id=hashlib.blake2b(f"{self.service} {self.id}".encode(), digest_size=16).hexdigest(),
            meaning=meaning if address else "aside",
            said=" ".join(said.split()),
            sent=self.at,
            address_fields=(self.sender,) if self.sender else (),
            letter_ids=(f"<{self.letter_id.strip('<> ')}>",) if self.letter_id else (),
            recipients=(address,) if address else (),
        )
