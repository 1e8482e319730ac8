"""Kills a sender again and again and counts what came of it, beside the usual ways.

``python -m bench.torture [--kills N] [--letters N] [--connections N] [--signal KILL] [--seed N]``

A recorder at the other end writes down each message before it answers, so its record is the truth.
The process is struck at a message and a phase drawn from the seed: at MAIL, at DATA, between the
final dot and its answer, or after the answer. Then the same command is run again, until it is
done. Lost are readers who neither received the letter nor are named as in doubt; a duplicate is
explained when a copy of it was taken on one of the open connections at a strike.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import statistics
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.contenders import CONTENDERS, ROOT, Contender, Words
from bench.recorder import Phase, Recorder, recording

MAX_RUNS = 5000
ENDED_WELL = frozenset({0, 4, 5})
SETTLING = 0.05
"""Seconds for what a killed sender had put on the wire to arrive."""

STRUCK = frozenset({75, 130, -9, -15, 1})
FIGURES = (
    "kills",
    "received",
    "lost",
    "duplicates_explained",
    "duplicates_unexplained",
    "wrong_content",
    "in_doubt",
    "most_copies",
    "seconds",
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done to the sender."""

    kills: int
    letters: int
    connections: int
    signal: str
    seed: int
    contender: str = "newsletter"


@dataclass
class Outcome:
    """What came of it."""

    plan: Plan
    kills: int = 0
    received: int = 0
    lost: int = 0
    duplicates_explained: int = 0
    duplicates_unexplained: int = 0
    wrong_content: int = 0
    in_doubt: int = 0
    most_copies: int = 0
    seconds_to_first_dot: list[float] = field(default_factory=list)
    seconds: float = 0.0


class Torture:
    """One torture: a sender in a folder, a recorder, and a plan of strikes."""

    def __init__(self, plan: Plan, contender: Contender, folder: Path) -> None:
        self.plan, self.contender, self.folder = plan, contender, folder
        self.random = random.Random(plan.seed)
        self.recorder = Recorder(self.strike)
        self.outcome = Outcome(plan)
        self.child: asyncio.subprocess.Process | None = None
        self.at: tuple[Phase, int] | None = None
        self.started = 0.0
        self.waiting = False
        self.struck_at: list[int] = []
        self.doubtful: set[str] = set()

    def strike(self, phase: Phase, count: int) -> None:
        """Called by the recorder at every phase; strikes where the plan says."""
        if phase == "dot" and self.waiting:
            self.waiting = False
            self.outcome.seconds_to_first_dot.append(time.perf_counter() - self.started)
        if self.at is None or self.child is None or phase != self.at[0] or count < self.at[1]:
            return
        self.at = None
        self.outcome.kills += 1
        self.struck_at.append(len(self.recorder.taken))
        self.child.send_signal(getattr(signal, f"SIG{self.plan.signal}"))

    async def run(self) -> Outcome:
        """Send, strike, send again, until it is done."""
        began = time.perf_counter()
        async with recording(self.recorder):
            plan, port = self.plan, self.recorder.port
            for words in self.contender.prepare(self.folder, port, plan.letters, plan.connections):
                await self.command(words)
            for _ in range(MAX_RUNS):
                output = await self.send()
                if output is not None and self.contender.is_done(output):
                    break
        self.outcome.seconds = round(time.perf_counter() - began, 1)
        asking = self.contender.asking()
        said = b"" if asking is None else await self.command(asking)
        return self.judged(self.contender.named(said or b""))

    async def send(self) -> bytes | None:
        """One run, struck if strikes are left; its output, if it came to an end by itself."""
        left = self.plan.kills - self.outcome.kills
        if left > 0:
            spread = max(1, 2 * (self.plan.letters - len(self.recorder.taken)) // (left + 1))
            phase: Phase = self.random.choice(["MAIL", "DATA", "dot", "dot", "answered"])
            self.at = (phase, len(self.recorder.taken) + self.random.randint(1, spread))
        self.started, self.waiting = time.perf_counter(), True
        output = await self.command(self.contender.sending())
        self.at = None
        if output is None and self.struck_at:
            await asyncio.sleep(SETTLING)  # noqa: TID251 - what was on the wire arrives
            first = max(0, self.struck_at[-1] - self.plan.connections)
            self.doubtful |= {one.recipient for one in self.recorder.taken[first:]}
        return output

    async def command(self, words: Words) -> bytes | None:
        """Run a command; its output, None where it was struck."""
        self.child = await asyncio.create_subprocess_exec(
            *words,
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            stdin=asyncio.subprocess.DEVNULL,
        )
        out, err = await self.child.communicate()
        if self.child.returncode not in ENDED_WELL | STRUCK:
            raise RuntimeError(f"{' '.join(words)}: {err.decode()}")
        return out if self.child.returncode in ENDED_WELL else None

    def judged(self, named: set[str]) -> Outcome:
        """Hold what the sender says against what was received."""
        outcome, got = self.outcome, self.recorder.by_recipient
        everyone = {f"reader{n}@example.org" for n in range(self.plan.letters)}
        outcome.received = len(got)
        outcome.lost = len(everyone - set(got) - named)
        outcome.in_doubt = len(named)
        outcome.most_copies = max(got.values())
        copies = {email for email, count in got.items() if count > 1}
        outcome.duplicates_explained = len(copies & self.doubtful)
        outcome.duplicates_unexplained = len(copies - self.doubtful)
        contents = Counter(
            (one.recipient, one.message_id, one.digest) for one in self.recorder.taken
        )
        outcome.wrong_content = len(contents) - len(got)
        return outcome


def tortured(plan: Plan) -> Outcome:
    """Carry out a plan in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        torture = Torture(plan, CONTENDERS[plan.contender], Path(folder))
        return asyncio.run(torture.run())


def main() -> None:
    """Print what came of it, a column for each contender."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--kills", type=int, default=50)
    asked.add_argument("--letters", type=int, default=2000)
    asked.add_argument("--connections", type=int, default=8)
    asked.add_argument("--signal", choices=["KILL", "TERM"], default="KILL")
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--only", choices=list(CONTENDERS), help="one contender alone")
    asked.add_argument("--json", type=Path, help="a file for the figures")
    words = asked.parse_args()
    names = [words.only] if words.only else list(CONTENDERS)
    outcomes = [
        tortured(
            Plan(words.kills, words.letters, words.connections, words.signal, words.seed, name)
        )
        for name in names
    ]
    print(f"{'':26}" + "".join(f"{name:>14}" for name in names))
    for figure in FIGURES:
        values = "".join(f"{getattr(outcome, figure):>14}" for outcome in outcomes)
        print(f"{figure.replace('_', ' '):26}{values}")
    for title, of in (("first dot, median s", statistics.median), ("first dot, slowest s", max)):
        values = "".join(f"{of(outcome.seconds_to_first_dot):>14.2f}" for outcome in outcomes)
        print(f"{title:26}{values}")
    if words.json is not None:
        words.json.write_text(json.dumps([asdict(o) for o in outcomes], indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
