"""One torture: a sender in a folder, a recorder as its SMTP server, and a plan of strikes."""

import asyncio
import contextlib
import os
import random
import tempfile
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from newsletter.model import OPEN
from tests.faults.axes import AXES, HOURS, SETTLING, Axis, Sender
from tests.faults.command import step_clock
from tests.faults.contenders import CONTENDERS, ROOT, Call, Contender, LedgerEntry
from tests.faults.databases import Database, Kind, database
from tests.faults.recorder import Phase, Recorder, pause, recording

EXPECTED_EXITS = frozenset({0, 4, 5})
STRUCK_EXITS = frozenset({75, 130, -9, -15, 1})
MARKED = frozenset({"committing", "accepted", "unknown", "held"})
"""The states of a letter whose final dot may have been sent for the first time."""

SECONDS_PER_MESSAGE = 0.002
"""Seconds per message if the sender survives a strike, so that it is not done before the next."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The number and the kind of strikes; after ``minutes`` there are no more strikes."""

    kills: int
    letters: int
    connections: int
    axis: str = "kill"
    seed: int = 1
    contender: str = "newsletter"
    store: Kind = "sqlite"
    minutes: float | None = None


@dataclass
class Outcome:
    """The figures of a torture.

    Attributes:
        lost: readers who neither got the letter nor are named in the final report.
        duplicates_explained: readers with copies, one of them on a connection that was open at a
            strike or got no reply, where the sender's record shows a doubt.
        wrong_content: copies that differ from the first one.
        unmarked: received letters that the sender's record did not know after a run.
        broken: the invariants that the record broke after a strike or a run, in words.
        named: readers that the final report names as not served or in doubt.
        held: letters in doubt twice, which are not sent again.
        held_unnamed: held letters whose readers the final report does not name.
        doubts: how often the record had a letter in doubt.
        doubts_arrived: how often such a letter had arrived.
        doubts_at_once: the most doubts that one strike or one run added.
        recoveries: seconds from the end of each strike, or the next start, to the next dot.
    """

    plan: Plan
    kills: int = 0
    received: int = 0
    lost: int = 0
    duplicates_explained: int = 0
    duplicates_unexplained: int = 0
    wrong_content: int = 0
    unmarked: int = 0
    broken: list[str] = field(default_factory=list)
    named: int = 0
    held: int = 0
    held_unnamed: int = 0
    doubts: int = 0
    doubts_arrived: int = 0
    doubts_at_once: int = 0
    most_copies: int = 0
    recoveries: list[float] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def precision(self) -> float | None:
        """The share of doubts whose letters had arrived; None without doubts."""
        return self.doubts_arrived / self.doubts if self.doubts else None


