"""Workers: several processes of one machine deliver a large issue, which is more than one can.

The first process is the one the operator sees. It freezes, starts the others, delivers its share,
and stays until all have ended; each of the others is a run like any, which claims what is open
under a name and a lock of its own, over its share of the connections. What they say to each other::

    first ──▶ worker   an errand, on its standard input
    first ──▶ worker   the end of that: stop; so it is when the first is no more
    worker ──▶ first   on its standard output, the error that ended it, if one did

``python -c BEGIN`` is their own way in; no operator needs it.
"""

import asyncio
import contextlib
import json
import os
import pickle
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

from newsletter.app import event_loop
from newsletter.app.app import App
from newsletter.app.clock import SystemClock
from newsletter.config import Settings
from newsletter.delivery.delivering import DRAIN, deliver
from newsletter.errors import NewsletterError, TransportError, TryAgainError
from newsletter.model import Counts
from newsletter.ports import RunLock
from newsletter.publisher import publishing
from newsletter.publisher.issue_mailer import IssueMailer
from newsletter.publisher.publishing import take_over
from newsletter.transports.smtp import ServerGoneError

EACH = 1000
"""Letters waiting for each process, at least: to start one takes the CPU of about so many."""

LOOK = 5.0
"""Seconds between two looks for what the others had to let go, once nothing else is left."""

GRACE = 5.0
"""Seconds beyond ``DRAIN`` in which one that was told to stop ends, or is killed."""

BEGIN = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from newsletter.app.workers import main; sys.exit(main())"
)
"""What a worker begins with: modules are where they are for the first."""

STOPPED = "stopped before it was clear what its refusals mean"

Share = Callable[[int], Coroutine[Any, Any, Counts]]


@dataclass(frozen=True, slots=True)
class Errand:
    """What a worker is sent to do: deliver what is open of a day, as one of so many.

    Attributes:
        path: the newsletter's configuration file; it is not read again, as it may have changed.
        settings: what it said.
        day: whose issue.
        place: which of the processes it is, from 0.
        of: how many there are.
    """

    path: Path
    settings: Settings
    day: date
    place: int
    of: int


