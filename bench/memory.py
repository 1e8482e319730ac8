"""The memory that a whole ``newsletter send`` takes.

``python -m bench.memory [--readers 1,1000,100000] [--json FILE]``

For each number of readers a newsletter is set up: an SQLite store with 200 papers of the day and
that many readers, each with their own filter. The command composes, freezes and delivers the issue
to our own server in its own process, whose resident memory is measured meanwhile. One reader shows
what the command needs before there is anything to do.
"""

import argparse
import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench import ROOT
from bench.pages import SECRET, SENDER, fill
from bench.resident import resident
from bench.servers import sink
from bench.workload import morning
from newsletter.app.clock import SystemClock
from newsletter.stores import open_store

PAPERS = 200
BAR = 100
"""The limit for the resident memory of a whole send, in megabytes."""

PAUSE = 0.02
"""Seconds between two measurements."""


@dataclass(frozen=True, slots=True)
class Row:
    """A send to this many readers: its peak of resident memory in megabytes, and its seconds."""

    readers: int
    until_frozen_mb: float
    delivering_mb: float
    peak_mb: float
    seconds: float


def prepared(folder: Path, smtp: int, readers: int) -> None:
    """Write a newsletter's folder and fill its store."""
    work, now = morning(PAPERS, readers), SystemClock().now()
    configuration = {
        "name": "Bench",
        "sender": SENDER,
        "secret": SECRET,
        "smtp": {"host": "127.0.0.1", "port": smtp, "security": "none"},
        "schedule": {"days": "daily"},
        "topics": [
            {"name": topic.name, "any": [rule.text for rule in topic.any]}
            for topic in work.issue.topics
        ],
    }
    (folder / "newsletter.yaml").write_text(json.dumps(configuration), encoding="utf-8")
    (folder / "subscribers.yaml").write_text("subscribers: []\n", encoding="utf-8")
    with contextlib.closing(open_store(f"sqlite:///{folder}/newsletter.db")) as store:
        store.sync_subscribers([reader.subscriber for reader in work.readers], now=now)
        fill(store, [paper.item for paper in work.issue.papers], now)
    with contextlib.closing(sqlite3.connect(folder / "newsletter.db")) as database:
        # Readers who joined on the pages: nobody keeps a hundred thousand in a file.
        database.execute("UPDATE readers SET origin = 'store', listed = NULL")
        database.commit()


def measured(folder: Path, readers: int) -> Row:
    """Send, and measure the process until it ends."""
    began, frozen, delivering, peak = time.perf_counter(), 0.0, 0.0, 0.0
    day = SystemClock().now().date().isoformat()
    with subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "newsletter", "send", "--yes", "--date", day],
        stdout=subprocess.DEVNULL,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        while (seen := resident(process.pid)) is not None:
            if _is_frozen(folder):
                delivering = max(delivering, seen.now)
            else:
                frozen = max(frozen, seen.now)
            peak = seen.peak
            time.sleep(PAUSE)  # noqa: TID251 - the bench's own pause
    assert process.returncode == 0, f"send ended with {process.returncode}"
    return Row(readers, frozen, delivering, peak, time.perf_counter() - began)


def _is_frozen(folder: Path) -> bool:
    with contextlib.closing(sqlite3.connect(folder / "newsletter.db")) as database:
        return database.execute("SELECT 1 FROM waves").fetchone() is not None


def measure(numbers: Sequence[int]) -> list[Row]:
    """Measure; return a row per number of readers."""
    rows = []
    for readers in numbers:
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            with sink(folder) as (port, taken):
                prepared(folder, port, readers)
                rows.append(measured(folder, readers))
            assert taken[0] > readers // 2, "most readers get a letter of this workload"
    return rows


def table(rows: Sequence[Row]) -> str:
    """The lines of the table."""
    head = f"{'readers':>8} {'until frozen':>13} {'delivering':>11} {'peak MB':>8} {'seconds':>8}"
    lines = [
        f"{row.readers:8} {row.until_frozen_mb:13.0f} {row.delivering_mb:11.0f} "
        f"{row.peak_mb:8.0f} {row.seconds:8.1f}"
        for row in rows
    ]
    most = max(rows, key=lambda row: row.readers)
    said = "reached" if most.peak_mb <= BAR else "not reached"
    last = f"{most.peak_mb:.0f} MB at {most.readers} readers, to reach ≤ {BAR}: {said}"
    return "\n".join([head, *lines, last])


def main() -> None:
    """Measure and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readers", default="1,1000,100000")
    parser.add_argument("--json", type=Path)
    wanted = parser.parse_args()
    rows = measure([int(number) for number in wanted.readers.split(",")])
    sys.stdout.write(table(rows) + "\n")
    if wanted.json:
        wanted.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))


if __name__ == "__main__":
    main()
