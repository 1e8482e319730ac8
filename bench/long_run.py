"""How ``newsletter run`` fares over many days: its memory, and its pages while an issue leaves.

``python -m bench.long_run [--days N] [--readers N] [--steps N] [--json FILE]``

The daemon runs in its own process with a clock that this one steps, an eighth of a day at a time;
its ticks follow each other quickly. A source on loopback lists 150 to 300 papers a day, our
own server takes the letters, and readers request pages all the time: one after another while an
issue is planned and sent on busy days, which are the first two, each tenth and the last, and else a
few a second. Per day: the resident memory of the daemon and its children at the day's end and at
its peak, and the size of the store, which keeps details for 30 days. For the pages of busy days, by
what the daemon does meanwhile (nothing, freezing, sending): the median, the 99th percentile, the
slowest answer.
"""

import argparse
import base64
import contextlib
import itertools
import json
import os
import random
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from http.client import HTTPConnection
from pathlib import Path
from threading import Event
from urllib.parse import quote, urlencode

from bench import ROOT
from bench.pages import SECRET, SENDER, up
from bench.resident import resident
from bench.servers import sink
from bench.workload import morning
from newsletter.app.clock import SystemClock
from newsletter.letter.links import Keyring, sign_token
from newsletter.stores import open_store
from tests.faults.command import clock_offset, step_clock
from tests.support.http_servers import daily_papers, serve

STEPS = 8
"""Steps of the clock a day."""

TICK = 0.2
"""Seconds between two ticks of the daemon."""

CLIENTS = 3
"""Readers who request pages at once."""

THINKING, RESTING = 0.02, 0.5
"""Seconds between a client's requests: while an issue is made on a busy day, and else."""

BUSY_DAYS = 10
"""The first two days are busy, the last, and each whose number is a multiple of this."""

PAUSE, PATIENCE = 0.05, 3600
"""Seconds between two looks at the daemon, and until it is taken for dead."""

LIMITED = 429
"""The status of a search that one client asked for too often; it says nothing of the time."""

EXPECTED = {("own edition", 404), ("joining", LIMITED)}
"""A reader without papers has no edition, and one client may only sign up a few times an hour."""

PASSWORD = "a password of the bench alone"  # noqa: S105 - of a temporary newsletter
MEMORY_BAR, GROWTH_BAR, PAGE_BAR, STORE_BAR = 160.0, 1.1, 0.3, 150.0
"""The limits: megabytes at the peak, the last day relative to the tenth, seconds of a page, and
megabytes of the store."""


@dataclass(frozen=True, slots=True)
class DayRow:
    """A day: memory and store in megabytes, the seconds until frozen and sent, and the letters."""

    day: str
    end_mb: float
    peak_mb: float
    frozen_s: float
    sent_s: float
    letters: int
    store_mb: float


@dataclass(slots=True)
class Meanwhile:
    """What the daemon does at present, and how long each page took, by that and its name."""

    doing: str = "nothing"
    busy: bool = True
    over: Event = field(default_factory=Event)
    day: str = ""
    seconds: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


def listing(day: date) -> list[object]:
    """The papers of a date, as Hugging Face lists them; the same date has the same ones."""
    return _listing(day)


@lru_cache(maxsize=4)
def _listing(day: date) -> list[object]:
    draw = random.Random(day.toordinal())
    papers = morning(draw.randrange(150, 301), 0, seed=day.toordinal()).issue.papers
    return [
        {
            "paper": {
                "id": f"{day:%y%m}.{day:%d}{number:03d}",
                "title": paper.item.title,
                "summary": paper.item.abstract,
                "authors": [{"name": name} for name in paper.item.authors],
                # As with arXiv and Daily Papers together: one in four has votes.
                **({} if number % 4 else {"upvotes": paper.item.upvotes or 0}),
            }
        }
        for number, paper in enumerate(papers)
    ]


class Listings(Mapping[str, list[object]]):
    """The papers of every date until tomorrow by the daemon's clock."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __getitem__(self, day: str) -> list[object]:
        today = now(self._folder).date()
        return listing(date.fromisoformat(day)) if date.fromisoformat(day) <= today else []

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def now(folder: Path) -> datetime:
    """The time by the daemon's clock."""
    return SystemClock().now() + timedelta(seconds=clock_offset(folder))


def first_due() -> datetime:
    """When the first issue is due: in 11 hours, so that the one of today is too late to be sent."""
    return SystemClock().now().replace(second=0, microsecond=0) + timedelta(hours=11)


