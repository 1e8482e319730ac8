"""The proof sheet, served until the person has seen enough."""

import sys
import webbrowser

from starlette.types import ASGIApp

from newsletter.cli.output import Output
from newsletter.web.server import serve_on_loopback


async def show(app: ASGIApp, port: int, output: Output, *, browse: bool = False) -> None:
    """Serve the proof sheet on loopback, say where, and open it if asked to.

    A browser is opened for somebody at a terminal alone.
    """

    def told(address: str) -> None:
        output.say(f"The proof sheet: {address} (Ctrl-C ends)")
        if browse and sys.stdout.isatty():
            webbrowser.open(address)

    await serve_on_loopback(app, port, told)
