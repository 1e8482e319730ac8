"""``newsletter demo``."""

import shutil
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from newsletter.app import event_loop
from newsletter.app.app import OWN_FOLDER, App, open_app
from newsletter.cli.command import Port, command, issue_day
from newsletter.cli.inbox import Inbox
from newsletter.cli.output import Output, table
from newsletter.cli.reports import exit_code, issue_document, issue_lines, source_lines
from newsletter.cli.serving import show
from newsletter.model import SourceReport
from newsletter.preview import open_sheet
from newsletter.publisher.fetching import gather
from newsletter.publisher.publishing import freeze, publish, waiting
from newsletter.publisher.reporting import IssueReport, report

app = typer.Typer(rich_markup_mode=None, add_completion=False)

DAY = "2026-08-12"
"""The date of the bundled listing."""

READER = "ada@example.org"
"""Whose letter is shown first."""

_FILES = ("newsletter.yaml", "subscribers.yaml", "listing.json")


@command(app)
def demo(
    _config: Path,
    output: Output,
    *,
    serve: Annotated[bool, typer.Option("--serve/--no-serve", help="Show the proof sheet.")] = True,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Where the demo's files go.")
    ] = Path("demo"),
    port: Port = 8025,
) -> int:
    """A whole morning, offline: forty papers, three readers, a real SMTP conversation.

    Example: newsletter demo --no-serve

    It ends with the letters on disk and, unless --no-serve, the proof sheet, which shows them.
    Each demo begins anew in its folder.
    """
    return event_loop.run(_demonstrated(out, output, port if serve else None))


async def _demonstrated(folder: Path, output: Output, port: int | None) -> int:
    """Everything `newsletter send` does, with an inbox of our own at the other end, then the sheet.

    The inbox stays open as long as the proof sheet, which can send tests.
    """
    letters = folder / "letters"
    _clear(folder, letters)
    async with Inbox(letters) as inbox:
        _set_up(folder, inbox.port)
        with open_app(folder / "newsletter.yaml") as app:
            found, sources = await _sent(app)
            _tell(output, found, sources, letters)
            if port is not None:
                day = issue_day(DAY, app.clock, app.settings.timezone)
                await show(open_sheet(app, day, READER), port, output)
    return exit_code(found, sources)


def _set_up(folder: Path, port: int) -> None:
    for name in _FILES:
        text = files("newsletter").joinpath("data", "demo", name).read_text("utf-8")
        text = text.replace("port: 1025", f"port: {port}")
        (folder / name).write_text(text, encoding="utf-8")


def _tell(
    output: Output, found: IssueReport, sources: tuple[SourceReport, ...], letters: Path
) -> None:
    delivered = sorted(letters.glob("*.eml"))
    document = {**issue_document(found), "letters": [str(path) for path in delivered]}
    rows = [(path, f"{path.stat().st_size:,} bytes") for path in delivered]
    parts = (source_lines(sources), issue_lines(found), table(("letter", ""), rows))
    output.give(document, lambda: "\n\n".join(parts))


async def _sent(app: App) -> tuple[IssueReport, tuple[SourceReport, ...]]:
    day, publisher = issue_day(DAY, app.clock, app.settings.timezone), app.publisher
    sources = await gather(
        publisher.sources, publisher.store, day, publisher.clock, lambda _report: None
    )
    freeze(publisher, day, waiting(publisher, day), sources)
    with app.run_lock() as run_lock:
        await publish(publisher, day, app.smtp(), run_lock=run_lock, progress=lambda _counts: None)
    return report(publisher.store, day, sources), sources


def _clear(folder: Path, letters: Path) -> None:
    """Away with an earlier demo: its store and witness, which send nothing twice; its letters."""
    letters.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder / OWN_FOLDER / "witness", ignore_errors=True)
    for path in (*folder.glob("newsletter.db*"), *letters.glob("*.eml")):
        path.unlink()
