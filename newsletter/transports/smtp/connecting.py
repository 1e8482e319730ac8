"""Opening a session: connect, secure, greet, authenticate; aiosmtplib does each step."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import cast

import aiosmtplib

from newsletter.errors import TransportError
from newsletter.transports.smtp.connection import Connection
from newsletter.transports.smtp.lockstep import Lockstep
from newsletter.transports.smtp.pipeline import Pipeline
from newsletter.transports.smtp.refusals import UNOPENED, ServerGoneError, failure
from newsletter.transports.smtp.session import Session, SmtpDialogue
from newsletter.transports.smtp.settings import SmtpSettings

_MEND_CONNECT = "check smtp.host and smtp.port, and that the server runs and takes mail from here"
_MEND_STARTTLS = (
    "nothing was sent, as STARTTLS was asked for and not given: the server lacks it, or something "
    "between strips it; smtp.security: tls is what port 465 speaks"
)
_MEND_LOGIN = "check smtp.username and smtp.password, and that smtp.security is what it wants"


def tls_context(settings: SmtpSettings) -> ssl.SSLContext | None:
    """What verifies the server's certificate and name; None where it goes in the clear.

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
    """A session over a new connection: pipelined where the server can, else in lockstep.

    Raises:
        TransportError: as :func:`open_dialogue`.
    """
    dialogue, pipelining = await open_dialogue(settings, tls)
    return Pipeline(dialogue) if pipelining else Lockstep(dialogue)


async def open_dialogue(
    settings: SmtpSettings, tls: ssl.SSLContext | None
) -> tuple[SmtpDialogue, bool]:
    """Connect, secure and authenticate; and whether the server can be spoken to in groups.

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
        local_hostname=settings.local_hostname,
        timeout=settings.timeout,
    )
    for step, remedy in _steps(settings, client):
        try:
            await step()
            _check_cancelled()
        except UNOPENED as error:
            client.close()
            raise failure(settings, error, remedy) from error
        except asyncio.CancelledError:
            client.close()
            raise
    transport = client.transport
    if transport is None or transport.is_closing():
        raise ServerGoneError(f"{settings.place}: it closed the connection; {_MEND_CONNECT}")
    dialogue = SmtpDialogue(settings, Connection(cast("asyncio.Transport", transport)))
    return dialogue, client.supports_extension("pipelining")


def _check_cancelled() -> None:
    """Raise the cancellation that ``asyncio.wait_for`` of Python 3.11 lost, if it lost one.

    aiosmtplib waits with it. A cancellation at the moment at which the answer comes is swallowed
    there (https://github.com/python/cpython/issues/86296), and ``send`` would not end.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def greet(settings: SmtpSettings) -> None:
    """Connect, secure, authenticate, and say goodbye.

    Raises:
        TransportError: as :func:`open_session`.
    """
    dialogue, _ = await open_dialogue(settings, tls_context(settings))
    await dialogue.goodbye()


def _steps(
    settings: SmtpSettings, client: aiosmtplib.SMTP
) -> list[tuple[Callable[[], Awaitable[object]], str]]:
    async def login() -> None:
        await client.login(settings.username or "", settings.password or "")

    steps: list[tuple[Callable[[], Awaitable[object]], str]] = [(client.connect, _MEND_CONNECT)]
    if settings.security == "starttls":
        steps.append((client.starttls, _MEND_STARTTLS))
    steps.append((client.ehlo, _MEND_CONNECT))
    if settings.username is not None:
        steps.append((login, _MEND_LOGIN))
    return steps
