"""``newsletter send``."""

import logging
import sys
from collections.abc import Sequence
from datetime import date as Date  # noqa: N812 - `date` is the option's name
from pathlib import Path
from typing import Annotated

import typer

from newsletter.app import event_loop
from newsletter.app.wiring import App, open_app
from newsletter.cli.command import Day, Yes, command, command_list, find_readers, issue_day
from newsletter.cli.output import NO_TERMINAL, Output, count_of
from newsletter.cli.reports import (
    DELIVERIES_FAILED,
    SOURCE_FAILED,
    exit_code,
    issue_document,
    issue_lines,
    missing_lines,
    source_lines,
)
from newsletter.cli.signals import until_terminated
from newsletter.errors import TryAgainError, UsageError
from newsletter.model import Counts, SourceReport
from newsletter.publisher.drafting import SkippedReader
from newsletter.publisher.fetching import fetch_sources
from newsletter.publisher.previewing import dry_run, preview_waiting
from newsletter.publisher.publisher import Publisher
from newsletter.publisher.publishing import count_papers, freeze, publish, waiting_readers
from newsletter.publisher.reporting import report

commands = command_list()
_log = logging.getLogger(__name__)


@command(commands)
def send(
    config: Path,
    output: Output,
    *,
    date: Day = None,
    to: Annotated[
        list[str] | None,
        typer.Option("--to", metavar="EMAIL", help="Send only to this reader; repeatable."),
    ] = None,
    everyone: Annotated[
        bool, typer.Option("--everyone", help="Ignore cadences, but never a pause.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write the emails to a folder; store no issue.")
    ] = False,
    yes: Yes = False,
) -> int:
    """Fetch, compose and send one issue; run it again to finish what is open.

    Example: newsletter send --yes

    Nothing is sent twice: the issue of a date is frozen once, and each reader has one delivery of
    it. On a terminal it shows the counts and asks; without a terminal it needs --yes.
    """
    if not (yes or dry_run or sys.stdin.isatty()):
        raise UsageError(NO_TERMINAL)
    with open_app(config) as app:
        day = issue_day(date, app.clock, app.settings.timezone)
        publisher = app.publisher
        _stop_if_held(publisher, day)
        if app.restore_warning:
            _log.warning("%s", app.restore_warning)
        if to:
            to = [
                reader.subscriber.email
                for reader in find_readers(publisher.store.each_reader(), to)
            ]
        skipped: list[SkippedReader] = []
        readers = waiting_readers(
            publisher, day, emails=to, everyone=everyone, on_skipped=skipped.append
        )
        fetched = (
            _fetched(publisher, day, output) if readers and not publisher.store.waves(day) else ()
        )
        if dry_run:
            _dry_run(app, day, readers, output)
            return SOURCE_FAILED if missing_lines(fetched) else 0
        if not (readers or publisher.store.issue_state(day)):
            output.message(f"The issue of {day} has no readers: their cadence leaves the day out.")
        if yes or _agreed(publisher, day, readers):
            freeze(publisher, day, readers, fetched, on_skipped=skipped.append)
            event_loop.run(until_terminated(_publish(app, day, to, output)))
        found = report(publisher.store, day, fetched or None, skipped)
    output.result(issue_document(found), issue_lines(found))
    return DELIVERIES_FAILED if skipped else exit_code(found, fetched)


def _stop_if_held(publisher: Publisher, day: Date) -> None:
    state = publisher.store.issue_state(day)
    if state is not None and state[0] == "held":
        raise TryAgainError(
            f"the issue of {day} is held ({state[1]}); "
            f"`newsletter issue release {day}` sends it, `newsletter issue cancel {day}` ends it"
        )


def _fetched(publisher: Publisher, day: Date, output: Output) -> tuple[SourceReport, ...]:
    reports = event_loop.run(
        fetch_sources(publisher.sources, publisher.store, day, publisher.clock)
    )
    for line in missing_lines(reports):
        _log.warning("%s", line)
    output.detail(source_lines(reports))
    return reports


def _agreed(publisher: Publisher, day: Date, readers: Sequence[int]) -> bool:
    """Show what would be sent and ask."""
    papers = count_of(count_papers(publisher, day, readers), "paper")
    what = f"{papers} for {count_of(len(readers), 'reader')}"
    left = count_of(publisher.store.counts(day).open, "letter")
    return typer.confirm(f"Issue of {day}: {what}, {left} open. Send?", err=True)


async def _publish(app: App, day: Date, to: Sequence[str] | None, output: Output) -> None:
    publisher = app.publisher
    planned = publisher.store.counts(day)
    if not planned.open:
        if publisher.store.waves(day):
            publisher.store.close_issue(
                day
            )  # a run may have ended between its last letter and this
        return
    only = None if to is None else [reader.id for reader in publisher.store.readers(emails=to)]
    with output.progress("sending", planned.planned) as done, app.run_lock() as run_lock:

        def progress(counts: Counts) -> None:
            done(counts.planned - counts.open)

        await publish(
            publisher, day, app.smtp(), run_lock=run_lock, readers=only, progress=progress
        )


def _dry_run(app: App, day: Date, readers: Sequence[int], output: Output) -> None:
    """Write every email that would be sent to a folder, in place of an earlier dry run's."""
    folder = app.own_folder / "dry-run" / day.isoformat()
    for earlier in folder.glob("*.eml"):
        earlier.unlink()
    if not readers:
        output.message(f"No reader waits for the issue of {day}: all who should get it have it.")
    wanted = (
        letter for letter in preview_waiting(app.publisher, day, readers) if letter.edition.papers
    )
    letters = event_loop.run(dry_run(wanted, app.to_folder(folder)))
    document = {"issue": day.isoformat(), "letters": letters, "folder": str(folder)}
    output.result(document, f"{count_of(letters, 'letter')} in {folder}; nothing was sent")
