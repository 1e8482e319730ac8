"""``newsletter fetch`` and ``newsletter send``."""

import asyncio
import itertools
import logging
import signal
import sys
from collections.abc import Coroutine, Sequence
from dataclasses import asdict, dataclass
from datetime import date as Date  # noqa: N812 - `date` is the option's name
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from newsletter.app import event_loop
from newsletter.app.guards import refuse_copy
from newsletter.app.ping import pings_of
from newsletter.app.store_waiting import patiently, warn_of_the_store
from newsletter.app.wiring import App, open_app
from newsletter.cli.command import Day, Yes, command, command_list, find_readers, issue_day
from newsletter.cli.output import NO_TERMINAL, Output, count_of
from newsletter.cli.reports import (
    SOURCE_FAILED,
    exit_code,
    issue_document,
    issue_lines,
    missing_lines,
    source_lines,
)
from newsletter.delivery.store_wait import StoreWait
from newsletter.errors import TryAgainError, UsageError
from newsletter.model import Counts, ReaderFault, SourceReport
from newsletter.model.windows import STORE_WAIT
from newsletter.publisher.canary import find_turn
from newsletter.publisher.fetching import fetch_sources
from newsletter.publisher.lost_topics import tell_lost_topics
from newsletter.publisher.operator_events import Verdict, capped, judge, reader_news
from newsletter.publisher.previewing import dry_run as write_dry_run
from newsletter.publisher.previewing import preview_waiting
from newsletter.publisher.pruning import AutomaticPruning
from newsletter.publisher.publisher import Publisher
from newsletter.publisher.publishing import (
    count_papers,
    free_readers,
    freeze,
    publish,
    waiting_readers,
    without_delivery,
)
from newsletter.publisher.reporting import fault_lines, report
from newsletter.transports.folder import FolderTransport

LONGEST_BACKFILL = timedelta(days=60)
"""How far back `fetch --since` goes: sources are asked for one list a day."""

LONG_AGO = timedelta(days=300)
"""From here on a date in the past may be a slip of the year."""

commands = command_list()
_log = logging.getLogger(__name__)


@command(commands)
def fetch(
    config: Path,
    output: Output,
    *,
    date: Day = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="YYYY-MM-DD", help="Read every list since this date, for the next email."
        ),
    ] = None,
    again: Annotated[
        str | None,
        typer.Option(metavar="YYYY-MM-DD", help="Read the answers kept on this date (UTC) again."),
    ] = None,
) -> int:
    """Read the sources' lists and store their papers.

    Example: newsletter fetch --since 2026-08-03

    Without options it asks for the lists that may still grow, and for those that are missing. A
    table shows the state of each source and how many of its papers were new, seen before, or
    revised. Exit code 4: some lists could not be read; the others were.
    """
    if sum(each is not None for each in (date, since, again)) > 1:
        raise UsageError("--date, --since and --again cannot be combined; give one of them")
    with open_app(config) as app:
        _refuse_future(app, date)
        day = issue_day(date or again, app.clock, app.settings.timezone)
        first = None if since is None else _backfill_start(app, since)
        sources = app.publisher.sources if again is None else app.sources_replayed(day)
        with output.progress("fetching", len(sources)) as done:
            count = itertools.count(1)
            reports = event_loop.run(
                fetch_sources(
                    sources,
                    app.store,
                    day,
                    app.clock,
                    lambda _report: done(next(count)),
                    since=first,
                    replayed=again is not None,
                )
            )
    totals = {
        "new": sum(report.new for report in reports),
        "seen": sum(report.seen for report in reports),
        "revised": sum(report.revised for report in reports),
    }
    document = {**totals, "sources": [asdict(report) for report in reports]}
    output.result(document, source_lines(reports))
    return SOURCE_FAILED if missing_lines(reports) else 0


def _refuse_future(app: App, date: str | None) -> None:
    today = issue_day(None, app.clock, app.settings.timezone)
    if issue_day(date, app.clock, app.settings.timezone) > today + timedelta(days=1):
        raise UsageError(f"--date {date} is in the future: no source has a list for it yet")


def _backfill_start(app: App, since: str) -> Date:
    """The date of ``--since``.

    Raises:
        UsageError: it is no date, in the future, or too long ago.
    """
    first, today = (issue_day(each, app.clock, app.settings.timezone) for each in (since, None))
    earliest = today - LONGEST_BACKFILL
    if not earliest <= first <= today:
        limit = f"the last {LONGEST_BACKFILL.days} days"
        dates = f"give a date from {earliest} to {today}"
        raise UsageError(f"--since {first} is not within {limit}; {dates}")
    return first


