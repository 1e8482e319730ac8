"""``newsletter serve``."""

import asyncio
import signal
from pathlib import Path

from newsletter.app import event_loop
from newsletter.app.wiring import open_app
from newsletter.cli.command import command, command_list
from newsletter.cli.output import Output
from newsletter.web.wiring import open_pages

commands = command_list()


@command(commands, long_running=True)
def serve(config: Path, output: Output) -> int:
    """Serve only the readers' web pages: subscribe, preferences, archive, unsubscribe.

    Example: newsletter serve

    They listen on the address and port in `web:`; `url:` is their public address. SIGTERM or Ctrl-C
    ends it. If `web:` is set, `newsletter run` serves them too.
    """
    with open_app(config) as app:
        started = app.clock.now()
        with open_pages(app):
            event_loop.run(_until_stopped())
        stopped = app.clock.now()
    document = {"started": started.isoformat(), "stopped": stopped.isoformat()}
    output.result(document)
    return 0


async def _until_stopped() -> None:
    """Wait for SIGTERM or SIGINT."""
    stopping = asyncio.Event()
    running = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        running.add_signal_handler(number, stopping.set)
    await stopping.wait()
