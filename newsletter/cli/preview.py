"""``newsletter preview``."""

import sys
import webbrowser
from datetime import date as Date  # noqa: N812 - `date` is the option's name
from pathlib import Path
from typing import Annotated

import typer
from starlette.types import ASGIApp

from newsletter.app import event_loop
from newsletter.app.wiring import App, open_app
from newsletter.cli.command import (
    Day,
    Port,
    command,
    command_list,
    find_readers,
    issue_day,
    without_faults,
)
from newsletter.cli.output import Output
from newsletter.cli.reports import missing_lines
from newsletter.model import Reader
from newsletter.preview import open_preview
from newsletter.publisher.drafting import sample_reader
from newsletter.publisher.fetching import fetch_sources
from newsletter.publisher.previewing import PreviewedLetter
from newsletter.publisher.previewing import preview as preview_letters
from newsletter.transports.folder import file_name
from newsletter.web.listening import serve_on_loopback

commands = command_list()

EVERYONE = "all"


@command(commands)
def preview(
    config: Path,
    output: Output,
    *,
    reader: Annotated[
        str | None,
        typer.Option("--as", metavar="EMAIL", help="The reader whose email to show, or `all`."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Write files instead of a page.")
    ] = None,
    port: Port = 8025,
    browse: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page in a browser.")
    ] = True,
    date: Day = None,
) -> int:
    """See emails before they are sent; no issue is stored.

    Example: newsletter preview --as ada@example.org

    Serves a local page that reloads when the templates, the configuration or the readers' file are
    saved. With --out it writes issue.html, issue.txt and issue.eml and ends; with `--as all` it
    writes them for each reader, in a folder each. Without --as it shows the email of a reader who
    gets every paper.
    """
    with open_app(config) as app:
        day = issue_day(date, app.clock, app.settings.timezone)
        _fetch_if_empty(app, day, output)
        if out is None:
            email = "" if reader in {None, EVERYONE} else _known_address(app, str(reader))
            event_loop.run(serve_page(open_preview(app, day, email), port, output, browse=browse))
            return 0
        letters = preview_letters(app.publisher, day, _readers(app, reader))
        folders = [_write(letter, out, alone=reader != EVERYONE) for letter in letters]
    output.result({"issue": day.isoformat(), "files": folders}, "\n".join(folders))
    return 0


async def serve_page(page: ASGIApp, port: int, output: Output, *, browse: bool = False) -> None:
    """Serve the preview page on loopback until Ctrl-C, and print its address.

    Args:
        page: the preview page.
        port: the first port to try.
        output: where to print.
        browse: open a browser, if a person is at a terminal.
    """

    def started(address: str) -> None:
        output.message(f"Preview: {address} (Ctrl-C to stop)")
        if browse and sys.stdout.isatty():
            webbrowser.open(address)

    await serve_on_loopback(page, port, started)


def _fetch_if_empty(app: App, day: Date, output: Output) -> None:
    """Fetch the day's papers if the store has none; print the sources that failed."""
    store = app.store
    if not store.waves(day) and not store.papers_listed(day):
        reports = event_loop.run(
            fetch_sources(app.sources, store, day, app.clock, lambda _report: None)
        )
        for line in missing_lines(reports):
            output.message(line)


def _known_address(app: App, email: str) -> str:
    """The reader's address as the store spells it, after the readers' file was read."""
    (reader, *_) = find_readers(app.readers(), [email])
    return reader.subscriber.email


def _readers(app: App, email: str | None) -> list[Reader]:
    publisher = app.publisher
    if email is None:
        return [sample_reader(publisher)]
    if email != EVERYONE:
        return without_faults(find_readers(publisher.store.each_reader(), [email]))
    return [reader for reader in publisher.store.readers() if reader.is_served]


def _write(letter: PreviewedLetter, folder: Path, *, alone: bool) -> str:
    """Write one email's files and return their folder."""
    if not alone:
        folder /= file_name(letter.envelope.recipient).removesuffix(".eml")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "issue.html").write_text(letter.rendering.html, encoding="utf-8")
    (folder / "issue.txt").write_text(letter.rendering.text, encoding="utf-8")
    (folder / "issue.eml").write_bytes(b"".join(letter.envelope.content))
    return str(folder)
