"""What may be written on the wire, and what the server's replies and errors mean."""

import re
import ssl

import aiosmtplib

from newsletter.delivery.refusals import READER_GONE, Cause, cause
from newsletter.errors import TransportError
from newsletter.model import Accepted, Deferred, Outcome, Refused, Unknown
from newsletter.transports.smtp.settings import SmtpSettings

OPENING_ERRORS = (aiosmtplib.SMTPException, OSError)
"""How opening a session fails. An open connection fails with OSError alone."""

DONE, NOT_NOW, NEVER = 2, 4, 5
"""The first digit of a reply's code (RFC 5321 4.2.1)."""

GO_AHEAD = 354  # the reply to DATA that asks for the content (RFC 5321 4.2.3)

_MAILBOX = re.compile(
    r"""(?: [A-Za-z0-9.!\#$%&'*+/=?^_`{|}~-]{1,64}                    # atoms and dots
          | "(?: [\x21\x23-\x3b\x3d\x3f-\x5b\x5d-\x7e] | \\[\x21-\x7e] ){0,62}" )  # or quoted
        @ (?: [A-Za-z0-9_.-]{1,255} | \[[A-Za-z0-9.:]{1,253}\] )      # a domain or a literal
    """,
    re.VERBOSE,
)
CHECK_SENDER = (
    "see bounces.address or, if that is not set, sender: it must be an address that exists and "
    "that smtp.username may send from"
)

_MAX_REPLY = 500
_HELO = re.compile(r"\b(?:helo|ehlo)\b", re.IGNORECASE)
_CHECK_HELO = (
    "set smtp.helo to a full host name that leads to this machine, mail.example.org, or to its "
    "address as [192.0.2.1]"
)

_NOT_THE_LETTERS: frozenset[Cause] = frozenset(
    {"sender", "reputation", "rate", "policy", "temporary"}
)
"""Causes of a refusal for which this letter may be accepted later."""


class ServerGoneError(TransportError):
    """The server cannot be reached now; in a moment it may be.

    Attributes:
        reply: its reply, if there was one.
    """

    def __init__(self, message: str, reply: str = "") -> None:
        self.reply = reply
        super().__init__(message)


class LoginRefusedError(TransportError):
    """The server refuses the username and password for good."""


def is_mailbox(address: str) -> bool:
    """Whether an address is one mailbox of RFC 5321 4.1.2 that can be written as it stands.

    Lists, routes, white space, control characters, angle brackets, local parts that are too long
    and addresses outside ASCII are not (RFC 6531 is not supported). Dots may stand anywhere: some
    old addresses in use have them in odd places.
    """
    return _MAILBOX.fullmatch(address) is not None


def reply_text(code: int, words: str) -> str:
    """A reply in one printable line, code first, at most 500 characters."""
    if words.isprintable() and "  " not in words and len(words) < _MAX_REPLY // 2:  # most are
        return f"{code} {words}".strip()
    printable = "".join(c if c.isprintable() else " " for c in words)
    return " ".join(f"{code} {printable}".split())[:_MAX_REPLY]


def refusal(code: int, words: str) -> Refused | Deferred:
    """What a negative reply to a recipient or a message means for this letter.

    4xx is for now. 5xx is for good, unless it is about us or will pass: then the letter is
    deferred. So is one refused for policy (5.7.x of RFC 3463), unless the server's words say that
    there is no such mailbox.
    """
    text = reply_text(code, words)
    about = cause("", text) if code // 100 == NEVER else "temporary"
    policy = words.startswith("5.7.") and about not in READER_GONE
    return Deferred(text) if policy or about in _NOT_THE_LETTERS else Refused(text)


def final_outcome(code: int, words: str) -> Outcome:
    """What the reply to the final dot means; an odd code leaves the letter in doubt."""
    if code // 100 == DONE:
        return Accepted(reply_text(code, words))
    if code // 100 in {NOT_NOW, NEVER}:
        return refusal(code, words)
    return Unknown(f"not an answer to the final dot: {reply_text(code, words)}")


def is_about_helo(words: str) -> bool:
    """Whether a refusal speaks of the name in EHLO, and so of neither sender nor recipient."""
    return _HELO.search(words) is not None


def server_error(settings: SmtpSettings, words: str, remedy: str) -> TransportError:
    """The error for a server that refuses all letters: its address, its words, what to do."""
    remedy = _CHECK_HELO if is_about_helo(words) else remedy
    return TransportError(f"{settings.address}: {words}; {remedy}")


def refused_sender(settings: SmtpSettings, sender: str, words: str) -> TransportError:
    """The error for a server that refuses the address that the letters come from."""
    about = "" if is_about_helo(words) else f"the server refuses the sender {sender}: "
    return server_error(settings, f"{about}{words}", CHECK_SENDER)


def opening_error(settings: SmtpSettings, error: Exception, remedy: str) -> TransportError:
    """The error for a session that cannot be opened; ServerGoneError if a retry may help."""
    if _is_tls_error(error):
        remedy = (
            "set smtp.ca_file to the authority that signed its certificate, smtp.host to a name "
            "in the certificate, and smtp.security to what this port speaks"
        )
    words = error_text(error)
    refuses_name = isinstance(error, aiosmtplib.SMTPHeloError) and _is_final(error)
    remedy = _CHECK_HELO if refuses_name or is_about_helo(words) else remedy
    message = f"{settings.address}: {words}; {remedy}"
    if not _is_final(error):
        return ServerGoneError(message, words)
    refuses_login = isinstance(error, aiosmtplib.SMTPAuthenticationError)
    return (LoginRefusedError if refuses_login else TransportError)(message)


def error_text(error: Exception) -> str:
    """What broke, in one printable line."""
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return reply_text(error.code, error.message).removeprefix("-1 ")
    return str(error) or "timed out"


def _is_tls_error(error: Exception) -> bool:
    return isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError)


def _is_final(error: Exception) -> bool:
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return error.code // 100 != NOT_NOW
    return _is_tls_error(error) or not isinstance(error, OSError)
