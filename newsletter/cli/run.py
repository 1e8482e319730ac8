"""``newsletter run`` and ``newsletter serve``: the commands that keep running."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from newsletter.app import event_loop
from newsletter.app.guards import refuse_copy
from newsletter.app.scheduler import stay_awake
from newsletter.app.store_waiting import patiently, warn_of_the_store
from newsletter.app.wiring import App, open_app
from newsletter.cli.command import command, command_list
from newsletter.cli.output import Output
from newsletter.delivery.store_wait import StoreWait
from newsletter.web.wiring import open_pages

commands = command_list()
_log = logging.getLogger(__name__)


@command(commands, long_running=True)
def run(config: Path, output: Output) -> int:
    """Keep running, and send each reader's issue at the time the reader chose.

    Example: newsletter run

    With `web:` set, it serves the readers' pages too. It logs what it does, with the time in UTC.
    It reads the readers' file again when that changes, and newsletter.yaml only at the start.
    SIGTERM or Ctrl-C ends it: it waits up to 30 seconds for replies of the mail server, and loses
    nothing. While the store's server is away, it waits for it.
    """
    with open_app(config) as app:
        patiently(StoreWait(app.clock), lambda: app.publisher)
        refuse_copy(app.journal, app.store, config.name)
        at, days, zone = app.settings.schedule.at, app.settings.schedule.days, app.settings.timezone
        _log.info("running; emails are sent at %s (%s), %s", at, zone, days)
        warn_of_the_store(app)
        with contextlib.nullcontext() if app.settings.web is None else open_pages(app, "run"):
            _run_timed(app, output, stay_awake(app))
        _log.info("stopped; nothing is lost")
    return 0


@command(commands, long_running=True)
def serve(config: Path, output: Output) -> int:
    """Serve only the readers' pages: subscribe, confirm, preferences, read, unsubscribe.

    Example: newsletter serve

    The pages listen on the address in `web:`; `url:` is their public address. SIGTERM or Ctrl-C
    ends it. With `web:` set, `newsletter run` serves them too.
    """
    with open_app(config) as app:
        patiently(StoreWait(app.clock), lambda: app.store)
        refuse_copy(app.journal, app.store, config.name)
        warn_of_the_store(app)
        with open_pages(app):
            _run_timed(app, output, _until_stopped())
    return 0


def _run_timed(app: App, output: Output, work: Coroutine[Any, Any, object]) -> None:
    """Run the work to its end, and print when it started and stopped."""
    started = app.clock.now()
    event_loop.run(work)
    stopped = app.clock.now()
    output.result({"started": started.isoformat(), "stopped": stopped.isoformat()})


async def _until_stopped() -> None:
    """Wait for SIGTERM or SIGINT."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    await stopping.wait()
