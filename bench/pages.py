"""The cost of the readers' pages with many readers and papers, and while letters are sent.

``python -m bench.pages [--readers N] [--papers N] [--clients N]``

An SQLite store is filled; `newsletter serve` and, for the second half, `newsletter send` run in
their own processes, and this one requests pages. First each page alone: the median time to the last
byte. Then clients request a mix of pages while every reader is sent an issue: answers per second,
answers other than 200, and letters missing at the end.
"""

import argparse
import asyncio
import contextlib
import http.client
import itertools
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event
from urllib.parse import urlencode

from bench import ROOT
from bench.workload import morning
from newsletter.app.clock import SystemClock
from newsletter.letter.links import Keyring, sign_token
from newsletter.model import IdentifiedItem, Identity, Item, SourceHealth
from newsletter.ports import Store
from newsletter.stores import open_store
from tests.faults.recorder import Recorder, recording

SECRET = "a secret of the bench alone"  # noqa: S105 - of a temporary newsletter
SENDER = "papers@example.org"
A_DAY = 200
"""Papers per day."""

ROUNDS = 30

TRIES = 25
"""How often each of the people who type tries wishes; all together stay within the limit."""

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def prepared(folder: Path, smtp: int, port: int, readers: int, papers: int) -> None:
    """Write a newsletter's folder and fill its store."""
    work = morning(papers, readers)
    configuration = {
        "name": "Bench",
        "sender": SENDER,
        "url": f"http://127.0.0.1:{port}",
        "web": {"port": port},
        "secret": SECRET,
        "smtp": {"host": "127.0.0.1", "port": smtp, "security": "none"},
        "schedule": {"days": "daily"},
        "topics": [
            {"name": topic.name, "any": [rule.text for rule in topic.any]}
            for topic in work.issue.topics
        ],
    }
    (folder / "newsletter.yaml").write_text(json.dumps(configuration))
    (folder / "subscribers.yaml").write_text("subscribers: []\n")
    now = SystemClock().now()
    first, *others = work.readers
    items = [paper.item for paper in work.issue.papers]
    with contextlib.closing(open_store(f"sqlite:///{folder}/newsletter.db")) as store:
        store.save_reader(first.subscriber, status="confirmed", now=now)
        fill(store, items[:-A_DAY], now - timedelta(days=1))
        _send_one(folder, first.subscriber.email, now - timedelta(days=1))
        for reader in others:
            store.save_reader(reader.subscriber, status="confirmed", now=now)
        fill(store, items[-A_DAY:], now)
    _send_one(folder, first.subscriber.email, now)


def _send_one(folder: Path, email: str, at: datetime) -> None:
    """Send one reader the issue of a day, so that the pages have an issue."""
    words = ("send", "--yes", "--date", at.date().isoformat(), "--to", email)
    with running(folder, *words) as sending:
        sending.wait()


