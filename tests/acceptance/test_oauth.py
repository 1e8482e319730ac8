"""Logins by XOAUTH2, against a real server of tokens and a real SMTP server on loopback."""

import asyncio
import stat
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from newsletter.app.wiring import App
from newsletter.config import read_settings
from newsletter.errors import AccessTokenError, TransportError
from newsletter.model import Accepted
from tests.support.clocks import SkippingClock
from tests.support.oauth_servers import (
    TokenServer,
    token_login_server,
    token_server,
)
from tests.support.outgoing import DeliveryRecorder, letters
from tests.support.smtp_servers import working_server

APP = "client_secret: s3cret-of-the-app"
PERSON = "refresh_token: first-refresh-token"


@pytest.fixture
def tokens() -> Iterator[TokenServer]:
    with token_server() as server:
        yield server


def make_app(folder: Path, tokens: TokenServer, login: str = APP, *, port: int = 1) -> App:
    """A newsletter whose login asks this server for tokens."""
    text = f"""
name: N
sender: n@example.org
smtp:
  host: localhost
  port: {port}
  security: none
  username: n@example.org
  connections: 1
  per_connection: 1
  oauth: {{token_url: "{tokens.url}", client_id: the-app, scope: send, {login}}}
"""
    settings = read_settings(text.encode(), "newsletter.yaml", {})
    return App(folder / "newsletter.yaml", settings, {}, SkippingClock())


def access_token(app: App, refused: str = "") -> str:
    assert app.settings.smtp.oauth is not None
    return app.access_tokens(app.settings.smtp.oauth, "smtp.oauth").get(refused)


def refusal(folder: Path, answer: tuple[int, Any], login: str = APP) -> AccessTokenError:
    """The error after an answer of the server."""
    with token_server(answer) as tokens:
        app = make_app(folder, tokens, login)
        with pytest.raises(AccessTokenError) as caught:
            access_token(app)
        assert access_token(app) == "token-1", "the next try asks again"
    return caught.value


async def send(app: App, count: int) -> DeliveryRecorder:
    recorder = DeliveryRecorder()
    await app.transport().send(recorder.stream(letters(count)), recorder.mark, recorder.settle)
    return recorder


def test_app_logs_in_with_its_own_token(tmp_path: Path, tokens: TokenServer) -> None:
    async def scenario() -> None:
        async with token_login_server() as server:
            recorder = await send(make_app(tmp_path, tokens, port=server.port), 3)
            assert all(isinstance(outcome, Accepted) for _, outcome in recorder.settled)
            assert len(server.received) == 3
            assert server.logins == [("n@example.org", "token-1")] * 3

    asyncio.run(scenario())
    assert tokens.forms == [
        {
            "grant_type": "client_credentials",
            "client_id": "the-app",
            "client_secret": "s3cret-of-the-app",
            "scope": "send",
        }
    ]


def test_long_token_leaves_after_the_command(tmp_path: Path) -> None:
    async def scenario() -> None:
        with token_server((200, {"access_token": "t" * 700, "expires_in": "3600"})) as tokens:
            async with token_login_server() as server:
                await send(make_app(tmp_path, tokens, port=server.port), 1)
                assert server.logins == [("n@example.org", "t" * 700)]

    asyncio.run(scenario())


def test_expired_token_is_replaced_in_mid_issue(tmp_path: Path, tokens: TokenServer) -> None:
    async def scenario() -> None:
        async with token_login_server() as server:
            app = make_app(tmp_path, tokens, port=server.port)
            clock = app.clock
            assert isinstance(clock, SkippingClock)

            def takes(_token: str) -> bool:
                clock.instant += timedelta(minutes=20)
                return True

            server.takes = takes
            recorder = await send(app, 5)
            assert all(isinstance(outcome, Accepted) for _, outcome in recorder.settled)
            assert [token for _, token in server.logins] == ["token-1"] * 3 + ["token-2"] * 2

    asyncio.run(scenario())


