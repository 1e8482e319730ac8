"""``newsletter run``."""

import contextlib
from pathlib import Path

from newsletter.app import event_loop
from newsletter.app.app import open_app
from newsletter.app.scheduler import stay_awake
from newsletter.cli.command import command, command_list
from newsletter.cli.output import Output
from newsletter.web.wiring import open_pages

commands = command_list()


@command(commands)
def run(config: Path, output: Output) -> int:
    """Stay awake, and send every reader's issue at that reader's own time.

    Example: newsletter run

    SIGTERM or Ctrl-C ends it: letters on the wire get up to 30 seconds for their answers, and
    nothing is lost. What happens is told on standard error, a line each, with the time in UTC.
    With `web:` in the configuration the readers' pages are served too.
    Readers' files are taken in again as they change; newsletter.yaml is read at the start.
    """
    with open_app(config) as app:
        clock = app.clock
        started = clock.now()

        def told(line: str) -> None:
            output.message(f"{clock.now():%Y-%m-%dT%H:%M:%SZ} {line}")

        schedule = app.settings.schedule
        told(f"awake; letters go at {schedule.at} ({app.settings.timezone}), {schedule.days}")
        if app.doubt:
            told(app.doubt)
        pages = contextlib.nullcontext() if app.settings.web is None else open_pages(app, told)
        with pages:
            event_loop.run(stay_awake(app, told))
        told("stopped; nothing is lost")
        document = {"started": started.isoformat(), "stopped": clock.now().isoformat()}
    output.result(document)
    return 0
