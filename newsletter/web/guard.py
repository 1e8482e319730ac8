"""What stands in front of every page: security headers, and requests that are refused."""

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

Refuse = Callable[[Scope], Response | None]
"""Returns the refusal of a request; None if it may pass."""

COMMON_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Headers of the readers' pages and of the preview page alike."""

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)
"""What a page may load: its style and pictures; no script (Content Security Policy, level 3)."""

SCRIPT_POLICY = f"{POLICY}; script-src 'self'; connect-src 'self'"
"""The same for a page with a script file of ours, which may send requests to us only."""

LETTER_POLICY = POLICY.replace("style-src 'self'", "style-src 'unsafe-inline'")
"""The same for a page that shows an email: its styles are in it, and it has no script."""

PAGE_HEADERS = COMMON_HEADERS | {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "interest-cohort=()",
}
"""Default headers of the readers' pages; an answer may set others of the same names."""

ONE_CLICK = "/unsubscribe/"  # mailbox providers post there without cookies (RFC 8058)
CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Guard:
    """ASGI middleware: refuses unwanted requests and adds headers to answers that lack them.

    It takes off the path prefix, in case the proxy in front did not.
    """

    def __init__(
        self, app: ASGIApp, headers: Mapping[str, str], refuse: Refuse, prefix: str = ""
    ) -> None:
        self._app, self._headers, self._refuse, self._prefix = app, headers, refuse, prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope = self._without_prefix(scope)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        answer = self._refuse(scope) or self._app
        await answer(scope, receive, send_with_headers)

    def _without_prefix(self, scope: Scope) -> Scope:
        path: str = scope["path"]
        if self._prefix and (path + "/").startswith(f"{self._prefix}/"):
            return {**scope, "path": path[len(self._prefix) :] or "/", "root_path": ""}
        return scope


def guard_pages(app: ASGIApp, url: str, refusal: Callable[[], Response]) -> Guard:
    """The readers' pages, reached at this public address, behind their guard.

    Forms that a browser says come from another site get the ``refusal``. Nothing here relies on
    cookies; this keeps other sites from using a visitor's browser to subscribe people.
    """
    parts = urlsplit(url)

    def refuse(scope: Scope) -> Response | None:
        return refusal() if _is_cross_site(scope, parts.netloc.lower()) else None

    return Guard(app, PAGE_HEADERS, refuse, parts.path.rstrip("/"))


def _is_cross_site(scope: Scope, host: str) -> bool:
    """Whether the browser says that another site made it send this form."""
    if scope["method"] not in CHANGING or scope["path"].startswith(ONE_CLICK):
        return False
    headers = Headers(scope=scope)
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in {"same-origin", "none"}
    # Under no-referrer, browsers send the origin "null" for every page, including ours.
    origin = headers.get("origin", "null")
    hosts = {host, headers.get("host", "").lower()}
    return origin != "null" and urlsplit(origin).netloc.lower() not in hosts
