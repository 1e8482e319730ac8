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
    """Keep running and send each issue at the time the reader chose.

    Example: newsletter run

    SIGTERM or Ctrl-C ends it: it waits up to 30 seconds for the server's replies, and nothing is
    lost. It logs what happens on standard error, with the time in UTC. If `web:` is set, it serves
    the readers' pages too. The readers' file is read again when it changes; newsletter.yaml is
    read only at the start.
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
