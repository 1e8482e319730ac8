"""Signed links: they let a reader act without a login.

A token is ``<payload>.<time>.<signature>``: the payload in base64url, the time of signing in
seconds since 1970 (base 36), and HMAC-SHA256 over both under a key of its purpose. The tokens of a
letter are ``<reader>.<day>.<seal>``: one keyed hash seals them all (:class:`LetterSeals`). An
unsubscribe token is valid for nothing else, and in no other newsletter. A token is signed, not
encrypted: its payload is no secret.
"""

import hashlib
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Literal

from newsletter.errors import TokenError
from newsletter.model import Publication
from newsletter.model.windows import (
    CONFIRM_LINK_VALID,
    EDITION_LINK_VALID,
    OPERATOR_FORM_VALID,
    PREFERENCES_LINK_VALID,
)

Purpose = Literal[
    "unsubscribe", "preferences", "edition", "confirm", "feed", "move", "sent", "operator"
]
"""What a token allows; each purpose has a salt of its own."""

MAX_AGE: dict[Purpose, timedelta | None] = {
    "unsubscribe": None,
    "preferences": PREFERENCES_LINK_VALID,
    "edition": EDITION_LINK_VALID,
    "confirm": CONFIRM_LINK_VALID,
    "feed": None,
    "move": CONFIRM_LINK_VALID,
    "sent": CONFIRM_LINK_VALID,
    "operator": OPERATOR_FORM_VALID,
}
"""How long after its signing a token is valid; None: always.

An unsubscribe link never expires; a feed ends with its reader's subscription."""

MAX_LOCAL_PART, MAX_ADDRESS = 64, 254  # characters (RFC 5321, 4.5.3.1.1 and 4.5.3.1.3)
TAG_ROOM = 26  # a plus, and the longest tag of a reader's number of up to 7 digits
_MAX_ID_DIGITS = 20  # more digits than any reader's id has

_WRONG = "This link is incomplete or wrong. Open it from the email again."
_TOO_OLD = "This link is too old. Open the one in a newer email."

_SEAL = 32  # hex digits of a seal
_LENGTH_OF_A_DAY = timedelta(hours=50)  # from its first instant anywhere (UTC+14) to its last

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Keyring:
    """The keys of one newsletter, newest first: the first signs, all of them verify.

    Attributes:
        audience: the sender's address; it separates newsletters that share a key.
        former: addresses that the newsletter was sent from before; they verify, too.
    """

    secrets: tuple[str, ...]
    audience: str = ""
    former: tuple[str, ...] = ()

    @property
    def each(self) -> "tuple[Keyring, ...]":
        """A keyring for each key and address that verifies; the one that signs is the first."""
        audiences = (self.audience, *self.former)
        return tuple(Keyring((secret,), each) for each in audiences for secret in self.secrets)

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """The :attr:`fingerprint` of each key."""
        return tuple(each.fingerprint for each in self.each[: len(self.secrets)])

    @property
    def fingerprint(self) -> str:
        """A name for the signing key that does not reveal it; it is stored with an issue."""
        return hashlib.sha256(b"fingerprint:" + self.secrets[0].encode()).hexdigest()[:16]

    def signing_as(self, fingerprint: str) -> "Keyring":
        """This keyring, signing with the key of that fingerprint, so that a letter stays the same.

        If that key was removed, the newest one signs.
        """
        for i in range(len(self.secrets)):
            rotated = replace(self, secrets=(*self.secrets[i:], *self.secrets[:i]))
            if rotated.fingerprint == fingerprint:
                return rotated
        return self


@dataclass(frozen=True, slots=True)
class Links:
    """The links in one reader's letter: ``https:``, or ``mailto:`` for newsletters without a site.

    ``pause`` and ``weekly`` open the preferences with that choice filled in; nothing changes
    before the reader saves them. ``post`` is the address of the one-click unsubscribe of RFC
    8058, ``mail`` the ``mailto:`` unsubscribe that every letter has. ``post`` and ``edition`` are
    empty without a site.
    """

    preferences: str
    pause: str
    weekly: str
    unsubscribe: str
    mail: str
    edition: str = ""
    post: str = ""


