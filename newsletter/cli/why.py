"""``newsletter why``."""

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from newsletter.app.app import App, open_app
from newsletter.cli.addresses import readers_called
from newsletter.cli.command import Day, command, issue_day
from newsletter.cli.output import Output
from newsletter.errors import UsageError
from newsletter.model import Item, Reader, Verdict
from newsletter.papers.identity import identify
from newsletter.publisher.explaining import why as explain

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@command(app)
def why(
    config: Path,
    output: Output,
    email: Annotated[str | None, typer.Argument(help="The reader.")] = None,
    paper: Annotated[str | None, typer.Argument(help="A key, an arXiv number, an address.")] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="Every confirmed reader.")] = False,
    date: Day = None,
) -> int:
    """For every paper of a day, the one reason it is in a reader's letter or is not.

    Example: newsletter why ada@example.org 2608.01234

    A day that was frozen answers from what was frozen; another as the issue would be cut now.
    """
    with open_app(config) as app:
        day = issue_day(date, app.clock, app.settings.timezone)
        found = list(explain(app.publisher, day, _readers(app, email, every=every)))
    nothing = f"no paper was read for {day}, and none is owed; `newsletter fetch` reads it"
    if paper is not None and found:
        names = {paper, *identify(Item(title="", ids=(paper,))).aliases}
        nothing = f"no paper of {day} is called {paper!r}; without it, all of them are shown"
        found = [verdict for verdict in found if verdict.paper in names]
    output.give([_document(verdict) for verdict in found], lambda: _lines(found))
    counts = Counter(verdict.included for verdict in found)
    output.detail(f"{counts[True]} in, {counts[False]} out")
    if not found:
        output.say(nothing)
    return 0


def _readers(app: App, email: str | None, *, every: bool) -> list[Reader]:
    if every == (email is not None):
        raise UsageError("name a reader, or ask for --all")
    publisher = app.publisher
    if email is not None:
        return readers_called(publisher.store, [email])
    return [reader for reader in publisher.store.readers() if reader.status == "confirmed"]


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
