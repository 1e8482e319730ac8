"""``newsletter fetch``."""

import itertools
from dataclasses import asdict
from pathlib import Path

from newsletter.app import event_loop
from newsletter.app.wiring import open_app
from newsletter.cli.command import Day, command, command_list, issue_day
from newsletter.cli.output import Output
from newsletter.cli.reports import SOURCE_FAILED, missing_lines, source_lines
from newsletter.publisher.fetching import fetch_sources

commands = command_list()


@command(commands)
def fetch(config: Path, output: Output, *, date: Day = None) -> int:
    """Fetch the day's papers into the store.

    Example: newsletter fetch --date 2026-08-03

    A table shows the state of each source and how many of its papers were new, seen before, or
    revised. Exit code 4: a source failed; the others were stored.
    """
    with open_app(config) as app:
        day = issue_day(date, app.clock, app.settings.timezone)
        publisher = app.publisher
        with output.progress("fetching", len(publisher.sources)) as done:
            count = itertools.count(1)
            reports = event_loop.run(
                fetch_sources(
                    publisher.sources,
                    publisher.store,
                    day,
                    publisher.clock,
                    lambda _report: done(next(count)),
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
