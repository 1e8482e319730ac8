"""How fast letters pass through relays with limits, and how often they are refused.

``python -m bench.relays [--letters 60,5000] [--only WORDS] [--json FILE]``

Each kind of relay is a real SMTP server in this process that keeps one kind of limit with the words
of a server that has it. The time is simulated: whenever nothing is left but waiting, the clock
jumps to the next timer, so that hours of limits pass in seconds and work itself takes no time. A
letter takes the server 50 ms. Everything from the ledger to the socket is the product's own.

*least* is the time that the limit allows at the best, *worst* the most refusals in one second.
"""

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.support.limited_relays import KINDS, pass_through

BAR = 1.3
"""The limit for the time relative to the least that the relay allows."""


@dataclass(frozen=True, slots=True)
class Row:
    """How an issue of so many letters went through one kind of relay."""

    kind: str
    letters: int
    accepted: int
    refused: int
    worst: int
    seconds: float
    least: float
    ratio: float


def measure(kind: str, letters: int) -> Row:
    """Send an issue of so many letters through this kind of relay."""
    passage = pass_through(kind, letters)
    relay = passage.relay
    return Row(
        kind,
        letters,
        passage.counts.accepted,
        len(relay.refusals),
        relay.worst_second,
        passage.seconds,
        passage.least,
        passage.ratio,
    )


def line(row: Row) -> str:
    """A line of the table."""
    said = "" if row.accepted == row.letters and row.ratio <= BAR else "  not reached"
    figures = f"{row.accepted:8} {row.refused:7} {row.worst:5} {row.seconds:9.1f} {row.least:9.1f}"
    return f"{row.kind:38} {row.letters:7} {figures} {row.ratio:6.2f}{said}"


def main() -> None:
    """Measure and print the figures, a line as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--letters", default="60,5000")
    parser.add_argument("--only", default="", help="kinds with these words in their name")
    parser.add_argument("--json", type=Path)
    wanted = parser.parse_args()
    heads = f"{'accepted':>8} {'refused':>7} {'worst':>5} {'seconds':>9} {'least':>9} {'ratio':>6}"
    sys.stdout.write(f"{'relay':38} {'letters':>7} {heads}\n")
    rows = []
    for kind in (kind for kind in KINDS if wanted.only in kind):
        for letters in map(int, wanted.letters.split(",")):
            rows.append(measure(kind, letters))
            sys.stdout.write(line(rows[-1]) + "\n")
            sys.stdout.flush()
    if wanted.json:
        wanted.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))


if __name__ == "__main__":
    main()
