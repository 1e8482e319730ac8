"""When the server as a whole says no, or nothing: which errors are that, and how to say it."""

import ssl

import aiosmtplib

from newsletter.errors import TransportError
from newsletter.transports.smtp.replies import is_temporary, reply_text
from newsletter.transports.smtp.settings import SmtpSettings

UNOPENED = (aiosmtplib.SMTPException, OSError)
"""How opening a connection fails: aiosmtplib's own errors, and the socket's."""

BROKEN = (OSError,)
"""How an open connection breaks: the socket's errors, of which TimeoutError is one."""


class ServerGoneError(TransportError):
    """The server cannot be reached just now, and may be in a moment."""


def refused(settings: SmtpSettings, words: str, remedy: str) -> TransportError:
    """The server refuses all letters: its place, its words, and what to do."""
    return TransportError(f"{settings.place}: {words}; {remedy}")


def failure(settings: SmtpSettings, error: Exception, remedy: str) -> TransportError:
    """Why no session could be opened: :class:`ServerGoneError` where trying again may help."""
    if _about_tls(error):
        remedy = (
            "set smtp.ca_file to the authority that signed its certificate, smtp.host to a name "
            "the certificate carries, and smtp.security to what this port speaks"
        )
    kind = TransportError if _final(error) else ServerGoneError
    return kind(f"{settings.place}: {in_words(error)}; {remedy}")


def in_words(error: Exception) -> str:
    """What broke, in one printable line."""
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return reply_text(error.code, error.message).removeprefix("-1 ")
    return str(error) or "timed out"


def _about_tls(error: Exception) -> bool:
    return isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError)


def _final(error: Exception) -> bool:
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return not is_temporary(error.code)
    return _about_tls(error) or not isinstance(error, OSError)
