"""SMTP servers to send to: a small one of our own in C, and Postfix' if it is installed."""

import contextlib
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

SOURCE = Path(__file__).parent / "sink.c"

Opened = AbstractContextManager[tuple[int, list[int]]]
"""A running server: its port, and the number of messages once it has stopped."""


@contextlib.contextmanager
def sink(folder: Path) -> Iterator[tuple[int, list[int]]]:
    """Compile our own server into this folder and run it."""
    program = folder / "sink"
    if not program.exists():
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            raise SystemExit("this bench needs a C compiler (cc) for its server")
        subprocess.run([compiler, "-O2", "-o", program, SOURCE], check=True)  # noqa: S603 - our own source
    taken: list[int] = []
    with subprocess.Popen([program], stdout=subprocess.PIPE, text=True) as server:  # noqa: S603 - as above
        assert server.stdout is not None
        yield int(server.stdout.readline()), taken
        server.send_signal(signal.SIGTERM)
        taken.append(int(server.stdout.read()))


@contextlib.contextmanager
def postfix_sink(folder: Path) -> Iterator[tuple[int, list[int]]]:
    """Run Postfix' ``smtp-sink``, which does not count its messages."""
    del folder
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with subprocess.Popen(  # noqa: S603 - Postfix' own program
        [*postfix("smtp-sink"), "-u", "nobody", f"127.0.0.1:{port}", "512"]
    ) as server:
        _wait_for(port)
        yield port, []
        server.terminate()


def servers() -> Mapping[str, Callable[[Path], Opened]]:
    """The servers available on this machine, by name."""
    return {"sink": sink} | ({"smtp-sink": postfix_sink} if postfix("smtp-sink") else {})


def postfix(name: str) -> list[str]:
    """The start of a command line of a Postfix program; empty if it is not installed."""
    found = shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/sbin")
    return [found] if found else []


def _wait_for(port: int) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
