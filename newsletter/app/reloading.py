"""A running newsletter and its configuration: what has changed since, and how it is taken in."""

import asyncio
import contextlib
import json
import logging
import os
import platform
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from newsletter.app.event_loop import is_set_within, set_by_stop_signals
from newsletter.app.files import write_private
from newsletter.app.keys import secret_files
from newsletter.app.locks import LiveProcess, live_processes
from newsletter.app.wiring import RUNS, App
from newsletter.config import Settings
from newsletter.errors import (
    ConfigurationError,
    Isolated,
    NewsletterError,
    StoreError,
    UsageError,
    describe,
)
from newsletter.model import Heartbeat
from newsletter.model.windows import TICK

_log = logging.getLogger(__name__)

Prepare = Callable[[App], Callable[[], None]]
"""Builds what a part of the process needs of a changed configuration; the result puts it to use.

It raises a NewsletterError for a configuration that cannot be used; nothing has changed then."""

RELOADABLE = frozenset({"run", "serve"})  # commands that take in a changed configuration
PAUSE = 0.1  # seconds between two looks for an answer

BY_RESTART = ("store", "state")  # settings that hold for as long as a process runs
WEB_BY_RESTART = ("host", "port", "trusted_proxies")


class Reloading:
    """The configuration that a process works with.

    Attributes:
        app: the newsletter as its configuration was when it was last taken in.
        parts: the parts of the process that use it; each prepares before any of them changes.
    """

    def __init__(self, app: App) -> None:
        self.app = app
        self.parts: list[Prepare] = []
        _ = app.keyring  # a new newsletter draws its secret, which is no change since the start
        self._read = _digests(app)
        self._restart: tuple[str, ...] = ()
        self._asked = threading.Event()
        self._told = ""

    @property
    def configuration(self) -> str:
        """A digest of the configuration that the process works with."""
        return blake2b(json.dumps(self._read).encode(), digest_size=6).hexdigest()

    def changed(self) -> str:
        """What has changed in the files since they were taken in, in words; logged once."""
        now = _digests(self.app)
        names = sorted(
            name for name in {*now, *self._read} if now.get(name) != self._read.get(name)
        )
        said = ""
        if names:
            verb = "has" if len(names) == 1 else "have"
            said = f"{', '.join(names)} {verb} changed since the start: run `newsletter reload`"
        elif self._restart:
            said = f"{', '.join(self._restart)}: changed; needs a restart"
        if said and said != self._told:
            _log.warning("%s", said)
        self._told = said
        return said

    @property
    def is_asked(self) -> bool:
        """Whether a reload was asked for that has not begun."""
        return self._asked.is_set()

    def ask(self) -> None:
        """Take the configuration in at the next quiet moment; callable from a signal handler."""
        self._asked.set()

    def take_in(self) -> None:
        """Take in a changed configuration, if that was asked for.

        One that is wrong is refused, and the process goes on with the old one. What came of it is
        logged, and written down for ``newsletter reload``.
        """
        if not self._asked.is_set():
            return
        self._asked.clear()  # first: whoever asks from here on gets an answer of their own
        answer, said = "failed", ""
        with Isolated("reload") as attempt:
            try:
                answer, said = "ok", self._take_in()
            except NewsletterError as error:
                is_wrong = isinstance(error, ConfigurationError | UsageError)
                answer, said = "refused" if is_wrong else "failed", str(error)
        if attempt.error is not None:
            said = describe(attempt.error)
        if answer == "ok":
            _log.info("%s", said)
        else:
            _log.error("the configuration stays as it was: %s", said)
        with contextlib.suppress(OSError):
            text = json.dumps({"answer": answer, "said": said})
            write_private(answer_file(self.app, os.getpid()), text)

    def _take_in(self) -> str:
        read = _digests(self.app)
        if read == self._read:
            return "nothing has changed in the configuration"
        fresh, restart = _live(self.app, self.app.reloaded())
        for commit in [prepare(fresh) for prepare in self.parts]:
            commit()
        self.app, self._read, self._restart = fresh, read, restart
        more = f"; {', '.join(restart)}: as before until a restart" if restart else ""
        return f"took in {self.app.path.name}{more}"


@dataclass(frozen=True, slots=True)
class ReloadAnswer:
    """What came of a reload in a process.

    Attributes:
        process: its number.
        command: what it does, such as ``run``.
        answer: ``ok``, ``refused`` for a configuration with mistakes, or ``failed``.
        said: what it did, or why not.
    """

    process: int
    command: str
    answer: str
    said: str


