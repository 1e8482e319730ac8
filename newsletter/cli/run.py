"""``newsletter run``."""

import contextlib
import logging
from pathlib import Path

from newsletter.app import event_loop
from newsletter.app.scheduler import stay_awake
from newsletter.app.wiring import open_app
from newsletter.cli.command import command, command_list
from newsletter.cli.output import Output
from newsletter.web.wiring import open_pages

commands = command_list()
_log = logging.getLogger(__name__)


@command(commands, long_running=True)
def run(config: Path, output: Output) -> int:
    """Stay awake, and send every reader's issue at that reader's own time.

    Example: newsletter run

    SIGTERM or Ctrl-C ends it: letters on the wire get up to 30 seconds for their answers, and
    nothing is lost. What happens is logged on standard error, a line each, with the time in UTC.
    With `web:` in the configuration the readers' pages are served too.
    Readers' files are taken in again as they change; newsletter.yaml is read at the start.
    """
    with open_app(config) as app:
        clock = app.clock
        started = clock.now()

        at, days, zone = app.settings.schedule.at, app.settings.schedule.days, app.settings.timezone
        _log.info("running; letters are sent at %s (%s), %s", at, zone, days)
        if app.restore_warning:
            _log.warning("%s", app.restore_warning)
        pages = contextlib.nullcontext() if app.settings.web is None else open_pages(app)
        with pages:
            event_loop.run(stay_awake(app))
        _log.info("stopped; nothing is lost")
        document = {"started": started.isoformat(), "stopped": clock.now().isoformat()}
    output.result(document)
    return 0
