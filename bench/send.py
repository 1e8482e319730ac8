"""How fast personal letters are sent, with ledger and send journal, against one constant message.

``python -m bench.send [--letters N] [--connections N] [--rounds N] [--only NAME] [--json FILE]``

Contenders take turns within each round, each in its own process, with the same server: a small one
of ours compiled from ``bench/sink.c``, and Postfix' ``smtp-sink`` if it is installed. Ours sends on
asyncio's event loop, and on uvloop's if that is installed. ``smtp-source`` sends over connections
that it keeps (``-d``), which is the yardstick, and with a connection for every message, as it does
by default. The server must count as many letters as the ledger; before the rounds, some decoded
letters are compared with what the naive renderer makes. Ratios are taken within a round; the
figures are medians of the rounds, with the lowest and the highest, and each limit with its measured
figure. The CPU time of a process's start and imports stands apart.
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
from bench.turns import KEPT, SOURCE, Turn, freeze, ours, turn

FEW = 60
"""Letters that the obvious way sends in a round; it is too slow for more."""


@dataclass(frozen=True, slots=True)
class Row:
    """The medians of one contender with one server; ``spread`` is of its rate, in percent."""

    server: str
    contender: str
    rate: float
    spread: float
    cpu_us: float
    start_ms: float
    peak_mb: float


@dataclass(frozen=True, slots=True)
class Bar:
    """A ratio, its lowest and highest of the rounds, and its limits."""

    name: str
    contender: str
    measured: float
    lowest: float
    highest: float
    limit: float
    to_reach: float

    @property
    def at_most(self) -> bool:
        """Whether less is better."""
        return self.limit > self.to_reach

    @property
    def met(self) -> bool:
        """Whether the figure is within its limit."""
        return self.measured <= self.limit if self.at_most else self.measured >= self.limit


Turns = Mapping[tuple[str, str], Sequence[Turn]]
"""By server and contender, a turn for each round."""


def measure(wanted: argparse.Namespace) -> Turns:
    """Run the rounds."""
    contenders = [*ours(), OBVIOUS, *([KEPT, SOURCE] if postfix(SOURCE) else [])]
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
    return turns


def _row(server: str, contender: str, done: Sequence[Turn]) -> Row:
    rates = [one.rate for one in done]
    middle = statistics.median(rates)
    return Row(
        server,
        contender,
        middle,
        100 * (max(rates) - min(rates)) / middle,
        statistics.median(one.cpu_us for one in done),
        1000 * statistics.median(one.start for one in done),
        max(one.peak_mb for one in done),
    )


RATIOS = (
    ("CPU a letter ÷ smtp-source -d", "sink", KEPT, "cpu_us", 6, 3),
    ("letters/s ÷ smtp-source -d", "sink", KEPT, "rate", 0.22, 0.5),
    ("same, into smtp-sink ÷ smtp-source", "smtp-sink", SOURCE, "rate", 0.95, 1.2),
    ("letters/s ÷ the obvious way", "sink", OBVIOUS, "rate", 25, 150),
)
"""The ratios with limits: name, server, the other contender, a figure of a turn, two limits."""


def bars(turns: Turns) -> Iterator[Bar]:
    """The limits with the measured figures for our contenders."""
    for contender in (ASYNCIO, UVLOOP):
        for name, server, other, figure, limit, to_reach in RATIOS:
            pairs = zip(
                turns.get((server, contender), ()), turns.get((server, other), ()), strict=False
            )
            found = [getattr(mine, figure) / getattr(theirs, figure) for mine, theirs in pairs]
            if found:
                middle = statistics.median(found)
                yield Bar(name, contender, middle, min(found), max(found), limit, to_reach)


def table(rows: Sequence[Row], limits: Sequence[Bar]) -> str:
    """The lines of the table and of the limits."""
    names = f"{'letters/s':>10} {'spread':>7} {'CPU µs':>8} {'start ms':>9} {'MB':>5}"
    lines = [f"{'server':10} {'contender':18} {names}"]
    for row in rows:
        figures = f"{row.rate:10.0f} {row.spread:6.0f}% {row.cpu_us:8.0f} {row.start_ms:9.0f}"
        lines.append(f"{row.server:10} {row.contender:18} {figures} {row.peak_mb:5.0f}")
    names = f"{'measured':>9} {'of the rounds':>15} {'must':>6} {'reach':>6}"
    lines += ["", f"{'ratio':36} {'contender':18} {names}"]
    for bar in limits:
        sign, spread = "≤" if bar.at_most else "≥", f"{bar.lowest:.2f} to {bar.highest:.2f}"
        goals = f"{sign}{bar.limit:>5g} {bar.to_reach:6g}{'' if bar.met else '  not met'}"
        lines.append(f"{bar.name:36} {bar.contender:18} {bar.measured:9.2f} {spread:>15} {goals}")
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
    turns = measure(wanted)
    rows = [_row(server, contender, done) for (server, contender), done in turns.items()]
    limits = list(bars(turns))
    sys.stdout.write(table(rows, limits) + "\n")
    if wanted.json:
        document = {
            "letters_as_the_naive_renderer_makes_them": same,
            "rows": [asdict(row) for row in rows],
            "bars": [asdict(bar) | {"met": bar.met} for bar in limits],
        }
        wanted.json.write_text(json.dumps(document, indent=1))


if __name__ == "__main__":
    main()
