"""Signed links: who may do what without a login, and the addresses that carry it.

A token is ``<what>.<when>.<signature>``: a payload in base64url, the instant of signing in
seconds since 1970 (base 36), and HMAC-SHA256 over both under a key of its purpose. Whoever holds
an unsubscribe token cannot use it for anything else, nor in another newsletter. Nothing is
secret in a token: it is signed, not encrypted.
"""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Literal

from itsdangerous import BadData, Signer
from itsdangerous.encoding import base64_decode, base64_encode
from itsdangerous.signer import SigningAlgorithm

from newsletter.errors import TokenError
from newsletter.model import Publication

Purpose = Literal["unsubscribe", "preferences", "edition", "confirm", "feed", "move"]
"""What a token allows; each purpose signs under a salt of its own."""

MAX_AGE: dict[Purpose, timedelta | None] = {
    "unsubscribe": None,
    "preferences": timedelta(days=30),
    "edition": timedelta(days=365),
    "confirm": timedelta(hours=48),
    "feed": None,
    "move": timedelta(hours=48),
}
"""How long a token is good, from its signing.

A way out never expires; a feed ends with its reader's subscription."""

_LONGEST_ID = 20
"""More digits than any reader's id has."""

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Keyring:
    """The keys of one newsletter, newest first: the first signs, all of them verify.

    ``audience`` tells newsletters that share a key apart; the sender's address serves.
    """

    secrets: tuple[str, ...]
    audience: str = ""

    @property
    def fingerprint(self) -> str:
        """A name for the signing key that does not give it away, to be stored with an issue."""
        return hashlib.sha256(b"fingerprint:" + self.secrets[0].encode()).hexdigest()[:16]

    def signing_as(self, fingerprint: str) -> "Keyring":
        """This keyring signing with the key of that fingerprint, so that a letter stays the same.

        A key that is not here any more cannot sign: then the newest one does.
        """
        for place in range(len(self.secrets)):
            turned = Keyring((*self.secrets[place:], *self.secrets[:place]), self.audience)
            if turned.fingerprint == fingerprint:
                return turned
        return self


@dataclass(frozen=True, slots=True)
class Links:
    """Where one reader's letter leads: ``https:`` addresses, or ``mailto:`` where there is no site.

    ``pause`` and ``weekly`` open the preferences with that choice made; nothing changes until
    the reader confirms it there. ``post`` is the address of the one-click unsubscribe of RFC
    8058, ``mail`` the ``mailto:`` way out that every letter has. ``post`` and ``edition`` are
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
    """A token that carries ``payload`` for this purpose, signed at this instant."""
    body = f"{base64_encode(payload).decode()}.{_base36(int(at.timestamp()))}"
    return _signer(keys, purpose).sign(body).decode()


def verify_token(
    token: str, purpose: Purpose, keys: Keyring, now: datetime, max_age: timedelta | None
) -> str:
    """The payload of a token made by :func:`sign_token` under any of these keys.

    Signatures are compared in constant time. ``max_age`` of None accepts a token of any age.

    Raises:
        TokenError: the token was not made here for this purpose, was changed, or is too old.
    """
    try:
        body = _signer(keys, purpose).unsign(_canonical(token)).decode()
        payload, _, when = body.partition(".")
        age = now.timestamp() - int(when, 36)
        text = base64_decode(payload).decode()
    except (BadData, ValueError) as error:
        raise TokenError(
            "This link was not made here or was cut short; take it from the letter once more."
        ) from error
    if max_age is not None and age > max_age.total_seconds():
        raise TokenError("This link is too old; take it from a newer letter.")
    return text


def sign_links(
    publication: Publication, keys: Keyring, day: date, at: datetime, reader: int
) -> Links:
    """The links of one reader's letter of ``day``, signed at ``at`` (the issue's freeze).

    The tokens carry the reader's id, the edition's also the day: ``7`` and ``7/2026-08-03``.
    """
    leave = sign_token(str(reader), "unsubscribe", keys, at)
    prefer = sign_token(str(reader), "preferences", keys, at)
    if publication.url is None:
        return _by_mail(publication, leave, prefer)
    site = publication.url.rstrip("/")
    edition = sign_token(f"{reader}/{day.isoformat()}", "edition", keys, at)
    preferences = f"{site}/preferences/{prefer}"
    return Links(
        preferences=preferences,
        pause=f"{preferences}?pause=2",
        weekly=f"{preferences}?cadence=weekly",
        unsubscribe=f"{site}/unsubscribe/{leave}",
        mail=_mailto(publication, "unsubscribe", leave),
        edition=f"{site}/edition/{edition}",
        post=f"{site}/unsubscribe/{leave}",
    )


def keyed_hash(text: str, keys: Keyring) -> str:
    """A name for ``text`` that only a holder of the signing key can compute: 64 hex digits."""
    named = f"name:{keys.audience}:{text}".encode()
    return _mac(keys.secrets[0].encode(), named).hex()


def letter_tag(day: date, reader: int, keys: Keyring) -> str:
    """What names one reader's letter of ``day`` in its Message-ID: 16 hex digits."""
    return keyed_hash(f"{day.isoformat()}:{reader}", keys)[:16]


