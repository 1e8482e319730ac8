"""The page that shows letters, served until the person has seen enough."""

from pathlib import Path

from newsletter.cli.output import Voice
from newsletter.web.letters import letters_app, serve


def show(folder: Path, port: int, voice: Voice) -> None:
    """Serve the letters in a folder on loopback, and say where."""
    serve(
        letters_app(folder),
        port,
        lambda address: voice.say(f"The letters: {address} (Ctrl-C ends)"),
    )
