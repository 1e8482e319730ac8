"""A newsletter's life in the simulated world: by ``run`` or by cron, with crashes and days off."""

import asyncio
import random
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Literal, TypeVar

from newsletter.model import Filter, Letter, Subscriber
from newsletter.model.zones import load_zone
from newsletter.papers.filters import parse_rule
from newsletter.ports import Source
from newsletter.publisher.fetching import fetch_sources
from newsletter.publisher.publishing import freeze, publish, waiting_readers
from newsletter.publisher.reporting import check_record
from newsletter.publisher.ticking import SchedulerState
from newsletter.readers.due import DefaultSchedule, is_due, local_instant
from newsletter.sources import Arxiv, Client, Feed, HuggingFace, SourceClient
from newsletter.stores.sql import SqlStore
from tests.faults.world_feeds import FeedSite
from tests.faults.world_papers import (
    ARXIV_CATEGORIES,
    DAY,
    HOUR,
    SUBJECTS,
    ArxivSite,
    Site,
    World,
    at_utc,
)
from tests.faults.world_server import WorldClock
from tests.support.letters import message_bytes, parse_message, text_of_part
from tests.support.outgoing import MemoryTransport
from tests.support.publishers import KnownRuns, publisher_over, tick

ZONES = ("Asia/Shanghai", "Europe/Zurich", "America/Los_Angeles")
STARTS = (date(2026, 8, 3), date(2026, 3, 2), date(2026, 10, 15), date(2026, 11, 16))
"""Days on which a month begins: with clock changes and holidays, and without."""

MINUTE = timedelta(minutes=1)
STEPS = (2 * HOUR, 4 * HOUR, 6 * HOUR)
"""The times between two ticks of a daemon when no letter is due: it is a machine that sleeps. With
the real time, half a minute, a month would take hours."""

Result = TypeVar("Result")

Off = Sequence[tuple[datetime, datetime]]
"""The times in which the machine is off."""


class Crash(BaseException):
    """The newsletter's process ends here."""


