"""Access tokens for logins by XOAUTH2 (RFC 6749): fetched, cached until they expire, refreshed."""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import httpx2

from newsletter.app.files import locked, write_private
from newsletter.config import OAuthSettings
from newsletter.errors import AccessTokenError
from newsletter.ports import Clock

TIMEOUT = 20.0  # seconds for each step of a request
LIFETIME = 600  # seconds that a token is valid if the server does not say how many
MAX_LIFETIME = 86_400  # seconds

_NEW = timedelta(minutes=1)  # after a refusal of a token that is newer, another is no better

_LIFETIME_USED = 0.9  # a token is replaced before its end, because clocks differ

_REMEDIES = {
    "invalid_grant": "the refresh token was revoked, has expired or is another app's: make a new "
    "one (docs/oauth.md) and write it as {setting}.refresh_token",
    "invalid_client": "check {setting}.client_id and {setting}.client_secret: it is the secret's "
    "value, not its id, and a secret expires",
    "unauthorized_client": "check {setting}.client_id and {setting}.tenant, and what the app may "
    "do there (docs/oauth.md)",
    "invalid_scope": "check {setting}.scope; without it the right one for the provider is used",
    "invalid_request": "check {setting}.tenant and {setting}.token_url",
    "interaction_required": "an administrator has to consent to the app's permissions, or the "
    "person has to sign in again: docs/oauth.md",
}
_OTHERWISE = "check {setting}; docs/oauth.md has the steps"
_LATER = "it is tried again; check {setting} and the network if it stays"
_BUSY = frozenset({"temporarily_unavailable", "server_error", "slow_down"})
_MAX_WORDS = 300


class AccessTokens:
    """The access tokens of one login; several threads may share them.

    A server may give a new refresh token with each access token, and the old one ends some time
    later (at Microsoft after 90 days). So the newest is kept in a file that only its owner can
    read; it counts as long as the configured one stays the same.
    """

    def __init__(
        self,
        settings: OAuthSettings,
        setting: str,
        clock: Clock,
        folder: Path,
        proxy: str | None = None,
    ) -> None:
        """Prepare; nothing is fetched yet.

        Args:
            settings: how to get tokens.
            setting: the place of these settings, as error messages name it (``smtp.oauth``).
            clock: decides when a token has expired.
            folder: where the newest refresh token is kept.
            proxy: the address of an HTTP proxy.
        """
        self._settings, self._setting, self._clock = settings, setting, clock
        self._folder, self._proxy = folder, proxy
        self._lock = Lock()
        self._token, self._fetched, self._replaced = "", clock.now(), clock.now()

    def get(self, refused: str = "") -> str:
        """A valid access token; another than ``refused``, unless that one was fetched just now.

        It may wait for the network: call it in a thread.

        Raises:
            AccessTokenError: there is none; ``final`` if trying again does not help.
        """
        with self._lock:
            now = self._clock.now()
            refuses = refused == self._token and now >= self._fetched + _NEW
            if not self._token or refuses or now >= self._replaced:
                self._token = ""
                self._fetch(now)
            return self._token

    def _fetch(self, now: datetime) -> None:
        answer = self._grant()
        token = answer.get("access_token")
        if not (isinstance(token, str) and token.isascii() and token.isprintable() and token):
            raise self._error("it answered without an access token", _OTHERWISE)
        self._token, self._fetched = token, now
        self._replaced = now + _LIFETIME_USED * _lifetime(answer)

    def _grant(self) -> Mapping[str, Any]:
        """What the server grants; by a refresh token also keep the next one."""
        configured = self._settings.refresh_token
        if configured is None:
            return self._ask(self._settings.grant)
        first = configured.get_secret_value()
        kept = self._folder / f"oauth-{hashlib.sha256(first.encode()).hexdigest()[:16]}"
        with locked(self._folder):  # another process may replace the token
            newest = kept.read_text("ascii") if kept.exists() else first
            try:
                answer = self._ask({**self._settings.grant, "refresh_token": newest})
            except AccessTokenError as error:
                if newest == first or not error.final:
                    raise
                newest = first
                answer = self._ask({**self._settings.grant, "refresh_token": first})
            following = answer.get("refresh_token")
            if isinstance(following, str) and following.isascii() and following != newest:
                write_private(kept, following)
        return answer

    def _ask(self, form: Mapping[str, str]) -> Mapping[str, Any]:
        """The server's answer to a request for a token."""
        endpoint = self._settings.endpoint
        try:
            reply = httpx2.post(
                endpoint, data=form, timeout=TIMEOUT, trust_env=False, proxy=self._proxy
            )
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            words = self._without_secrets(str(error) or type(error).__name__, form)
            raise self._error(words, _LATER, final=False) from error
        try:
            answer = reply.json()
        except ValueError:
            answer = None
        if reply.is_success and isinstance(answer, dict):
            return answer
        raise self._refusal(reply.status_code, answer if isinstance(answer, dict) else {}, form)

    def _refusal(
        self, status: int, answer: Mapping[str, Any], form: Mapping[str, str]
    ) -> AccessTokenError:
        """The error that an answer without a token means (RFC 6749, 5.2)."""
        code = str(answer.get("error") or f"status {status}")
        said = " ".join(f"{code}: {answer.get('error_description') or ''}".split()).rstrip(":")
        words = self._without_secrets(said, form)
        if status >= 500 or status == 429 or code in _BUSY:  # noqa: PLR2004 - RFC 9110, RFC 6585
            return self._error(words, _LATER, final=False)
        return self._error(words, _REMEDIES.get(code, _OTHERWISE))

    @staticmethod
    def _without_secrets(words: str, form: Mapping[str, str]) -> str:
        for name in ("client_secret", "refresh_token"):
            if secret := form.get(name):
                words = words.replace(secret, "***")
        return "".join(c for c in words if c.isprintable())[:_MAX_WORDS]

    def _error(self, words: str, remedy: str, *, final: bool = True) -> AccessTokenError:
        server = urlsplit(self._settings.endpoint).hostname
        said = f"no access token from {server}: {words}"
        return AccessTokenError(f"{said}; {remedy.format(setting=self._setting)}", final=final)


def _lifetime(answer: Mapping[str, Any]) -> timedelta:
    """How long the token in an answer is valid (RFC 6749, 5.1); some servers write a text."""
    try:
        seconds = int(answer.get("expires_in") or LIFETIME)
    except (TypeError, ValueError, OverflowError):
        seconds = LIFETIME
    return timedelta(seconds=max(0, min(seconds, MAX_LIFETIME)))
