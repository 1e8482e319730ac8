"""How long `newsletter audit` takes: one query per invariant, over a whole issue.

``python -m bench.audit [--readers N] [--before N] [--rounds N] [--json FILE]``

Every reader has an issue of this day and of each day before, all about the same papers, and gets no
paper twice: the worst case for I7 (no paper twice). Every invariant must hold. The figures are
medians, on SQLite and, if it is installed, on PostgreSQL.
"""

import argparse
import json
import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path

from bench.ledger import deliver, freeze, of, plans_of
from bench.workload import DAY, FROZEN, Morning, morning
from newsletter.model import Edition, Section
from newsletter.stores import open_store
from newsletter.stores.sql import SqlStore
from newsletter.stores.sql.audit import INVARIANTS, lines
from tests.faults.databases import databases

GROUP = 1000


def share(edition: Edition, part: int, parts: int) -> Edition:
    """Part ``n`` of an edition's papers as an edition; the others count as left out."""
    mine = edition.papers[part::parts]
    rest = len(edition.papers) - len(mine)
    sections = (Section("Other", mine, because=("every paper",) * len(mine)),) if mine else ()
    return replace(edition, sections=sections, more=(), short=(), left_out=edition.left_out + rest)


def fill(store: SqlStore, made: Morning, before: int) -> int:
    """Deliver the issue and the earlier ones to every reader; return how many got the issue."""
    store.sync_subscribers([reader.subscriber for reader in made.readers], now=FROZEN)
    ids = {reader.subscriber.email: reader for reader in store.readers()}
    plans = plans_of(made)
    for back in range(before, -1, -1):
        shares = [replace(p, edition=share(p.edition, back, before + 1)) for p in plans]
        theirs = [of(plan, ids[plan.edition.to.email]) for plan in shares]
        wave = freeze(store, made, theirs, back=back)
        open_letters = store.counts(wave.issue.day).open
        deliver(store, wave, GROUP, open_letters)
        store.close_issue(wave.issue.day)
    return open_letters


def measure(url: str, made: Morning, before: int, rounds: int) -> dict[str, float]:
    """Milliseconds of the audit, and of each of its queries."""
    store = open_store(url)
    assert isinstance(store, SqlStore)
    letters = fill(store, made, before)
    whole = []
    for _ in range(rounds):
        began = time.perf_counter()
        found = store.audit(DAY)
        whole.append((time.perf_counter() - began) * 1000)
        assert found.ok, [proof for proof in found.proofs if not proof.ok]
    figures = {"letters": float(letters), "audit": statistics.median(whole)}
    with store._database.reading() as connection:  # noqa: SLF001 - each query by itself
        for name, (_, find) in INVARIANTS.items():
            began = time.perf_counter()
            lines(connection, find(connection, before + 1))
            figures[name] = (time.perf_counter() - began) * 1000
    store.close()
    return figures


def main() -> None:
    """Measure and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readers", type=int, default=10_000)
    parser.add_argument("--before", type=int, default=5, help="issues of the days before")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    wanted = parser.parse_args()
    made = morning(200, wanted.readers)
    with databases() as urls:
        figures = {
            name: measure(url, made, wanted.before, wanted.rounds) for name, url in urls.items()
        }
    for name, found in figures.items():
        told = "  ".join(f"{query} {ms:.0f}" for query, ms in found.items() if query[0] == "I")
        audit = f"{found['letters']:.0f} letters, audit {found['audit']:.0f} ms"
        sys.stdout.write(f"{name:12} {audit} ({told})\n")
    if wanted.json:
        wanted.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