def test_revoked_token_is_replaced_in_mid_issue(tmp_path: Path, tokens: TokenServer) -> None:
    async def scenario() -> None:
        async with token_login_server() as server:
            app = make_app(tmp_path, tokens, port=server.port)
            clock = app.clock
            assert isinstance(clock, SkippingClock)

            def takes(token: str) -> bool:
                clock.instant += timedelta(minutes=2)
                return token == "token-2" or len(server.logins) < 3

            server.takes = takes
            recorder = await send(app, 4)
            assert all(isinstance(outcome, Accepted) for _, outcome in recorder.settled)
            refused, *later = [token for _, token in server.logins[2:]]
            assert (refused, later) == ("token-1", ["token-2"] * 2)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("provider", "said"),
    [("", "smtp.oauth.scope"), ("provider: microsoft, tenant: t,", "SMTP AUTH is enabled")],
)
def test_refused_new_token_is_not_tried_again(
    tmp_path: Path, tokens: TokenServer, provider: str, said: str
) -> None:
    async def scenario() -> str:
        async with token_login_server(lambda _token: False) as server:
            app = make_app(tmp_path, tokens, f"{provider} {APP}", port=server.port)
            with pytest.raises(TransportError, match="535") as caught:
                await send(app, 1)
            assert len(server.logins) == 1
            return str(caught.value)

    message = asyncio.run(scenario())
    assert said in message
    assert "scope https://mail.google.com/" in message, "the server's challenge is read"


def test_server_without_xoauth2_is_named(tmp_path: Path, tokens: TokenServer) -> None:
    async def scenario() -> None:
        async with working_server() as server:
            app = make_app(tmp_path, tokens, port=server.port)
            with pytest.raises(TransportError, match="offers no login, not XOAUTH2"):
                await send(app, 1)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("status", "document", "said"),
    [
        (400, {"error": "invalid_grant"}, "smtp.oauth.refresh_token"),
        (401, {"error": "invalid_client"}, "smtp.oauth.client_secret"),
        (400, {"error": "unauthorized_client"}, "smtp.oauth.tenant"),
        (400, {"error": "invalid_scope"}, "smtp.oauth.scope"),
        (400, {"error": "invalid_request"}, "smtp.oauth.token_url"),
        (403, {"error": "odd"}, "check smtp.oauth"),
        (404, b"<html>", "status 404"),
        (200, b"<html>", "status 200"),
        (200, {"token": "x"}, "without an access token"),
        (200, {"access_token": "two\r\nlines"}, "without an access token"),
        (302, b"", "status 302"),
    ],
)
def test_refusal_of_a_token_names_the_setting(
    tmp_path: Path, status: int, document: object, said: str
) -> None:
    error = refusal(tmp_path, (status, document))
    assert said in str(error)
    assert error.final


@pytest.mark.parametrize("answer", [(503, b"busy"), (429, {}), (400, {"error": "server_error"})])
def test_busy_token_server_is_asked_again_later(tmp_path: Path, answer: tuple[int, Any]) -> None:
    assert not refusal(tmp_path, answer).final


def test_absent_token_server_is_asked_again_later(tmp_path: Path) -> None:
    app = make_app(tmp_path, TokenServer(url="http://127.0.0.1:1/token"))
    with pytest.raises(AccessTokenError, match="tried again") as caught:
        access_token(app)
    assert not caught.value.final


def test_error_repeats_no_secret(tmp_path: Path) -> None:
    said = {"error": "invalid_client", "error_description": "no s3cret-of-the-app\x1b[31m"}
    message = str(refusal(tmp_path, (401, said)))
    assert "s3cret" not in message
    assert "\x1b" not in message


def test_newest_refresh_token_is_kept_and_used(tmp_path: Path) -> None:
    with token_server(refresh_token="second-refresh-token") as tokens:
        for _ in range(2):
            access_token(make_app(tmp_path, tokens, PERSON))
        access_token(make_app(tmp_path, tokens, "refresh_token: of-another-grant"))
    assert [form["grant_type"] for form in tokens.forms] == ["refresh_token"] * 3
    used = [form["refresh_token"] for form in tokens.forms]
    assert used == ["first-refresh-token", "second-refresh-token", "of-another-grant"]
    kept = [*(tmp_path / ".newsletter").glob("oauth-*")]
    assert [stat.S_IMODE(file.stat().st_mode) for file in kept] == [0o600] * 2


def test_refused_kept_token_gives_way_to_the_configured(tmp_path: Path) -> None:
    with token_server(refresh_token="second-refresh-token") as tokens:
        access_token(make_app(tmp_path, tokens, PERSON))
        tokens.script.append((400, {"error": "invalid_grant"}))
        assert access_token(make_app(tmp_path, tokens, PERSON)) == "token-2"
    assert tokens.forms[-1]["refresh_token"] == "first-refresh-token"


def test_same_settings_share_one_token(tmp_path: Path, tokens: TokenServer) -> None:
    app = make_app(tmp_path, tokens)
    assert {access_token(app) for _ in range(3)} == {"token-1"}
    assert len(tokens.forms) == 1