def prepared(folder: Path, smtp: int, origin: str, port: int, readers: int) -> None:
    """Write a newsletter's folder and fill its store with readers."""
    work = morning(1, readers)
    configuration = {
        "name": "Bench",
        "sender": SENDER,
        "operator": "editor@example.org",
        "secret": SECRET,
        "url": f"http://127.0.0.1:{port}",
        "web": {"port": port, "operator_password": PASSWORD},
        "smtp": {"host": "127.0.0.1", "port": smtp, "security": "none"},
        "schedule": {"at": f"{first_due():%H:%M}", "days": "daily"},
        "keep": {"editions": 30},
        "sources": [{"kind": "huggingface", "url": origin, "allow_private_addresses": True}],
        "topics": [
            {"name": topic.name, "any": [rule.text for rule in topic.any]}
            for topic in work.issue.topics
        ],
    }
    (folder / "newsletter.yaml").write_text(json.dumps(configuration), encoding="utf-8")
    (folder / "subscribers.yaml").write_text("subscribers: []\n", encoding="utf-8")
    at = SystemClock().now()
    with contextlib.closing(open_store(f"sqlite:///{folder}/newsletter.db")) as store:
        store.sync_subscribers([reader.subscriber for reader in work.readers], now=at)
    with contextlib.closing(sqlite3.connect(folder / "newsletter.db")) as database:
        database.execute("UPDATE readers SET origin = 'store', listed = NULL")
        database.commit()


