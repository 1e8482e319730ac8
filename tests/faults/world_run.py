"""Runs a newsletter through the simulated world; compares what readers got with what was listed.

The newsletter is the real one: its sources ask a server on loopback, its store is SQLite. Only its
clock and its mail transport are the harness's.
"""

import asyncio
import contextlib
import random
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from newsletter.model import Coverage, Subscriber
from tests.faults.world_feeds import make_feed
from tests.faults.world_life import (
    CrashingStore,
    Newsletter,
    Off,
    Plan,
    draw_days_off,
    live_as_daemon,
    live_by_cron,
    make_readers,
    wants,
)
from tests.faults.world_papers import (
    DAY,
    HOUR,
    Listed,
    Papers,
    Site,
    World,
    WorldPaper,
    at_utc,
    make_arxiv,
    make_hugging_face,
)
from tests.faults.world_server import WorldClock, parsing_once, serve_world
from tests.support.databases import open_temporary_store


@dataclass
class Outcome:
    """What came of a month.

    Papers are counted once for each reader who wants them. ``gaps`` are the lists that the coverage
    record names as missing or lost at the end, ``broken`` the breaches of its invariants.
    """

    plan: Plan
    papers: int = 0
    wanted: int = 0
    delivered: int = 0
    named: int = 0
    lost: int = 0
    repeated: int = 0
    broken: int = 0
    gaps: int = 0
    crashes: int = 0
    days_off: int = 0
    requests: int = 0
    letters: int = 0
    seconds: float = 0.0
    story: str = ""


def make_world(plan: Plan) -> World:
    """The world of a seed; the habits of its feeds follow on those of the seed before."""
    rng, start = random.Random(plan.seed), plan.start
    papers = Papers(rng)
    arxiv = make_arxiv(rng, papers, start, plan.days)
    known = [paper for paper in papers.made.values() if paper.arxiv]
    sites: dict[str, Site] = {
        "rss.arxiv.test": arxiv,
        "huggingface.test": make_hugging_face(rng, papers, start, plan.days, known),
    }
    for number in range(plan.seed * plan.feeds, (plan.seed + 1) * plan.feeds):
        feed = make_feed(rng, papers, start, plan.days, number, known)
        sites[feed.host] = feed
    return World(plan.seed, start, plan.days, sites, papers)


async def _live(plan: Plan, store: CrashingStore, folder: Path) -> Outcome:
    world, rng = make_world(plan), random.Random(plan.seed + 1000)
    clock = WorldClock(at_utc(world.start) + 6 * HOUR)
    outcome = Outcome(plan)
    readers = make_readers(plan, rng)
    store.sync_subscribers(readers, now=clock.now())
    off = draw_days_off(rng, world.start, plan.days)
    outcome.days_off = sum(((ends - begins).days for begins, ends in off), 0)
    async with serve_world(world, clock) as port:
        newsletter = Newsletter(plan, world, clock, store, folder, port, readers, rng)
        newsletter.boot()
        await (live_as_daemon if plan.mode == "run" else live_by_cron)(newsletter, off)
    outcome.crashes, outcome.letters = newsletter.crashes, newsletter.letters
    outcome.broken = len(newsletter.broken)
    outcome.story = "".join(f"BROKEN: {line}\n" for line in sorted(newsletter.broken)[:5])
    outcome.requests = sum(world.asked.values())
    Judge(newsletter, off, outcome).judge()
    return outcome


def run_world(plan: Plan) -> Outcome:
    """Simulate a month and judge it."""
    started = time.perf_counter()
    with contextlib.ExitStack() as stack:
        store = stack.enter_context(open_temporary_store(CrashingStore))
        stack.enter_context(parsing_once())
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        outcome = asyncio.run(_live(plan, store, Path(folder)))
    outcome.seconds = time.perf_counter() - started
    return outcome


