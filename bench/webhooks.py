"""How many events of mail services a second the readers' pages take in.

``python -m bench.webhooks [--readers N] [--events N] [--rate N] [--batch N]``

An SQLite store is filled with readers who were all sent an issue. `newsletter serve` runs in its
own process, and this one posts signed requests of four services, mixed, over real HTTP: as many as
it takes in, then at a steady rate, then in batches of SendGrid. Of the events 20 % are unknown
mailboxes, 60 % refusals of the sender, 10 % complaints and 10 % unsubscribes. At the end each
reader's status and each recorded event is compared with what it should be.
"""

import argparse
import asyncio
import contextlib
import json
import socket
import sqlite3
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import psutil

from bench.pages import SECRET, SENDER, running, up
from newsletter.app.clock import SystemClock
from newsletter.model import Status, Subscriber
from newsletter.stores import open_store
from tests.support.frozen_issues import deliver
from tests.support.mail_services import SERVICES, Kind, Request, What

CLIENTS = 300
SINGLE = ("mailgun", "postal", "postmark", "mailjet")
GONE = "550 5.1.1 <{}>: Recipient address rejected: User unknown in virtual mailbox table"
OURS = "554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked using zen.spamhaus.org"
KINDS: tuple[tuple[Kind, str, str], ...] = (
    ("bounce", GONE, "hard"),
    ("bounce", GONE, "hard"),
    *((("bounce", OURS, "soft"),) * 6),
    ("complaint", "", "complaint"),
    ("unsubscribe", "", "unsubscribe"),
)
"""What happens to ten readers: the event, the server's words, and what it means."""

ENDS: dict[str, Status] = {"complaint": "blocked", "unsubscribe": "unsubscribed"}


@dataclass(frozen=True, slots=True)
class Load:
    """One round: requests, and the reader and the meaning of each event in them."""

    requests: Sequence[Request]
    expected: Counter[tuple[int, str]]


def prepared(folder: Path, port: int, readers: int) -> None:
    """Write a newsletter's folder, and deliver an issue to every reader."""
    webhooks = {each.name: each.setting() for each in SERVICES if each.name != "ses"}
    configuration = {
        "name": "Bench",
        "sender": SENDER,
        "url": f"http://127.0.0.1:{port}",
        "web": {"port": port},
        "secret": SECRET,
        "bounces": {"webhooks": webhooks},
    }
    (folder / "newsletter.yaml").write_text(json.dumps(configuration))
    people = [Subscriber(email_of(number)) for number in range(1, readers + 1)]
    listed = {"subscribers": [{"email": each.email} for each in people]}
    (folder / "subscribers.yaml").write_text(json.dumps(listed))
    now = SystemClock().now()
    with contextlib.closing(open_store(f"sqlite:///{folder}/newsletter.db")) as store:
        store.sync_subscribers(people, now=now)
        deliver(store, store.readers(), day=now.date(), now=now)


def email_of(reader: int) -> str:
    """The address of a reader."""
    return f"reader{reader}@example.org"


def loads(readers: int, events: int, batch: int, now: datetime) -> Iterator[Load]:
    """The rounds: single events twice, and batches; each event of a round has its own id."""
    by_name = {service.name: service for service in SERVICES}
    for name in ("fast", "steady", "batches"):
        whats, expected = [], Counter[tuple[int, str]]()
        for number in range(events):
            reader = number % readers + 1
            kind, said, meaning = KINDS[reader % len(KINDS)]
            service = SINGLE[number % len(SINGLE)]
            if service == "postal" and kind != "bounce":
                service = "mailgun"
            email = email_of(reader)
            what = What(kind, email, said.format(email), id=f"{name}-{number}", at=now)
            whats.append((by_name[service], what))
            expected[reader, meaning] += 1
        if name == "batches":
            grouped = ([what for _, what in whats[i : i + batch]] for i in range(0, events, batch))
            yield Load([by_name["sendgrid"].post(*group, at=now) for group in grouped], expected)
        else:
            yield Load([service.post(what, at=now) for service, what in whats], expected)