@command(commands)
def send(
    config: Path,
    output: Output,
    *,
    date: Day = None,
    to: Annotated[
        list[str] | None,
        typer.Option("--to", metavar="EMAIL", help="Send only to this reader; can be repeated."),
    ] = None,
    everyone: Annotated[
        bool, typer.Option("--everyone", help="Ignore cadences, but not pauses.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write the emails to a folder; store no issue.")
    ] = False,
    future: Annotated[
        bool, typer.Option("--future", help="Send the issue of a date that is still to come.")
    ] = False,
    yes: Yes = False,
) -> int:
    """Fetch, compose and send one issue; run it again to finish what is open.

    Example: newsletter send --yes

    Nothing is sent twice: the issue of a date is frozen once, and each reader has one delivery of
    it. On a terminal it shows the counts and asks; without a terminal it needs --yes. A date in
    the future is asked about, or needs --future. While the store's server is away, it waits up to
    10 minutes for it.
    """
    if not (yes or dry_run or sys.stdin.isatty()):
        raise UsageError(NO_TERMINAL)
    with open_app(config) as app, pings_of(app, active=not (dry_run or to)) as pings:
        _check_date(app, date, may_be_future=future or dry_run, may_ask=not yes)
        wait = StoreWait(app.clock, STORE_WAIT)
        if yes:
            pings.start()
        plan = patiently(wait, lambda: _prepare(app, date, to, everyone=everyone))
        if not dry_run:
            refuse_copy(app.journal, app.store, config.name)
        fetched = patiently(wait, lambda: _fetch(app.publisher, plan, output))
        if dry_run:
            _dry_run(app, plan, output)
            return SOURCE_FAILED if missing_lines(fetched) else 0
        if not (plan.readers or plan.has_issue):
            output.message(f"No reader's cadence includes {plan.day}: the issue has no readers.")
        if yes or _confirm(app.publisher, plan.day, plan.readers):
            patiently(wait, lambda: plan.freeze_rest(app.publisher, fetched))
            sending = wait.until_awaited(lambda: _publish(app, plan.day, plan.to, output, wait))
            event_loop.run(until_terminated(sending))
            event_loop.run(_tell_readers(app, to))
        found = patiently(wait, lambda: report(app.publisher, plan.day, fetched or None))
        output.result(issue_document(found), issue_lines(found))
        patiently(wait, lambda: _tell_news(app.publisher, plan.day))
        _say_who_waits(app.publisher, plan.day, found.counts)
        if yes:
            still = Verdict(is_good=False, words=f"{plan.day}: {found.counts.open} emails are open")
            pings.tell(patiently(wait, lambda: judge(app.store, plan.day)) or still)
        AutomaticPruning(app.settings.keep.editions)(app.publisher)
    return exit_code(found, fetched)


def _tell_news(publisher: Publisher, day: Date) -> None:
    """Log the letters in error and the blocked readers that were not told before, for cron's mail.

    ``newsletter run`` emails them to the operator, and more.
    """
    store, now, events = publisher.store, publisher.clock.now(), list(reader_news(publisher, day))
    new = store.claim_notices([event.key for event in events], now=now)
    for line in capped(event for event in events if event.key in new):
        _log.error("%s", line)
    store.record_notices(new, now=now)


def _check_date(app: App, date: str | None, *, may_be_future: bool, may_ask: bool) -> None:
    """Say what a date that is not near today means; ask about one in the future.

    Raises:
        UsageError: it is in the future, and the operator does not say that this is meant.
    """
    day, today = (issue_day(each, app.clock, app.settings.timezone) for each in (date, None))
    if day <= today:
        if today - day > LONG_AGO:
            _log.warning("%s is %d days ago; is the year right?", day, (today - day).days)
        return
    meaning = (
        f"{day} is {count_of((day - today).days, 'day')} in the future: its issue would be sent "
        "now, with the papers known now, and its readers get no other one on that day."
    )
    if may_be_future:
        _log.warning("%s", meaning)
    elif not (may_ask and sys.stdin.isatty()):
        raise UsageError(f"{meaning} Pass --future if that is meant")
    elif not typer.confirm(f"{meaning} Go on?", err=True):
        raise UsageError("nothing was sent")


async def _tell_readers(app: App, to: Sequence[str] | None) -> None:
    """Email readers that their topics are no longer there, unless an issue is sent to a few."""
    transport = app.transport()
    while not to and await tell_lost_topics(
        app.publisher, app.reader_service, lambda: app.notes, transport
    ):
        pass


@dataclass(frozen=True)
class _Send:
    """What one ``send`` is about; ``readers``, by id, still wait for the issue of ``day``."""

    day: Date
    to: Sequence[str] | None
    readers: Sequence[int]
    faults: list[ReaderFault]
    has_issue: bool
    is_frozen: bool

    def freeze_rest(self, publisher: Publisher, fetched: Sequence[SourceReport]) -> None:
        """Freeze for those who wait: for nobody, if it was done and only its answer was lost."""
        rest = without_delivery(publisher.store, self.day, self.readers)
        free = free_readers(publisher, self.day, rest)
        freeze(publisher, self.day, free, fetched, on_fault=self.faults.append)
        publisher.store.record_faults(self.day, self.faults)
        if busy := len(rest) - len(free):
            _log.warning(
                "another issue is being sent to %s just now; "
                "the next `newsletter send` sends this one to them",
                count_of(busy, "reader"),
            )


