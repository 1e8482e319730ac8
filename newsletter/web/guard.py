"""What every page of the readers' door has in common: its place, its refusals, its headers."""

from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from newsletter.web.browser import SHUT, guarded

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)
"""What a page may load: its style and pictures; no script (Content Security Policy, level 3)."""

SCRIPTED = f"{POLICY}; script-src 'self'; connect-src 'self'"
"""The same for a page that has a script of ours, which asks us alone; none within the page."""

HEADERS = SHUT | {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "interest-cohort=()",
}
"""What a browser may do with a page; one may set another ``Cache-Control``, or ``SCRIPTED``."""

ONE_CLICK = "/unsubscribe/"
"""Where mailbox providers post from anywhere, without cookies (RFC 8058)."""

CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Guard:
    """Stands before the pages.

    A path prefix is taken off, whether the proxy in front left it there or not. A post that a
    browser says comes from another site is refused, but for the one-click way out: nothing here
    rests on cookies, so this keeps others from using a visitor's browser to ask for letters.

    Args:
        app: the pages.
        url: where they are for the world.

    Attributes:
        routes: the pages' own: what they answer to.
    """

    def __init__(self, app: Starlette, url: str) -> None:
        self._app = app
        self.routes = app.routes
        parts = urlsplit(url)
        self._prefix = parts.path.rstrip("/")
        self._host = parts.netloc.lower()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope = self._placed(scope)
        send = guarded(send, HEADERS)
        if self._is_foreign(scope):
            refusal = PlainTextResponse("Another site may not send this form.", 403)
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _placed(self, scope: Scope) -> Scope:
        path: str = scope["path"]
        if self._prefix and (path + "/").startswith(f"{self._prefix}/"):
            return {**scope, "path": path[len(self._prefix) :] or "/", "root_path": ""}
        return scope

    def _is_foreign(self, scope: Scope) -> bool:
        """Whether a browser says that another site made it send this."""
        if scope["method"] not in CHANGING or scope["path"].startswith(ONE_CLICK):
            return False
        headers = Headers(scope=scope)
        site = headers.get("sec-fetch-site")
        if site is not None:
            return site not in {"same-origin", "none"}
        # Under no-referrer browsers call every page's origin "null", our own too.
        origin = headers.get("origin", "null")
        ours = {self._host, headers.get("host", "").lower()}
        return origin != "null" and urlsplit(origin).netloc.lower() not in ours
