"""How fast personal letters are sent, ledger included, against one constant message.

``python -m bench.send [--letters N] [--connections N] [--rounds N] [--only NAME] [--json FILE]``

Contenders take turns within each round, each in its own process, with the same server: a small one
of ours compiled from ``bench/sink.c``, and Postfix' ``smtp-sink`` if it is installed. Ours sends on
asyncio's event loop, and on uvloop's if that is installed. The server must count as many letters as
the ledger; before the rounds, some decoded letters are compared with what the naive renderer makes.
The figures are medians of the rounds, and each limit with its measured figure.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.checking import check
from bench.sending import ASYNCIO, OBVIOUS, UVLOOP
from bench.servers import postfix, servers
from bench.turns import SOURCE, Turn, freeze, ours, turn

FEW = 60
"""Letters that the obvious way sends in a round; it is too slow for more."""

CPU_BARS = {ASYNCIO: 90.0, UVLOOP: 50.0}
"""The limit for the CPU time of a letter on each event loop, in microseconds."""


@dataclass(frozen=True, slots=True)
class Row:
    """The medians of one contender with one server."""

    server: str
    contender: str
    rate: float
    cpu_us: float
    peak_mb: float


@dataclass(frozen=True, slots=True)
class Bar:
    """A figure and its limit: a minimum, or a maximum for CPU time."""

    name: str
    contender: str
    measured: float
    to_reach: float
    at_most: bool = False

    @property
    def reached(self) -> bool:
        """Whether the figure is within its limit."""
        if self.at_most:
            return self.measured <= self.to_reach
        return self.measured >= self.to_reach


def measure(wanted: argparse.Namespace) -> list[Row]:
    """Run the rounds; return a row per server and contender."""
    contenders = [*ours(), OBVIOUS, *([SOURCE] if postfix(SOURCE) else [])]
    contenders = [one for one in contenders if wanted.only in {None, one}]
    turns: dict[tuple[str, str], list[Turn]] = {}
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        freeze(folder, wanted.letters)
        for _ in range(wanted.rounds):
            for server, opened in servers().items():
                for contender in contenders:
                    letters = FEW if contender == OBVIOUS else wanted.letters
                    with opened(folder) as (port, taken):
                        done = turn(contender, folder, port, wanted.connections, letters)
                    assert taken in ([], [done.letters]), "the server counted others"
                    turns.setdefault((server, contender), []).append(done)
    return [_row(server, contender, done) for (server, contender), done in turns.items()]


def _row(server: str, contender: str, done: Sequence[Turn]) -> Row:
    return Row(
        server,
        contender,
        statistics.median(one.rate for one in done),
        statistics.median(one.cpu_us for one in done),
        max(one.peak_mb for one in done),
    )


def bars(rows: Sequence[Row]) -> Iterator[Bar]:
    """The limits with the measured figures for our contenders."""
    found = {(row.server, row.contender): row for row in rows}
    for contender in (ASYNCIO, UVLOOP):
        if mine := found.get(("sink", contender)):
            yield from _ratio("sink", mine, found, SOURCE, 0.85)
            yield from _ratio("sink", mine, found, OBVIOUS, 150)
            most = CPU_BARS[contender]
            yield Bar("CPU a letter, µs", contender, mine.cpu_us, most, at_most=True)
        if mine := found.get(("smtp-sink", contender)):
            yield from _ratio("smtp-sink", mine, found, SOURCE, 0.95)


def _ratio(
    server: str, mine: Row, found: Mapping[tuple[str, str], Row], other: str, to_reach: float
) -> Iterator[Bar]:
    if (theirs := found.get((server, other))) is not None:
        name = f"÷ {other}, into {server}"
        yield Bar(name, mine.contender, mine.rate / theirs.rate, to_reach)


def table(rows: Sequence[Row]) -> str:
    """The lines of the table and of the limits."""
    lines = [f"{'server':10} {'contender':18} {'letters/s':>10} {'CPU µs':>8} {'MB':>5}"]
    for row in rows:
        figures = f"{row.rate:10.0f} {row.cpu_us:8.0f} {row.peak_mb:5.0f}"
        lines.append(f"{row.server:10} {row.contender:18} {figures}")
    lines += ["", f"{'bar':30} {'contender':18} {'measured':>9} {'to reach':>9}"]
    for bar in bars(rows):
        goal = f"{'≤' if bar.at_most else '≥'} {bar.to_reach:g}"
        said = "" if bar.reached else "  not reached"
        lines.append(f"{bar.name:30} {bar.contender:18} {bar.measured:9.2f} {goal:>9}{said}")
    return "\n".join(lines)


def main() -> None:
    """Measure and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--letters", type=int, default=5000)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", help="one contender alone")
    parser.add_argument("--json", type=Path)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        same = check(Path(folder))
    sys.stdout.write(f"{same} letters are, decoded, what the naive renderer makes\n\n")
    rows = measure(wanted)
    sys.stdout.write(table(rows) + "\n")
    if wanted.json:
        document = {
            "letters_as_the_naive_renderer_makes_them": same,
            "rows": [asdict(row) for row in rows],
            "bars": [asdict(bar) | {"reached": bar.reached} for bar in bars(rows)],
        }
        wanted.json.write_text(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
