"""How large a store becomes, where its bytes are, and the memory of ``newsletter why --all``.

``python -m bench.storage [--readers N] [--issues N] [--papers N] [--keep DAYS] [--postgres]
[--json FILE]``

Every day new papers are read, the issue is frozen for every reader, and a server accepts every
letter; then what is older than ``--keep`` days is pruned. At the end every issue is audited, and
the command explains the last one, as text and with ``--json``. The store is SQLite, or PostgreSQL.
"""

import argparse
import contextlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from bench import ROOT
from bench.ledger import TAKEN
from bench.pages import SECRET, SENDER, fill
from bench.resident import resident
from bench.workload import FROZEN, Morning, morning
from newsletter.letter.links import Keyring, keyed_hash
from newsletter.model import Claim, Envelope, Letter, Publication, Reader, Settlement, WireLines
from newsletter.papers.filters import parse_rule
from newsletter.papers.matching import RulesMatcher
from newsletter.ports import Clock
from newsletter.publisher.pruning import find_prunable, prune
from newsletter.publisher.publisher import Publisher
from newsletter.publisher.publishing import freeze
from newsletter.stores import open_store
from newsletter.stores.sql import SqlStore
from newsletter.templates import load_templates
from tests.faults.databases import database
from tests.support.clocks import ManualClock

BAR_STORE, BAR_WHY = 150, 200
"""The limits in megabytes: of the store after 60 issues of 5,000 readers, pruned at 30 days, and of
the resident memory of ``newsletter why --all``."""

GROUP = 1000
KEYS = Keyring((SECRET,), SENDER)
PUBLICATION = Publication("Bench", "Bench", SENDER, url="https://papers.example.org")


@dataclass(frozen=True, slots=True)
class Day:
    """The store after an issue: megabytes in all and of each table, and the seconds it took."""

    issue: int
    letters: int
    total: float
    tables: Mapping[str, float]
    freezing: float
    sending: float
    pruning: float


def with_own_tastes(made: Morning) -> Morning:
    """The workload with narrow topics, and one or more topics and at most one rule for each reader.

    Then a letter names 32 of 250 papers, and the version before took 15 MB for an issue to 5,000
    readers, as was seen at a community.
    """
    topics = tuple(
        replace(each, any=(parse_rule(f'title:"{each.name}"'),)) for each in made.issue.topics
    )
    return Morning(
        replace(made.issue, topics=topics),
        tuple(_with_own_taste(each, topics[each.id % len(topics)].name) for each in made.readers),
    )


def _with_own_taste(reader: Reader, topic: str) -> Reader:
    wants = reader.subscriber.filter
    narrow = replace(wants, topics=wants.topics or (topic,), include=wants.include[:1])
    return replace(reader, subscriber=replace(reader.subscriber, filter=narrow))


def publisher_for(store: SqlStore, made: Morning, clock: Clock) -> Publisher:
    """A newsletter with this store and the workload's topics."""
    return Publisher(
        publication=PUBLICATION,
        topics=made.issue.topics,
        cadence="daily",
        max_items=60,
        when_empty="skip",
        keyring=KEYS,
        templates=load_templates,
        sources=(),
        store=store,
        matcher=RulesMatcher(),
        clock=clock,
    )


def joined(store: SqlStore, made: Morning) -> list[int]:
    """Add the workload's readers; return their ids."""
    for reader in made.readers:
        store.save_reader(reader.subscriber, status="confirmed", now=FROZEN)
    return [reader.id for reader in store.each_reader()]


def run(store: SqlStore, made: Morning, issues: int, keep: int | None) -> Iterator[Day]:
    """Send the issues, one a day; yield the store's size after each."""
    clock = ManualClock(FROZEN)
    publisher = publisher_for(store, made, clock)
    readers = joined(store, made)
    for number in range(issues):
        at = clock.time = FROZEN + timedelta(days=number)
        list_papers(store, len(made.issue.papers), at)
        times = [time.perf_counter()]
        assert freeze(publisher, at.date(), readers, ())
        times.append(time.perf_counter())
        letters = deliver(store, at)
        times.append(time.perf_counter())
        if keep is not None:
            assert prune(store, find_prunable(store, at.date(), keep))
        times.append(time.perf_counter())
        sizes = megabytes(store)
        seconds = (after - before for before, after in itertools.pairwise(times))
        yield Day(number + 1, letters, sum(sizes.values()), sizes, *seconds)


def list_papers(store: SqlStore, count: int, at: datetime) -> None:
    """Read new papers; one in five has upvotes, as if it were from Daily Papers."""
    papers = morning(count, 0, seed=at.toordinal()).issue.papers
    items = [
        replace(
            paper.item,
            ids=(f"https://arxiv.org/abs/{at:%y%m}.{at.day:02}{place:03}",),
            upvotes=None if place % 5 else paper.item.upvotes,
        )
        for place, paper in enumerate(papers)
    ]
    fill(store, items, at)


