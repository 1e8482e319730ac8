"""Opens a session with the server: connect, TLS, EHLO, login. aiosmtplib does each step."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import cast

import aiosmtplib

from newsletter.errors import TransportError
from newsletter.transports.smtp.connection import Connection
from newsletter.transports.smtp.replies import OPENING_ERRORS, ServerGoneError, opening_error
from newsletter.transports.smtp.session import LockstepSession, PipelinedSession, Session
from newsletter.transports.smtp.settings import SmtpSettings

_CHECK_SERVER = "check smtp.host and smtp.port, and that the server runs and takes mail from here"
_CHECK_STARTTLS = (
    "nothing was sent, because STARTTLS is required: the server lacks it, or something between "
    "strips it; for port 465 set smtp.security: tls"
)
_CHECK_LOGIN = "check smtp.username and smtp.password, and that smtp.security fits this port"

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


async def open_session(settings: SmtpSettings, tls: ssl.SSLContext | None) -> Session:
    """Open a session over a new connection: pipelined if the server can, else in lockstep.

    Raises:
        ServerGoneError: the server cannot be reached, or asks to come back later.
        TransportError: it refuses us, or cannot be trusted.
    """
    client = aiosmtplib.SMTP(
        hostname=settings.host,
        port=settings.port,
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
        except asyncio.CancelledError:
            client.close()
            raise
    transport = client.transport
    if transport is None or transport.is_closing():
        raise ServerGoneError(f"{settings.address}: it closed the connection; {_CHECK_SERVER}")
    kind = PipelinedSession if client.supports_extension("pipelining") else LockstepSession
    return kind(settings, Connection(cast("asyncio.Transport", transport)))


async def check_connection(settings: SmtpSettings) -> None:
    """Connect, secure the connection, log in, and quit.

    Raises:
        TransportError: as :func:`open_session`.
    """
    session = await open_session(settings, tls_context(settings))
    await session.quit()


def _steps(settings: SmtpSettings, client: aiosmtplib.SMTP) -> list[tuple[_Step, str]]:
    """The steps up to an open session, each with what the operator can do if it fails."""

    async def login() -> None:
        password = settings.password.get_secret_value() if settings.password else ""
        await client.login(settings.username or "", password)

    steps: list[tuple[_Step, str]] = [(client.connect, _CHECK_SERVER)]
    if settings.security == "starttls":
        steps.append((client.starttls, _CHECK_STARTTLS))
    steps.append((client.ehlo, _CHECK_SERVER))
    if settings.username is not None:
        steps.append((login, _CHECK_LOGIN))
    return steps


def _raise_lost_cancellation() -> None:
    """Raise the cancellation that ``asyncio.wait_for`` of Python 3.11 lost, if it lost one.

    aiosmtplib waits with it. A cancellation in the moment in which the reply comes is swallowed
    there (https://github.com/python/cpython/issues/86296), and ``send`` would not end.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