async def publish(
    app: App,
    day: date,
    *,
    run_lock: RunLock,
    turn: str = "1",
    readers: Collection[int] | None = None,
    progress: Callable[[Counts], None],
    each: int = EACH,
) -> Counts:
    """Deliver what is open of the frozen issue of ``day``, with other processes where that pays.

    See :func:`newsletter.publisher.publish`. Cancelled, it has all of them drain.

    Args:
        app: the newsletter; how many processes there may be, its settings say.
        day: the issue's date.
        run_lock: this run.
        turn: which of the owner's deliveries this is.
        readers: only these, by id, and then in this process; all where it is None.
        progress: told the counts now and then.
        each: letters that must be waiting for each process.

    Raises:
        TransportError: the server as a whole refuses one of them.
        StoreError: one of them could not read or write the store.
    """
    waiting = app.publisher.store.counts(day).pending if readers is None else 0
    size = max(1, min(app.settings.smtp.processes, waiting // each))
    crew = _Crew(app, day, run_lock, size)

    async def share(round_: int) -> Counts:
        return await publishing.publish(
            app.publisher,
            day,
            crew.transport,
            run_lock=run_lock,
            turn=f"{turn}.{round_}",
            readers=readers,
            progress=progress,
        )

    return await share(1) if size == 1 else await crew.work(share)


class _Crew:
    """The processes that deliver one issue: this one, and those it starts."""

    def __init__(self, app: App, day: date, run_lock: RunLock, size: int) -> None:
        self.transport = app.smtp(0, size)
        self._desk, self._day, self._owner = app.publisher, day, run_lock
        self._errands = [
            Errand(app.path, app.settings, day, place, size) for place in range(1, size)
        ]
        self._children: list[Process] = []
        self._errors: list[BaseException] = []
        self._stopping = False

    async def work(self, share: Share) -> Counts:
        """Deliver with all of them; when one fails, all drain, and the gravest failure is raised.

        Args:
            share: delivers what this process can claim; it is told how often it did before.
        """
        self._others = {asyncio.create_task(self._other(errand)) for errand in self._errands}
        self._own = asyncio.create_task(self._deliver(share))
        everyone = {self._own, *self._others}
        for one in everyone:
            one.add_done_callback(self._heed)
        try:
            await asyncio.wait(everyone)
        except asyncio.CancelledError:
            self._stop()
            await asyncio.wait(everyone)
            raise
        if self._errors:
            raise min(self._errors, key=_gravity)
        return self._own.result()

    async def _deliver(self, share: Share) -> Counts:
        """Deliver, and again when one of the others has ended: also what that one had to let go.

        One that lives on though nobody has a letter in hand hangs, and is killed.
        """
        time = asyncio.get_running_loop().time
        busy = time()
        for round_ in count():
            others = {one for one in self._others if not one.done()}
            try:
                counts = await share(round_)
            except ServerGoneError:
                if not others:
                    raise
                counts = self._desk.store.counts(self._day)
            if not others:
                return counts
            if counts.claimed + counts.committing:
                busy = time()
            elif time() - busy > DRAIN:
                self._kill()
            await asyncio.wait(others, timeout=LOOK, return_when=asyncio.FIRST_COMPLETED)
        raise AssertionError  # the rounds have no end

    async def _other(self, errand: Errand) -> None:
        """Start another process, see to its end, and to what it left; raise what it met.

        That it lost the server is no failure while others have it: its letters go over theirs.
        """
        try:
            child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-c", BEGIN, json.dumps(sys.path)),
                stdin=PIPE,
                stdout=PIPE,
                start_new_session=True,  # Ctrl-C is for the first, which tells the others
            )
        except OSError:  # this machine has no room for another
            return
        assert child.stdin is not None
        assert child.stdout is not None
        self._children.append(child)
        with contextlib.suppress(ConnectionError):
            child.stdin.write(pickle.dumps(errand))
            await child.stdin.drain()
        if self._stopping:
            child.stdin.close()
        told = await child.stdout.read()
        error = _error_of(await child.wait(), told)
        if error is not None and not isinstance(error, ServerGoneError):
            raise error
        await asyncio.to_thread(take_over, self._desk, self._day, self._owner)

    def _heed(self, ended: asyncio.Task[Any]) -> None:
        """Let the others drain where one failed."""
        if not ended.cancelled() and (error := ended.exception()) is not None:
            self._errors.append(error)
            self._stop()

    def _stop(self) -> None:
        """Let all of them drain; nobody is blamed for a refusal of which it is not clear why."""
        if self._stopping:
            return
        self._stopping = True
        self.transport.give_up(STOPPED)
        self._own.cancel()
        for child in self._children:
            if child.stdin is not None:
                child.stdin.close()
        asyncio.get_running_loop().call_later(DRAIN + GRACE, self._kill)

    def _kill(self) -> None:
        for child in self._children:
            with contextlib.suppress(ProcessLookupError):
                child.kill()


def _error_of(code: int, told: bytes) -> Exception | None:
    """What ended a worker, by its exit code and what it told; one that was killed tells nothing."""
    if code > 0 and not told:
        return TryAgainError(
            f"one of the processes that send ended with {code}; what it said last is above, and "
            "the same command goes on"
        )
    error: Exception | None = pickle.loads(told) if told and code > 0 else None  # noqa: S301 - ours
    return error


def _gravity(error: BaseException) -> bool:
    """What is to be told first: our own trouble, then the server's."""
    return isinstance(error, TransportError)


def main() -> int:
    """Be a worker: do the errand on standard input; the exit code."""
    try:
        errand: Errand = pickle.load(sys.stdin.buffer)  # noqa: S301 - from the process above us
    except EOFError:  # which is no more
        return 0
    try:
        event_loop.run(_run(errand))
    except NewsletterError as error:
        sys.stdout.buffer.write(pickle.dumps(error))
        return error.exit_code
    return 0


async def _run(errand: Errand) -> None:
    """Deliver what can be claimed, until nothing is left or standard input ends."""
    app = App(errand.path, errand.settings, os.environ, SystemClock())
    transport = app.smtp(errand.place, errand.of)
    with contextlib.closing(app.store) as store, app.run_lock() as run_lock:
        delivering = asyncio.create_task(
            deliver(
                store,
                transport,
                app.clock,
                errand.day,
                IssueMailer(store, app.reader_service.keys, errand.day).envelope,
                run=f"{run_lock.name}.1",
                resend=app.settings.issue.in_doubt == "resend",
            )
        )

        def stop() -> None:
            running.remove_reader(sys.stdin.fileno())
            if delivering.cancelling():
                return  # told twice, by a signal and by the first: it is draining
            transport.give_up(STOPPED)
            delivering.cancel()

        running = asyncio.get_running_loop()
        running.add_reader(sys.stdin.fileno(), stop)
        for number in (signal.SIGTERM, signal.SIGINT):
            running.add_signal_handler(number, stop)
        with contextlib.suppress(asyncio.CancelledError):
            await delivering
