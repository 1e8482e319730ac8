"""Data on standard output, talk on standard error, progress only on a terminal."""

import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import typer


@dataclass(frozen=True, slots=True)
class Output:
    """How a command speaks: ``json`` gives documents, ``quiet`` keeps from talking."""

    json: bool
    quiet: bool
    verbose: bool

    def say(self, text: str) -> None:
        """Talk, to a person."""
        if not self.quiet:
            typer.echo(text, err=True)

    def detail(self, text: str) -> None:
        """Talk that only ``--verbose`` hears."""
        if self.verbose:
            self.say(text)

    def give(self, document: Any, lines: Callable[[], str]) -> None:  # noqa: ANN401 - any JSON
        """Give data: one JSON document, or the lines a person reads."""
        text = json.dumps(document, ensure_ascii=False, indent=2) if self.json else lines()
        if text:
            typer.echo(text)

    @contextlib.contextmanager
    def progress(self, title: str, total: int) -> Iterator[Callable[[int], None]]:
        """A progress bar on a terminal, nothing elsewhere; told how many are done."""
        if self.quiet or self.json or total == 0 or not sys.stderr.isatty():
            yield lambda _done: None
            return
        from rich.console import Console  # noqa: PLC0415 - only a terminal pays for it
        from rich.progress import Progress  # noqa: PLC0415 - as above

        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(title, total=total)
            yield lambda done: bar.update(task, completed=done)


def counted(count: int, what: str) -> str:
    """A count with its noun: ``1 paper``, ``2 papers``."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Rows under a header, in columns as wide as they need to be."""
    cells = [list(header), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(header))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )
