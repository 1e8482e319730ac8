"""``newsletter fetch``."""

import itertools

import typer

from newsletter.app import event_loop
from newsletter.app.app import open_app
from newsletter.cli.options import CONFIG, Config, Day, Json, Quiet, Verbose, issue_day
from newsletter.cli.output import Output
from newsletter.cli.reports import SOURCE_FAILED, missing_lines, source_document, source_lines
from newsletter.publisher.fetching import gather

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
def fetch(
    *,
    date: Day = None,
    config: Config = CONFIG,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Pull the listings of a day into the store.

    Example: newsletter fetch --date 2026-08-03

    A table says what each source's answer meant and how many papers were new, seen before, or
    revised. Exit code 4: a source failed, the others were read.
    """
    output = Output(json, quiet, verbose)
    with open_app(config) as app:
        day = issue_day(date, app.clock, app.settings.timezone)
        publisher = app.publisher
        with output.progress("fetching", len(publisher.sources)) as done:
            count = itertools.count(1)
            reports = event_loop.run(
                gather(
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
    document = {**totals, "sources": [source_document(report) for report in reports]}
    output.give(document, lambda: source_lines(reports))
    return SOURCE_FAILED if missing_lines(reports) else 0
