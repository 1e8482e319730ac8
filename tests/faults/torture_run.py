"""One torture: a sender in a folder, a recorder at the other end, and a plan of strikes."""

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
from tests.faults.contenders import CONTENDERS, ROOT, Contender, LedgerEntry, Words
from tests.faults.databases import Database, Kind, database
from tests.faults.recorder import Phase, Recorder, pause, recording

EXPECTED_EXITS = frozenset({0, 4, 5})
STRUCK_EXITS = frozenset({75, 130, -9, -15, 1})
MARKED = frozenset({"committing", "accepted", "unknown", "held"})
"""The states of a letter whose dot may have been sent; one in doubt before may be in any."""

PACE = 0.002
"""Seconds a message costs a server whose sender goes on: it is not done between two strikes."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done to the sender; after so many ``minutes`` it is struck no more."""

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
    """What came of it.

    Attributes:
        lost: readers who neither got the letter nor are named.
        duplicates_explained: readers who got copies, one of them on a connection open at a strike
            or never answered, which the sender's own record holds to have been in doubt.
        wrong_content: copies that differ from their first.
        unmarked: letters received of which the sender's record knew nothing after a run.
        broken: what an audit of that record found after a strike or a run, in words.
        named: readers the sender names in the end as not served, or in doubt.
        held: letters in doubt a second time, which are not sent again.
        held_unnamed: those of them whose readers it does not name.
        doubts: how often its record held a letter in doubt.
        doubts_arrived: how often that letter had arrived.
        doubts_at_once: the most that came between two looks at the record: of one strike, where
            it ends the sender.
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
        """The share of the doubts that were letters which had arrived; None without a doubt."""
        return self.doubts_arrived / self.doubts if self.doubts else None


class TortureRun:
    """A torture while it lasts; ``tell`` is told now and then how it stands."""

    def __init__(
        self, plan: Plan, store: Database, folder: Path, tell: Callable[[Outcome], None]
    ) -> None:
        self.plan, self.database, self.folder, self.tell = plan, store, folder, tell
        self.contender: Contender = CONTENDERS[plan.contender]
        self.axis: Axis = AXES[plan.axis]
        self.draw = random.Random(plan.seed)
        self.recorder = Recorder(self.strike, PACE if self.axis.goes_on else 0.0)
        self.outcome = Outcome(plan)
        self.began = time.perf_counter()
        self.child: Process | None = None
        self.at: tuple[Phase, int] | None = None
        self.first = 0
        self.following: asyncio.Task[None] | None = None
        self.waiting_since: float | None = None
        self.doubtful: set[str] = set()
        self.unmarked: set[str] = set()
        self.broken: set[str] = set()

    def strike(self, phase: Phase, count: int) -> None:
        """Called by the recorder at every phase; strikes where the plan says."""
        if phase == "dot" and self.waiting_since is not None:
            self.outcome.recoveries.append(time.perf_counter() - self.waiting_since)
            self.waiting_since = None
        if self.at is None or self.child is None or phase != self.at[0] or count < self.at[1]:
            return
        self.at = None
        self.outcome.kills += 1
        self.first = max(0, len(self.recorder.received) - self.plan.connections)
        self.axis.strike(self.child)
        self.following = asyncio.create_task(self._follow(self.child))

    async def _follow(self, struck: Sender) -> None:
        """What follows a strike; then the next one, if the sender goes on."""
        await self.axis.aftermath(self, struck)
        self.waiting_since = time.perf_counter()
        await pause(SETTLING)
        self._doubt()
        if self.axis.goes_on:
            self.recorder.listening.clear()
            await asyncio.to_thread(self._audit)
            await asyncio.to_thread(self._aim)
            self.recorder.listening.set()

    def _doubt(self) -> None:
        """Whatever was taken since the strike, and on the connections open then, may be twice."""
        self.doubtful |= {one.recipient for one in self.recorder.received[self.first :]}

    def _aim(self) -> None:
        """Draw where to strike next, if strikes are left: evenly over the letters that are."""
        left, taken = self.plan.kills - self.outcome.kills, len(self.recorder.received)
        over = self.plan.minutes and time.perf_counter() - self.began > self.plan.minutes * 60
        if left > 0 and not over:
            to_come = self._open() - self.plan.connections
            spread = max(0, min(2 * to_come // (left + 1), to_come))
            phase: Phase = self.draw.choice(["MAIL", "DATA", "dot", "dot", "answered"])
            self.at = (phase, taken + self.draw.randint(0, spread))

    def _open(self) -> int:
        """How many letters are still to be sent."""
        ledger = self.contender.ledger(self.database.url)
        if not ledger:
            return self.plan.letters - len(self.recorder.received)
        return sum(state in OPEN for state, _ in ledger.values())

    async def run(self) -> Outcome:
        """Send, strike, send again, until it is done."""
        async with recording(self.recorder):
            port = self.recorder.port
            for words in self.contender.prepare(self.folder, port, self.plan, self.database.url):
                await self._command(words)
            for _ in range(3 * self.plan.kills + 50):
                output = await self._send()
                if output is not None and self.contender.is_done(output):
                    break
                if output is not None and self.axis.hands is not None:
                    step_clock(self.folder, HOURS)  # what is deferred is due then
            else:
                raise RuntimeError(f"{self.plan}: it is never done")
        asking = self.contender.asking()
        said = b"" if asking is None else await self._command(asking)
        self._judge(self.contender.named(said or b""))
        return self.outcome

    async def _send(self) -> bytes | None:
        """One run, struck if strikes are left; its output, if it came to an end by itself."""
        self._aim()
        self.waiting_since = time.perf_counter() if self.outcome.kills else None
        output = await self._command(self.contender.sending(self.axis.hands))
        self.at = None
        if self.following is not None:
            await self.following
            self.at = None
        if output is None and self.outcome.kills:
            await pause(SETTLING)
            self._doubt()
        self._look()
        return output

    async def rival(self, letters: int) -> None:
        """Let a second sender send so many letters, and tell it to stop."""
        enough = len(self.recorder.received) + letters
        rival = await self._started(self.contender.sending(self.axis.hands))
        speaking = asyncio.create_task(rival.communicate())
        while not speaking.done() and len(self.recorder.received) < enough:
            await pause(0.01)
        with contextlib.suppress(ProcessLookupError):
            rival.terminate()
        _, error = await speaking
        self._check(rival, error)

    async def _command(self, words: Words) -> bytes | None:
        """Run a command; its output, None where it was struck."""
        self.child = await self._started(words)
        out, error = await self.child.communicate()
        self._check(self.child, error)
        return out if self.child.returncode in EXPECTED_EXITS else None

    async def _started(self, words: Words) -> Process:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return await asyncio.create_subprocess_exec(
            *words, cwd=self.folder, env=environment, stdout=PIPE, stderr=PIPE
        )

    def _check(self, ended: Process, error: bytes) -> None:
        """Stop the torture where a sender fell to what no plan holds."""
        foreseen = (
            ended.returncode in EXPECTED_EXITS | STRUCK_EXITS and b"newsletter: unexp" not in error
        )
        if not foreseen or (b"Traceback" in error and self.plan.contender == "newsletter"):
            raise RuntimeError(f"{self.plan}: {ended.returncode}: {error.decode()}")

    def _look(self) -> None:
        """Hold the sender's record, while it is not at work, against what was received."""
        ledger = self.contender.ledger(self.database.url)
        for email in self.recorder.by_recipient if ledger else ():
            state, doubts = ledger[email]
            if state not in MARKED and not doubts:
                self.unmarked.add(email)
        before = self.outcome.doubts
        self._weigh(ledger)
        self.outcome.doubts_at_once = max(self.outcome.doubts_at_once, self.outcome.doubts - before)
        self._audit()
        self.tell(self.outcome)

    def _audit(self) -> None:
        """Hold the sender's record against its own promise."""
        self.broken |= self.contender.broken(self.database.url)
        self.outcome.broken = sorted(self.broken)

    def _judge(self, named: set[str]) -> None:
        """Hold what the sender says in the end against what was received."""
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
        """Who may have got two: by what befell the connections, and by the sender's record."""
        befallen = self.doubtful | self.recorder.unanswered
        admitted = {email for email, (_, doubts) in ledger.items() if doubts}
        return befallen & admitted if ledger else befallen

    def _weigh(self, ledger: Mapping[str, LedgerEntry]) -> None:
        """Count what arrived, the doubts, and how many of them were letters that had arrived."""
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
    """Carry out a plan in a folder of its own; ``tell`` is told after each of its runs."""
    with (
        tempfile.TemporaryDirectory() as name,
        database(plan.store, folder := Path(name)) as store,
    ):
        return asyncio.run(TortureRun(plan, store, folder, tell).run())
