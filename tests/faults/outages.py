"""PostgreSQL is killed, shut down and away again and again while letters are sent.

``python -m tests.faults.outages [--times N] [--letters N] [--away SECONDS] [--command run|send]
[--code FOLDER] [--json FILE]``

One ``newsletter run`` (or ``send``) sends an issue; ``newsletter serve`` runs beside it. At letters
spread over the issue the server is killed (``kill -9`` of the postmaster) or shut down
(``immediate``, ``fast``); it stays away for the given time, each fifth time only until it has
started again. A process that ends is started again and counted.
At the end the clock goes on by a quarter of an hour, so that a letter whose outcome was lost would
be sent again. ``--code`` runs the commands of another checkout, for comparison.
"""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
import tempfile
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from signal import SIGTERM
from typing import Literal

from newsletter.app.clock import SystemClock
from newsletter.stores import open_store
from tests.faults.command import step_clock
from tests.faults.contenders import CONTENDERS, ROOT
from tests.faults.databases import Postgres, Stop, database
from tests.faults.recorder import Phase, Recorder, pause, recording
from tests.support.daemons import free_port

PAPER = {"id": "2608.00001", "title": "A paper", "summary": "A text."}

STOPS: tuple[Stop, ...] = ("kill", "immediate", "fast")
"""How the server goes away, in turns."""

ENDS = {False: {0}, True: {0, 5, 75, -signal.SIGTERM}}
"""The exit codes of processes that nobody stopped, and of stopped ones: those may leave letters, or
be stopped before they can handle the signal."""

CONNECTIONS = 8
SECONDS_PER_MESSAGE = 0.005
PATIENCE = 120.0  # seconds to wait for a letter before the run has failed
QUIET = 35  # seconds without a letter after which no more is expected: longer than a tick
QUICK = 5  # each so many outages, the server is only restarted

LEASES = timedelta(minutes=15)  # longer than the lease of a mark


@dataclass(frozen=True, slots=True)
class Plan:
    """How often the server goes away, how many letters there are, how long it stays away.

    With ``stopped``, the processes get SIGTERM while it is away, as when a machine shuts down.
    """

    times: int
    letters: int
    away: float
    command: Literal["run", "send"] = "run"
    code: str = str(ROOT)
    stopped: bool = False


@dataclass
class Outcome:
    """The figures.

    Attributes:
        doubled: readers who got the letter twice.
        lost: readers who did not get it.
        doubts: how often a letter was in doubt.
        unfinished: letters that the store does not know as accepted.
        ended: processes that ended before they were stopped, or with an error.
        returns: seconds from each return of the server to the next letter.
        broken: the invariants that the store breaks at the end, in words.
    """

    plan: Plan
    outages: int = 0
    doubled: int = 0
    lost: int = 0
    doubts: int = 0
    unfinished: int = 0
    ended: int = 0
    returns: list[float] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    seconds: float = 0.0


