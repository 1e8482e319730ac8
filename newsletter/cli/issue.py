"""``newsletter issue``."""

import sys
from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from newsletter.app.app import App, open_app
from newsletter.cli.addresses import readers_called
from newsletter.cli.command import command, group, issue_day
from newsletter.cli.output import Output, counted
from newsletter.cli.reports import issue_document, issue_lines
from newsletter.errors import UsageError
from newsletter.publisher.issue_control import cancel, release, resolve
from newsletter.publisher.reporting import report

app = group()

Issue = Annotated[str, typer.Argument(metavar="YYYY-MM-DD", help="The issue's date.")]


@app.callback()
def issue_commands() -> None:
    """Decide what only the operator can: stop an issue, let it go, end a doubt.

    Example: newsletter issue cancel 2026-08-03
    """


@command(app, "cancel")
def cancel_issue(
    config: Path,
    output: Output,
    issue: Issue,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> int:
    """Let no further letter of an issue leave; a run that is sending stops within a second.

    Example: newsletter issue cancel 2026-08-03

    For good: the papers of the letters that have not left go into the next issue. Of a date that
    has no issue so far, which may be a slip, it asks; where there is no terminal it needs --yes.
    """
    with open_app(config) as app:
        day = issue_day(issue, app.clock, app.settings.timezone)
        if yes or app.store.issue_state(day) is not None or _agreed(day):
            cancel(app.store, day)
        return _tell(app, day, output)


def _agreed(day: date) -> bool:
    """Ask whether an issue that is not there is meant.

    Raises:
        UsageError: there is nobody to ask.
    """
    told = f"There is no issue of {day} so far"
    if not sys.stdin.isatty():
        raise UsageError(f"{told}; say --yes to keep it from being made, which is for good")
    return typer.confirm(f"{told}. Cancel it before it is made?", err=True)


@command(app, "release")
def release_issue(
    config: Path,
    output: Output,
    issue: Issue,
) -> int:
    """Let the letters of a held issue leave, with the next `newsletter send` or tick of `run`.

    Example: newsletter issue release 2026-08-03
    """
    with open_app(config) as app:
        day = issue_day(issue, app.clock, app.settings.timezone)
        release(app.store, day)
        return _tell(app, day, output)


@command(app, "resolve")
def resolve_letters(
    config: Path,
    output: Output,
    issue: Issue,
    email: Annotated[list[str] | None, typer.Argument(help="Whose; all that are held.")] = None,
    *,
    arrived: Annotated[bool, typer.Option("--arrived", help="The letters arrived.")] = False,
    lost: Annotated[bool, typer.Option("--lost", help="They never will.")] = False,
) -> int:
    """End the doubt about letters that are held, by what you found out.

    Example: newsletter issue resolve 2026-08-03 ada@example.org --arrived

    A letter is held when its answer was lost twice. The papers of a lost one go into the reader's
    next letter. The relay's log knows it by its Message-ID.
    """
    if arrived == lost:
        raise UsageError("say what became of the letters: --arrived or --lost, one of them")
    with open_app(config) as app:
        day = issue_day(issue, app.clock, app.settings.timezone)
        theirs = [reader.subscriber.email for reader in readers_called(app.store, email or ())]
        done = resolve(app.store, day, theirs, arrived=arrived, now=app.clock.now())
        app.store.finish(day)
        output.say(f"{counted(len(done), 'letter')} {'arrived' if arrived else 'lost'}")
        return _tell(app, day, output)


def _tell(app: App, day: date, output: Output) -> int:
    found = report(app.store, day)
    output.give(issue_document(found), lambda: issue_lines(found))
    return 0