class TortureRun:
    """A running torture; ``tell`` is called with the outcome after each run of the sender."""

    def __init__(
        self, plan: Plan, store: Database, folder: Path, tell: Callable[[Outcome], None]
    ) -> None:
        self.plan, self.database, self.folder, self.tell = plan, store, folder, tell
        self.contender: Contender = CONTENDERS[plan.contender]
        self.axis: Axis = AXES[plan.axis]
        self.draw = random.Random(plan.seed)
        self.recorder = Recorder(self.strike, SECONDS_PER_MESSAGE if self.axis.goes_on else 0.0)
        self.outcome = Outcome(plan)
        self.began = time.perf_counter()
        self.child: Process | None = None
        self.at: tuple[Phase, int] | None = None
        self.first = 0
        self.aftermath: asyncio.Task[None] | None = None
        self.waiting_since: float | None = None
        self.doubtful: set[str] = set()
        self.unmarked: set[str] = set()
        self.broken: set[str] = set()

    def strike(self, phase: Phase, count: int) -> None:
        """Strike if the plan says so; the recorder calls this at every phase."""
        if phase == "dot" and self.waiting_since is not None:
            self.outcome.recoveries.append(time.perf_counter() - self.waiting_since)
            self.waiting_since = None
        if self.at is None or self.child is None or phase != self.at[0] or count < self.at[1]:
            return
        self.at = None
        self.outcome.kills += 1
        self.first = max(0, len(self.recorder.received) - self.plan.connections)
        self.axis.strike(self.child)
        self.aftermath = asyncio.create_task(self._finish_strike(self.child))

    async def _finish_strike(self, struck: Sender) -> None:
        """Finish a strike, and aim the next one if the sender still runs."""
        await self.axis.aftermath(self, struck)
        self.waiting_since = time.perf_counter()
        await pause(SETTLING)
        self._note_doubtful()
        if self.axis.goes_on:
            self.recorder.listening.clear()
            await asyncio.to_thread(self._audit)
            await asyncio.to_thread(self._aim_next)
            self.recorder.listening.set()

    def _note_doubtful(self) -> None:
        """Note the letters around the strike, which may be sent twice."""
        self.doubtful |= {one.recipient for one in self.recorder.received[self.first :]}

    def _aim_next(self) -> None:
        """Draw the next strike, spread evenly over the letters that are left."""
        left, taken = self.plan.kills - self.outcome.kills, len(self.recorder.received)
        over = self.plan.minutes and time.perf_counter() - self.began > self.plan.minutes * 60
        if left > 0 and not over:
            to_come = self._count_open() - self.plan.connections
            spread = max(0, min(2 * to_come // (left + 1), to_come))
            phase: Phase = self.draw.choice(["MAIL", "DATA", "dot", "dot", "answered"])
            self.at = (phase, taken + self.draw.randint(0, spread))

    def _count_open(self) -> int:
        """The number of letters still to be sent."""
        ledger = self.contender.ledger(self.database.url)
        if not ledger:
            return self.plan.letters - len(self.recorder.received)
        return sum(state in OPEN for state, _ in ledger.values())

    async def run(self) -> Outcome:
        """Send, strike and send again until the issue is done."""
        async with recording(self.recorder):
            port = self.recorder.port
            for call in self.contender.prepare(self.folder, port, self.plan, self.database.url):
                await self._command(call)
            for _ in range(3 * self.plan.kills + 50):
                output = await self._send()
                if output is not None and self.contender.is_done(output):
                    break
                if output is not None and self.axis.controls is not None:
                    step_clock(self.folder, HOURS)  # so that deferred letters are due
            else:
                raise RuntimeError(f"{self.plan}: the issue is never done")
        command = self.contender.report_command()
        said = b"" if command is None else await self._command(command)
        self._compare_report(self.contender.unserved(said or b""))
        return self.outcome

    async def _send(self) -> bytes | None:
        """Run the sender, with a strike if any is left; return its output, None if struck."""
        self._aim_next()
        self.waiting_since = time.perf_counter() if self.outcome.kills else None
        output = await self._command(self.contender.send_command(self.axis.controls))
        self.at = None
        if self.aftermath is not None:
            await self.aftermath
            self.at = None
        if output is None and self.outcome.kills:
            await pause(SETTLING)
            self._note_doubtful()
        self._compare_record()
        return output

    async def rival(self, letters: int) -> None:
        """Run a second sender until it has sent this many letters, then stop it with SIGTERM."""
        enough = len(self.recorder.received) + letters
        rival = await self._start(self.contender.send_command(self.axis.controls))
        speaking = asyncio.create_task(rival.communicate())
        while not speaking.done() and len(self.recorder.received) < enough:
            await pause(0.01)
        with contextlib.suppress(ProcessLookupError):
            rival.terminate()
        _, error = await speaking
        self._check_exit(rival, error)

    async def _command(self, call: Call) -> bytes | None:
        """Run a command; return its output, or None if it was struck."""
        self.child = await self._start(call)
        out, error = await self.child.communicate()
        self._check_exit(self.child, error)
        return out if self.child.returncode in EXPECTED_EXITS else None

    async def _start(self, call: Call) -> Process:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return await asyncio.create_subprocess_exec(
            *call.line, cwd=self.folder, env=environment, stdout=PIPE, stderr=PIPE
        )

    def _check_exit(self, ended: Process, error: bytes) -> None:
        """Raise if a sender ended in a way that no strike explains."""
        expected = (
            ended.returncode in EXPECTED_EXITS | STRUCK_EXITS and b"newsletter: unexp" not in error
        )
        if not expected or (b"Traceback" in error and self.plan.contender == "newsletter"):
            raise RuntimeError(f"{self.plan}: {ended.returncode}: {error.decode()}")

    def _compare_record(self) -> None:
        """Compare the sender's record with what was received, while no sender runs."""
        ledger = self.contender.ledger(self.database.url)
        for email in self.recorder.by_recipient if ledger else ():
            state, doubts = ledger[email]
            if state not in MARKED and not doubts:
                self.unmarked.add(email)
        before = self.outcome.doubts
        self._count(ledger)
        self.outcome.doubts_at_once = max(self.outcome.doubts_at_once, self.outcome.doubts - before)
        self._audit()
        self.tell(self.outcome)

    def _audit(self) -> None:
        """Add the invariants that the sender's record breaks."""
        self.broken |= self.contender.broken(self.database.url)
        self.outcome.broken = sorted(self.broken)

    def _compare_report(self, named: set[str]) -> None:
        """Compare the sender's final report with what was received."""
        outcome, got = self.outcome, self.recorder.by_recipient
        everyone = {f"reader{n}@example.org" for n in range(self.plan.letters)}
        outcome.lost, outcome.named = len(everyone - set(got) - named), len(named)
        contents = {(one.recipient, one.message_id, one.digest) for one in self.recorder.received}
        outcome.wrong_content = len(contents) - len(got)
        ledger = self.contender.ledger(self.database.url)
        held = {email for email, (state, _) in ledger.items() if state == "held"}
        outcome.held, outcome.held_unnamed = len(held), len(held - named)
        explained = self._explained(ledger)
        copies = {email for email, count in got.items() if count > 1}
        outcome.duplicates_explained = len(copies & explained)
        outcome.duplicates_unexplained = len(copies - explained)

    def _explained(self, ledger: Mapping[str, LedgerEntry]) -> set[str]:
        """The readers who may have two copies, by the connections and by the sender's record."""
        affected = self.doubtful | self.recorder.unanswered
        admitted = {email for email, (_, doubts) in ledger.items() if doubts}
        return affected & admitted if ledger else affected

    def _count(self, ledger: Mapping[str, LedgerEntry]) -> None:
        """Count the letters received, the doubts, and the doubts whose letters had arrived."""
        outcome, got = self.outcome, self.recorder.by_recipient
        outcome.received, outcome.most_copies = len(got), max(got.values(), default=0)
        outcome.unmarked = len(self.unmarked)
        outcome.doubts = sum(doubts for _, doubts in ledger.values())
        outcome.doubts_arrived = sum(
            max(0, min(doubts, got[email] - (state == "accepted")))
            for email, (state, doubts) in ledger.items()
        )
        outcome.seconds = round(time.perf_counter() - self.began, 1)


def run_torture(plan: Plan, tell: Callable[[Outcome], None] = lambda _outcome: None) -> Outcome:
    """Carry out a plan in a temporary folder; ``tell`` gets the outcome after each run."""
    with (
        tempfile.TemporaryDirectory() as name,
        database(plan.store, folder := Path(name)) as store,
    ):
        return asyncio.run(TortureRun(plan, store, folder, tell).run())
