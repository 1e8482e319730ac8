"""The cost of planning an issue for a reader, as a store grows older.

``python -m bench.planning [--readers N] [--issues 1,10,100] [--papers N] [--json FILE]``

Every day new papers are read, and those of the last two days again, with more upvotes; the issue is
composed, matched, rendered and frozen into SQLite, and a server accepts every letter. The figures
are CPU time of the freeze for each reader and the papers that the issue has, each the median of
three issues: the numbered one and those beside it. They are compared with the CPU time in which
``smtp-source -d`` sends a letter of 48 KB, measured in the same run.
"""

import argparse
import contextlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from bench.pages import fill
from bench.servers import sink
from bench.storage import deliver, joined, publisher_for
from bench.turns import KEPT, turn
from bench.workload import FROZEN, Morning, morning
from newsletter.model import Item
from newsletter.publisher.publishing import freeze
from newsletter.stores import open_store
from newsletter.stores.sql import SqlStore
from tests.support.clocks import ManualClock

READ_AGAIN = 2
"""On how many days after its own the list of a day is read again."""

BARS = {1: 1.0, 10: 1.4, 100: 1.5}
"""What an issue may cost, relative to the first."""

COST_BAR = 7
"""What planning a reader of the first issue may cost, in letters of ``smtp-source -d``."""


@dataclass(frozen=True, slots=True)
class Planned:
    """An issue's number; CPU microseconds a reader; its papers, and those that are rendered."""

    issue: int
    cpu_us: float
    papers: int
    rendered: int


def planned(store: SqlStore, made: Morning, issues: int) -> Iterator[Planned]:
    """Plan and send an issue on each of so many days."""
    clock = ManualClock(FROZEN)
    publisher = publisher_for(store, made, clock)
    readers = joined(store, made)
    for number in range(issues):
        at = clock.time = FROZEN + timedelta(days=number)
        for back in range(min(number, READ_AGAIN), -1, -1):
            read_list(store, len(made.issue.papers), at, at - timedelta(days=back))
        before = time.process_time()
        assert freeze(publisher, at.date(), readers, ())
        seconds = time.process_time() - before
        (wave,) = store.waves(at.date())
        papers = len(wave.issue.papers)
        deliver(store, at)
        rendered = papers - len(wave.issue.short)
        yield Planned(number + 1, 1e6 * seconds / len(readers), papers, rendered)


def read_list(store: SqlStore, count: int, now: datetime, listed: datetime) -> None:
    """Read the list of a day: one paper in five has upvotes, half as many more each day."""
    papers = morning(count, 0, seed=listed.toordinal()).issue.papers
    age = (now - listed).days
    fill(store, [_seen(p.item, place, listed, age) for place, p in enumerate(papers)], listed, now)


def _seen(item: Item, place: int, listed: datetime, age: int) -> Item:
    upvotes = None if place % 5 else int((item.upvotes or 0) * (1 + age / 2))
    ids = (f"https://arxiv.org/abs/{listed:%y%m}.{listed.day:02}{place:03}",)
    return replace(item, ids=ids, upvotes=upvotes)


def source_cost(folder: Path, letters: int = 8000) -> float:
    """CPU microseconds in which ``smtp-source -d`` sends a letter; 0 if it is not installed."""
    with contextlib.suppress(FileNotFoundError), sink(folder) as (port, _):
        return turn(KEPT, folder, port, 8, letters).cpu_us
    return 0.0


def summary(rows: Sequence[Planned], wanted: Sequence[int]) -> list[Planned]:
    """The wanted issues, each as the median of itself and the issues beside it."""
    found = []
    for number in wanted:
        beside = [row for row in rows if abs(row.issue - number) <= 1] if number > 1 else rows[:1]
        at = rows[number - 1]
        found.append(replace(at, cpu_us=statistics.median(row.cpu_us for row in beside)))
    return found


def table(rows: Sequence[Planned], source: float) -> Iterator[str]:
    """The lines of the table."""
    yield f"{'issue':>5} {'CPU µs a reader':>16} {'÷ first':>8} {'papers':>7} {'rendered':>9}"
    for row in rows:
        ratio, bar = row.cpu_us / rows[0].cpu_us, BARS.get(row.issue, "")
        yield (
            f"{row.issue:5} {row.cpu_us:16.0f} {ratio:8.2f} {row.papers:7} {row.rendered:9}"
            f"{f'   to reach ≤ {bar}' if bar else ''}"
        )
    if source:
        cost = rows[0].cpu_us / source
        yield f"{KEPT}: {source:.0f} µs a letter; first ÷ it {cost:.1f}, to reach ≤ {COST_BAR}"


def main() -> None:
    """Measure and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readers", type=int, default=5000)
    parser.add_argument("--papers", type=int, default=200)
    parser.add_argument("--issues", default="1,10")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    wanted = [int(number) for number in asked.issues.split(",")]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        with contextlib.closing(open_store(f"sqlite:///{folder}/newsletter.db")) as store:
            assert isinstance(store, SqlStore)
            days = planned(store, morning(asked.papers, asked.readers), max(wanted) + 1)
            rows = summary(list(days), wanted)
        source = source_cost(folder)
    sys.stdout.write("\n".join(table(rows, source)) + "\n")
    if asked.json:
        figures = {"issues": [asdict(row) for row in rows], "source_us": source}
        asked.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
