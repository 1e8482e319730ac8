"""``newsletter preview``."""

import asyncio
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from newsletter.cli.naming import readers_called
from newsletter.cli.options import CONFIG, Config, Day, Json, Quiet, Verbose, issue_day
from newsletter.cli.output import Voice
from newsletter.cli.showing import show
from newsletter.model import Filter, Reader, Subscriber
from newsletter.publisher import Desk, Proof, gather, last_decided
from newsletter.publisher import preview as proofs
from newsletter.transports.folder import file_name
from newsletter.wiring import open_house

app = typer.Typer(rich_markup_mode=None, add_completion=False)

EVERYONE = "all"


@app.command()
def preview(
    *,
    reader: Annotated[
        str | None,
        typer.Option("--as", metavar="EMAIL", help="This reader's letter, or `all` readers'."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Write the files and stop.")
    ] = None,
    port: Annotated[int, typer.Option("--port", help="Where the page is served.")] = 8025,
    browse: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page in the browser.")
    ] = True,
    date: Day = None,
    config: Config = CONFIG,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """See letters before they go; nothing of them is stored.

    Example: newsletter preview --as ada@example.org --out preview

    With --out it writes issue.html, issue.txt and issue.eml, and with `--as all` one folder of
    them for each reader. Without, it shows the letters on a page. Without --as it is the letter
    of a reader who wants everything.
    """
    voice = Voice(json, quiet, verbose)
    folder = out or Path(tempfile.mkdtemp(prefix="newsletter-"))
    with open_house(config) as house:
        day = issue_day(date, house.clock, house.settings.timezone)
        desk = house.desk
        if not desk.store.waves(day):
            asyncio.run(gather(desk.sources, desk.store, day, desk.clock, lambda _report: None))
        made = list(proofs(desk, day, _readers(desk, reader)))
        written = [_write(proof, folder, alone=reader != EVERYONE) for proof in made]
    voice.give({"issue": day.isoformat(), "files": written}, lambda: "\n".join(written))
    if out is None:
        show(folder, port, voice, browse=browse)
    return 0


def _readers(desk: Desk, email: str | None) -> list[Reader]:
    if email is None:
        anyone = Subscriber(email=desk.publication.sender_email, filter=Filter())
        return [Reader(0, anyone, "confirmed", last_decided(desk), "store")]
    if email != EVERYONE:
        return readers_called(desk.store, [email])
    return [reader for reader in desk.store.readers() if reader.status == "confirmed"]


def _write(proof: Proof, folder: Path, *, alone: bool) -> str:
    """Write one letter's files; the folder they are in."""
    if not alone:
        folder /= file_name(proof.envelope.recipient).removesuffix(".eml")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "issue.html").write_text("".join(proof.rendering.html), encoding="utf-8")
    (folder / "issue.txt").write_text("".join(proof.rendering.text), encoding="utf-8")
    (folder / "issue.eml").write_bytes(b"".join(proof.envelope.content))
    return str(folder)
