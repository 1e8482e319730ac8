"""Real servers on loopback for logins by XOAUTH2: one that gives tokens, one that takes them."""

import contextlib
import json
import threading
from base64 import b64decode
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

from aiosmtpd.smtp import SMTP, AuthResult

from tests.support.smtp_servers import WorkingServer, listen

CHALLENGE = b'{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}'
"""The error that Gmail sends before its refusal."""


@dataclass
class TokenServer:
    """A server of access tokens: ``token-1``, ``token-2`` and so on, after the ``script``.

    Attributes:
        script: answers to give first, each a status and a document (bytes: not JSON).
        extra: what every good answer has besides the token.
        forms: the forms that were posted.
    """

    script: list[tuple[int, Any]] = field(default_factory=list)
    extra: dict[str, object] = field(default_factory=lambda: {"expires_in": 3600})
    forms: list[dict[str, str]] = field(default_factory=list)
    given: list[str] = field(default_factory=list)
    url: str = ""

    def answer(self, form: dict[str, str]) -> tuple[int, Any]:
        """The status and the document for a form."""
        self.forms.append(form)
        if self.script:
            return self.script.pop(0)
        self.given.append(f"token-{len(self.given) + 1}")
        return 200, {"access_token": self.given[-1], "token_type": "Bearer", **self.extra}


@contextlib.contextmanager
def token_server(*script: tuple[int, Any], **extra: object) -> Iterator[TokenServer]:
    """Run a server of access tokens."""
    server = TokenServer([*script], {"expires_in": 3600, **extra})

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            status, document = server.answer(dict(parse_qsl(body)))
            content = document if isinstance(document, bytes) else json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, args=[0.01], daemon=True)
    thread.start()
    server.url = f"http://127.0.0.1:{http.server_address[1]}/token"
    try:
        yield server
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


@dataclass
class TokenLoginServer(WorkingServer):
    """An SMTP server that takes only logins by XOAUTH2.

    Attributes:
        takes: whether it takes a token.
        refusal: its last word to a token that it does not take.
        logins: the user and the token of each attempt.
    """

    takes: Callable[[str], bool] = lambda _token: True
    refusal: str = "535 5.7.8 Username and Password not accepted"
    logins: list[tuple[str, str]] = field(default_factory=list)

    async def auth_XOAUTH2(self, server: SMTP, words: list[str]) -> AuthResult:  # noqa: N802 - aiosmtpd
        """Check the token, as https://developers.google.com/workspace/gmail/imap/xoauth2-protocol"""
        response = b64decode(words[1]) if len(words) > 1 else await server.challenge_auth("")
        assert isinstance(response, bytes)
        user, bearer, *end = response.decode().split("\x01")
        assert end == ["", ""]
        login = user.removeprefix("user="), bearer.removeprefix("auth=Bearer ")
        self.logins.append(login)
        if self.takes(login[1]):
            return AuthResult(success=True)
        assert await server.challenge_auth(CHALLENGE) == b""
        return AuthResult(success=False, handled=False, message=self.refusal)


@contextlib.asynccontextmanager
async def token_login_server(
    takes: Callable[[str], bool] = lambda _token: True,
) -> AsyncIterator[TokenLoginServer]:
    """Run an SMTP server that takes these tokens."""
    server = TokenLoginServer(takes=takes)
    async with listen(
        server,
        auth_require_tls=False,
        auth_exclude_mechanism=["LOGIN", "PLAIN"],
    ):
        yield server
