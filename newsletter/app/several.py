"""Several newsletters under one ``newsletter run``: each in a process of its own.

They share nothing, so that one that fails, grows or is configured wrongly affects only itself.
"""

import asyncio
import logging
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from newsletter.app.event_loop import set_by_stop_signals
from newsletter.ports import Clock
from newsletter.publisher.fetching import Backoff

_log = logging.getLogger(__name__)

STEADY = timedelta(minutes=15)  # after so long, an end is no longer one of a row of failures


@dataclass
class Child:
    """One newsletter: its name in the log, and the command that keeps it running."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    clock: Clock
    _process: asyncio.subprocess.Process | None = None
    _ends: Backoff = field(default_factory=Backoff)
    _woken: asyncio.Event = field(default_factory=asyncio.Event)

    async def keep(self, stopping: asyncio.Event) -> None:
        """Run the command, again each time it ends, until the event is set.

        After it has ended it waits 1, 2, 4, 8, then 15 minutes, or for :meth:`reload`.
        """
        while not stopping.is_set():
            started = self.clock.now()
            code = await self._run(stopping)
            if stopping.is_set():
                return
            ended = self.clock.now()
            if ended - started > STEADY:
                self._ends = Backoff()
            self._ends.failed(ended)
            _log.error(
                "%s: ended (exit code %d); it starts again in %d min, or at SIGHUP",
                self.name,
                code,
                self._ends.wait / timedelta(minutes=1),
            )
            await _first_of(stopping, self._woken, within=self._ends.wait)

    def reload(self) -> None:
        """Have it read its configuration again, or start at once if it waits."""
        self._woken.set()
        self._signal(signal.SIGHUP)

    async def _run(self, stopping: asyncio.Event) -> int:
        self._woken.clear()
        self._process = await asyncio.create_subprocess_exec(
            *self.command,
            env=self.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
        )
        ended = asyncio.create_task(self._process.wait())
        told = asyncio.create_task(stopping.wait())
        await asyncio.wait([ended, told], return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        self._signal(signal.SIGTERM)
        return await ended

    def _signal(self, number: int) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)


async def _first_of(*events: asyncio.Event, within: timedelta) -> None:
    """Wait until one of the events is set, or until the time is over."""
    waiting = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait(waiting, timeout=within.total_seconds(), return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()


async def keep_running(children: Sequence[Child]) -> None:
    """Keep all of them running until SIGTERM or SIGINT; then wait until they have ended.

    SIGHUP goes to each of them.
    """
    stopping = set_by_stop_signals()

    def reload_all() -> None:
        for child in children:
            child.reload()

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload_all)
    await asyncio.gather(*(child.keep(stopping) for child in children))
