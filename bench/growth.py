"""Whether a letter costs more if there are more readers.

``python -m bench.growth [--readers 5000,20000,80000] [--connections N] [--rounds N]
[--json FILE]``

For each number of readers an issue is frozen in its own store. Then the numbers take turns: a new
process sends the whole issue to our own server, ledger included, on uvloop's event loop if that is
installed. The figures are CPU time per letter, medians of the rounds.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.servers import sink
from bench.turns import Turn, freeze, ours, turn

BAR = 1.1
"""The limit for the cost of a letter with the most readers, relative to the fewest."""


@dataclass(frozen=True, slots=True)
class Row:
    """The cost of a letter with this many readers, and relative to the fewest readers."""

    readers: int
    rate: float
    cpu_us: float
    peak_mb: float
    growth: float


def measure(readers: Sequence[int], connections: int, rounds: int) -> list[Row]:
    """Run the rounds; return a row per number of readers."""
    turns: dict[int, list[Turn]] = {number: [] for number in readers}
    contender = ours()[-1]
    with tempfile.TemporaryDirectory() as made:
        folders = {number: Path(made) / str(number) for number in readers}
        for number, folder in folders.items():
            folder.mkdir()
            freeze(folder, number)
        for _ in range(rounds):
            for number, folder in folders.items():
                with sink(Path(made)) as (port, taken):
                    done = turn(contender, folder, port, connections, number)
                assert taken == [done.letters], "the server counted others"
                turns[number].append(done)
    return _rows(turns)


def _rows(turns: dict[int, list[Turn]]) -> list[Row]:
    cpu = {number: statistics.median(one.cpu_us for one in turns[number]) for number in turns}
    return [
        Row(
            readers=number,
            rate=statistics.median(one.rate for one in done),
            cpu_us=cpu[number],
            peak_mb=max(one.peak_mb for one in done),
            growth=cpu[number] / cpu[min(turns)],
        )
        for number, done in turns.items()
    ]


def table(rows: Sequence[Row]) -> str:
    """The lines of the table."""
    lines = [f"{'readers':>8} {'letters/s':>10} {'CPU µs':>8} {'growth':>7} {'MB':>5}"]
    for row in rows:
        figures = f"{row.rate:10.0f} {row.cpu_us:8.0f} {row.growth:7.2f} {row.peak_mb:5.0f}"
        lines.append(f"{row.readers:8} {figures}")
    most = max(rows, key=lambda row: row.readers)
    said = "reached" if most.growth <= BAR else "not reached"
    return "\n".join([*lines, f"{most.growth:.2f} at {most.readers}, to reach ≤ {BAR}: {said}"])


def main() -> None:
    """Measure and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readers", default="5000,20000,80000")
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    wanted = parser.parse_args()
    readers = [int(number) for number in wanted.readers.split(",")]
    rows = measure(readers, wanted.connections, wanted.rounds)
    sys.stdout.write(table(rows) + "\n")
    if wanted.json:
        wanted.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))


if __name__ == "__main__":
    main()
