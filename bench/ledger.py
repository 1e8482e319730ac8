"""Claims, marks and settlements of the ledger per second, by the size of their groups.

``python -m bench.ledger [--letters N] [--groups 1,8,100,1000] [--json FILE]``

Each letter is claimed, marked and settled as in a run: the claims of a group in one transaction,
then the marks of a group together with the settlements of the one before. The store is SQLite,
SQLite with its send journal, and PostgreSQL if it is installed; groups and stores take turns on
issues of their own. At the end every letter must be accepted.
"""

import argparse
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from pathlib import Path

from bench.match import limits_of
from bench.workload import FROZEN, Morning, filters, histories, morning
from newsletter.issue.composing import IssueMasks
from newsletter.issue.editions import compose_edition
from newsletter.model import (
    Accepted,
    Claim,
    Envelope,
    Letter,
    PlannedEdition,
    Reader,
    Recipient,
    Settlement,
    Wave,
    WireLines,
)
from newsletter.papers import topics
from newsletter.papers.matching import RulesMatcher
from newsletter.ports import Store
from newsletter.stores import SendJournal, open_journaled_store, open_store
from tests.faults.databases import databases

LEASE = 60.0
FEW = 400
"""Letters of a round with groups of one, in which each is a synced transaction."""

TAKEN = Accepted("250 2.0.0 Ok: queued as 4XyZ1234abcd")


@dataclass(frozen=True, slots=True)
class Row:
    """Letters per second and CPU per letter in µs for one group size on one store."""

    store: str
    group: int
    claims: float
    marks_and_settles: float
    cpu_us: float


def plans_of(made: Morning) -> list[PlannedEdition]:
    """The editions of all readers who get a letter."""
    matching = topics.match_issue(made.issue, filters(made.readers), RulesMatcher())
    masks = IssueMasks(made.issue, matching)
    limits = limits_of(len(made.issue.papers))
    plans = (
        PlannedEdition(at, compose_edition(masks, at, limits)) for at in histories(made.readers)
    )
    return [plan for plan in plans if plan.edition.papers]


def letters_of(claims: Sequence[Claim]) -> list[Letter]:
    """A letter for each of these claims."""
    return [
        Letter(
            claim,
            Envelope(
                "papers@example.org",
                claim.edition.to.email,
                f"<{claim.wave}.{claim.reader}@example.org>",
                (WireLines(b"A letter.\r\n"), WireLines(f"{claim.reader}\r\n".encode())),
            ),
        )
        for claim in claims
    ]


def freeze(store: Store, made: Morning, plans: Sequence[PlannedEdition], *, back: int = 0) -> Wave:
    """Freeze these plans as the issue of this many days before."""
    at = FROZEN - timedelta(days=back)
    issue = replace(made.issue, day=made.issue.day - timedelta(days=back), frozen_at=at)
    return store.freeze(Wave(0, issue, at, b"pieces"), plans)


def deliver(store: Store, wave: Wave, group: int, letters: int) -> tuple[float, float]:
    """Deliver a wave in groups; return the seconds of the claims and of everything after them."""
    day, now, began = wave.issue.day, wave.issue.frozen_at, time.perf_counter()
    claims: list[Claim] = []
    while len(claims) < letters:
        token = f"run.{len(claims)}"
        some = min(group, letters - len(claims))
        claims += store.claim(day, limit=some, now=now, lease=LEASE, token=token)
    claimed = time.perf_counter()
    before: list[Settlement] = []
    for first in range(0, letters, group):
        batch = letters_of(claims[first : first + group])
        granted = store.mark(batch, now=now, lease=LEASE, settled=before)
        assert len(granted) == len(batch), "a mark was refused"
        before = [Settlement(letter.claim, TAKEN) for letter in batch]
    store.settle(before, now=now)
    return claimed - began, time.perf_counter() - claimed


@contextlib.contextmanager
def stores() -> Iterator[dict[str, Store]]:
    """The stores, by name."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        urls = stack.enter_context(databases())
        journal = SendJournal(folder / "journal", lambda email: (email[::-1],))
        opened = {name: open_store(url) for name, url in urls.items()}
        opened["SQLite, journal"] = open_journaled_store(
            f"sqlite:///{folder}/journaled.db", journal
        )
        for store in opened.values():
            stack.callback(store.close)
        yield opened


def measure(letters: int, groups: Sequence[int]) -> list[Row]:
    """Measure; return a row per store and group size."""
    made = morning(200, letters + letters // 10)
    plans = plans_of(made)[:letters]
    rows = []
    with stores() as opened:
        for store in opened.values():
            store.sync_subscribers([reader.subscriber for reader in made.readers], now=FROZEN)
        for back, group in enumerate(groups):
            some = min(FEW, letters) if group == 1 else letters
            for name, store in opened.items():
                ids = {r.subscriber.email: r for r in store.readers()}
                theirs = [of(plan, ids[plan.edition.to.email]) for plan in plans]
                wave = freeze(store, made, theirs[:some], back=len(groups) - back)
                cpu = time.process_time()
                claiming, sending = deliver(store, wave, group, some)
                spent = (time.process_time() - cpu) / some * 1e6
                assert store.counts(wave.issue.day).accepted == some
                rows.append(Row(name, group, some / claiming, some / sending, spent))
    return rows


def of(plan: PlannedEdition, reader: Reader) -> PlannedEdition:
    """The plan, for a reader of the store."""
    edition = replace(plan.edition, to=Recipient.of(reader))
    return PlannedEdition(replace(plan.history, reader=reader), edition)


def table(rows: Sequence[Row]) -> str:
    """The lines of the table."""
    header = f"{'store':16} {'group':>6} {'claims/s':>10} {'marked, settled/s':>18} {'CPU µs':>8}"
    lines = [
        f"{row.store:16} {row.group:6} {row.claims:10.0f} {row.marks_and_settles:18.0f} "
        f"{row.cpu_us:8.0f}"
        for row in sorted(rows, key=lambda row: (row.store, row.group))
    ]
    return "\n".join((header, *lines))


def main() -> None:
    """Measure and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--letters", type=int, default=5000)
    parser.add_argument("--groups", default="1,8,100,1000")
    parser.add_argument("--json", type=Path)
    wanted = parser.parse_args()
    rows = measure(wanted.letters, [int(group) for group in wanted.groups.split(",")])
    sys.stdout.write(table(rows) + "\n")
    if wanted.json:
        wanted.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))


if __name__ == "__main__":
    main()
