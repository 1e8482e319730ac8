"""The page that shows letters, served until the person has seen enough."""

import sys
import webbrowser
from pathlib import Path

from newsletter.cli.output import Voice
from newsletter.templates import folders
from newsletter.web.letters import letters_app, serve

PAGE = "web/letters.html"


def show(folder: Path, port: int, voice: Voice, *, browse: bool = False) -> None:
    """Serve the letters in a folder on loopback, say where, and open the page if asked to.

    A browser is opened for somebody at a terminal alone.
    """

    def told(address: str) -> None:
        voice.say(f"The letters: {address} (Ctrl-C ends)")
        if browse and sys.stdout.isatty():
            webbrowser.open(address)

    serve(letters_app(folder, folders().read(PAGE)), port, told)
