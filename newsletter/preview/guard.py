"""Which requests the proof sheet answers: those of the person at this machine only."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import Scope

from newsletter.web.guard import COMMON_HEADERS
from newsletter.web.server import LOOPBACK

HOSTS = (LOOPBACK, "localhost")
"""Host names of the page; a request under another name is a DNS rebinding attack."""

LETTER_POLICY = (
    "sandbox allow-same-origin; default-src 'none'; style-src 'unsafe-inline'; img-src data:;"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
"""A letter runs no script, loads nothing and sends nothing; the page around it may read it."""

HEADERS = COMMON_HEADERS | {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
        " frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
}


def refuse_foreign(scope: Scope) -> PlainTextResponse | None:
    """Refuse a request for another host, or one that another site caused."""
    _, port = scope["server"]
    own = {f"{host}:{port}" for host in HOSTS}
    headers = Headers(scope=scope)
    if headers.get("host", "").lower() not in own:
        return PlainTextResponse("This page answers only at its own address.", 400)
    origin = headers.get("origin")
    foreign = origin is not None and urlsplit(origin).netloc.lower() not in own
    if foreign or headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
        return PlainTextResponse("Requests from other sites are refused.", 403)
    return None