def sign_token(payload: str, purpose: Purpose, keys: Keyring, at: datetime) -> str:
    """A token that carries ``payload`` for this purpose; ``at`` is the time of signing."""
    body = f"{_base64(payload.encode())}.{_base36(int(at.timestamp()))}"
    return f"{body}.{_signature(body, _derived_keys(keys, purpose)[0])}"


Tokens = tuple[str, str, str]
"""The tokens in a letter, for :data:`SEALED`."""


class LetterSeals:
    """Signs what names the reader in the letters of one day: one keyed hash a letter.

    BLAKE2b (RFC 7693) of ``<reader>.<day>`` under the newsletter's key has 64 bytes, of which each
    purpose has its own. Whoever knows some of them learns nothing of the others.
    """

    def __init__(self, keys: Keyring, day: date) -> None:
        self._keyed = _letter_hash(keys.secrets[0], keys.audience)
        self._day = f".{_base36(day.toordinal())}"

    def sign(self, reader: int) -> tuple[Tokens, str]:
        """The tokens in one reader's letter, and the tag in its Message-ID."""
        body = f"{reader}{self._day}"
        keyed = self._keyed.copy()
        keyed.update(body.encode())
        seal = keyed.hexdigest()
        tokens = (f"{body}.{seal[:32]}", f"{body}.{seal[32:64]}", f"{body}.{seal[64:96]}")
        return tokens, seal[96:112]


SEALED: tuple[Purpose, ...] = ("unsubscribe", "preferences", "edition")
"""The purposes of the links in a letter, in the order of their seals."""


@lru_cache(maxsize=64)
def _letter_hash(secret: str, audience: str) -> "hashlib.blake2b":
    key = hashlib.sha256(b"letter:" + secret.encode()).digest()
    return hashlib.blake2b(f"{audience}:".encode(), key=key, person=b"letter")


def _verify_sealed(
    token: str, purpose: Purpose, keys: Keyring, now: datetime, max_age: timedelta | None
) -> str:
    """:func:`verify_token` for a token of :class:`LetterSeals`."""
    number, ordinal, _ = token.split(".")
    try:
        place, reader, day = SEALED.index(purpose), int(number), date.fromordinal(int(ordinal, 36))
    except (ValueError, OverflowError) as error:
        raise TokenError(_WRONG) from error
    given = token.encode("utf-8", "replace")
    if not any(
        hmac.compare_digest(LetterSeals(ring, day).sign(reader)[0][place].encode(), given)
        for ring in keys.each
    ):
        raise TokenError(_WRONG)
    if max_age is not None and now - _first_instant(day) - _LENGTH_OF_A_DAY > max_age:
        raise TokenError(_TOO_OLD)
    return f"{reader}/{day.isoformat()}" if purpose == "edition" else str(reader)


def _is_sealed(token: str) -> bool:
    return len(token.rpartition(".")[2]) == _SEAL and token.count(".") == len(("reader", "day"))


def _first_instant(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=14)


def verify_token(
    token: str, purpose: Purpose, keys: Keyring, now: datetime, max_age: timedelta | None
) -> str:
    """The payload of a token that was signed under any of these keys.

    Signatures are compared in constant time. ``max_age`` of None accepts a token of any age.

    Raises:
        TokenError: the token was made elsewhere or for another purpose, was changed, or is too old.
    """
    if _is_sealed(token):
        return _verify_sealed(token, purpose, keys, now, max_age)
    body, _, signature = token.rpartition(".")
    # Comparing the text of the signature refuses other base64 spellings of the same bytes.
    if not any(
        hmac.compare_digest(_signature(body, key).encode(), signature.encode("utf-8", "replace"))
        for key in _derived_keys(keys, purpose)
    ):
        raise TokenError(_WRONG)
    payload, _, signed_at = body.partition(".")
    if max_age is not None and now.timestamp() - int(signed_at, 36) > max_age.total_seconds():
        raise TokenError(_TOO_OLD)
    return urlsafe_b64decode(payload + "=" * (-len(payload) % 4)).decode()


