"""``newsletter why``."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from newsletter.app.wiring import App, open_app
from newsletter.cli.command import (
    Day,
    command,
    command_list,
    find_readers,
    issue_day,
    without_faults,
)
from newsletter.cli.output import Output
from newsletter.config.subscribers import mailbox_key
from newsletter.errors import UsageError
from newsletter.model import Item, Reader, Verdict
from newsletter.papers.identity import identify
from newsletter.publisher.previewing import explain_issue as explain
from newsletter.publisher.reporting import DETAILS_REMOVED

commands = command_list()


@command(commands)
def why(
    config: Path,
    output: Output,
    email: Annotated[str | None, typer.Argument(help="The reader's address.")] = None,
    paper: Annotated[
        str | None, typer.Argument(help="Only this paper: its key, arXiv number or URL.")
    ] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="For every confirmed reader.")] = False,
    date: Day = None,
) -> int:
    """Explain for each paper of a day why it is in a reader's email or not.

    Example: newsletter why ada@example.org 2608.01234

    If the issue of that day is frozen, the answer is about that issue. Otherwise it is about the
    issue as it would be composed now.
    """
    with open_app(config) as app:
        day = issue_day(date, app.clock, app.settings.timezone)
        seen, shown = Counter[bool](), Counter[bool]()
        verdicts = _counted(
            explain(app.unsynced_publisher, day, _readers(app, email, every=every)), seen
        )
        if paper is not None:
            names = {paper, *identify(Item(title="", ids=(paper,))).aliases}
            names |= _other_versions(app, names, output)
            verdicts = (verdict for verdict in verdicts if verdict.paper in names)
        output.rows((_document(one), _lines(one)) for one in _counted(verdicts, shown))
        removed = not seen and app.store.has_no_details(day)
    output.detail(f"{shown[True]} in, {shown[False]} out")
    if removed:
        output.message(DETAILS_REMOVED.format(day))
    elif not seen:
        output.message(f"no papers for {day}; run `newsletter fetch --date {day}` to read them")
    elif not shown:
        output.message(f"no paper of {day} is called {paper!r}; leave it out to see all of them")
    return 0


def _other_versions(app: App, names: Iterable[str], output: Output) -> set[str]:
    """The keys of the papers that turned out to be the one with these names; it says so, too."""
    found = filter(None, map(app.store.find_paper, names))
    keys = {other.key for known in found for other in (known, *app.store.other_versions(known))}
    if len(keys) > 1:
        output.message(f"the same paper, shown once: {', '.join(sorted(keys))}")
    return keys


def _counted(verdicts: Iterable[Verdict], counts: Counter[bool]) -> Iterator[Verdict]:
    """The verdicts one by one; those in and those out are counted as they pass."""
    for verdict in verdicts:
        counts[verdict.included] += 1
        yield verdict


def _readers(app: App, email: str | None, *, every: bool) -> list[Reader]:
    if every == (email is not None):
        raise UsageError("name one reader, or pass --all")
    app.sync_readers()
    store = app.store
    if email is not None:
        known = store.reader_by_email(mailbox_key(email))  # else it may be spelt otherwise
        return without_faults(find_readers([known] if known else store.each_reader(), [email]))
    return [reader for reader in store.readers() if reader.is_served]


def _document(verdict: Verdict) -> dict[str, object]:
    return {
        "reader": verdict.reader,
        "paper": verdict.paper,
        "title": verdict.title,
        "in": verdict.included,
        "reason": verdict.reason,
        "moved": verdict.moved,
    }


def _lines(verdict: Verdict) -> str:
    placed = "in " if verdict.included else "out"
    why = "; ".join(filter(None, (verdict.reason, verdict.moved)))
    return f"{placed}  {verdict.paper}  {verdict.title}\n       {why}"
