"""Kills a sending newsletter again and again and counts what came of it.

``python -m bench.torture [--kills N] [--letters N] [--connections N] [--signal KILL] [--seed N]``

A recorder at the other end writes down each message before it answers, so its record is the truth.
The process is struck at a message and a phase drawn from the seed: at MAIL, at DATA, between the
final dot and its answer, or after the answer. Then the same command is run again, until the issue
is done. Lost are readers who neither received the letter nor are named as in doubt; a duplicate is
explained when its first copy was taken between a dot and its answer at a strike.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.recorder import Phase, Recorder, recording

ROOT = Path(__file__).parents[1]
DAY = "2026-08-12"
LISTING = ROOT / "newsletter" / "data" / "demo" / "listing.json"
MAX_RUNS = 5000


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done to the sender."""

    kills: int
    letters: int
    connections: int
    signal: str
    seed: int


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
    seconds_to_first_dot: list[float] = field(default_factory=list)
    seconds: float = 0.0


class Torture:
    """One torture: a newsletter in a folder, a recorder, and a plan of strikes."""

    def __init__(self, plan: Plan, folder: Path) -> None:
        self.plan, self.folder = plan, folder
        self.random = random.Random(plan.seed)
        self.recorder = Recorder(self.strike)
        self.outcome = Outcome(plan)
        self.child: asyncio.subprocess.Process | None = None
        self.at: tuple[Phase, int] | None = None
        self.started = 0.0
        self.waiting = False
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
        if phase in {"dot", "answered"}:
            self.doubtful |= {
                one.recipient for one in self.recorder.taken[-self.plan.connections :]
            }
        self.child.send_signal(getattr(signal, f"SIG{self.plan.signal}"))

    async def run(self) -> Outcome:
        """Send, strike, send again, until the issue is done."""
        began = time.perf_counter()
        async with recording(self.recorder):
            self.set_up()
            await self.command("subscribers", "import", "readers.csv")
            for _ in range(MAX_RUNS):
                state = await self.send()
                if state.get("state") in {"done", "done_with_errors"}:
                    break
        self.outcome.seconds = round(time.perf_counter() - began, 1)
        return self.judged(await self.status())

    def set_up(self) -> None:
        """The newsletter's files: the demo's listing and as many readers as letters."""
        smtp = {"host": "127.0.0.1", "port": self.recorder.port, "security": "none"}
        settings = {
            "name": "Torture",
            "sender": "papers@example.org",
            "schedule": {"days": "daily"},
            "smtp": {**smtp, "connections": self.plan.connections},
            "sources": [{"kind": "huggingface", "path": str(LISTING)}],
        }
        (self.folder / "newsletter.yaml").write_text(json.dumps(settings), encoding="utf-8")
        (self.folder / "subscribers.yaml").write_text("subscribers: []", encoding="utf-8")
        readers = "\n".join(f"reader{n}@example.org" for n in range(self.plan.letters))
        (self.folder / "readers.csv").write_text(f"email\n{readers}\n", encoding="utf-8")

    async def send(self) -> dict[str, Any]:
        """One run of the command, struck if strikes are left; its report, if it gave one."""
        left = self.plan.kills - self.outcome.kills
        if left > 0:
            spread = max(1, 2 * (self.plan.letters - len(self.recorder.taken)) // (left + 1))
            phase: Phase = self.random.choice(["MAIL", "DATA", "dot", "dot", "answered"])
            self.at = (phase, len(self.recorder.taken) + self.random.randint(1, spread))
        self.started, self.waiting = time.perf_counter(), True
        out = await self.command("send", "--date", DAY, "--yes", "--json")
        self.at = None
        return dict(json.loads(out)) if out else {}

    async def status(self) -> dict[str, Any]:
        """What the newsletter says came of it."""
        return dict(json.loads(await self.command("status", DAY, "--json")))

    async def command(self, *words: str) -> bytes:
        """Run the real command; what it gave on standard output."""
        self.child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "newsletter",
            *words,
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            stdin=asyncio.subprocess.DEVNULL,
        )
        out, err = await self.child.communicate()
        if self.child.returncode not in {0, 4, 5, 75, 130, -9, -15}:
            raise RuntimeError(f"newsletter {' '.join(words)}: {err.decode()}")
        return out if self.child.returncode in {0, 4, 5} else b""

    def judged(self, status: dict[str, Any]) -> Outcome:
        """Hold what the newsletter says against what was received."""
        outcome, got = self.outcome, self.recorder.by_recipient
        named = {reader["email"] for reader in status["readers"]}
        everyone = {f"reader{n}@example.org" for n in range(self.plan.letters)}
        outcome.received = len(got)
        outcome.lost = len(everyone - set(got) - named)
        outcome.in_doubt = len(named)
        copies = {email: count for email, count in got.items() if count > 1}
        outcome.duplicates_explained = sum(1 for email in copies if email in self.doubtful)
        outcome.duplicates_unexplained = len(copies) - outcome.duplicates_explained
        contents = Counter(
            (one.recipient, one.message_id, one.digest) for one in self.recorder.taken
        )
        outcome.wrong_content = len(contents) - len(got)
        return outcome


def tortured(plan: Plan) -> Outcome:
    """Carry out a plan in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(Torture(plan, Path(folder)).run())


def main() -> None:
    """Print what came of it."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--kills", type=int, default=50)
    asked.add_argument("--letters", type=int, default=2000)
    asked.add_argument("--connections", type=int, default=8)
    asked.add_argument("--signal", choices=["KILL", "TERM"], default="KILL")
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--json", type=Path, help="a file for the figures")
    words = asked.parse_args()
    plan = Plan(words.kills, words.letters, words.connections, words.signal, words.seed)
    outcome = tortured(plan)
    waits = outcome.seconds_to_first_dot
    for name, value in asdict(outcome).items():
        if name not in {"plan", "seconds_to_first_dot"}:
            print(f"{name.replace('_', ' '):28} {value:>10}")
    print(f"{'first dot after a start, s':28} {statistics.median(waits):>10.2f}")
    print(f"{'the slowest first dot, s':28} {max(waits):>10.2f}")
    if words.json is not None:
        words.json.write_text(json.dumps(asdict(outcome), indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
