"""``newsletter demo``."""

import asyncio
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from newsletter.cli.options import CONFIG, Config, Json, Quiet, Verbose, issue_day
from newsletter.cli.output import Voice, table
from newsletter.cli.reports import exit_code, issue_document, issue_lines, source_lines
from newsletter.cli.showing import show
from newsletter.inbox import Inbox
from newsletter.model import SourceReport
from newsletter.publisher import IssueReport, freeze, gather, publish, report, waiting
from newsletter.wiring import House, open_house

app = typer.Typer(rich_markup_mode=None, add_completion=False)

DAY = "2026-08-12"
"""The date of the bundled listing."""

_FILES = ("newsletter.yaml", "subscribers.yaml", "listing.json")


@app.command()
def demo(
    *,
    serve: Annotated[bool, typer.Option("--serve/--no-serve", help="Show the letters.")] = True,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Where the demo's files go.")
    ] = Path("demo"),
    port: Annotated[int, typer.Option("--port", help="Where the page is served.")] = 8025,
    config: Config = CONFIG,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """A whole morning, offline: forty papers, three readers, a real SMTP conversation.

    Example: newsletter demo --no-serve

    It ends with the letters on disk and, unless --no-serve, a page that shows them. Each demo
    begins anew in its folder.
    """
    del config
    voice = Voice(json, quiet, verbose)
    letters = out / "letters"
    found, sources = asyncio.run(_morning(out, letters))
    delivered = sorted(letters.glob("*.eml"))
    document = {**issue_document(found), "letters": [str(path) for path in delivered]}
    rows = [(path, f"{path.stat().st_size:,} bytes") for path in delivered]
    parts = (source_lines(sources), issue_lines(found), table(("letter", ""), rows))
    voice.give(document, lambda: "\n\n".join(parts))
    if serve:
        show(letters, port, voice)
    return exit_code(found, sources)


async def _morning(folder: Path, letters: Path) -> tuple[IssueReport, tuple[SourceReport, ...]]:
    """Everything `newsletter send` does, with an inbox of our own at the other end."""
    _clear(folder, letters)
    async with Inbox(letters) as inbox:
        for name in _FILES:
            text = files("newsletter").joinpath("data", "demo", name).read_text("utf-8")
            text = text.replace("port: 1025", f"port: {inbox.port}")
            (folder / name).write_text(text, encoding="utf-8")
        with open_house(folder / "newsletter.yaml") as house:
            return await _sent(house)


async def _sent(house: House) -> tuple[IssueReport, tuple[SourceReport, ...]]:
    day, desk = issue_day(DAY, house.clock, house.settings.timezone), house.desk
    sources = await gather(desk.sources, desk.store, day, desk.clock, lambda _report: None)
    freeze(desk, day, waiting(desk, day), sources)
    with house.owner() as owner:
        await publish(desk, day, house.smtp(), owner=owner, progress=lambda _counts: None)
    return report(desk.store, day, sources), sources


def _clear(folder: Path, letters: Path) -> None:
    """Away with an earlier demo: its store, which would send nothing twice, and its letters."""
    letters.mkdir(parents=True, exist_ok=True)
    for path in (*folder.glob("newsletter.db*"), *letters.glob("*.eml")):
        path.unlink()