def fill(store: Store, items: Sequence[Item], last: datetime, now: datetime | None = None) -> None:
    """List the papers in a store, some on each day, the last ones on this day.

    Each list is read on its own day, or all ``now``.
    """
    days = -(-len(items) // A_DAY)
    health = SourceHealth("Bench", "ok", checked=last, last_ok=last)
    for back, first in zip(range(days - 1, -1, -1), range(0, len(items), A_DAY), strict=True):
        then = last - timedelta(days=back)
        entries = [
            IdentifiedItem(item, _named(f"arxiv:{then:%y%m%d}.{at}"))
            for at, item in enumerate(items[first : first + A_DAY])
        ]
        store.ingest((now or then).date(), health, entries, now=now or then)


def _named(name: str) -> Identity:
    return Identity(name, frozenset({name}))


@contextlib.contextmanager
def running(folder: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run one of our commands in its own process."""
    process = subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "newsletter", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def ask(connection: http.client.HTTPConnection, path: str) -> tuple[int, float]:
    """The status of a page, and the seconds to its last byte."""
    began = time.perf_counter()
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    return answer.status, time.perf_counter() - began


def up(port: int) -> None:
    """Wait until the pages answer."""
    for _ in range(600):
        try:
            with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port)) as connection:
                ask(connection, "/robots.txt")
        except OSError:
            Event().wait(0.1)
        else:
            return
    raise RuntimeError("the pages do not answer")


def pages(day: str) -> Mapping[str, str]:
    """The paths of the pages by name."""
    keys, now = Keyring((SECRET,), SENDER), SystemClock().now()
    return {
        "first page": "/",
        "preferences": f"/preferences/{sign_token('1', 'preferences', keys, now)}",
        "unsubscribe": f"/unsubscribe/{sign_token('1', 'unsubscribe', keys, now)}",
        "own edition": f"/edition/{sign_token(f'1/{day}', 'edition', keys, now)}",
        "archive": "/archive",
        "issue": f"/archive/{day}",
        "paper": f"/paper/arxiv:{day[2:].replace('-', '')}.7",
        "search, many": "/search?q=graph+networks",
        "search, none": "/search?q=nothing+of+the+kind",
        "feed": "/feed.atom",
    }


def alone(port: int, day: str) -> None:
    """Time each page by itself."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for name, path in pages(day).items():
        asked = [ask(connection, path) for _ in range(ROUNDS)]
        found = statistics.median(seconds for _, seconds in asked) * 1000
        print(f"{name:14} {found:6.1f} ms   {asked[0][0]}")


def typing(port: int, people: int = 20) -> None:
    """Try wishes as people who type at the same time do, and time the answers."""
    words = ["vision", "models", "of", "graph", "networks", "for", "robots", "in", "medicine"]

    def person(number: int) -> list[float]:
        connection, took = http.client.HTTPConnection("127.0.0.1", port, timeout=60), []
        pause = random.Random(number)
        for written in range(1, TRIES + 1):
            Event().wait(0.5 + pause.random())
            wish = " ".join(words[: written % len(words) + 1])
            began = time.perf_counter()
            connection.request("POST", "/find", urlencode({"wishes": f"{wish} {number}"}), FORM)
            connection.getresponse().read()
            took.append(time.perf_counter() - began)
        return took

    with ThreadPoolExecutor(people) as pool:
        took = [seconds for found in pool.map(person, range(people)) for seconds in found]
    half, most = (quantile * 1000 for quantile in statistics.quantiles(took, n=100)[49:99:49])
    print(f"{people} people type  {half:6.1f} ms, 99 % within {most:.1f} ms")


def while_sending(port: int, day: str, clients: int, over: Event) -> tuple[int, int]:
    """Request a mix of pages until ``over``; return the answers and those that were not 200."""
    mixed = [path for name, path in pages(day).items() if not name.startswith("search")]

    def client(number: int) -> list[int]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        found = []
        for path in itertools.cycle(mixed[number % len(mixed) :] + mixed[: number % len(mixed)]):
            if over.is_set():
                break
            found.append(ask(connection, path)[0])
        return found

    with ThreadPoolExecutor(clients) as pool:
        statuses = [status for found in pool.map(client, range(clients)) for status in found]
    return len(statuses), sum(status != 200 for status in statuses)


async def measured(folder: Path, readers: int, papers: int, clients: int) -> None:
    """Fill the store, serve, and time the pages; then send, and request pages meanwhile."""
    recorder, over = Recorder(), Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    async with recording(recorder):
        await asyncio.to_thread(prepared, folder, recorder.port, port, readers, papers)
        day = SystemClock().now().date().isoformat()
        with running(folder, "serve"):
            await asyncio.to_thread(up, port)
            asking = asyncio.to_thread(while_sending, port, day, clients, over)
            began = time.perf_counter()
            with running(folder, "send", "--yes", "--date", day) as sending:
                meanwhile = asyncio.create_task(asking)
                await asyncio.to_thread(sending.wait)
                seconds = time.perf_counter() - began
                over.set()
                answers, wrong = await meanwhile
            print(f"letters        {len(recorder.received) / seconds:6.0f} a second")
            print(f"answers        {answers / seconds:6.0f} a second, {wrong} were not 200")
            empty = readers - len(recorder.by_recipient)
            sent = len(recorder.received)
            print(f"readers        {readers}: {sent} letters, {empty} without papers")
            await asyncio.to_thread(alone, port, day)
            await asyncio.to_thread(typing, port)


def main() -> None:
    """Read the command line and measure."""
    reading = argparse.ArgumentParser(description=__doc__)
    reading.add_argument("--readers", type=int, default=10_000)
    reading.add_argument("--papers", type=int, default=10_000)
    reading.add_argument("--clients", type=int, default=4)
    told = reading.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measured(Path(folder), told.readers, told.papers, told.clients))


if __name__ == "__main__":
    main()
