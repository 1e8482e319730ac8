"""How long ``newsletter topics test`` takes: every bundled topic, tried on past days.

``python -m bench.past_days [--days N] [--papers N]``

A store gets made-up papers for each day; then the command runs in a process of its own.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path

from bench import ROOT
from bench.workload import FROZEN, morning
from newsletter.config import curated_topics
from newsletter.model import IdentifiedItem, Identity, SourceHealth
from newsletter.stores import open_store

LAST = date(2026, 8, 14)


def fill(store: str, days: int, papers: int) -> None:
    """Make a store in which each of the days has its own papers."""
    made = [paper.item for paper in morning(days * papers, 0).issue.papers]
    opened = open_store(store)
    for back in range(days):
        keys = range(back * papers, (back + 1) * papers)
        entries = [IdentifiedItem(made[key], _identity(key)) for key in keys]
        at: datetime = FROZEN - timedelta(days=back)
        opened.ingest(LAST - timedelta(days=back), SourceHealth("made", "ok"), entries, now=at)
    opened.close()


def _identity(number: int) -> Identity:
    key = f"arxiv:2608.{number:05d}"
    return Identity(key, frozenset({key}))


def configure(folder: Path) -> str:
    """Write a newsletter with every bundled topic; returns its store's address."""
    listed = "\n".join(f"- {topic.name}" for topic in curated_topics())
    text = f"name: N\nsender: N <n@example.org>\ntopics:\n{listed}\n"
    (folder / "newsletter.yaml").write_text(text)
    (folder / "subscribers.yaml").write_text("subscribers: []\n")
    return f"sqlite:///{folder / 'newsletter.db'}"


def seconds(folder: Path, days: int) -> float:
    """How much processor time the command takes; it waits for nothing."""
    command = [sys.executable, "-m", "newsletter", "topics", "test", "--date", f"{LAST}"]
    before = _used()
    subprocess.run(  # noqa: S603 - our own command
        [*command, "--days", f"{days}"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return _used() - before


def _used() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and print the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=14)
    parser.add_argument("--papers", type=int, default=400, help="papers of each day")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fill(configure(folder), asked.days, asked.papers)
        took = seconds(folder, asked.days)
    topics = len(curated_topics())
    print(f"{topics} topics, {asked.days} days of {asked.papers} papers: {took:.1f} s (target 5 s)")


if __name__ == "__main__":
    main()
