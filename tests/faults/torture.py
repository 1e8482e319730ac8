"""Strikes a sender again and again and counts lost, repeated and doubtful letters.

``python -m tests.faults.torture [--axis NAME ...] [--kills N] [--letters N] [--connections N]
[--store sqlite|postgres] [--seed N] [--only NAME] [--minutes N] [--json FILE]``

A recorder serves as SMTP server and records each message before it replies. The sender is struck
at a message and a phase drawn from the seed: at MAIL, at DATA, between the final dot and its reply,
or after the reply. Then the same command runs again, until the issue is done. The axes:

- ``kill``, ``term``: SIGKILL, SIGTERM;
- ``stop``: SIGSTOP, and SIGCONT a moment later;
- ``lease``: SIGSTOP until its leases are over and another sender has its letters, then SIGCONT;
- ``locked``: another process holds the database, for less time than the sender waits, or more;
- ``cut``: every connection to the database ends, or its server does (SQLite: a short lock);
- ``full``: no file can be written any more (SQLite);
- ``clock``: the clock goes back or forward, by 90 seconds to three days;
- ``faults``: the server drops the connection, defers, or falls silent.

Under ``kill`` and ``term`` two baseline programs are tortured too, for comparison.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from tests.faults.axes import AXES
from tests.faults.contenders import CONTENDERS
from tests.faults.torture_run import Outcome, Plan, run_torture

FOR_BASELINES = frozenset({"kill", "term"})
"""The axes that work for the baseline programs too."""

SECONDS_PER_STRIKE, SECONDS_PER_LETTER = 1.5, 1 / 150
"""Seconds per strike and per letter on a small machine."""

FIGURES = (
    "kills",
    "received",
    "lost",
    "duplicates_explained",
    "duplicates_unexplained",
    "wrong_content",
    "unmarked",
    "named",
    "held",
    "held_unnamed",
    "doubts",
    "doubts_at_once",
    "doubts_arrived",
    "most_copies",
    "seconds",
)


def plans(arguments: argparse.Namespace) -> Iterator[Plan]:
    """Yield a plan for each requested axis and contender."""
    for axis in AXES if arguments.axis == ["all"] else arguments.axis:
        for name in CONTENDERS if axis in FOR_BASELINES else ["newsletter"]:
            if arguments.only in {None, name} and not (
                axis == "full" and arguments.store == "postgres"
            ):
                yield Plan(
                    arguments.kills,
                    arguments.letters,
                    arguments.connections,
                    axis=axis,
                    seed=arguments.seed,
                    contender=name,
                    store=arguments.store,
                    minutes=arguments.minutes,
                )


def table(outcomes: list[Outcome]) -> Iterator[str]:
    """Yield the lines of the table, a column for each outcome."""
    rows: list[tuple[str, Callable[[Outcome], str]]] = [
        ("axis", lambda one: one.plan.axis),
        ("", lambda one: one.plan.contender),
        *(
            (name.replace("_", " "), lambda one, name=name: str(getattr(one, name)))
            for name in FIGURES
        ),
        ("laws broken", lambda one: str(len(one.broken))),
        ("precision of doubt", lambda one: _share(one.precision)),
        ("to the next dot, median s", lambda one: _seconds(one.recoveries, statistics.median)),
        ("to the next dot, slowest s", lambda one: _seconds(one.recoveries, max)),
    ]
    for title, of in rows:
        yield f"{title:27}" + "".join(f"{of(one):>12}" for one in outcomes)


def _share(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"


def _seconds(measured: list[float], of: Callable[[list[float]], float]) -> str:
    return f"{of(measured):.2f}" if measured else ""


def print_progress(outcome: Outcome) -> None:
    """Print the intermediate figures, so that an interrupted torture has shown something."""
    plan = outcome.plan
    print(
        f"{plan.contender}, {plan.axis} {outcome.kills} of {plan.kills}: {outcome.received} of "
        f"{plan.letters} received, {outcome.doubts} doubts ({outcome.doubts_at_once} at once, "
        f"{outcome.doubts_arrived} arrived), {outcome.unmarked} unmarked, "
        f"{len(outcome.broken)} laws broken, {_seconds(outcome.recoveries, max) or 0} s to a dot "
        f"at most, {outcome.seconds:.0f} s",
        file=sys.stderr,
    )


def document(outcome: Outcome) -> dict[str, object]:
    """An outcome as a JSON object."""
    return {**asdict(outcome), "precision": outcome.precision}


def main() -> None:
    """Print an estimate of the time, run the tortures, print their figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--axis", nargs="+", choices=[*AXES, "all"], default=["kill"])
    parser.add_argument("--kills", type=int, default=50, help="how often to strike")
    parser.add_argument("--minutes", type=float, help="stop striking after this time")
    parser.add_argument("--letters", type=int, default=2000)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--store", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=list(CONTENDERS), help="only this contender")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    planned = list(plans(arguments := parser.parse_args()))
    seconds = sum(
        plan.kills * SECONDS_PER_STRIKE + plan.letters * SECONDS_PER_LETTER for plan in planned
    )
    print(f"this takes about {seconds / 60:.0f} minutes", file=sys.stderr)
    outcomes = [run_torture(plan, print_progress) for plan in planned]
    print("\n".join(table(outcomes)))
    for law in (law for outcome in outcomes for law in outcome.broken):
        print(law)
    if arguments.json is not None:
        figures = [document(outcome) for outcome in outcomes]
        arguments.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