def signed_at(token: str) -> datetime:
    """When a token that :func:`verify_token` accepts was signed; a letter's: not before this."""
    if _is_sealed(token):
        return _first_instant(date.fromordinal(int(token.split(".")[1], 36)))
    return datetime.fromtimestamp(int(token.split(".")[1], 36), UTC)


def letter_links(publication: Publication, keys: Keyring, day: date, reader: int) -> Links:
    """The links in one reader's letter of ``day``."""
    tokens, _ = LetterSeals(keys, day).sign(reader)
    return links_with(publication, tokens, own_mailbox(publication, keys, reader))


def sign_links(
    publication: Publication, keys: Keyring, day: date, at: datetime, reader: int
) -> Links:
    """The links in a note of ``day``, and in a letter of an earlier version, signed ``at``.

    The tokens carry the reader's id (``7``), the edition's also the day (``7/2026-08-03``).
    """
    payloads = (str(reader), str(reader), f"{reader}/{day.isoformat()}")
    unsubscribe, preferences, edition = (
        sign_token(payload, purpose, keys, at)
        for payload, purpose in zip(payloads, SEALED, strict=True)
    )
    mailbox = own_mailbox(publication, keys, reader)
    return links_with(publication, (unsubscribe, preferences, edition), mailbox)


def own_mailbox(publication: Publication, keys: Keyring, reader: int) -> str:
    """Names the reader in the address to unsubscribe at: some mail programs leave out subjects."""
    return f"+u{bounce_tag(reader, keys)}" if publication.bounces else ""


def links_with(publication: Publication, tokens: Tokens, mailbox: str) -> Links:
    """The links with these tokens; ``mailbox`` is the reader's :func:`own_mailbox`."""
    unsubscribe, preferences, edition = tokens
    mail = _mailto(publication, "unsubscribe", unsubscribe, mailbox)
    if publication.url is None:
        return Links(
            preferences=_mailto(publication, "preferences", preferences),
            pause=_mailto(publication, "pause", preferences),
            weekly=_mailto(publication, "weekly", preferences),
            unsubscribe=mail,
            mail=mail,
        )
    site = publication.url.rstrip("/")
    page = f"{site}/preferences/{preferences}"
    return Links(
        preferences=page,
        pause=f"{page}?pause=2",
        weekly=f"{page}?cadence=weekly",
        unsubscribe=f"{site}/unsubscribe/{unsubscribe}",
        mail=mail,
        edition=f"{site}/edition/{edition}",
        post=f"{site}/unsubscribe/{unsubscribe}",
    )


def keyed_hash(text: str, keys: Keyring) -> str:
    """A name for ``text`` that only a holder of the signing key can compute: 64 hex digits."""
    return _mac(keys.secrets[0].encode(), f"name:{keys.audience}:{text}".encode()).hex()


def letter_tag(day: date, reader: int, keys: Keyring) -> str:
    """Identified one reader's letter of ``day`` in the Message-IDs of earlier versions."""
    return keyed_hash(f"{day.isoformat()}:{reader}", keys)[:16]


def readers_by_letter_tag(day: date, readers: Iterable[int], keys: Keyring) -> dict[str, int]:
    """These readers by the tags that their letters of ``day`` may have under any of these keys."""
    rings = [(LetterSeals(ring, day), ring) for ring in keys.each]
    return {
        tag: reader
        for reader in readers
        for seals, ring in rings
        for tag in (seals.sign(reader)[1], letter_tag(day, reader, ring))
    }


