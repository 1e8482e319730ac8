"""Opens a session with the server: connect, TLS, EHLO, login. aiosmtplib does each step."""

import asyncio
import json
import ssl
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import cast

import aiosmtplib

from newsletter.config.oauth import refusal_remedy
from newsletter.errors import AccessTokenError, TransportError
from newsletter.transports.smtp.connection import Connection
from newsletter.transports.smtp.replies import (
    DONE,
    OPENING_ERRORS,
    ServerGoneError,
    opening_error,
    reply_text,
    server_error,
)
from newsletter.transports.smtp.session import LockstepSession, PipelinedSession, Session
from newsletter.transports.smtp.settings import SmtpSettings

_CHECK_SERVER = "check smtp.host and smtp.port, and that the server runs and takes mail from here"
_CHECK_STARTTLS = (
    "nothing was sent, because STARTTLS is required: the server lacks it, or something between "
    "strips it; for port 465 set smtp.security: tls"
)
_CHECK_LOGIN = "check smtp.username and smtp.password, and that smtp.security fits this port"

_CHECK_PROVIDER = (
    "set smtp.host to the provider's own server, or take out smtp.oauth and log in by smtp.password"
)
_GO_ON, _REFUSED = 334, 535
_MAX_INITIAL = 500  # a longer response does not fit into the line of AUTH (RFC 4954, 4)

_OTHER_MECHANISM = frozenset({504, 534})
"""The mechanism is not known, or too weak (RFC 4954, 6): another one may do."""

_Step = Callable[[], Awaitable[object]]


def tls_context(settings: SmtpSettings) -> ssl.SSLContext | None:
    """What verifies the server's certificate and name; None without TLS.

    Raises:
        TransportError: ``ca_file`` cannot be read.
    """
    if settings.security == "none":
        return None
    try:
        return ssl.create_default_context(cafile=settings.ca_file)
    except OSError as error:
        raise TransportError(
            f"smtp.ca_file {settings.ca_file}: {error.strerror or error}; it must be a readable "
            "file of PEM certificates"
        ) from error


@dataclass(frozen=True, slots=True)
class ServerCheck:
    """What a server says before an email is sent.

    Attributes:
        server: its own name.
        size: the bytes that a message may have (RFC 1870); None if it names no limit.
        sender: its reply to MAIL; empty if it was not asked.
        recipient: its reply to RCPT; empty if it was not asked.
    """

    server: str
    size: int | None
    sender: str = ""
    recipient: str = ""


async def open_session(settings: SmtpSettings, tls: ssl.SSLContext | None) -> Session:
    """Open a session over a new connection: pipelined if the server can, else in lockstep.

    Raises:
        ServerGoneError: the server cannot be reached, or asks to come back later.
        TransportError: it refuses us, or cannot be trusted.
    """
    client = await _connect(settings, tls)
    kind = PipelinedSession if client.supports_extension("pipelining") else LockstepSession
    return kind(settings, Connection(cast("asyncio.Transport", client.transport)))


async def _connect(settings: SmtpSettings, tls: ssl.SSLContext | None) -> aiosmtplib.SMTP:
    """A client that has connected, secured the connection and logged in."""
    client = aiosmtplib.SMTP(
        hostname=settings.host,
        port=settings.port,
        local_hostname=settings.helo,
        use_tls=settings.security == "tls",
        start_tls=False,
        tls_context=tls,
        timeout=settings.timeout,
    )
    for step, remedy in _steps(settings, client):
        try:
            await step()
            _raise_lost_cancellation()
        except OPENING_ERRORS as error:
            client.close()
            raise opening_error(settings, error, remedy) from error
        except TransportError as error:
            client.close()
            if isinstance(error, AccessTokenError) and not error.final:
                raise ServerGoneError(str(error)) from error
            raise
        except asyncio.CancelledError:
            client.close()
            raise
    transport = client.transport
    if transport is None or transport.is_closing():
        raise ServerGoneError(f"{settings.address}: it closed the connection; {_CHECK_SERVER}")
    return client


async def check_connection(
    settings: SmtpSettings, sender: str = "", recipient: str = ""
) -> ServerCheck:
    """Connect, secure the connection, log in; announce an email, take that back, and quit.

    Nothing is announced without a ``sender``.

    Raises:
        TransportError: as :func:`open_session`, or the connection broke.
    """
    client = await _connect(settings, tls_context(settings))
    greeting = client.last_ehlo_response.message if client.last_ehlo_response else ""
    limit = client.esmtp_extensions.get("size", "")
    answers = []
    try:
        for command in (f"MAIL FROM:<{sender}>", f"RCPT TO:<{recipient}>") if sender else ():
            reply = await client.execute_command(command.encode("ascii"))
            answers.append(reply_text(*reply))
            if reply.code // 100 != DONE:
                break
        await client.execute_command(b"RSET")
        await client.quit()
    except OPENING_ERRORS as error:
        raise opening_error(settings, error, _CHECK_SERVER) from error
    finally:
        client.close()
    size = int(limit) if limit.isdecimal() and int(limit) else None  # 0: no fixed limit
    return ServerCheck((greeting.split() or [""])[0], size, *answers)