class OutageRun:
    """A sender and the pages, and a server that goes away while they run."""

    def __init__(
        self, plan: Plan, server: Postgres, folder: Path, tell: Callable[[Outcome], None]
    ) -> None:
        self.plan, self.server, self.folder, self.tell = plan, server, folder, tell
        self.outcome = Outcome(plan)
        self.recorder = Recorder(self._count, rate_limit=SECONDS_PER_MESSAGE)
        self.strike, self.arrived = asyncio.Event(), asyncio.Event()
        self.running: list[Process] = []
        self.stopping = False

    def _count(self, phase: Phase, received: int) -> None:
        """Strike where the next outage is due, at phases in turn."""
        if phase == "dot":
            self.arrived.set()
        done, times = self.outcome.outages, self.plan.times
        due = done < times and received >= (done + 1) * self.plan.letters // (times + 1)
        if due and phase == ("dot", "answered", "MAIL", "DATA")[done % 4]:
            self.strike.set()

    async def run(self) -> Outcome:
        """Carry out the plan, and compare what was received with what the store says."""
        began = time.perf_counter()
        async with recording(self.recorder):
            await self._prepare()
            day = f"{SystemClock().now():%Y-%m-%d}"
            sender = ["run"] if self.plan.command == "run" else ["send", "--yes", "--date", day]
            commands = (sender, ["serve", "--config", "pages.yaml"])
            watching = [asyncio.create_task(self._keep_running(*words)) for words in commands]
            try:
                await self._strike()
            finally:
                await self._stop()
                for task in watching:
                    task.cancel()
                await asyncio.gather(*watching, return_exceptions=True)
                await self._stop()  # what was being started meanwhile
        self._compare()
        self.outcome.seconds = round(time.perf_counter() - began, 1)
        return self.outcome

    async def _strike(self) -> None:
        for _ in range(self.plan.times):
            await asyncio.wait_for(self.strike.wait(), PATIENCE)
            await self._outage()
        await self._until_quiet(enough=self.plan.letters)
        step_clock(self.folder, LEASES.total_seconds())
        await self._until_quiet()

    async def _prepare(self) -> None:
        due = SystemClock().now() - timedelta(minutes=1)
        smtp = {"host": "127.0.0.1", "port": self.recorder.port, "security": "none"}
        settings = {
            "name": "Outages",
            "sender": "papers@example.org",
            "schedule": {"days": "daily", "at": f"{due:%H:%M}"},
            "store": self.server.url,
            "smtp": {**smtp, "connections": CONNECTIONS},
            "url": "http://127.0.0.1",
            "web": {"port": free_port()},
            "sources": [{"kind": "huggingface", "path": "papers.json"}],
        }
        (self.folder / "newsletter.yaml").write_text(json.dumps(settings), encoding="utf-8")
        settings["web"] = {"port": free_port()}
        (self.folder / "papers.json").write_text(json.dumps([{"paper": PAPER}]), encoding="utf-8")
        (self.folder / "pages.yaml").write_text(json.dumps(settings), encoding="utf-8")
        (self.folder / "subscribers.yaml").write_text("subscribers: []", encoding="utf-8")
        readers = "\n".join(f"reader{n}@example.org" for n in range(self.plan.letters))
        (self.folder / "readers.csv").write_text(f"email\n{readers}\n", encoding="utf-8")
        imported = await self._start("subscribers", "import", "readers.csv")
        await imported.communicate()

    async def _keep_running(self, *words: str) -> None:
        """Run a command; if it ends while letters are left, count that and run it again."""
        while True:
            process = await self._start(*words)
            self.running.append(process)
            await process.wait()
            self.running.remove(process)
            if self.stopping:
                return
            if process.returncode not in ENDS[self.plan.stopped]:
                self.outcome.ended += 1
            await pause(1.0)

    async def _start(self, *words: str) -> Process:
        command = [sys.executable, "-m", "tests.faults.command", "{}", *words]
        environment = {**os.environ, "PYTHONPATH": self.plan.code}
        with (self.folder / f"{words[0]}.log").open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *command, cwd=self.folder, env=environment, stdout=DEVNULL, stderr=log
            )

    async def _outage(self) -> None:
        """Take the server away, bring it back, and measure the time to the next letter."""
        done = self.outcome.outages
        await asyncio.to_thread(self.server.stop, STOPS[done % len(STOPS)])
        if self.plan.stopped:
            for process in self.running:
                process.terminate()
        if (done + 1) % QUICK:
            await pause(self.plan.away)
        await asyncio.to_thread(self.server.start)
        returned = time.perf_counter()
        self.arrived.clear()
        await asyncio.wait_for(self.arrived.wait(), PATIENCE)
        self.outcome.returns.append(round(time.perf_counter() - returned, 2))
        self.outcome.outages += 1
        self.strike.clear()
        self.tell(self.outcome)

    async def _until_quiet(self, enough: int | None = None) -> None:
        """Wait until no letter has come for a while, or so many readers have one."""
        quiet = 0
        while quiet < QUIET and len(self.recorder.by_recipient) != enough:
            before = len(self.recorder.received)
            await pause(1.0)
            quiet = quiet + 1 if len(self.recorder.received) == before else 0

    async def _stop(self) -> None:
        self.stopping = True
        for process in self.running:
            if process.returncode is None:
                process.terminate()
        for process in list(self.running):
            if await process.wait() not in {0, -SIGTERM}:  # a `send` may have begun just now
                self.outcome.ended += 1

    def _compare(self) -> None:
        outcome, copies = self.outcome, self.recorder.by_recipient
        outcome.doubled = sum(count > 1 for count in copies.values())
        outcome.lost = self.plan.letters - len(copies)
        with contextlib.closing(open_store(self.server.url)) as store:
            proofs = store.audit(store.issue_days()[0]).proofs
        outcome.broken = sorted(f"{proof.id}: {row}" for proof in proofs for row in proof.rows)
        ledger = CONTENDERS["newsletter"].ledger(self.server.url).values()
        outcome.doubts = sum(doubts for _, doubts in ledger)
        outcome.unfinished = sum(state != "accepted" for state, _ in ledger)


def run_outages(plan: Plan, tell: Callable[[Outcome], None] = lambda _outcome: None) -> Outcome:
    """Carry out a plan with a server of its own; ``tell`` gets the outcome after each outage."""
    with (
        tempfile.TemporaryDirectory() as name,
        database("postgres", folder := Path(name)) as server,
    ):
        assert isinstance(server, Postgres)
        return asyncio.run(OutageRun(plan, server, folder, tell).run())


def print_progress(outcome: Outcome) -> None:
    """Print the last outage."""
    print(f"{outcome.outages}: next letter after {outcome.returns[-1]} s", file=sys.stderr)


def main() -> None:
    """Run the outages and print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--letters", type=int, default=3000)
    parser.add_argument("--away", type=float, default=60.0, help="seconds")
    parser.add_argument("--command", choices=["run", "send"], default="run")
    parser.add_argument("--code", default=str(ROOT), help="the checkout whose commands are run")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    arguments = parser.parse_args()
    plan = Plan(
        arguments.times, arguments.letters, arguments.away, arguments.command, arguments.code
    )
    outcome = run_outages(plan, print_progress)
    figures = {**asdict(outcome), "slowest_return": max(outcome.returns, default=0.0)}
    print(json.dumps(figures, indent=1))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
