"""The error tree. Each error says what is wrong, where, and what to do about it.

::

    NewsletterError                      exit code 1
    ├── UsageError                       2   the command's arguments contradict each other
    ├── ConfigurationError               3   a mistake in the operator's files, with its line
    │   ├── InvalidFileError                 every mistake in a file
    │   ├── FilterError                      a mistake in a filter expression, with its column
    │   └── TemplateError                    a template that cannot be compiled or rendered
    ├── SourceError                      4   one source failed; the others are not affected
    │   └── BlockedAddressError              a source's address that must not be fetched from
    ├── StoreError                       1   the store cannot be opened, read or written
    │   └── StoreAwayError               75      its server is away, and may come back by itself
    ├── RenderError                      1   one paper or one letter that cannot be rendered
    ├── TokenError                       1   a signed link that is invalid or has expired
    │   └── EndedSubscriptionError           its subscription cannot be used
    └── TryAgainError                    75  try later: a lock, a paused issue, no SMTP server
        ├── OldStoreError                    the store was restored from a backup
        ├── MailboxError                     a mailbox with returned mail cannot be read now
        │   └── MailboxLoginError            its server refuses the login
        └── TransportError                   the SMTP server refuses everything or is gone
            └── AccessTokenError             there is no access token for the login
"""

import logging
import re
from collections.abc import Sequence
from types import TracebackType
from typing import ClassVar, Self

from typing_extensions import override

_log = logging.getLogger(__name__)

_LOGIN = re.compile(r"(?<=://)(?!user:password@)[^\s/?#]*@")
_SECRET_PARAMETER = re.compile(
    r"""([?&;](?:[\w.-]*(?:passw(?:or)?d|pwd|secret|token|signature)
        |(?:[\w.-]*[_.-])?(?:api|access|auth)?(?:key|sig|auth))=)(?:(?!:\s)[^\s&;\#'"])+""",
    re.IGNORECASE | re.VERBOSE,
)


def without_secrets(text: str) -> str:
    """A text to show, with the logins and keys of the URLs in it masked.

    Addresses of sources, stores and proxies come into errors and log lines at many places: this is
    the one door through which all of them leave.
    """
    if "://" not in text:
        return text
    return _SECRET_PARAMETER.sub(r"\1***", _LOGIN.sub("***@", text))


class NewsletterError(Exception):
    """The base of all errors that the newsletter raises itself.

    Attributes:
        exit_code: the exit code of a command that ends with this error.
    """

    exit_code: ClassVar[int] = 1

    @override
    def __str__(self) -> str:
        return without_secrets(super().__str__())


class UsageError(NewsletterError):
    """The arguments of a command contradict each other, or the command is not possible now."""

    exit_code = 2


class ConfigurationError(NewsletterError):
    """A mistake in a file that the operator wrote.

    Attributes:
        file: the file's name as the operator gave it.
        line: the line, from 1; None if it is not known.
        where: the setting's dotted path (``sources.1.url``).
        problem: what is wrong and how to fix it.
    """

    exit_code = 3

    def __init__(
        self, problem: str, *, file: str = "", line: int | None = None, where: str = ""
    ) -> None:
        self.problem, self.file, self.line, self.where = problem, file, line, where
        place = ":".join(str(part) for part in (file, line) if part)
        super().__init__(": ".join(part for part in (place, where, problem) if part))


class InvalidFileError(ConfigurationError):
    """Every mistake in a file, one line each.

    Attributes:
        errors: the mistakes in the order of the file.
    """

    def __init__(self, errors: Sequence[ConfigurationError]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(str(error) for error in errors))


class FilterError(ConfigurationError):
    """A filter expression that cannot be parsed.

    Attributes:
        text: the expression.
        column: the place of the mistake in it, from 0.
    """

    def __init__(
        self,
        problem: str,
        *,
        text: str,
        column: int,
        file: str = "",
        line: int | None = None,
        where: str = "",
    ) -> None:
        self.text, self.column, self.reason = text, column, problem
        pointed = f"{problem}\n    {text}\n    {' ' * column}^"
        super().__init__(pointed, file=file, line=line, where=where)


class TemplateError(ConfigurationError):
    """A template that cannot be compiled or rendered."""


class SourceError(NewsletterError):
    """A source did not answer with a listing; the other sources are not affected."""

    exit_code = 4


class BlockedAddressError(SourceError):
    """A source's address is private or special, and the settings do not allow that."""


class StoreError(NewsletterError):
    """The store cannot be opened, read or written."""


class StoreAwayError(StoreError):
    """The store's server is away, starting, full or only reads; it may come back by itself."""

    exit_code = 75


class RenderError(NewsletterError):
    """One paper, or one reader's letter, cannot be rendered."""


class TokenError(NewsletterError):
    """A signed link that this newsletter did not sign, that was changed, or that has expired."""


class EndedSubscriptionError(TokenError):
    """A signed link whose subscription cannot be used; a new link would not help."""


class TryAgainError(NewsletterError):
    """The command cannot go on now. Nothing is lost: the same command continues later."""

    exit_code = 75


class OldStoreError(TryAgainError):
    """The store is older than the journal of sent letters; run `newsletter store restored`."""


class MailboxError(TryAgainError):
    """A mailbox on a server cannot be read now."""


class MailboxLoginError(MailboxError):
    """A mailbox's server refuses the login; the same one is not tried again in the same run."""


class TransportError(TryAgainError):
    """The SMTP server refuses every letter or is gone; no reader is the cause."""


class AccessTokenError(TransportError):
    """There is no access token for a login by XOAUTH2.

    Attributes:
        final: whether the server of the tokens refused; else it may answer in a moment.
    """

    def __init__(self, words: str, *, final: bool) -> None:
        self.final = final
        super().__init__(words)


class Isolated:
    """A context manager that stops unexpected exceptions, so that one fault stops one thing.

    A broken reader, paper or source must not stop the others. This is the only place that catches
    every :class:`Exception`. Errors that the newsletter raises itself pass: the callers know what
    to do about them.

    Attributes:
        error: the exception that was stopped; None if there was none.

    Example::

        with Isolated(f"source {source.name}") as attempt:
            listings = await source.fetch(day)
        if attempt.error is not None: ...
    """

    __slots__ = ("_subject", "error")

    def __init__(self, subject: str = "") -> None:
        """Isolate one thing. The log names ``subject``; if it is empty, nothing is logged."""
        self._subject = subject
        self.error: Exception | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> bool:
        if not isinstance(error, Exception) or isinstance(error, NewsletterError):
            return False
        self.error = error
        if self._subject:
            _log.error("%s: %s", self._subject, describe(error), exc_info=error)
        return True


def describe(error: BaseException | None) -> str:
    """An unexpected exception in one line: its class and its message."""
    words = without_secrets(" ".join(str(error).split()))
    return f"unexpected {type(error).__name__}: {words}"