@dataclass(frozen=True, slots=True)
class BounceTag:
    """What a return path says that was made here.

    Attributes:
        reader: the reader's id.
        address: a short keyed hash of the address that the mail was sent to; empty in letters of
            earlier versions.
        note: whether the mail asked to confirm the address: nobody had agreed yet to get it.
    """

    reader: int
    address: str = ""
    note: bool = False

    def is_for(self, email: str, keys: Keyring) -> bool:
        """Whether the mail was sent to this address."""
        return self.address in (_address_hash(email, ring) for ring in keys.each)


def bounce_tag(reader: int, keys: Keyring, email: str = "", *, note: bool = False) -> str:
    """Identifies the reader and the address in a return path, after the plus.

    It is short and has no capitals, because mailboxes may cut or lower-case a local part. It is
    the same in every letter: servers that greylist know the sender again.
    """
    if not email:
        return f"{reader}-{keyed_hash(f'bounce:{reader}', keys)[:16]}"
    address = _address_hash(email, keys)
    kind = "note" if note else "letter"
    return f"{reader}-{address}{keyed_hash(f'{kind}:{reader}:{address}', keys)[:10]}"


def read_bounce_tag(tag: str, keys: Keyring) -> BounceTag:
    """What a return path says, under any of these keys; those of earlier versions count, too.

    Raises:
        TokenError: the tag was not made here.
    """
    number, _, rest = tag.lower().partition("-")
    if number.isascii() and number.isdigit() and len(number) < _MAX_ID_DIGITS:
        reader, address = int(number), rest[:6]
        for ring in keys.each:
            signed = {
                keyed_hash(f"bounce:{reader}", ring)[:16]: BounceTag(reader),
                address + keyed_hash(f"letter:{reader}:{address}", ring)[:10]: BounceTag(
                    reader, address
                ),
                address + keyed_hash(f"note:{reader}:{address}", ring)[:10]: BounceTag(
                    reader, address, note=True
                ),
            }
            for expected, found in signed.items():
                if hmac.compare_digest(expected.encode(), rest.encode("utf-8", "replace")):
                    return found
    raise TokenError("This return path was not made here.")


def _address_hash(email: str, keys: Keyring) -> str:
    return keyed_hash(f"address:{email.lower()}", keys)[:6]


def _mailto(publication: Publication, verb: str, token: str, extension: str = "") -> str:
    """A link that writes a mail; ``extension`` is added to the local part of the address."""
    local, _, domain = publication.requests_to.rpartition("@")
    return f"mailto:{local}{extension}@{domain}?subject={verb}%20{token}"


def _base64(value: bytes) -> str:
    return urlsafe_b64encode(value).rstrip(b"=").decode()


def _signature(body: str, key: bytes) -> str:
    return _base64(_mac(key, body.encode("utf-8", "replace")))


@lru_cache(maxsize=64)
def _derived_keys(keys: Keyring, purpose: Purpose) -> tuple[bytes, ...]:
    # Derived once, and not again for each of a hundred thousand letters.
    return tuple(
        hmac.digest(
            one.secrets[0].encode(), f"newsletter:{one.audience}:{purpose}".encode(), "sha256"
        )
        for one in keys.each
    )


def _mac(key: bytes, value: bytes) -> bytes:
    """HMAC-SHA256 (RFC 2104)."""
    mac = _keyed_mac(key).copy()
    mac.update(value)
    return mac.digest()


@lru_cache(maxsize=64)
def _keyed_mac(key: bytes) -> hmac.HMAC:
    # Cached: setting a key up costs more than signing with it.
    return hmac.new(key, digestmod="sha256")


@lru_cache(maxsize=64)
def _base36(number: int) -> str:
    digits = ""
    while number:
        number, rest = divmod(number, 36)
        digits = _DIGITS[rest] + digits
    return digits or "0"
