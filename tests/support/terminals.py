"""Commands on a terminal of their own: they ask, and a test answers."""

import os
import pty
import select
from collections.abc import Mapping
from pathlib import Path

from tests.support.processes import running_command


def on_a_terminal(folder: Path, *words: str, answers: Mapping[str, str]) -> tuple[int, str]:
    """Run the command and answer its questions; return its exit code and the screen.

    A question is known by words in the last line of the screen; it ends with a colon and a space.
    The empty text answers those that are not named.
    """
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm"}
    with running_command(words, folder, environment, os.ttyname(theirs)) as running:
        screen = b""
        while running.exit_code is None or select.select([ours], [], [], 0)[0]:
            if select.select([ours], [], [], 0.1)[0]:
                screen += os.read(ours, 4096)
                if screen.endswith(b": "):
                    question = screen.decode().splitlines()[-1]
                    answer = next((a for q, a in answers.items() if q in question), "")
                    os.write(ours, f"{answer}\n".encode())
                    screen += b"\n"
        code = running.wait()
    os.close(theirs)
    os.close(ours)
    return code, screen.decode()
