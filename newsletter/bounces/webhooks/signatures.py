"""Signatures with public keys; their library, ``cryptography``, is in the extra ``webhooks``."""

from base64 import b64decode
from datetime import datetime, timedelta
from threading import Lock
from typing import Literal

import httpx2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm
from cryptography.x509 import Certificate, load_pem_x509_certificate

from newsletter.bounces.webhooks.events import Fetch, PostError, forged

Algorithm = Literal["sha1", "sha256"]
_ALGORITHMS: dict[Algorithm, HashAlgorithm] = {
    "sha1": SHA1(),  # noqa: S303 - SNS signs so by default, and old versions of Postal
    "sha256": SHA256(),
}

TIMEOUT = 10.0  # seconds

PAUSE = timedelta(seconds=10)
"""How long no certificate is fetched after one failed, so that nobody can make us fetch on."""

MAX_KEPT = 16  # certificates that are kept; a service has one or two at a time


def https_fetch(proxy: str | None) -> Fetch:
    """Fetches over HTTPS, through an HTTP proxy if one is given; redirects are not followed."""

    def fetch(url: str) -> bytes:
        try:
            answer = httpx2.get(url, proxy=proxy, trust_env=False, timeout=TIMEOUT)
            return answer.raise_for_status().content
        except httpx2.HTTPError as error:
            raise ConnectionError(f"{url}: {error}") from error

    return fetch


def is_signed(key: object, signature: str, content: bytes, algorithm: Algorithm = "sha256") -> bool:
    """Whether content has this signature (base64) under a public key, RSA (PKCS #1) or ECDSA."""
    try:
        given = b64decode(signature, validate=True)
        if isinstance(key, RSAPublicKey):
            key.verify(given, content, PKCS1v15(), _ALGORITHMS[algorithm])
        elif isinstance(key, EllipticCurvePublicKey):
            key.verify(given, content, ECDSA(_ALGORITHMS[algorithm]))
        else:
            return False
    except (ValueError, InvalidSignature):
        return False
    return True


class Certificates:
    """The certificates at addresses that the caller has checked, each fetched once."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch, self._lock = fetch, Lock()
        self._kept: dict[str, Certificate] = {}
        self._not_before: datetime | None = None

    def key(self, url: str, now: datetime) -> object:
        """The public key in the certificate at an address.

        Raises:
            PostError: it cannot be fetched now (503), or is not valid now (403).
        """
        with self._lock:
            found = self._kept.get(url) or self._fetched(url, now)
        if not found.not_valid_before_utc <= now <= found.not_valid_after_utc:
            raise forged("The certificate has expired.")
        return found.public_key()

    def _fetched(self, url: str, now: datetime) -> Certificate:
        busy = PostError(503, "The certificate cannot be fetched now.")
        if self._not_before is not None and now < self._not_before:
            raise busy
        try:
            found = load_pem_x509_certificate(self._fetch(url))
        except (OSError, ValueError) as error:
            self._not_before = now + PAUSE
            raise busy from error
        if len(self._kept) >= MAX_KEPT:
            self._kept.clear()
        self._kept[url] = found
        return found
