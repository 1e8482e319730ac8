"""Addresses that may become links."""

import re
from urllib.parse import SplitResult, quote, urlsplit, urlunsplit

MAX_LENGTH = 2_000
"""Characters of an address; beyond it browsers and mail clients differ."""

_IMPOSSIBLE = re.compile(r"[\s\x00-\x20\x7f-\xa0\ud800-\udfff\\]")
_HOST = re.compile(r"[a-z0-9._-]+|\[[0-9a-f:.]+\]")
_SAFE = "%/:?#[]@!$&'()*+,;=-._~|"


def http_url(value: str | None) -> str | None:
    """An absolute http or https address fit for a link (RFC 3986), or None.

    Relative addresses, other schemes, credentials, white space, control characters and
    backslashes make it None, as does an address over ``MAX_LENGTH``. What lies outside ASCII is
    percent-encoded (RFC 3987); the host becomes IDNA.
    """
    value = (value or "").strip()
    if not value or _IMPOSSIBLE.search(value):
        return None
    try:
        parts = urlsplit(value)
        netloc = _netloc(parts)
    except ValueError:  # UnicodeError, of hosts that are no IDNA, is one
        return None
    if parts.scheme not in {"http", "https"} or netloc is None:
        return None
    path, query, fragment = (quote(part, safe=_SAFE) for part in parts[2:])
    url = urlunsplit((parts.scheme, netloc, path, query, fragment))
    return url if len(url) <= MAX_LENGTH else None


def _netloc(parts: SplitResult) -> str | None:
    """Host and port, or None where there is no host or more than a host."""
    if not parts.hostname or "@" in parts.netloc:
        return None
    host = parts.hostname.encode("idna").decode("ascii")
    host = f"[{host}]" if ":" in host else host
    if not _HOST.fullmatch(host):
        return None
    return host if parts.port is None else f"{host}:{parts.port}"