def _prepare(app: App, date: str | None, to: Sequence[str] | None, *, everyone: bool) -> _Send:
    """Find out for whom the issue is; warn of a store that may have forgotten what was sent.

    Raises:
        TryAgainError: the issue is held.
    """
    day, publisher = issue_day(date, app.clock, app.settings.timezone), app.publisher
    store, faults = publisher.store, list[ReaderFault]()
    _stop_if_held(publisher, day)
    warn_of_the_store(app)
    if to:
        to = [each.subscriber.email for each in find_readers(store.each_reader(), to)]
    readers = waiting_readers(publisher, day, emails=to, everyone=everyone, on_fault=faults.append)
    has_issue = store.issue_state(day) is not None
    return _Send(day, to, readers, faults, has_issue, bool(store.waves(day)))


def _stop_if_held(publisher: Publisher, day: Date) -> None:
    state = publisher.store.issue_state(day)
    if state is not None and state[0] == "held":
        raise TryAgainError(
            f"the issue of {day} is held ({state[1]}); "
            f"`newsletter issue release {day}` sends it, `newsletter issue cancel {day}` ends it"
        )


def _say_who_waits(publisher: Publisher, day: Date, counts: Counts) -> None:
    """Say that the others wait while an issue is tried on a few readers.

    Raises:
        TryAgainError: they wait; nothing is wrong.
    """
    turn = find_turn(publisher.store, publisher.canary, day, publisher.clock.now())
    if counts.open and turn.readers is not None:
        _stop_if_held(publisher, day)
        when = f"after {turn.until:%H:%M} UTC" if turn.until else "in a while"
        raise TryAgainError(
            f"the first emails of {day} have left; `newsletter send` sends the others {when}, "
            f"`newsletter issue release {day}` at once, `newsletter issue cancel {day}` not at all"
        )


def _fetch(publisher: Publisher, send: _Send, output: Output) -> tuple[SourceReport, ...]:
    """Fetch for a new issue that somebody waits for."""
    if send.is_frozen or not send.readers:
        return ()
    day = send.day
    reports = event_loop.run(
        fetch_sources(publisher.sources, publisher.store, day, publisher.clock)
    )
    for line in missing_lines(reports):
        _log.warning("%s", line)
    output.detail(source_lines(reports))
    return reports


def _confirm(publisher: Publisher, day: Date, readers: Sequence[int]) -> bool:
    """Show the counts and ask whether to send."""
    papers = count_of(count_papers(publisher, day, readers), "paper")
    is_open = count_of(publisher.store.counts(day).open, "email")
    question = f"{papers} for {count_of(len(readers), 'reader')}, {is_open} open. Send?"
    return typer.confirm(f"Issue of {day}: {question}", err=True)


async def _publish(
    app: App, day: Date, to: Sequence[str] | None, output: Output, wait: StoreWait
) -> None:
    publisher = app.publisher
    planned = publisher.store.counts(day)
    if not planned.open:
        if publisher.store.waves(day):
            # An earlier run may have stopped after its last email and before this.
            publisher.store.close_issue(day)
        return
    only = None if to is None else [reader.id for reader in publisher.store.readers(emails=to)]
    with output.progress("sending", planned.planned) as done, app.run_lock("send") as run_lock:

        def progress(counts: Counts) -> None:
            done(counts.planned - counts.open)

        await publish(
            publisher,
            day,
            app.transport(),
            run_lock=run_lock,
            readers=only,
            progress=progress,
            wait=wait,
        )


async def until_terminated(work: Coroutine[Any, Any, object]) -> None:
    """Do the work; SIGTERM cancels it.

    A cancelled delivery waits for the replies to emails already handed over, and gives back the
    others.

    Raises:
        TryAgainError: the work was cancelled.
    """
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        await task
    except asyncio.CancelledError as error:
        raise TryAgainError("stopped by SIGTERM; run the same command again to continue") from error
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


def _dry_run(app: App, plan: _Send, output: Output) -> None:
    """Write every email that would be sent to a folder, in place of an earlier dry run's."""
    day, readers = plan.day, plan.readers
    for line in fault_lines(plan.faults):
        _log.warning("%s", line)
    folder = app.own_folder / "dry-run" / day.isoformat()
    for earlier in folder.glob("*.eml"):
        earlier.unlink()
    if not readers:
        output.message(f"No reader is waiting for the issue of {day}: everyone due has it.")
    previews = preview_waiting(app.publisher, day, readers)
    with_papers = (preview for preview in previews if preview.edition.papers)
    letters = event_loop.run(write_dry_run(with_papers, FolderTransport(folder)))
    document = {"issue": day.isoformat(), "letters": letters, "folder": str(folder)}
    output.result(document, f"{count_of(letters, 'email')} in {folder}; nothing was sent")
