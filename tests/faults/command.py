"""The newsletter's own command, with a clock and time limits that a test controls.

``python -m tests.faults.command CONTROLS WORDS...`` runs ``newsletter WORDS...``. The file
``clock`` in its folder holds the seconds by which its clock differs from the machine's; it is read
whenever the clock is. The controls are a JSON object with these optional keys:

- ``tick``: the seconds between two ticks of `newsletter run`;
- ``busy`` and ``answer``: seconds to wait for another writer, and for the answer to a final dot;
- ``lost`` and ``at``: the fault, and the number of the commit (from 1) at which it happens:
  ``before`` kills the process before the commit, ``after`` right after it, ``stopped`` suspends the
  process there, ``full`` makes every later write to a file fail.
"""

import json
import os
import resource
import signal
import sqlite3
import sys
import threading
from datetime import datetime, timedelta, tzinfo
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from apscheduler.schedulers import base
from sqlalchemy import Connection, Engine, Pool, event

from newsletter.app import scheduler, wiring
from newsletter.app.clock import SystemClock
from newsletter.cli import run
from newsletter.stores.sql import engine
from newsletter.transports.smtp.settings import SmtpSettings

CLOCK = "clock"

ENDS = {"after": signal.SIGKILL, "stopped": signal.SIGSTOP}
"""The signal that a process gets right after a commit."""


class SteppedClock(SystemClock):
    """The system clock plus the offset in a file."""

    def now(self) -> datetime:
        """The current time plus the offset."""
        return super().now() + timedelta(seconds=clock_offset(Path()))


class SteppedDatetime(datetime):
    """What APScheduler takes the time from."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "SteppedDatetime":
        """The stepped clock's time."""
        return cls.fromtimestamp(SteppedClock().now().timestamp(), tz)


def clock_offset(folder: Path) -> float:
    """The offset of a folder's clock in seconds."""
    path = folder / CLOCK
    return float(path.read_text(encoding="ascii")) if path.exists() else 0.0


def step_clock(folder: Path, seconds: float) -> None:
    """Add seconds to the offset of a folder's clock."""
    new = folder / "clock.new"
    new.write_text(str(clock_offset(folder) + seconds), encoding="ascii")
    new.replace(folder / CLOCK)


class CommitFault:
    """A fault at one commit of this process: it is killed or suspended, or its disk is full."""

    def __init__(self, what: str, at: int) -> None:
        self.what, self.at, self.commits = what, at, 0
        self.thread: int | None = None
        event.listen(Pool, "connect", self.watch)
        event.listen(Engine, "commit", self.heed)
        event.listen(Pool, "checkin", self.after)

    def watch(self, connection: object, _record: object) -> None:
        """Trace the commits of an SQLite connection: the store makes some without SQLAlchemy."""
        if isinstance(connection, sqlite3.Connection):
            connection.set_trace_callback(lambda said: self.before() if said == "COMMIT" else None)

    def heed(self, connection: Connection) -> None:
        """Called as SQLAlchemy commits."""
        if connection.dialect.name != "sqlite":
            self.before()

    def before(self) -> None:
        """Called before each commit."""
        self.commits += 1
        if self.commits != self.at:
            return
        self.thread = threading.get_ident()
        if self.what == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.what == "full":
            fill_disk(os.getpid())

    def after(self, _connection: object, _record: object) -> None:
        """Called after each transaction."""
        if self.what in ENDS and self.thread == threading.get_ident():
            self.thread = None  # once continued, the process is not struck again
            os.kill(os.getpid(), ENDS[self.what])


def fill_disk(process: int) -> None:
    """Make every later write of a process to a file fail, as if its disk were full."""
    _, hard = resource.prlimit(process, resource.RLIMIT_FSIZE)
    resource.prlimit(process, resource.RLIMIT_FSIZE, (0, hard))


def apply_controls(controls: dict[str, Any]) -> None:
    """Install the clock, the time limits and the fault of these controls in this process."""
    replace_global(wiring, "SystemClock", SteppedClock)
    if "tick" in controls:
        replace_global(scheduler, "TICK", timedelta(seconds=controls["tick"]))
        replace_global(base, "datetime", SteppedDatetime)
    if "busy" in controls:
        replace_global(engine, "BUSY_SECONDS", controls["busy"])
    if "answer" in controls:
        replace_global(
            wiring, "SmtpSettings", partial(SmtpSettings, answer_timeout=controls["answer"])
        )
    if "lost" in controls:
        CommitFault(controls["lost"], controls["at"])


def replace_global(module: ModuleType, name: str, value: object) -> None:
    """Replace a global of a module.

    Raises:
        KeyError: the module has no such global, so the control would have no effect.
    """
    if name not in vars(module):
        raise KeyError(f"{module.__name__} has no {name}")
    setattr(module, name, value)


if __name__ == "__main__":
    apply_controls(json.loads(sys.argv[1]))
    sys.exit(run(sys.argv[2:]))
