"""Daemons in their own processes: start them, watch them, stop them."""

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
    """The time of day in UTC this many minutes from now."""
    return f"{SystemClock().now() + timedelta(minutes=minutes):%H:%M}"


def daily_entries() -> dict[str, list[Any]]:
    """Three papers for yesterday, today and tomorrow."""
    entries = [
        {"paper": {"id": f"2608.0000{n}", "title": f"Paper {n}", "summary": "A text."}}
        for n in range(1, 4)
    ]
    today = SystemClock().now().date()
    return {(today + timedelta(days=n)).isoformat(): entries for n in (-1, 0, 1)}


@contextlib.contextmanager
def running_daemon(newsletter: Newsletter, command: str = "run") -> Iterator[Command]:
    """Run a daemon in its own process; kill it if the test has not stopped it."""
    with running_command([command], newsletter.folder, {**os.environ, "NO_COLOR": "1"}) as daemon:
        yield daemon


def handles_sigterm(daemon: Command) -> bool:
    """Whether the daemon handles SIGTERM already (SigCgt of proc(5))."""
    status = Path(f"/proc/{daemon.pid}/status").read_text("ascii")
    (caught,) = re.findall(r"^SigCgt:\s*(\w+)$", status, re.MULTILINE)
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)


def stop_daemon(daemon: Command, number: int = signal.SIGTERM) -> str:
    """Stop the daemon with a signal; return what it wrote to standard error."""
    os.kill(daemon.pid, number)
    assert daemon.wait() == 0, daemon.stderr
    return daemon.stderr


def wait_until(condition: Any, *daemons: Command) -> None:  # noqa: ANN401 - any callable
    """Wait until the condition holds; fail if one of these processes ends."""
    pause = threading.Event()
    end = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < end, "the condition did not hold in time"
        for daemon in daemons:
            assert daemon.exit_code is None, daemon.stderr
        pause.wait(0.05)


def configure_due(
    newsletter: Newsletter,
    origin: str,
    *,
    readers: int = 1,
    due: float = 0,
    store: str = "sqlite:///newsletter.db",
    **settings: object,
) -> None:
    """Configure a newsletter with three papers a day, due this many minutes from now."""
    newsletter.configure(
        sources=[{"kind": "huggingface", "url": origin, "allow_private_addresses": True}],
        schedule={"at": clock_time(due), "days": "daily"},
        store=store,
        **settings,
    )
    newsletter.subscribe(*({"email": f"r{n}@example.org"} for n in range(readers)))


def free_port() -> int:
    """A free port below 32768.

    The kernel gives ports from there up to any program that asks for a free one (ip(7)), so such a
    port could be taken before the test listens on it.
    """
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def is_near_midnight() -> bool:
    """Whether the day changes within 10 minutes."""
    now = SystemClock().now()
    return (now + timedelta(minutes=10)).date() != (now - timedelta(minutes=10)).date()


not_at_midnight = pytest.mark.skipif(is_near_midnight(), reason="the day changes in these minutes")