def request_reloads(app: App, limit: float) -> list[ReloadAnswer]:
    """Let the processes of this newsletter take in its configuration; waits so many seconds.

    Raises:
        UsageError: none runs here.
    """
    live = [one for one in live_processes(app.state_path / RUNS) if one.command in RELOADABLE]
    if not any(one.is_here for one in live):
        raise UsageError(
            "`newsletter run` and `serve` run in another container; reload there"
            if live
            else "neither `newsletter run` nor `serve` runs here; each reads the files at its start"
        )
    for one in live:
        answer_file(app, one.id).unlink(missing_ok=True)
        if one.is_here:
            os.kill(one.id, signal.SIGHUP)
    return [_answer(app, one, limit) for one in live if one.is_here]


def _answer(app: App, process: LiveProcess, limit: float) -> ReloadAnswer:
    file, pause = answer_file(app, process.id), threading.Event()
    for _ in range(int(limit / PAUSE)):
        with contextlib.suppress(FileNotFoundError):
            return ReloadAnswer(process.id, process.command, **json.loads(file.read_text("utf-8")))
        pause.wait(PAUSE)
    said = f"no answer within {limit:.0f} seconds; it takes the files in when it can"
    return ReloadAnswer(process.id, process.command, "failed", said)


def answer_file(app: App, process: int) -> Path:
    """The file in which a process writes down what came of a reload."""
    return app.state_path / RUNS / f"{process}.reloaded"


@contextlib.contextmanager
def woken_by_hangup(
    reloading: Reloading, stopping: asyncio.Event, hurry: Callable[[], Coroutine[Any, Any, None]]
) -> Iterator[None]:
    """Let SIGHUP ask for a reload, and call ``hurry`` in the event loop, until the block ends.

    A process that was started in a terminal gets the same signal when that is closed: it stops.
    """
    loop, tasks = asyncio.get_running_loop(), set[asyncio.Task[None]]()
    in_terminal = sys.stdin is not None and sys.stdin.isatty()

    async def until_taken_in() -> None:
        while reloading.is_asked and not stopping.is_set():
            await hurry()

    def hang_up() -> None:
        if in_terminal and not sys.stdin.isatty():
            stopping.set()
            return
        reloading.ask()
        if not tasks:
            task = loop.create_task(until_taken_in())
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    loop.add_signal_handler(signal.SIGHUP, hang_up)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)


async def stay_reloadable(reloading: Reloading) -> None:
    """Give signs of life until SIGTERM or SIGINT; SIGHUP takes in a changed configuration."""
    clock, stopping = reloading.app.clock, set_by_stop_signals()
    started, name = clock.now(), f"serve on {platform.node()}"

    def beat(said: str = "") -> None:
        about = (reloading.configuration, reloading.changed())
        with contextlib.suppress(StoreError):  # the pages say so, and the log
            heartbeat = Heartbeat(name, started, clock.now(), said, *about)
            reloading.app.store.record_heartbeat(heartbeat)

    async def turn() -> None:
        await asyncio.to_thread(reloading.take_in)
        await asyncio.to_thread(beat)

    with woken_by_hangup(reloading, stopping, turn):
        await turn()
        while not await is_set_within(stopping, TICK):
            await turn()
    await asyncio.to_thread(beat, "stopped")


def _digests(app: App) -> dict[str, str]:
    """A digest of each file of the configuration that is read at the start only, by its name."""
    found = {app.path.name: _digest([app.path])}
    if app.template_folder is not None:
        found["templates"] = _digest(sorted(app.template_folder.rglob("*")))
    found["the secrets"] = _digest(secret_files(app.state_path))
    return found


def _digest(files: list[Path]) -> str:
    total = blake2b(digest_size=12)
    for file in files:
        with contextlib.suppress(OSError):
            content = file.read_bytes() if file.is_file() else b""
            total.update(f"{file.name}:{len(content)}:".encode() + content)
    return total.hexdigest()


def _live(old: App, fresh: App) -> tuple[App, tuple[str, ...]]:
    """The fresh newsletter with the old values of what holds until a restart; and what that is."""
    kept = {name: getattr(old.settings, name) for name in BY_RESTART}
    changed = [name for name, value in kept.items() if getattr(fresh.settings, name) != value]
    before, after = old.settings.web, fresh.settings.web
    if before is None or after is None:
        changed += ["web"] if before != after else []
        kept["web"] = before
    else:
        fixed = {name: getattr(before, name) for name in WEB_BY_RESTART}
        changed += [f"web.{name}" for name, value in fixed.items() if getattr(after, name) != value]
        kept["web"] = after.model_copy(update=fixed)
    settings: Settings = fresh.settings.model_copy(update=kept)
    return fresh.with_settings(settings), tuple(changed)
