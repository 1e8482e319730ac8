"""The page that shows the letters in a folder: each as HTML, as text, and in its source."""

import contextlib
import html
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import jinja2
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

HOST = "127.0.0.1"
NAMES = (HOST, "localhost")
"""What the page may be asked for as."""

TRIES = 50
"""Ports looked at from the one asked for."""

HIGHEST_PORT = 65535

_PAGE = (
    "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'"
)
_LETTER = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'self'"
)


@dataclass(frozen=True, slots=True)
class Shown:
    """One letter as the page shows it; ``source`` is its file's text."""

    to: str
    subject: str
    html: str
    text: str
    headers: tuple[tuple[str, str], ...]
    source: str

    @classmethod
    def read(cls, path: Path) -> "Shown":
        """A letter's file, parsed."""
        content = path.read_bytes()
        message = message_from_bytes(content, policy=policy.SMTP)
        assert isinstance(message, EmailMessage)
        return cls(
            to=str(message["To"]),
            subject=str(message["Subject"]),
            html=_part(message, "html"),
            text=_part(message, "plain"),
            headers=tuple((name, str(value)) for name, value in message.items()),
            source=content.decode("utf-8", errors="replace"),
        )


def letters_app(folder: Path, template: str) -> Starlette:
    """The page over a folder of ``.eml`` files, read anew at each request.

    Args:
        folder: where the letters are; folders in it are looked into.
        template: the page, as Jinja.
    """
    page = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(
        template
    )

    def found() -> dict[str, Path]:
        return {str(at): path for at, path in enumerate(sorted(folder.rglob("*.eml")))}

    def letter(request: Request) -> Shown:
        path = found().get(request.path_params["at"])
        if path is None:
            raise HTTPException(404, "There is no such letter.")
        return Shown.read(path)

    async def index(request: Request) -> Response:
        chosen = request.query_params.get("letter", "0")
        letters = {at: Shown.read(path) for at, path in found().items()}
        shown = letters.get(chosen)
        return HTMLResponse(page.render(letters=letters, chosen=chosen, shown=shown))

    async def as_html(request: Request) -> Response:
        return HTMLResponse(letter(request).html, headers={"Content-Security-Policy": _LETTER})

    async def as_text(request: Request) -> Response:
        return PlainTextResponse(letter(request).text)

    async def as_source(request: Request) -> Response:
        return PlainTextResponse(letter(request).source)

    return Starlette(
        routes=[
            Route("/", index),
            Route("/letters/{at}.html", as_html),
            Route("/letters/{at}.txt", as_text),
            Route("/letters/{at}.eml", as_source),
        ],
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=_guarded)],
    )


async def _guarded(
    request: Request, following: Callable[[Request], Awaitable[Response]]
) -> Response:
    """Only to those who ask for this host; every answer says what a browser may do with it."""
    if _is_ours(request):
        response = await following(request)
    else:
        response = PlainTextResponse("This page answers on its own address alone.", 400)
    response.headers.setdefault("Content-Security-Policy", _PAGE)
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "no-store"
    return response


def _is_ours(request: Request) -> bool:
    """Whether the Host asked for is this server: another name that leads here is an attack."""
    _, port = request.scope["server"]
    return request.headers.get("host", "").lower() in {f"{name}:{port}" for name in NAMES}


def _part(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    content = "" if part is None else part.get_content()
    return content if isinstance(content, str) else html.escape(repr(content))


def serve(app: Starlette, port: int, told: Callable[[str], None]) -> None:
    """Serve on loopback until interrupted, on ``port`` or the next free one.

    Args:
        app: what to serve.
        port: the port that would be best.
        told: called with the address once it listens.
    """
    listening = _listen(port)
    told(f"http://{HOST}:{listening.getsockname()[1]}/")
    config = uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off")
    with listening:
        uvicorn.Server(config).run(sockets=[listening])


def _listen(port: int) -> socket.socket:
    """A listening socket on ``port``, on the next free one, or else on any."""
    for each in range(port, min(port + TRIES, HIGHEST_PORT + 1)):
        with contextlib.suppress(OSError):
            return socket.create_server((HOST, each))
    return socket.create_server((HOST, 0))
