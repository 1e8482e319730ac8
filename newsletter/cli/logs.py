"""Logging: configured once for each command; every line goes to standard error.

Modules log to ``logging.getLogger(__name__)``: *debug* for details, *info* for what a command did,
*warning* for what the operator should look at, *error* for what failed. An unexpected exception is
logged as an error with its traceback, which ``--verbose`` and ``--log-format json`` show.
"""

import contextlib
import json
import logging
import os
from datetime import UTC, datetime
from enum import StrEnum
from logging.handlers import SysLogHandler

import typer
from typing_extensions import override

from newsletter.errors import without_secrets

OWN = "newsletter"
"""The parent of all our loggers; from libraries only warnings and errors are shown."""

LOG_NAME = "NEWSLETTER_LOG_NAME"
"""The environment variable that tells the lines of several newsletters apart."""

COMMAND_LINE = f"{OWN}.cli"
"""Errors of this logger end a command; in text format they begin with the program's name."""


class LogFormat(StrEnum):
    """How log lines are written."""

    TEXT = "text"
    JSON = "json"


class _Stderr(logging.Handler):
    """Writes to the present ``sys.stderr``; one kept from the start may be closed by now."""

    @override
    def emit(self, record: logging.LogRecord) -> None:
        # A full disk or a closed pipe behind the log must not stop the sending.
        with contextlib.suppress(OSError, ValueError):
            typer.echo(self.format(record), err=True)


class _Syslog(SysLogHandler):
    """Writes to the machine's log, where there is one: a container may have none."""

    ident = f"{OWN}: "

    @override
    def handleError(self, record: logging.LogRecord) -> None:
        """Say nothing: the line that cannot be logged must not be printed either."""


class _Text(logging.Formatter):
    """The message in one line; with ``verbose`` the traceback below it."""

    def __init__(self, *, verbose: bool, timestamps: bool) -> None:
        super().__init__()
        self._verbose, self._timestamps = verbose, timestamps

    @override
    def format(self, record: logging.LogRecord) -> str:
        text = without_secrets(record.getMessage())
        if name := os.environ.get(LOG_NAME):
            text = f"{name}: {text}"
        if record.name == COMMAND_LINE and record.levelno >= logging.ERROR:
            text = f"newsletter: {text}"
        if record.exc_info and self._verbose:
            text = f"{text}\n{without_secrets(self.formatException(record.exc_info))}"
        elif record.exc_info:
            text = f"{text} (pass --verbose for the traceback)"
        return f"{_time(record):%Y-%m-%dT%H:%M:%SZ} {text}" if self._timestamps else text


class _Json(logging.Formatter):
    """One JSON object a line: time, level, logger, message and, if there is one, the exception."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        document = {
            "time": _time(record).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": without_secrets(record.getMessage()),
        }
        if name := os.environ.get(LOG_NAME):
            document["newsletter"] = name
        if record.exc_info:
            document["exception"] = without_secrets(self.formatException(record.exc_info))
        return json.dumps(document, ensure_ascii=False)


def log_to_syslog() -> None:
    """Log to the machine's log of mail from now on, and nothing to standard error.

    A mail server returns to the sender what a command writes there, our paths among it.
    """
    root = logging.getLogger()
    for former in [one for one in root.handlers if isinstance(one, _Stderr)]:
        root.removeHandler(former)
    root.addHandler(_Syslog("/dev/log", SysLogHandler.LOG_MAIL))


def _time(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)


def configure_logging(
    *,
    quiet: bool = False,
    verbose: bool = False,
    log_format: LogFormat = LogFormat.TEXT,
    timestamps: bool = False,
) -> None:
    """Log to standard error from now on, in place of an earlier configuration.

    Args:
        quiet: log errors alone.
        verbose: log details too, and the tracebacks of unexpected exceptions.
        log_format: text for people, or JSON for programs that collect logs.
        timestamps: begin each line of text with the time in UTC.
    """
    handler = _Stderr()
    handler.setFormatter(
        _Json() if log_format is LogFormat.JSON else _Text(verbose=verbose, timestamps=timestamps)
    )
    root = logging.getLogger()
    for former in [one for one in root.handlers if isinstance(one, _Stderr)]:
        root.removeHandler(former)
    root.addHandler(handler)
    root.setLevel(logging.ERROR if quiet else logging.WARNING)
    level = logging.DEBUG if verbose else logging.INFO
    logging.getLogger(OWN).setLevel(logging.ERROR if quiet else level)


def log_options() -> list[str]:
    """The options with which another of our commands logs as this one does."""
    level = logging.getLogger(OWN).level
    options = {logging.DEBUG: ["--verbose"], logging.ERROR: ["--quiet"]}.get(level, [])
    as_json = any(isinstance(one.formatter, _Json) for one in logging.getLogger().handlers)
    return [*options, *(["--log-format", LogFormat.JSON] if as_json else [])]
