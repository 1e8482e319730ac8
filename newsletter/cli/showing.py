"""The page that shows letters, served until the person has seen enough."""

from pathlib import Path

from newsletter.cli.output import Voice
from newsletter.templates import folders
from newsletter.web.letters import letters_app, serve

PAGE = "web/letters.html"


def show(folder: Path, port: int, voice: Voice) -> None:
    """Serve the letters in a folder on loopback, and say where."""

    def told(address: str) -> None:
        voice.say(f"The letters: {address} (Ctrl-C ends)")

    serve(letters_app(folder, folders().read(PAGE)), port, told)