@contextlib.contextmanager
def daemon(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the daemon with a clock that can be stepped."""
    words = [sys.executable, "-m", "tests.faults.command", json.dumps({"tick": TICK}), "run"]
    log = (folder / "daemon.log").open("wb")
    process = subprocess.Popen(  # noqa: S603 - our own command
        words,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=log,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait()
        log.close()


def family(process: int) -> list[int]:
    """A process and its children."""
    listed = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii")
    threads = Path(f"/proc/{process}/task").iterdir()
    listed = " ".join(
        (one / "children").read_text(encoding="ascii") for one in threads if one.exists()
    )
    return [process, *map(int, listed.split())]


def memory(process: int) -> tuple[float, float]:
    """Resident megabytes of a process and its children: now, and the sum of their peaks."""
    found = []
    for one in family(process):
        with contextlib.suppress(OSError):
            found.append(resident(one))
    known = [one for one in found if one is not None]
    return sum(one.now for one in known), sum(one.peak for one in known)


def pages(day: str, number: int, at: datetime) -> Sequence[tuple[str, str, str]]:
    """The requests of one round: name, path, and the body of a form (empty: a GET)."""
    keys, reader = Keyring((SECRET,), SENDER), str(1 + number % 200)
    preferences = f"/preferences/{sign_token(reader, 'preferences', keys, at)}"
    topic = quote(morning(1, 0).issue.topics[number % 30].name)
    every = [
        ("sign-up", "/", ""),
        ("joining", "/join", urlencode({"email": f"new-{number}@example.net"})),
        ("preferences", preferences, ""),
        ("saving", preferences, urlencode({"do": "pause", "weeks": "1"})),
        ("resuming", preferences, urlencode({"do": "resume"})),
        ("unsubscribe", f"/unsubscribe/{sign_token(reader, 'unsubscribe', keys, at)}", ""),
        ("archive", "/archive", ""),
        ("topic", f"/topic/{topic}", ""),
        ("feed", "/feed.atom", ""),
        ("own feed", f"/mine/{sign_token(reader, 'feed', keys, at)}/feed.rss", ""),
        ("search", "/search?q=graph+networks", ""),
        ("search, none", "/search?q=nothing+of+the+kind", ""),
        ("operator", "/operator", ""),
        ("metrics", "/metrics", ""),
    ]
    if day:
        edition = f"/edition/{sign_token(f'{reader}/{day}', 'edition', keys, at)}"
        every += [("issue", f"/archive/{day}", ""), ("own edition", edition, "")]
    return every


def asking(port: int, folder: Path, meanwhile: Meanwhile, first: int) -> None:
    """Request pages until it is over."""
    login = base64.b64encode(f"operator:{PASSWORD}".encode()).decode()
    headers = {"Authorization": f"Basic {login}"}
    for number in itertools.count(first, CLIENTS):
        with contextlib.closing(HTTPConnection("127.0.0.1", port, timeout=120)) as connection:
            if not _round(connection, folder, meanwhile, number, headers):
                return


def _round(
    connection: HTTPConnection,
    folder: Path,
    meanwhile: Meanwhile,
    number: int,
    headers: Mapping[str, str],
) -> bool:
    """Request each page once; False once it is over."""
    form = {**headers, "Content-Type": "application/x-www-form-urlencoded"}
    for name, path, body in pages(meanwhile.day, number, now(folder)):
        at_once = meanwhile.busy and meanwhile.doing != "nothing"
        if meanwhile.over.wait(THINKING if at_once else RESTING):
            return False
        before, began = meanwhile.doing, time.perf_counter()
        method, head = ("POST", form) if body else ("GET", headers)
        connection.request(method, path, body or None, head)
        answer = connection.getresponse()
        answer.read()
        seconds = time.perf_counter() - began
        doing = before if before != "nothing" else meanwhile.doing
        limited = name.startswith("search") and answer.status == LIMITED
        if meanwhile.busy and not limited:
            meanwhile.seconds.setdefault((doing, name), []).append(seconds)
        if (
            not limited
            and answer.status not in {200, 303}
            and (name, answer.status) not in EXPECTED
        ):
            meanwhile.wrong.append(f"{name}: {answer.status}")
    return True


class Store:
    """What this process reads of the daemon's store."""

    def __init__(self, folder: Path) -> None:
        self._database = sqlite3.connect(folder / "newsletter.db", isolation_level=None)

    def one(self, query: str, *values: object) -> object:
        """The first value of a query's first row; None without one."""
        row = self._database.execute(query, values).fetchone()
        return None if row is None else row[0]

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def seen(self) -> str:
        """When the daemon last ended a tick; empty if it never did."""
        return str(self.one("SELECT max(seen) FROM heartbeats") or "")

    def waves(self, day: str) -> int:
        """How many waves an issue has."""
        query = "SELECT count(*) FROM waves JOIN issues ON issues.id = issue WHERE day = ?"
        return int(str(self.one(query, day)))

    def state(self, day: str) -> str:
        """The state of an issue."""
        return str(self.one("SELECT state FROM issues WHERE day = ?", day))

    def accepted(self, day: str) -> int:
        """How many letters of an issue were accepted."""
        query = (
            "SELECT count(*) FROM deliveries JOIN issues ON issues.id = issue"
            " WHERE day = ? AND deliveries.state = 'accepted'"
        )
        return int(str(self.one(query, day)))


def wait(process: subprocess.Popen[bytes], until: object) -> None:
    """Wait until a condition holds."""
    assert callable(until)
    end = time.monotonic() + PATIENCE
    while not until():
        assert process.poll() is None, "the daemon ended"
        assert time.monotonic() < end, "the daemon does not get on"
        time.sleep(PAUSE)  # noqa: TID251 - the bench's own pause


def step(folder: Path, store: Store, process: subprocess.Popen[bytes], to: datetime) -> None:
    """Set the daemon's clock, and wait for a tick at that time."""
    ahead = (to - now(folder)).total_seconds()
    if ahead > 0:
        step_clock(folder, ahead)
    text = f"{to:%Y-%m-%d %H:%M:%S}"
    wait(process, lambda: store.seen() >= text)


def lived(
    folder: Path,
    store: Store,
    process: subprocess.Popen[bytes],
    due: datetime,
    meanwhile: Meanwhile,
    steps: int,
) -> DayRow:
    """Let the daemon live through a day whose issue is due in its first step."""
    text, began = due.date().isoformat(), time.perf_counter()
    with contextlib.suppress(OSError):
        Path(f"/proc/{process.pid}/clear_refs").write_text("5", encoding="ascii")
    peak = 0.0

    def is_over(found: bool) -> bool:  # noqa: FBT001 - passed on
        nonlocal peak
        peak = max(peak, *memory(process.pid))
        return found

    meanwhile.doing = "freezing"
    step_clock(folder, (due - now(folder)).total_seconds())
    wait(process, lambda: is_over(store.waves(text) > 0))
    frozen, meanwhile.doing, meanwhile.day = time.perf_counter() - began, "sending", text
    wait(process, lambda: is_over(store.state(text) == "done"))
    sent, meanwhile.doing = time.perf_counter() - began - frozen, "nothing"
    for number in range(1, steps):
        step(folder, store, process, due + number * timedelta(days=1) / steps)
        is_over(True)
    letters, size = store.accepted(text), (folder / "newsletter.db").stat().st_size / 1e6
    return DayRow(text, memory(process.pid)[0], peak, frozen, sent, letters, size)


def measure(folder: Path, days: int, readers: int, steps: int) -> tuple[list[DayRow], Meanwhile]:
    """Run the daemon through these days; return a row per day, and how the pages answered."""
    meanwhile, rows = Meanwhile(), list[DayRow]()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    step_clock(folder, 0)
    with sink(folder) as (smtp, taken), serve(daily_papers(Listings(folder))) as origin:
        first = first_due()
        prepared(folder, smtp, origin, port, readers)
        with daemon(folder) as process, ThreadPoolExecutor(CLIENTS) as pool:
            store = Store(folder)
            up(port)
            clients = [pool.submit(asking, port, folder, meanwhile, n) for n in range(CLIENTS)]
            try:
                for n in range(days):
                    meanwhile.busy = n in {0, 1, days - 1} or n % BUSY_DAYS == BUSY_DAYS - 1
                    due = first + timedelta(days=n, seconds=1)
                    rows.append(lived(folder, store, process, due, meanwhile, steps))
                    print(row_line(rows[-1]), flush=True)
            finally:
                meanwhile.over.set()
                store.close()
            for client in clients:
                client.result()
    assert taken[0] >= sum(row.letters for row in rows), "the server counted fewer letters"
    return rows, meanwhile


def row_line(row: DayRow) -> str:
    """A day in the table."""
    return (
        f"{row.day} {row.end_mb:7.1f} {row.peak_mb:8.1f} {row.frozen_s:7.2f} {row.sent_s:7.2f}"
        f" {row.letters:8} {row.store_mb:9.1f}"
    )


def quantile(seconds: Sequence[float], share: float) -> float:
    """The value that this share of the answers did not exceed."""
    return sorted(seconds)[min(int(len(seconds) * share), len(seconds) - 1)]


def page_lines(meanwhile: Meanwhile) -> Iterator[str]:
    """The lines of the pages' table."""
    for doing in ("nothing", "freezing", "sending"):
        found = {name: s for (what, name), s in meanwhile.seconds.items() if what == doing}
        if not found:
            continue
        found["all"] = [each for seconds in found.values() for each in seconds]
        for name, seconds in found.items():
            figures = (quantile(seconds, 0.5), quantile(seconds, 0.99), max(seconds))
            said = " ".join(f"{1000 * each:8.1f}" for each in figures)
            yield f"{doing:9} {name:13} {said}   of {len(seconds)}"


def verdict(rows: Sequence[DayRow], meanwhile: Meanwhile) -> Iterator[str]:
    """Every target beside its figure."""
    peak = max(row.peak_mb for row in rows)
    tenth = rows[min(9, len(rows) - 1)]
    growth = rows[-1].end_mb / tenth.end_mb
    yield f"peak {peak:.0f} MB, to reach ≤ {MEMORY_BAR:.0f}"
    yield f"store {rows[-1].store_mb:.0f} MB, to reach ≤ {STORE_BAR:.0f}"
    yield f"last day ÷ the tenth {growth:.2f}, to reach ≤ {GROWTH_BAR}"
    for doing in ("freezing", "sending"):
        found = [s for (what, _), each in meanwhile.seconds.items() if what == doing for s in each]
        if found:
            slow = quantile(found, 0.99)
            yield f"pages while {doing}: p99 {1000 * slow:.0f} ms, to reach ≤ {1000 * PAGE_BAR:.0f}"
    yield f"wrong answers: {len(meanwhile.wrong)} {sorted(set(meanwhile.wrong))[:5]}"


def main() -> None:
    """Measure and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--readers", type=int, default=5000)
    parser.add_argument("--steps", type=int, default=STEPS, help="of the clock a day")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--folder", type=Path, help="work there, and keep everything")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = wanted.folder or Path(made)
        folder.mkdir(exist_ok=True)
        names = f"{'end MB':>7} {'peak MB':>8} {'frozen':>7} {'sent':>7} {'letters':>8}"
        print(f"{'day':10} {names} {'store MB':>9}")
        rows, meanwhile = measure(folder, wanted.days, wanted.readers, wanted.steps)
    print(f"{'meanwhile':9} {'page':13} {'median':>8} {'p99':>8} {'slowest':>8}  milliseconds")
    print("\n".join([*page_lines(meanwhile), *verdict(rows, meanwhile)]))
    if wanted.json:
        pages_found = {" ".join(key): each for key, each in meanwhile.seconds.items()}
        wanted.json.write_text(json.dumps([[asdict(row) for row in rows], pages_found]))


if __name__ == "__main__":
    main()