@dataclass(frozen=True)
class Plan:
    """One month to simulate: its newsletter's zone and way of running follow from the seed."""

    seed: int
    days: int = 31
    feeds: int = 40

    @property
    def tail(self) -> int:
        """Days without new papers at the end, in which the last letters of all readers leave.

        A weekly reader's last papers may have to wait for one more letter.
        """
        return 16 if self.days > 14 else 2

    @property
    def start(self) -> date:
        return STARTS[self.seed % len(STARTS)]

    @property
    def step(self) -> timedelta:
        return STEPS[self.seed // (2 * len(ZONES)) % len(STEPS)]

    @property
    def zone(self) -> str:
        return ZONES[self.seed % len(ZONES)]

    @property
    def mode(self) -> Literal["run", "cron"]:
        return "run" if self.seed // len(ZONES) % 2 == 0 else "cron"


def make_readers(plan: Plan, rng: random.Random) -> list[Subscriber]:
    """Readers of every cadence; the daemon has one in another zone too."""

    def subjects(count: int) -> Filter:
        return Filter(include=tuple(map(parse_rule, rng.sample(SUBJECTS, count))))

    last = plan.start + (plan.days + plan.tail - 1) * DAY
    day = rng.randrange(7) if plan.tail > 7 else last.weekday()
    readers = [
        Subscriber("daily@example.org", cadence="daily"),
        Subscriber("weekdays@example.org", cadence="weekdays", filter=subjects(4)),
        Subscriber("weekly@example.org", cadence="weekly", day=day, filter=subjects(3)),
    ]
    if plan.mode == "run":
        other = ZONES[(plan.seed + 1) % len(ZONES)]
        readers.append(
            Subscriber("away@example.org", at="21:30", timezone=other, filter=subjects(2))
        )
    return readers


def wants(reader: Subscriber, subject: str) -> bool:
    """Whether a reader wants papers of a subject."""
    chosen = [rule.text for rule in reader.filter.include]
    return not chosen or subject in chosen


class CrashingStore(SqlStore):
    """A store that ends the process before or after one of its next writes."""

    left: int | None = None  # writes until the end; None: no end is planned
    before: bool = True  # whether the end comes before the last of them
    ended: bool = False

    def _write(self, write: Callable[[], Result]) -> Result:
        if self.left is not None:
            self.left -= 1
        last = self.left == 0
        self.ended = self.ended or (last and self.before)
        if self.ended:
            raise Crash
        result = write()
        if last:
            self.ended = True
            raise Crash
        return result

    def ingest(self, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401
        return self._write(lambda: super(CrashingStore, self).ingest(*arguments, **named))

    def freeze(self, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401
        return self._write(lambda: super(CrashingStore, self).freeze(*arguments, **named))


@dataclass
class Newsletter:
    """A newsletter in the world, which can crash and start again."""

    plan: Plan
    world: World
    clock: WorldClock
    store: CrashingStore
    folder: Path
    port: int
    readers: Sequence[Subscriber]
    rng: random.Random
    runs: int = 0
    crashes: int = 0
    letters: int = 0
    broken: set[str] = field(default_factory=set)
    audited: date | None = None
    got: dict[tuple[str, str], list[datetime]] = field(default_factory=lambda: defaultdict(list))
    seen: datetime | None = None

    def boot(self) -> None:
        """Start a process: everything that is not in the store or in a file is new."""
        self.runs += 1
        self.store.left, self.store.ended = None, False
        client = Client(
            contact="editor@example.org",
            clock=self.clock,
            kept=self.folder / "answers.db",
            resolver=_loopback,
            jitter=self.rng.random,
        )
        source_client = SourceClient(client, timeout=60, allow_private_addresses=True)
        sources = [
            self._source(host, site, source_client) for host, site in self.world.sites.items()
        ]
        self.publisher = publisher_over(self.store, *sources, clock=self.clock)  # type: ignore[arg-type]
        schedule = DefaultSchedule("07:00", self.plan.zone, "daily")
        self.state = SchedulerState(schedule, seen=self.seen)
        self.transport = MemoryTransport()
        self.lock = KnownRuns(f"run{self.runs}", frozenset(f"run{n}" for n in range(self.runs)))
        self.turns = 0

    def _source(self, host: str, site: Site, client: SourceClient) -> Source:
        url = f"http://{host}:{self.port}"
        if isinstance(site, FeedSite):
            return Feed(site.name, client, f"{url}/feed")
        if isinstance(site, ArxivSite):
            return Arxiv("arXiv", client, ARXIV_CATEGORIES, url)
        return HuggingFace("Hugging Face", client, url)

    async def tick(self) -> None:
        """One tick of `newsletter run`."""
        self.turns += 1
        self.seen = self.clock.now()
        await tick(
            self.publisher, self.state, self.transport, run_lock=self.lock, turn=str(self.turns)
        )

    def _today(self) -> date:
        return self.clock.now().astimezone(load_zone(self.plan.zone)).date()

    async def fetch(self) -> None:
        """`newsletter fetch`."""
        await fetch_sources(self.publisher.sources, self.store, self._today(), self.clock)

    async def send(self) -> None:
        """`newsletter send --yes`."""
        publisher, day = self.publisher, self._today()
        readers = waiting_readers(publisher, day)
        is_new = readers and not self.store.waves(day)
        reports = (
            await fetch_sources(publisher.sources, self.store, day, self.clock) if is_new else ()
        )
        freeze(publisher, day, readers, reports)
        self.turns += 1
        if self.store.counts(day).open:
            turn = str(self.turns)
            await publish(publisher, day, self.transport, run_lock=self.lock, turn=turn)

    async def do(self, work: Callable[[], Any], at: datetime) -> bool:
        """Do it at this time; a crash ends the process. Returns whether it was done."""
        self.clock.go_to(at)
        often = 0.01 if self.plan.mode == "run" else 0.05
        if self.store.left is None and self.rng.random() < often:
            self.store.left, self.store.before = self.rng.randrange(1, 40), self.rng.random() < 0.5
        others = asyncio.all_tasks()
        try:
            await work()
        except Crash:
            self.crashes += 1
            left = asyncio.all_tasks() - others
            await asyncio.gather(*left, return_exceptions=True)  # they can no longer write
            self._read_letters()
            self.boot()
            return False
        self._read_letters()
        self._audit()
        return True

    def _audit(self) -> None:
        """Check the invariants of the coverage record, once a day."""
        if self.audited == (today := self.clock.now().date()):
            return
        self.audited = today
        sources, store = self.publisher.sources, self.store
        rows = [row for source in sources for row in store.coverage(source.name)]
        for check in check_record(sources, rows, store.sources()):
            self.broken |= {f"{today}: {check.id} {row}" for row in check.rows}

    def _read_letters(self) -> None:
        """Note the papers that each letter names, as its reader would see them."""
        for letter in self.transport.letters:
            self.letters += 1
            for word in words_in(letter):
                if word in self.world.papers.made:
                    self.got[letter.envelope.recipient, word].append(self.clock.now())
        self.transport.letters.clear()


async def _loopback(_host: str, _port: int) -> Sequence[str]:
    return ("127.0.0.1",)


def words_in(letter: Letter) -> list[str]:
    """The words of a letter that look like those of the world's titles."""
    text = text_of_part(parse_message(message_bytes(letter.envelope)), "plain")
    return re.findall(r"\b[A-Z][a-z]{7}qx\b", text)


def draw_days_off(rng: random.Random, start: date, days: int) -> list[tuple[datetime, datetime]]:
    """Times in which the machine is off: none, one or two, of 1 to 8 days."""
    found = []
    for _ in range(rng.choice((0, 1, 1, 2)) if days > 14 else 0):
        begins = at_utc(start) + rng.uniform(3, days - 9) * DAY
        found.append((begins, begins + rng.choice((1, 2, 3, 8)) * DAY))
    return found


def run_instants(plan: Plan, world: World, readers: Sequence[Subscriber]) -> list[datetime]:
    """The ticks of the daemon: each ``step``, and more around the times of letters."""
    first, tail = at_utc(world.start) + 6 * HOUR, plan.days * DAY
    found = {first + number * plan.step for number in range(tail // plan.step)}
    found |= {first + tail + number * STEPS[-1] for number in range(plan.tail * DAY // STEPS[-1])}
    for reader in readers:
        zone, at = reader.timezone or plan.zone, time.fromisoformat(reader.at or "07:00")
        for number in range(1, plan.days + plan.tail):
            day = world.start + number * DAY
            if is_due(reader, day):
                due = local_instant(day, at, zone)
                found |= {due + minutes * MINUTE for minutes in (-60, -30, -1, 0, 1, 6)}
    return sorted(found)


async def live_as_daemon(newsletter: Newsletter, off: Off) -> None:
    """A month of `newsletter run`."""
    was_off = False
    for at in run_instants(newsletter.plan, newsletter.world, newsletter.readers):
        if any(begins <= at < ends for begins, ends in off):
            was_off = True
            continue
        if was_off:
            newsletter.boot()
            was_off = False
        if not await newsletter.do(newsletter.tick, at):
            await newsletter.do(newsletter.tick, at + 2 * MINUTE)


async def live_by_cron(newsletter: Newsletter, off: Off) -> None:
    """A month of `newsletter fetch` twice a day and `newsletter send` in the morning."""
    plan, world = newsletter.plan, newsletter.world
    jobs = [
        (local_instant(world.start + n * DAY, time.fromisoformat(at), plan.zone), work)
        for n in range(plan.days + plan.tail)
        for at, work in (
            ("07:00", newsletter.send),
            ("13:10", newsletter.fetch),
            ("21:40", newsletter.fetch),
        )
    ]
    first = at_utc(world.start) + 6 * HOUR
    for at, work in [(first, newsletter.fetch), *sorted(jobs, key=lambda job: job[0])]:
        if at < first or any(begins <= at < ends for begins, ends in off):
            continue
        newsletter.boot()
        for attempt in range(5):
            if await newsletter.do(work, at + attempt * 10 * MINUTE):
                break