def _steps(settings: SmtpSettings, client: aiosmtplib.SMTP) -> list[tuple[_Step, str]]:
    """The steps up to an open session, each with what the operator can do if it fails."""

    async def login() -> None:
        if settings.oauth is not None:
            await _login_by_token(settings, client)
            return
        password = settings.password.get_secret_value() if settings.password else ""
        await _login_once(client, settings.username or "", password)

    steps: list[tuple[_Step, str]] = [(client.connect, _CHECK_SERVER)]
    if settings.security == "starttls":
        steps.append((client.starttls, _CHECK_STARTTLS))
    steps.append((client.ehlo, _CHECK_SERVER))
    if settings.username is not None:
        oauth = settings.oauth
        steps.append((login, refusal_remedy(oauth, "smtp") if oauth else _CHECK_LOGIN))
    return steps


async def _login_by_token(settings: SmtpSettings, client: aiosmtplib.SMTP) -> None:
    """Log in by XOAUTH2; a token that the server refuses is replaced once: it may have expired.

    Raises:
        AccessTokenError: there is no token.
        TransportError: the server does not know XOAUTH2.
        aiosmtplib.SMTPException: it refuses a new token.
    """
    assert settings.access_token is not None
    if "xoauth2" not in client.server_auth_methods:
        offered = " ".join(client.server_auth_methods).upper() or "no login"
        raise server_error(settings, f"it offers {offered}, not XOAUTH2", _CHECK_PROVIDER)
    username = settings.username or ""
    token = await asyncio.to_thread(settings.access_token, "")
    code, words = await _authenticate(client, username, token)
    if code == _REFUSED:
        renewed = await asyncio.to_thread(settings.access_token, token)
        if renewed != token:
            code, words = await _authenticate(client, username, renewed)
    if code // 100 != DONE:
        raise aiosmtplib.SMTPAuthenticationError(code, words)


async def _authenticate(client: aiosmtplib.SMTP, username: str, token: str) -> tuple[int, str]:
    """The reply to AUTH XOAUTH2, with what the server says in its error challenge.

    https://developers.google.com/workspace/gmail/imap/xoauth2-protocol
    """
    login = b64encode(f"user={username}\x01auth=Bearer {token}\x01\x01".encode())
    command = [b"AUTH", b"XOAUTH2"]
    if len(login) < _MAX_INITIAL:
        command.append(login)
    reply = await client.execute_command(*command)
    if reply.code == _GO_ON and len(command) < 3:  # noqa: PLR2004 - without the response
        reply = await client.execute_command(login)
    said = ""
    if reply.code == _GO_ON:
        said = _challenge_text(reply.message)
        reply = await client.execute_command(b"")
    return reply.code, f"{reply.message} {said}".strip()


def _challenge_text(challenge: str) -> str:
    """The JSON in an error challenge as a text; empty if it is none."""
    try:
        document = json.loads(b64decode(challenge))
    except ValueError:
        return ""
    if not isinstance(document, dict):
        return ""
    return f"({', '.join(f'{key} {text}' for key, text in document.items())})"


async def _login_once(client: aiosmtplib.SMTP, username: str, password: str) -> None:
    """Log in with one mechanism: a refused password is not tried again under another name.

    Servers block clients after a few refused passwords. Only a mechanism that the server does not
    take after all (RFC 4954, 6) is followed by another one.

    Raises:
        aiosmtplib.SMTPException: the server refuses the login, or offers no mechanism.
    """
    by_name = {
        "plain": client.auth_plain,
        "login": client.auth_login,
        "cram-md5": client.auth_crammd5,
    }
    encrypted = client.get_transport_info("sslcontext") is not None
    order = ("plain", "login", "cram-md5") if encrypted else ("cram-md5", "plain", "login")
    *others, last = [name for name in order if name in client.server_auth_methods] or [""]
    for name in others:
        try:
            await by_name[name](username, password)
        except aiosmtplib.SMTPAuthenticationError as error:
            if error.code not in _OTHER_MECHANISM:
                raise
        else:
            return
    # Without any, aiosmtplib's own login says what is missing.
    await by_name.get(last, client.login)(username, password)


def _raise_lost_cancellation() -> None:
    """Raise the cancellation that ``asyncio.wait_for`` of Python 3.11 lost, if it lost one.

    aiosmtplib waits with it. A cancellation in the moment in which the reply comes is swallowed
    there (https://github.com/python/cpython/issues/86296), and ``send`` would not end.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
