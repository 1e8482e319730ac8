"""What IMAP and POP3 servers have in common: the connection, the login, and what goes wrong."""

import imaplib
import poplib
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import quote

from newsletter.errors import AccessTokenError, MailboxError, MailboxLoginError

TIMEOUT = 30.0  # seconds for a connection, and for each answer

ServerError = (imaplib.IMAP4.error, poplib.error_proto)
"""What the server refuses or says that nobody understands; ``imaplib.IMAP4.abort`` is one."""


@dataclass(frozen=True)
class MailServer:
    """A server with a mailbox, and the login there.

    Attributes:
        setting: the place of its settings, as error messages name it (``bounces.imap``).
        security: ``tls``, ``starttls`` or ``none``, as for SMTP.
        ca_file: PEM certificates to trust instead of the system's; empty for those.
        access_token: gives a token for a login by XOAUTH2, other than the refused one it is called
            with; None for a login by password.
    """

    setting: str
    host: str
    port: int
    security: str
    username: str
    password: str = field(default="", repr=False)
    ca_file: str = ""
    access_token: Callable[[str], str] | None = None

    def url(self, scheme: str) -> str:
        """The mailbox as a URL, without the password."""
        return f"{scheme}://{quote(self.username)}@{self.host}"

    def context(self) -> ssl.SSLContext:
        """How to encrypt; certificates and names are verified."""
        return ssl.create_default_context(cafile=self.ca_file or None)

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Raise a MailboxError for everything that can go wrong with the server."""
        where = f"{self.host}:{self.port}"
        try:
            yield
        except ssl.SSLError as error:
            fix = f"check {self.setting}.security and {self.setting}.ca_file"
            raise MailboxError(f"{where}: no encrypted connection: {error}; {fix}") from error
        except ServerError as error:
            raise MailboxError(f"{where}: {_words(error)}; it is tried again") from error
        except (OSError, EOFError) as error:
            fix = f"it is tried again; check {self.setting}.host and .port if it stays"
            raise MailboxError(f"{where}: {_words(error)}; {fix}") from error

    def log_in(self, by_password: Callable[[], object], by_token: Callable[[str], object]) -> None:
        """Log in as the settings say; a refused token is replaced once.

        Args:
            by_password: logs in by the password.
            by_token: logs in by an access token.

        Raises:
            MailboxLoginError: the server refuses the login.
            MailboxError: it cannot tell now.
        """
        if self.access_token is None:
            self._try(by_password)
            return
        token = self._token("")
        try:
            self._try(lambda: by_token(token))
        except MailboxLoginError:
            renewed = self._token(token)
            if renewed == token:
                raise
            self._try(lambda: by_token(renewed))

    def _try(self, login: Callable[[], object]) -> None:
        try:
            login()
        except imaplib.IMAP4.abort:
            raise
        except ServerError as error:
            said = _words(error)
            if any(code in said.upper() for code in _LATER):
                raise
            ways = "oauth" if self.access_token else "password"
            raise MailboxLoginError(
                f"{self.host}:{self.port} refuses the login of {self.username}: {said}; check "
                f"{self.setting}.username and {self.setting}.{ways}, and whether the account may "
                "log in there (some need a password for apps, or XOAUTH2)"
            ) from error

    def _token(self, refused: str) -> str:
        assert self.access_token is not None
        try:
            return self.access_token(refused)
        except AccessTokenError as error:
            kind = MailboxLoginError if error.final else MailboxError
            raise kind(str(error)) from error


_LATER = (
    "[UNAVAILABLE]",
    "[INUSE]",
    "[IN-USE]",
    "[LIMIT]",
    "[SERVERBUG]",
    "[SYS/TEMP]",
    "[LOGIN-DELAY]",
)
"""Codes of a login that is refused only for now (RFC 5530, RFC 2449, RFC 3206)."""


def xoauth2(username: str, token: str) -> str:
    """The words of a login by XOAUTH2, as Google and Microsoft define it."""
    return f"user={username}\1auth=Bearer {token}\1\1"


def _words(error: Exception) -> str:
    """An error's words in one line; those of a server are bytes."""
    words = error.args[0] if len(error.args) == 1 else str(error)
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words)
    return " ".join(text.split()) or type(error).__name__
