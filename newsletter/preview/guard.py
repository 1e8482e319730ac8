"""Who the page answers: its own address, asked for by the person at this machine alone."""

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from newsletter.web.browser import SHUT, guarded

HOST = "127.0.0.1"
NAMES = (HOST, "localhost")
"""What the page may be asked for as; another name that leads here is an attack."""

PAGE = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
    " frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
LETTER = (
    "sandbox allow-same-origin; default-src 'none'; style-src 'unsafe-inline'; img-src data:;"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
"""A letter runs no script, loads nothing, sends nothing; the page around it may look into it."""

HEADERS = SHUT | {
    "Content-Security-Policy": PAGE,
    "Referrer-Policy": "same-origin",
}


class Guard:
    """Stands before the page; every answer says what a browser may do with it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        saying = guarded(send, HEADERS)
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif (refusal := _refusal(scope)) is not None:
            await refusal(scope, receive, saying)
        else:
            await self._app(scope, receive, saying)


def _refusal(scope: Scope) -> PlainTextResponse | None:
    _, port = scope["server"]
    ours = {f"{name}:{port}" for name in NAMES}
    headers = Headers(scope=scope)
    if headers.get("host", "").lower() not in ours:
        return PlainTextResponse("This page answers on its own address alone.", 400)
    origin = headers.get("origin")
    foreign = origin is not None and urlsplit(origin).netloc.lower() not in ours
    if foreign or headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
        return PlainTextResponse("Another site may not ask for this page.", 403)
    return None