def readers_by_letter_tag(day: date, readers: Iterable[int], keys: Keyring) -> dict[str, int]:
    """Whose letters of ``day`` those are, by the tags they may have under any of these keys."""
    rings = [Keyring((secret,), keys.audience) for secret in keys.secrets]
    return {letter_tag(day, reader, ring): reader for reader in readers for ring in rings}


def bounce_tag(reader: int, keys: Keyring) -> str:
    """What stands behind the plus of a letter's return path: whose letter came back.

    It survives what mailboxes do to local parts: it is short and has no capitals.
    """
    return f"{reader}-{keyed_hash(f'bounce:{reader}', keys)[:16]}"


def read_bounce_tag(tag: str, keys: Keyring) -> int:
    """The reader a return path was made for, under any of these keys.

    Raises:
        TokenError: the tag was not made here.
    """
    number = tag.partition("-")[0]
    if number.isascii() and number.isdigit() and len(number) < _LONGEST_ID:
        for secret in keys.secrets:
            made = bounce_tag(int(number), Keyring((secret,), keys.audience))
            if hmac.compare_digest(made.encode(), tag.lower().encode("utf-8", "replace")):
                return int(number)
    raise TokenError("This return path was not made here.")


def _by_mail(publication: Publication, leave: str, prefer: str) -> Links:
    return Links(
        preferences=_mailto(publication, "preferences", prefer),
        pause=_mailto(publication, "pause", prefer),
        weekly=_mailto(publication, "weekly", prefer),
        unsubscribe=_mailto(publication, "unsubscribe", leave),
        mail=_mailto(publication, "unsubscribe", leave),
    )


def _mailto(publication: Publication, verb: str, token: str) -> str:
    mailbox = publication.bounces or publication.sender_email
    return f"mailto:{mailbox}?subject={verb}%20{token}"


def _canonical(token: str) -> str:
    # The last character of a signature has bits to spare; only one spelling of it is ours.
    signature = token.rpartition(".")[2]
    if base64_encode(base64_decode(signature)).decode() != signature:
        raise ValueError(token)
    return token


@lru_cache(maxsize=64)
def _signer(keys: Keyring, purpose: Purpose) -> Signer:
    # Keys are derived here, once, and not anew for each of a hundred thousand letters.
    salt = f"newsletter:{keys.audience}:{purpose}".encode()
    derived = [hmac.digest(secret.encode(), salt, "sha256") for secret in keys.secrets]
    return Signer(derived[::-1], key_derivation="none", algorithm=_HmacSha256())


class _HmacSha256(SigningAlgorithm):
    """HMAC-SHA256 (RFC 2104); each letter has three of them."""

    def get_signature(self, key: bytes, value: bytes) -> bytes:
        return _mac(key, value)


def _mac(key: bytes, value: bytes) -> bytes:
    """HMAC-SHA256 (RFC 2104)."""
    begun = _begun(key).copy()
    begun.update(value)
    return begun.digest()


@lru_cache(maxsize=64)
def _begun(key: bytes) -> hmac.HMAC:
    # A key is taken in once: that costs more than what it signs.
    return hmac.new(key, digestmod="sha256")


@lru_cache(maxsize=64)
def _base36(number: int) -> str:
    digits = ""
    while number:
        number, rest = divmod(number, 36)
        digits = _DIGITS[rest] + digits
    return digits or "0"
