"""What the newsletter logs while a test runs."""

import contextlib
import logging
from collections.abc import Iterator

from typing_extensions import override


class _Collector(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.tracebacks: list[str] = []

    @override
    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())
        if record.exc_info:
            self.tracebacks.append(logging.Formatter().formatException(record.exc_info))


@contextlib.contextmanager
def log_lines() -> Iterator[list[str]]:
    """The messages logged until the block ends, from info upwards; the list grows with them."""
    with _collecting() as collector:
        yield collector.lines


@contextlib.contextmanager
def log_tracebacks() -> Iterator[list[str]]:
    """The tracebacks logged until the block ends; the list grows with them."""
    with _collecting() as collector:
        yield collector.tracebacks


@contextlib.contextmanager
def _collecting() -> Iterator[_Collector]:
    collector, logger = _Collector(), logging.getLogger("newsletter")
    before = logger.level
    logger.addHandler(collector)
    logger.setLevel(logging.INFO)
    try:
        yield collector
    finally:
        logger.removeHandler(collector)
        logger.setLevel(before)
