"""Strikes a sender again and again and counts what came of it, beside the usual ways.

``python -m tests.faults.torture [--axis NAME ...] [--kills N] [--letters N] [--connections N]
[--store sqlite|postgres] [--seed N] [--only NAME] [--minutes N] [--json FILE]``

A recorder at the other end writes down each message before it answers, so its record is the truth.
The sender is struck at a message and a phase drawn from the seed: at MAIL, at DATA, between the
final dot and its answer, or after the answer. Then the same command is run again, until it is
done. The axes:

- ``kill``, ``term``: SIGKILL, SIGTERM;
- ``stop``: SIGSTOP, and SIGCONT a moment later;
- ``lease``: SIGSTOP until its leases are over and another sender has its letters, then SIGCONT;
- ``locked``: another process holds the database, for less time than the sender waits, or more;
- ``cut``: every connection to the database ends, or its server does (SQLite: a short lock);
- ``full``: no file can be written any more (SQLite);
- ``clock``: the clock goes back or forward, by 90 seconds to three days;
- ``faults``: the server drops, defers, or says nothing more.

Beside ``kill`` and ``term`` stand the usual ways to remember what was sent.
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

BESIDE = frozenset({"kill", "term"})
"""The axes that the usual ways, which are plain programs, can be put to as well."""

A_KILL, A_LETTER = 1.5, 1 / 150
"""Seconds that a strike with its new start, and a letter, take on a small machine."""

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


def plans(words: argparse.Namespace) -> Iterator[Plan]:
    """What was asked for, a plan for each column."""
    for axis in AXES if words.axis == ["all"] else words.axis:
        for name in CONTENDERS if axis in BESIDE else ["newsletter"]:
            if words.only in {None, name} and not (axis == "full" and words.store == "postgres"):
                yield Plan(
                    words.kills,
                    words.letters,
                    words.connections,
                    axis=axis,
                    seed=words.seed,
                    contender=name,
                    store=words.store,
                    minutes=words.minutes,
                )


def table(outcomes: list[Outcome]) -> Iterator[str]:
    """The figures, a column for each outcome."""
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


def tell(outcome: Outcome) -> None:
    """Say how a torture stands: one that is stopped half way has said what it saw."""
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
    """An outcome as JSON."""
    return {**asdict(outcome), "precision": outcome.precision}


def main() -> None:
    """Say how long it will take, do it, print what came of it."""
    asked = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    asked.add_argument("--axis", nargs="+", choices=[*AXES, "all"], default=["kill"])
    asked.add_argument("--kills", type=int, default=50, help="how often to strike")
    asked.add_argument("--minutes", type=float, help="strike no longer than this")
    asked.add_argument("--letters", type=int, default=2000)
    asked.add_argument("--connections", type=int, default=8)
    asked.add_argument("--store", choices=["sqlite", "postgres"], default="sqlite")
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--only", choices=list(CONTENDERS), help="one contender alone")
    asked.add_argument("--json", type=Path, help="a file for the figures")
    planned = list(plans(words := asked.parse_args()))
    seconds = sum(plan.kills * A_KILL + plan.letters * A_LETTER for plan in planned)
    print(f"this takes about {seconds / 60:.0f} minutes", file=sys.stderr)
    outcomes = [run_torture(plan, tell) for plan in planned]
    print("\n".join(table(outcomes)))
    for law in (law for outcome in outcomes for law in outcome.broken):
        print(law)
    if words.json is not None:
        figures = [document(outcome) for outcome in outcomes]
        words.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
