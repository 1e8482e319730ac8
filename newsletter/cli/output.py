"""What a command prints: its result on standard output, log lines on standard error."""

import contextlib
import json
import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import typer

from newsletter.errors import UsageError

_log = logging.getLogger(__name__)

NO_TERMINAL = "Not a terminal. Pass --yes to confirm."


@dataclass(frozen=True, slots=True)
class Output:
    """Prints results and progress in the way ``--json`` and ``--quiet`` ask for."""

    json: bool
    quiet: bool

    def result(self, document: Any, text: str = "") -> None:  # noqa: ANN401 - any JSON
        """Print the document with ``--json``, otherwise the text; an empty text prints nothing."""
        if self.json:
            text = json.dumps(document, ensure_ascii=False, indent=2)
        if text:
            typer.echo(text)

    def rows(self, rows: Iterable[tuple[Any, str]]) -> None:
        """Print rows one by one: their documents as one array with ``--json``, else their texts."""
        if not self.json:
            for _, text in rows:
                sys.stdout.write(f"{text}\n")
            return
        encode, between = json.JSONEncoder(ensure_ascii=False).encode, "["
        for document, _ in rows:
            sys.stdout.write(f"{between}\n  {encode(document)}")
            between = ","
        sys.stdout.write("[]\n" if between == "[" else "\n]\n")

    def message(self, text: str) -> None:
        """Log a message for a person."""
        _log.info("%s", text)

    def detail(self, text: str) -> None:
        """Log a message that only ``--verbose`` shows."""
        _log.debug("%s", text)

    @contextlib.contextmanager
    def progress(self, title: str, total: int) -> Iterator[Callable[[int], None]]:
        """Show a progress bar on a terminal, nothing elsewhere.

        Yields:
            A function to call with the number of steps done so far.
        """
        if self.quiet or self.json or total == 0 or not sys.stderr.isatty():
            yield lambda _done: None
            return
        from rich.console import Console  # noqa: PLC0415 - slow to import; only a bar needs it
        from rich.progress import Progress  # noqa: PLC0415 - as above

        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(title, total=total)
            yield lambda done: bar.update(task, completed=done)


def confirm(question: str) -> bool:
    """Ask a yes-or-no question on the terminal.

    Raises:
        UsageError: standard input is not a terminal.
    """
    if not sys.stdin.isatty():
        raise UsageError(f"{question} {NO_TERMINAL}")
    return typer.confirm(question, err=True)


def count_of(number: int, noun: str) -> str:
    """A number with its noun: ``1 paper``, ``2 papers``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """The rows under a header, in aligned columns; empty if there are no rows."""
    if not rows:
        return ""
    cells = [list(header), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )
