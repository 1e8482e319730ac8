"""``newsletter preview``."""

from datetime import date as Date  # noqa: N812 - `date` is the option's name
from pathlib import Path
from typing import Annotated

import typer

from newsletter.app import event_loop
from newsletter.app.app import App, open_app
from newsletter.cli.addresses import readers_called
from newsletter.cli.command import Day, Port, command, issue_day
from newsletter.cli.output import Output
from newsletter.cli.reports import missing_lines
from newsletter.cli.serving import show
from newsletter.model import Reader
from newsletter.preview import open_sheet
from newsletter.publisher.drafting import anyone
from newsletter.publisher.fetching import gather
from newsletter.publisher.previewing import PreviewedLetter
from newsletter.publisher.previewing import preview as proofs
from newsletter.transports.folder import file_name

app = typer.Typer(rich_markup_mode=None, add_completion=False)

EVERYONE = "all"


@command(app)
def preview(
    config: Path,
    output: Output,
    *,
    reader: Annotated[
        str | None,
        typer.Option("--as", metavar="EMAIL", help="This reader's letter, or `all` readers'."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Write the files and stop.")
    ] = None,
    port: Port = 8025,
    browse: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page in the browser.")
    ] = True,
    date: Day = None,
) -> int:
    """See letters before they go; nothing of them is stored.

    Example: newsletter preview --as ada@example.org

    It is the proof sheet: a local page that follows the templates, the configuration and the
    readers' file as they are saved. With --out it writes issue.html, issue.txt and issue.eml and
    stops, and with `--as all` one folder of them for each reader. Without --as it is the letter of
    a reader who wants everything.
    """
    with open_app(config) as app:
        day = issue_day(date, app.clock, app.settings.timezone)
        _read(app, day, output)
        if out is None:
            email = "" if reader is None or reader == EVERYONE else _called(app, reader)
            event_loop.run(show(open_sheet(app, day, email), port, output, browse=browse))
            return 0
        made = list(proofs(app.publisher, day, _readers(app, reader)))
        written = [_write(proof, out, alone=reader != EVERYONE) for proof in made]
    output.give({"issue": day.isoformat(), "files": written}, lambda: "\n".join(written))
    return 0


def _read(app: App, day: Date, output: Output) -> None:
    """Read the day's listings, where the store has nothing of that day; tell which are missing."""
    store = app.store
    if not store.waves(day) and not store.papers_read(day):
        reports = event_loop.run(gather(app.sources, store, day, app.clock, lambda _report: None))
        for line in missing_lines(reports):
            output.say(line)


def _called(app: App, email: str) -> str:
    """The address a reader is known by."""
    app.readers()
    return readers_called(app.store, [email])[0].subscriber.email


def _readers(app: App, email: str | None) -> list[Reader]:
    publisher = app.publisher
    if email is None:
        return [anyone(publisher)]
    if email != EVERYONE:
        return readers_called(publisher.store, [email])
    return [reader for reader in publisher.store.readers() if reader.status == "confirmed"]


def _write(proof: PreviewedLetter, folder: Path, *, alone: bool) -> str:
    """Write one letter's files; the folder they are in."""
    if not alone:
        folder /= file_name(proof.envelope.recipient).removesuffix(".eml")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "issue.html").write_text(proof.rendering.html, encoding="utf-8")
    (folder / "issue.txt").write_text(proof.rendering.text, encoding="utf-8")
    (folder / "issue.eml").write_bytes(b"".join(proof.envelope.content))
    return str(folder)
