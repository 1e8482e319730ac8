"""The error tree. Each error says what is wrong, where, and what to do about it.

::

    NewsletterError                      exit code 1
    ├── UsageError                       2   the command's words do not fit together
    ├── ConfigurationError               3   a file the operator wrote, with file and line
    │   ├── InvalidFileError                 all that is wrong with a file
    │   ├── FilterError                      a filter expression, with a pointer into it
    │   ├── AddressError                     an address nobody can be mailed at
    │   └── TemplateError                    a template that cannot be compiled or rendered
    ├── SourceError                      4   one source did not answer; the others go on
    │   └── BlockedAddressError              a source's address is one we do not fetch from
    ├── StoreError                       1   the store cannot be opened, read or written
    ├── RenderError                      1   one paper or one letter that cannot be rendered
    ├── TokenError                       1   a signed link that is not ours, or too old
    └── TryAgainError                    75  later: a lock, a paused issue, no SMTP server
        ├── OldStoreError                    the store has forgotten what left: it was restored
        └── TransportError                   the SMTP server as a whole refuses or is gone
"""

import logging
from collections.abc import Sequence
from types import TracebackType
from typing import ClassVar, Self

_log = logging.getLogger(__name__)


class NewsletterError(Exception):
    """Anything the newsletter itself finds wrong."""

    exit_code: ClassVar[int] = 1


class UsageError(NewsletterError):
    """The command's words do not fit together."""

    exit_code = 2


class ConfigurationError(NewsletterError):
    """A file the operator wrote is wrong.

    Attributes:
        file: the file's name as the operator knows it.
        line: the line, from 1, where it is known.
        where: the setting's dotted path (``sources.1.url``).
        problem: what is wrong and how to mend it.
    """

    exit_code = 3

    def __init__(
        self, problem: str, *, file: str = "", line: int | None = None, where: str = ""
    ) -> None:
        self.problem, self.file, self.line, self.where = problem, file, line, where
        place = ":".join(str(part) for part in (file, line) if part)
        super().__init__(": ".join(part for part in (place, where, problem) if part))


class InvalidFileError(ConfigurationError):
    """Everything that is wrong with a file, told at once, one line each.

    Attributes:
        errors: each of them, in the file's order.
    """

    def __init__(self, errors: Sequence[ConfigurationError]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(str(error) for error in errors))


class FilterError(ConfigurationError):
    """A filter expression that cannot be parsed.

    Attributes:
        text: the expression.
        column: where in it the trouble is, from 0.
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


class AddressError(ConfigurationError):
    """An e-mail address that cannot be written to."""


class TemplateError(ConfigurationError):
    """A template that cannot be compiled or set."""


class SourceError(NewsletterError):
    """A source did not give its listing; the other sources are unaffected."""

    exit_code = 4


class BlockedAddressError(SourceError):
    """A source's address leads somewhere the newsletter does not fetch from."""


class StoreError(NewsletterError):
    """The store cannot be opened, read or written."""


class RenderError(NewsletterError):
    """One paper, or one reader's letter, cannot be set."""


class TokenError(NewsletterError):
    """A signed link that was not made here, was changed, or is too old."""


class TryAgainError(NewsletterError):
    """Nothing is lost, but now is not the time; the same command later goes on."""

    exit_code = 75


class OldStoreError(TryAgainError):
    """The store is older than what has left: nothing is sent until the operator has said why."""


class TransportError(TryAgainError):
    """The SMTP server as a whole refuses us or is gone; no reader is to blame."""


class Isolated:
    """A context manager that stops unexpected exceptions, so that one fault stops one thing.

    A broken reader, paper or source must not stop the others. Here is the only place that catches
    every :class:`Exception`. Those that the newsletter raises itself pass: their callers know what
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
        """Isolate one thing; the log names this subject, an empty one keeps the log silent."""
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
    return f"unexpected {type(error).__name__}: {' '.join(str(error).split())}"
