"""Daemons in processes of their own: started, watched, asked to end."""

import contextlib
import os
import re
import secrets
import signal
import socket
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from newsletter.app.clock import SystemClock
from tests.support.cli import Newsletter
from tests.support.processes import Command, running_command

TIMEOUT = 60.0


def clock_time(minutes: float) -> str:
    """A wall time in UTC, so many minutes from now."""
    return f"{SystemClock().now() + timedelta(minutes=minutes):%H:%M}"


def daily_entries() -> dict[str, list[Any]]:
    """Three papers for the days around now."""
    entries = [
        {"paper": {"id": f"2608.0000{n}", "title": f"Paper {n}", "summary": "A text."}}
        for n in range(1, 4)
    ]
    today = SystemClock().now().date()
    return {(today + timedelta(days=n)).isoformat(): entries for n in (-1, 0, 1)}


@contextlib.contextmanager
def running_daemon(newsletter: Newsletter, command: str = "run") -> Iterator[Command]:
    """A daemon in a process of its own; killed if the test did not end it."""
    with running_command([command], newsletter.folder, {**os.environ, "NO_COLOR": "1"}) as daemon:
        yield daemon


def handles_sigterm(daemon: Command) -> bool:
    """Whether it has begun to live: it has said what SIGTERM is to do (proc(5), SigCgt)."""
    told = Path(f"/proc/{daemon.pid}/status").read_text("ascii")
    (caught,) = re.findall(r"^SigCgt:\s*(\w+)$", told, re.MULTILINE)
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)


def stop_daemon(daemon: Command, number: int = signal.SIGTERM) -> str:
    """Ask it to end, see that it ends well; what it said."""
    os.kill(daemon.pid, number)
    assert daemon.wait() == 0, daemon.stderr
    return daemon.stderr


def wait_until(condition: Any, *daemons: Command) -> None:  # noqa: ANN401 - any callable
    """Wait for something to be true, while these processes live."""
    turn = threading.Event()
    end = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        for daemon in daemons:
            assert daemon.exit_code is None, daemon.stderr
        turn.wait(0.05)


def configure_due(
    newsletter: Newsletter,
    origin: str,
    *,
    readers: int = 1,
    due: float = 0,
    store: str = "sqlite:///newsletter.db",
    **settings: object,
) -> None:
    """Configure a newsletter with three papers a day, due so many minutes from now."""
    newsletter.configure(
        sources=[{"kind": "huggingface", "url": origin, "allow_private_addresses": True}],
        schedule={"at": clock_time(due), "days": "daily"},
        store=store,
        **settings,
    )
    newsletter.subscribe(*({"email": f"r{n}@example.org"} for n in range(readers)))


def free_port() -> int:
    """A port nobody listens on, and which is given to nobody who asks for any (ip(7)).

    Those are from 32768 up: one of them could be somebody's by the time it is listened on.
    """
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def is_near_midnight() -> bool:
    """Whether a due time a few minutes off would fall on another day."""
    now = SystemClock().now()
    return (now + timedelta(minutes=10)).date() != (now - timedelta(minutes=10)).date()


not_at_midnight = pytest.mark.skipif(is_near_midnight(), reason="the day changes in these minutes")