def wire(request: Request) -> bytes:
    """A request in bytes, on a connection that is kept."""
    fields = {"Host": "127.0.0.1", "Content-Length": str(len(request.body)), **request.headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"POST {request.path} HTTP/1.1\r\n{lines}\r\n".encode() + request.body


async def read_status(reader: asyncio.StreamReader) -> bytes:
    """Read an answer; its status."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
    await reader.readexactly(int(length))
    return head[9:12]


async def post_all(port: int, load: Load, rate: float | None) -> tuple[float, list[float]]:
    """Post a round over several connections; the seconds in all, and of each request."""
    waiting = iter([wire(request) for request in load.requests])
    began, spent = time.perf_counter(), list[float]()
    loop, number = asyncio.get_running_loop(), 0

    async def client() -> None:
        nonlocal number
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for request in waiting:
            due = began + number / rate if rate else 0.0
            number += 1
            if (early := due - time.perf_counter()) > 0:
                done = loop.create_future()
                loop.call_later(early, done.set_result, None)
                await done
            start = max(due, began) if rate else time.perf_counter()
            writer.write(request)
            while (status := await read_status(reader)) == b"503":  # as services do
                writer.write(request)
            if status != b"200":
                raise SystemExit(f"not recorded: {status.decode()}")
            spent.append(time.perf_counter() - start)
        writer.close()

    await asyncio.gather(*(client() for _ in range(CLIENTS)))
    return time.perf_counter() - began, spent


def check(folder: Path, expected: Counter[tuple[int, str]]) -> None:
    """Compare what was recorded with what should be.

    Raises:
        SystemExit: an event is missing, counted twice, or about another reader.
    """
    with contextlib.closing(sqlite3.connect(folder / "newsletter.db")) as database:
        rows = database.execute("SELECT reader, kind, count(*) FROM returns GROUP BY reader, kind")
        recorded = {(reader, kind): count for reader, kind, count in rows}
        statuses = dict(database.execute("SELECT id, status FROM readers"))
    wrong = {key for key in recorded.keys() | expected if recorded.get(key, 0) != expected[key]}
    ends = {reader: ENDS[kind] for reader, kind in expected if kind in ENDS}
    wrong |= {(n, s) for n, s in statuses.items() if s != ends.get(n, "confirmed")}
    if wrong:
        raise SystemExit(f"{len(wrong)} verdicts are wrong, such as {sorted(wrong)[:5]}")
    print(f"{expected.total()} events recorded, every verdict right")


def show(name: str, events: int, seconds: float, cpu: float, spent: Sequence[float]) -> None:
    """Print a round's figures: rate, the server's CPU time per event, and time to the answer."""
    middle, slow = (quantile * 1000 for quantile in statistics.quantiles(spent, n=20)[9:20:9])
    rate, each = f"{events / seconds:7.0f} events/s", f"{cpu / events * 1e6:5.0f} us CPU each"
    print(f"{name:26} {rate}  {each}  answers {middle:6.1f} ms, 95 % in {slow:6.1f} ms")


def main() -> None:
    """Read the command line and measure."""
    reading = argparse.ArgumentParser(description=__doc__)
    reading.add_argument("--readers", type=int, default=10_000)
    reading.add_argument("--events", type=int, default=20_000)
    reading.add_argument("--rate", type=float, default=1_000)
    reading.add_argument("--batch", type=int, default=100)
    told = reading.parse_args()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepared(folder, port, told.readers)
        now = SystemClock().now() - timedelta(minutes=1)
        rounds = list(loads(told.readers, told.events, told.batch, now))
        with running(folder, "serve") as serving:
            up(port)
            server = psutil.Process(serving.pid)
            names = "single", f"single, {told.rate:.0f} offered", f"in batches of {told.batch}"
            for label, load, rate in zip(names, rounds, (None, told.rate, None), strict=True):
                post = partial(post_all, port, load, rate)
                before = sum(server.cpu_times()[:2])
                seconds, spent = asyncio.run(post())
                cpu = sum(server.cpu_times()[:2]) - before
                show(label, told.events, seconds, cpu, spent)
        check(folder, sum((load.expected for load in rounds), Counter()))


if __name__ == "__main__":
    main()