def deliver(store: SqlStore, at: datetime) -> int:
    """Let a server accept every open letter of a day's issue; return how many."""
    day, count = at.date(), 0
    while claims := store.claim(day, limit=GROUP, now=at, lease=60, token=f"{count:x}f3a9.1"):
        letters = [_letter(claim, f"{day}") for claim in claims]
        assert len(store.mark(letters, now=at, lease=720)) == len(letters), "a mark was refused"
        store.settle([Settlement(letter.claim, TAKEN) for letter in letters], now=at)
        count += len(letters)
    store.close_issue(day)
    return count


def _letter(claim: Claim, day: str) -> Letter:
    name = f"<{day}.{keyed_hash(f'{day}:{claim.reader}', KEYS)[:24]}@example.org>"
    content = (WireLines(f"{day} {claim.reader}\r\n".encode()),)
    return Letter(claim, Envelope(SENDER, claim.edition.to.email, name, content))


_SIZES = {
    "sqlite": "SELECT coalesce(m.tbl_name, s.name), sum(s.pgsize) FROM dbstat s "
    "LEFT JOIN sqlite_master m ON m.name = s.name GROUP BY 1",
    "postgresql": "SELECT relname, pg_total_relation_size(oid) FROM pg_class "
    "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace",
}


def megabytes(store: SqlStore) -> dict[str, float]:
    """The megabytes of each table with its indexes; of SQLite also those that are free."""
    with store._database.reading() as connection:  # noqa: SLF001 - a measurement
        rows = connection.execute(sa.text(_SIZES[connection.dialect.name])).all()
    free = store._database.free_space()  # noqa: SLF001 - as above
    return {name: size / 1e6 for name, size in rows} | {"(free)": free / 1e6}


def explained(folder: Path, url: str, made: Morning, day: str) -> dict[str, float]:
    """The peak of resident memory in megabytes of ``newsletter why --all``, as text and JSON."""
    configuration = {
        "name": "Bench",
        "sender": SENDER,
        "secret": SECRET,
        "store": url,
        "smtp": {"security": "none"},
        "schedule": {"days": "daily"},
        "topics": [
            {"name": topic.name, "any": [rule.text for rule in topic.any]}
            for topic in made.issue.topics
        ],
    }
    (folder / "newsletter.yaml").write_text(json.dumps(configuration), encoding="utf-8")
    (folder / "subscribers.yaml").write_text("subscribers: []\n", encoding="utf-8")
    words = ["why", "--all", "--date", day]
    return {"text": _peak(folder, words), "json": _peak(folder, [*words, "--json"])}


def _peak(folder: Path, words: list[str]) -> float:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command, peak = [sys.executable, "-m", "newsletter", *words], 0.0
    with subprocess.Popen(  # noqa: S603 - our own command
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL
    ) as process:
        while (seen := resident(process.pid)) is not None:
            peak = seen.peak
            time.sleep(0.05)  # noqa: TID251 - the bench's own pause
    assert process.returncode == 0, f"why ended with {process.returncode}"
    return peak


def line(day: Day) -> str:
    """The figures after an issue."""
    largest = sorted(day.tables.items(), key=lambda one: -one[1])
    told = ", ".join(f"{name} {size:.1f}" for name, size in largest if size >= 0.5)
    seconds = f"{day.freezing:5.1f} {day.sending:5.1f} {day.pruning:5.1f} s"
    return f"{day.issue:3} {day.letters:6} letters {day.total:7.1f} MB {seconds}  ({told})\n"


def main() -> None:
    """Measure and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readers", type=int, default=5000)
    parser.add_argument("--issues", type=int, default=60)
    parser.add_argument("--papers", type=int, default=250)
    parser.add_argument("--keep", type=int)
    parser.add_argument("--postgres", action="store_true")
    parser.add_argument("--json", type=Path)
    wanted = parser.parse_args()
    made, days = with_own_tastes(morning(wanted.papers, wanted.readers)), list[Day]()
    with tempfile.TemporaryDirectory() as place, contextlib.ExitStack() as stack:
        folder = Path(place)
        server = database("postgres" if wanted.postgres else "sqlite", folder)
        url = stack.enter_context(server).url
        with contextlib.closing(open_store(url)) as store:
            assert isinstance(store, SqlStore)
            for day in run(store, made, wanted.issues, wanted.keep):
                days.append(day)
                sys.stdout.write(line(day))
                sys.stdout.flush()
            newest, *_ = found = store.issue_days()
            assert all(store.audit(each).ok for each in found)
        peaks = explained(folder, url, made, newest.isoformat())
    sys.stdout.write(f"{days[-1].total:.0f} MB, to reach ≤ {BAR_STORE}\n")
    told = ", ".join(f"{name} {peak:.0f} MB" for name, peak in peaks.items())
    sys.stdout.write(f"why --all: {told}, to reach ≤ {BAR_WHY}\n")
    if wanted.json:
        figures = {"days": [asdict(day) for day in days], "why": peaks}
        wanted.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
