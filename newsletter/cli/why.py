"""``newsletter why``."""

from collections import Counter
from typing import Annotated

import typer

from newsletter.app.app import House, open_house
from newsletter.cli.addresses import readers_called
from newsletter.cli.options import CONFIG, Config, Day, Json, Quiet, Verbose, issue_day
from newsletter.cli.output import Voice
from newsletter.errors import UsageError
from newsletter.model import Item, Reader, Verdict
from newsletter.papers.identity import identify
from newsletter.publisher.explaining import why as explain

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def why(
    email: Annotated[str | None, typer.Argument(help="The reader.")] = None,
    paper: Annotated[str | None, typer.Argument(help="A key, an arXiv number, an address.")] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="Every confirmed reader.")] = False,
    date: Day = None,
    config: Config = CONFIG,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """For every paper of a day, the one reason it is in a reader's letter or is not.

    Example: newsletter why ada@example.org 2608.01234

    A day that was frozen answers from what was frozen; another as the issue would be cut now.
    """
    voice = Voice(json, quiet, verbose)
    with open_house(config) as house:
        day = issue_day(date, house.clock, house.settings.timezone)
        found = list(explain(house.desk, day, _readers(house, email, every=every)))
    nothing = f"no paper was read for {day}, and none is owed; `newsletter fetch` reads it"
    if paper is not None and found:
        names = {paper, *identify(Item(title="", ids=(paper,))).aliases}
        nothing = f"no paper of {day} is called {paper!r}; without it, all of them are shown"
        found = [verdict for verdict in found if verdict.paper in names]
    voice.give([_document(verdict) for verdict in found], lambda: _lines(found))
    counts = Counter(verdict.included for verdict in found)
    voice.detail(f"{counts[True]} in, {counts[False]} out")
    if not found:
        voice.say(nothing)
    return 0


def _readers(house: House, email: str | None, *, every: bool) -> list[Reader]:
    if every == (email is not None):
        raise UsageError("name a reader, or ask for --all")
    desk = house.desk
    if email is not None:
        return readers_called(desk.store, [email])
    return [reader for reader in desk.store.readers() if reader.status == "confirmed"]


def _document(verdict: Verdict) -> dict[str, object]:
    return {
        "reader": verdict.reader,
        "paper": verdict.paper,
        "title": verdict.title,
        "in": verdict.included,
        "reason": verdict.reason,
    }


def _lines(found: list[Verdict]) -> str:
    return "\n".join(
        f"{'in ' if v.included else 'out'}  {v.paper}  {v.title}\n       {v.reason}" for v in found
    )