@dataclass
class Judge:
    """Compares what was listed from the third day on with what every reader got."""

    newsletter: Newsletter
    off: Off
    outcome: Outcome

    def __post_init__(self) -> None:
        world, store = self.newsletter.world, self.newsletter.store
        self.every = [listed for site in world.sites.values() for listed in site.listed()]
        self.owed: defaultdict[str, list[Listed]] = defaultdict(list)
        since = at_utc(world.start) + 2 * DAY
        for listed in self.every:
            if min(listed.at, at_utc(listed.day)) >= since:
                self.owed[listed.paper.word].append(listed)
        sources = self.newsletter.publisher.sources
        self.rows = {source.name: store.coverage(source.name) for source in sources}
        self.told: Counter[tuple[str, str]] = Counter()

    def judge(self) -> None:
        """Count, and tell the story of some violations."""
        states = [row.state for own in self.rows.values() for row in own]
        self.outcome.gaps = states.count("missing") + states.count("lost")
        self.outcome.papers = len(self.owed)
        for reader in self.newsletter.readers:
            for paper in self.newsletter.world.papers.made.values():
                self._judge(reader, paper)

    def _judge(self, reader: Subscriber, paper: WorldPaper) -> None:
        times = self.newsletter.got.get((reader.email, paper.word), [])
        if len(times) > 1:
            self.outcome.repeated += 1
            self._tell("REPEATED", reader, paper)
        if paper.word not in self.owed or not wants(reader, paper.subject):
            return
        self.outcome.wanted += 1
        if times:
            self.outcome.delivered += 1
        elif all(is_named(one, self.rows[one.source]) for one in self.owed[paper.word]):
            self.outcome.named += 1
        else:
            self.outcome.lost += 1
            self._tell("LOST", reader, paper)

    def _tell(self, what: str, reader: Subscriber, paper: WorldPaper) -> None:
        """Keep the whole story of the first violation of a source."""
        listings = [one for one in self.every if one.paper == paper]
        key = what, listings[0].source if listings else ""
        self.told[key] += 1
        if self.told[key] > 1:
            return
        newsletter = self.newsletter
        lines = [
            f"{what}: {reader.email} ({newsletter.plan}): {paper}",
            *(f"  sent {at:%m-%d %H:%M}" for at in newsletter.got[reader.email, paper.word]),
            *(f"  off {begins:%m-%d %H:%M} to {ends:%m-%d %H:%M}" for begins, ends in self.off),
            *(line for listed in listings for line in self._about(listed)),
        ]
        known = newsletter.store.search_papers([paper.word.lower()], limit=9)
        lines += [f"  stored {p.number} {p.key} {p.first_seen:%m-%d %H:%M} {p.item}" for p in known]
        self.outcome.story += "\n".join(lines) + "\n\n"

    def _about(self, listed: Listed) -> Iterator[str]:
        """A source's listing of a paper, its record around that time, and what was wrong then."""
        world = self.newsletter.world
        owed = "" if listed in self.owed[listed.paper.word] else " (not owed)"
        yield (
            f"  listed by {listed.source} {listed.part} for {listed.day}, shown "
            f"{listed.at:%m-%d %H:%M} to {listed.until:%m-%d %H:%M}{owed}"
        )
        for row in sorted(self.rows[listed.source], key=lambda row: row.day):
            if row.part == listed.part and abs(row.day - listed.day) <= 3 * DAY:
                times = " ".join(f"{at:%m-%d %H:%M}" for at in (row.checked, row.answered) if at)
                yield f"    {row.day} {row.state} {row.papers} papers, {times} {row.detail}"
        host = next(name for name, site in world.sites.items() if site.name == listed.source)
        days = {f"{listed.at:%m-%d}", f"{listed.day:%m-%d}"}
        spoiled = [line for line in world.log if host in line and line[:5] in days]
        yield from (f"    {line}" for line in spoiled[:12])


def is_named(listed: Listed, rows: Sequence[Coverage]) -> bool:
    """Whether a source's record names the time in which it listed a paper as a gap."""
    last = listed.day
    if listed.source.startswith("Feed"):
        last = min(listed.until, listed.at + 30 * DAY).date() + DAY
    return any(
        row.state in {"missing", "lost"}
        and row.part == listed.part
        and listed.day <= row.day <= last
        for row in rows
    )
