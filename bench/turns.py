"""One contender's turn at sending in its own process, and its cost."""

import json
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from bench import ROOT
from bench.sending import ASYNCIO, JOURNAL, OBVIOUS, STORE, UVLOOP, prepare
from bench.servers import postfix

KEPT = "smtp-source -d"
SOURCE = "smtp-source"
"""Postfix' own sender of one constant message: over connections that it keeps, which is the
yardstick, and with a connection for every message."""

SIZE = 48_000
"""Bytes of the constant message: the average of the letters of this workload."""

FROZEN = "frozen.db"


@dataclass(frozen=True, slots=True)
class Turn:
    """The result of one contender in one round.

    ``peak_mb`` is resident memory; ``start`` is the CPU time of starting and importing, which
    ``cpu`` is without.
    """

    letters: int
    seconds: float
    cpu: float
    peak_mb: float = 0.0
    start: float = 0.0

    @property
    def rate(self) -> float:
        """Letters per second."""
        return self.letters / self.seconds

    @property
    def cpu_us(self) -> float:
        """CPU time per letter in microseconds."""
        return self.cpu / self.letters * 1e6


def ours() -> list[str]:
    """Our own contenders: on asyncio's event loop, and on uvloop's if it is installed."""
    return [ASYNCIO, *([UVLOOP] if find_spec("uvloop") else [])]


def freeze(folder: Path, letters: int) -> None:
    """Freeze an issue for this many readers; each of our turns starts with a copy of it."""
    prepare(folder, letters)
    (folder / STORE).rename(folder / FROZEN)


def turn(contender: str, folder: Path, port: int, connections: int, letters: int) -> Turn:
    """Let one contender send; ours send the frozen issue, whatever ``letters`` is."""
    if contender in {KEPT, SOURCE}:
        return _source(port, connections, letters, ["-d"] if contender == KEPT else [])
    if contender != OBVIOUS:
        for file in folder.glob(f"{STORE}*"):
            file.unlink()
        shutil.rmtree(folder / JOURNAL, ignore_errors=True)
        shutil.copy(folder / FROZEN, folder / STORE)
    words = [contender, folder, port, connections, letters]
    done = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", "bench.sending", *map(str, words)],
        stdout=subprocess.PIPE,
        check=True,
        cwd=ROOT,
    )
    return Turn(**json.loads(done.stdout))


def _source(port: int, connections: int, letters: int, options: Sequence[str]) -> Turn:
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    words = [*options, "-s", connections, "-m", letters, "-l", SIZE, f"127.0.0.1:{port}"]
    subprocess.run([*postfix(SOURCE), *map(str, words)], check=True)  # noqa: S603 - Postfix' own
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Turn(letters, seconds, cpu)
