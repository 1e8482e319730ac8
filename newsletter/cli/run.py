"""``newsletter run`` and ``newsletter serve``: the commands that keep running."""

import contextlib
import logging
import os
import signal
import sys
from collections.abc import Coroutine, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from newsletter.app import event_loop
from newsletter.app.clock import SystemClock
from newsletter.app.guards import refuse_copy
from newsletter.app.long_life import begin_long_life
from newsletter.app.reloading import Reloading, request_reloads, stay_reloadable
from newsletter.app.scheduler import stay_awake
from newsletter.app.several import Child, keep_running
from newsletter.app.store_waiting import patiently, warn_of_the_store
from newsletter.app.wiring import App, open_app
from newsletter.cli.command import DEFAULT_CONFIG, command, command_list
from newsletter.cli.logs import LOG_NAME, log_options
from newsletter.cli.output import Output
from newsletter.delivery.store_wait import StoreWait
from newsletter.errors import ConfigurationError, TryAgainError, UsageError
from newsletter.ports import Clock
from newsletter.web.wiring import open_pages

commands = command_list()
WAIT = 60.0  # seconds until an answer to `newsletter reload`

_log = logging.getLogger(__name__)


@command(commands, long_running=True)
def run(
    config: Path,
    output: Output,
    several: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FOLDER]...", help="Folders of several newsletters, or their files."
        ),
    ] = None,
) -> int:
    """Keep running, and send each reader's issue at the time the reader chose.

    Example: newsletter run

    With `web:` set, it serves the readers' pages too. It logs what it does, with the time in UTC.
    It reads the readers' file again when that changes, and newsletter.yaml and the templates on
    `newsletter reload` or SIGHUP.
    SIGTERM or Ctrl-C ends it: it waits up to 30 seconds for replies of the mail server, and loses
    nothing. While the store's server is away, it waits for it.

    With folders, it runs the newsletter of each in a process of its own.
    """
    if several:
        return _run_several(several, output)
    begin_long_life()
    with open_app(config) as app:
        here = _reloading(app)
        patiently(StoreWait(app.clock), lambda: (app.publisher, app.templates))
        refuse_copy(app.journal, app.store, config.name)
        at, days, zone = app.settings.schedule.at, app.settings.schedule.days, app.settings.timezone
        _log.info("running; emails are sent at %s (%s), %s", at, zone, days)
        patiently(StoreWait(app.clock), lambda: warn_of_the_store(app))
        pages = contextlib.nullcontext() if app.settings.web is None else open_pages(here, "run")
        with pages:
            _run_timed(app.clock, output, stay_awake(here))
        _log.info("stopped; nothing is lost")
    return 0


@command(commands, long_running=True)
def serve(config: Path, output: Output) -> int:
    """Serve only the readers' pages: subscribe, confirm, preferences, read, unsubscribe.

    Example: newsletter serve

    The pages listen on the address in `web:`; `url:` is their public address. SIGTERM or Ctrl-C
    ends it. With `web:` set, `newsletter run` serves them too.
    """
    begin_long_life()
    with open_app(config) as app:
        here = _reloading(app)
        patiently(StoreWait(app.clock), lambda: app.store)
        refuse_copy(app.journal, app.store, config.name)
        patiently(StoreWait(app.clock), lambda: warn_of_the_store(app))
        with open_pages(here, "serve"):
            _run_timed(app.clock, output, stay_reloadable(here))
    return 0


@command(commands)
def reload(config: Path, output: Output) -> int:
    """Make a running newsletter read its configuration again.

    Example: newsletter reload

    `newsletter run` and `serve` on this machine do so at once, and report the result; a delivery
    in progress goes on. A configuration with mistakes is refused: they keep the old one. `store:`,
    `state:` and the address in `web:` need a restart. Exit code 3: it was refused; 75: there was no
    answer within a minute.
    """
    with open_app(config) as app:
        answers = request_reloads(app, WAIT)
    document = [asdict(answer) for answer in answers]
    output.result(document, "\n".join(f"{a.command} ({a.process}): {a.said}" for a in answers))
    if any(answer.answer == "refused" for answer in answers):
        return ConfigurationError.exit_code
    return 0 if all(answer.answer == "ok" for answer in answers) else TryAgainError.exit_code


def _reloading(app: App) -> Reloading:
    """The configuration; from here on SIGHUP does not end the process."""
    reloading = Reloading(app)
    signal.signal(signal.SIGHUP, lambda _number, _frame: reloading.ask())
    return reloading


def _run_several(folders: Sequence[Path], output: Output) -> int:
    """Run each newsletter in a process of its own.

    Raises:
        UsageError: a folder has no configuration, or is named twice.
    """
    configs = [folder / DEFAULT_CONFIG if folder.is_dir() else folder for folder in folders]
    for config in configs:
        if not config.is_file():
            raise UsageError(f"{config} does not exist; write it with `newsletter init`")
        if sum(config.samefile(other) for other in configs) > 1:
            raise UsageError(f"{config} is named twice")
    clock, options = SystemClock(), log_options()
    children = [
        Child(
            str(config),
            [sys.executable, "-m", "newsletter", "run", "--config", str(config), *options],
            {**os.environ, LOG_NAME: str(config)},
            clock,
        )
        for config in configs
    ]
    _run_timed(clock, output, keep_running(children))
    return 0


def _run_timed(clock: Clock, output: Output, work: Coroutine[Any, Any, object]) -> None:
    """Run the work to its end, and print when it started and stopped."""
    started = clock.now()
    event_loop.run(work)
    stopped = clock.now()
    output.result({"started": started.isoformat(), "stopped": stopped.isoformat()})
