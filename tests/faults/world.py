"""Runs newsletters through a simulated month and counts papers that were lost or repeated.

``python -m tests.faults.world [--seeds N] [--first N] [--days N] [--feeds N] [--json FILE]``

A server on loopback plays arXiv, Hugging Face and feeds, with the habits and the troubles of real
ones (``world_papers.py``, ``world_feeds.py``). A newsletter in Shanghai, Zurich or Los Angeles,
kept by ``run`` or by cron, lives through the days; it crashes at times and is off for some days.
Then each paper that was listed must have reached each reader who wants it, once, or its source and
date must be named as a gap. The seed decides everything; a seed that fails prints its story.
"""

import argparse
import json
import logging
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from tests.faults.world_life import Plan
from tests.faults.world_run import Outcome, run_world

FIGURES = (
    "papers",
    "wanted",
    "delivered",
    "named",
    "lost",
    "repeated",
    "broken",
    "gaps",
    "crashes",
    "days_off",
    "requests",
    "letters",
)


def table(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Yield the figures of the months by their way of running, and of all."""
    modes = {mode: [o for o in outcomes if o.plan.mode == mode] for mode in ("run", "cron")}
    columns = {**modes, "all": list(outcomes)}
    yield f"{'':16}" + "".join(f"{name:>10}" for name in columns)
    yield f"{'months':16}" + "".join(f"{len(of):>10}" for of in columns.values())
    for figure in FIGURES:
        sums = (sum(getattr(one, figure) for one in of) for of in columns.values())
        yield f"{figure.replace('_', ' '):16}" + "".join(f"{number:>10,}" for number in sums)


def main() -> None:
    """Run the months one after another, print the figures of each and of all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3, help="how many months")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--days", type=int, default=31, help="4 or more")
    parser.add_argument("--feeds", type=int, default=40)
    parser.add_argument("--json", type=Path, help="a file for the figures")
    arguments = parser.parse_args()
    logging.disable(logging.ERROR)  # thousands of warnings of sources that fail
    outcomes = []
    for seed in range(arguments.first, arguments.first + arguments.seeds):
        outcome = run_world(Plan(seed, arguments.days, arguments.feeds))
        outcomes.append(outcome)
        figures = ", ".join(f"{getattr(outcome, name)} {name}" for name in FIGURES)
        plan = outcome.plan
        print(f"seed {seed}, {plan.mode} in {plan.zone}: {figures}, {outcome.seconds:.0f} s")
        print(outcome.story, end="", flush=True)
        if arguments.json is not None:
            written = json.dumps([asdict(one) for one in outcomes], indent=1)
            arguments.json.write_text(written, encoding="utf-8")
    print("\n".join(table(outcomes)))
    sys.exit(any(one.lost or one.repeated or one.broken for one in outcomes))


if __name__ == "__main__":
    main()
