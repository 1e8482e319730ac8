"""``newsletter issue``: decisions about an issue that only the operator can make."""

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from newsletter.app.moving import refuse_while_running
from newsletter.app.wiring import App, open_app
from newsletter.cli.command import Yes, command, command_list, find_readers, group, issue_day
from newsletter.cli.output import Output, confirm, count_of
from newsletter.cli.reports import issue_document, issue_lines
from newsletter.errors import UsageError
from newsletter.model import Reader
from newsletter.publisher.publishing import cancel, release, resolve, undo
from newsletter.publisher.reporting import report
from newsletter.readers.operating import COMMAND_LINE

commands = command_list()
issue_group = group(
    commands,
    "issue",
    """Cancel or undo an issue, release a held one, or resolve emails in doubt.

    Example: newsletter issue cancel 2026-08-03
    """,
)

Issue = Annotated[str, typer.Argument(metavar="YYYY-MM-DD", help="Date of the issue.")]


@command(issue_group, "cancel")
def cancel_issue(config: Path, output: Output, issue: Issue, *, yes: Yes = False) -> int:
    """Stop an issue for good; a run that is sending it stops within a second.

    Example: newsletter issue cancel 2026-08-03

    Papers of the emails that were not sent go into the next issue. If there is no issue of that
    date yet, the date may be a mistake: the command asks, or needs --yes without a terminal.
    """
    with open_app(config) as app:
        day = issue_day(issue, app.clock, app.settings.timezone)
        question = f"There is no issue of {day} yet. Cancel it in advance?"
        if yes or app.store.issue_state(day) is not None or confirm(question):
            cancel(app.store, day)
            _record(app, "cancelled an issue", day)
        return _print_report(app, day, output)


@command(issue_group, "undo")
def undo_issue(config: Path, output: Output, issue: Issue, *, yes: Yes = False) -> int:
    """Remove an issue whose emails were never sent, as if it had never existed.

    Example: newsletter issue undo 2027-08-03

    Its papers go into the readers' next issue, and the date can be sent again. Stop `newsletter
    run` and `serve` first. It asks, or needs --yes without a terminal.
    """
    with open_app(config) as app:
        day = issue_day(issue, app.clock, app.settings.timezone)
        refuse_while_running(app, app.settings.store, "stop it first: it may be sending the issue")
        if not (yes or confirm(f"Remove the issue of {day}? None of its emails was sent.")):
            return 0
        undo(app.store, day, now=app.clock.now())
        _record(app, "undid an issue", day)
    output.result({"issue": day.isoformat(), "undone": True}, f"{day}: there is no issue now")
    return 0


@command(issue_group, "release")
def release_issue(config: Path, output: Output, issue: Issue) -> int:
    """Let a held issue be sent, by the next `newsletter send` or the running `newsletter run`.

    Example: newsletter issue release 2026-08-03

    With `issue.canary` set, it also sends an issue to everybody else after the first readers.
    """
    with open_app(config) as app:
        day = issue_day(issue, app.clock, app.settings.timezone)
        release(app.store, day, app.settings.issue.first_readers)
        _record(app, "released an issue", day)
        return _print_report(app, day, output)


@command(issue_group, "resolve")
def resolve_deliveries(
    config: Path,
    output: Output,
    issue: Issue,
    email: Annotated[
        list[str] | None, typer.Argument(help="The readers. Default: all with a held email.")
    ] = None,
    *,
    arrived: Annotated[bool, typer.Option("--arrived", help="The emails arrived.")] = False,
    lost: Annotated[bool, typer.Option("--lost", help="The emails never arrived.")] = False,
) -> int:
    """Say whether held emails arrived or were lost, once you have found out.

    Example: newsletter issue resolve 2026-08-03 ada@example.org --arrived

    An email is held when the server's reply was lost twice. Papers of a lost email go into the
    reader's next one. To find out, search the mail server's log for the email's Message-ID.
    """
    if arrived == lost:
        raise UsageError("pass either --arrived or --lost")
    with open_app(config) as app:
        day = issue_day(issue, app.clock, app.settings.timezone)
        readers = find_readers(app.store.each_reader(), email or ())
        emails = [reader.subscriber.email for reader in readers]
        resolved = resolve(app.store, day, emails, arrived=arrived, now=app.clock.now())
        what = f"said that a held email {'arrived' if arrived else 'was lost'}"
        for reader in app.store.readers(emails=resolved):
            _record(app, what, day, reader)
        app.store.close_issue(day)
        output.message(f"{count_of(len(resolved), 'email')} {'arrived' if arrived else 'lost'}")
        return _print_report(app, day, output)


def _record(app: App, what: str, day: date, reader: Reader | None = None) -> None:
    service = app.operator_service(COMMAND_LINE)
    service.record(app.clock.now(), what, reader, day.isoformat())


def _print_report(app: App, day: date, output: Output) -> int:
    found = report(app.publisher, day)
    output.result(issue_document(found), issue_lines(found))
    return 0
