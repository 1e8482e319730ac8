"""Hundreds of feeds fetched at once: time, memory, and manners.

``python -m bench.feeds [--feeds N] [--entries N] [--json FILE]``

Each feed has papers and a host of its own; all hosts are one server on loopback, in a process of
its own, that answers after a tenth of a second and knows what it sent by an ETag. A whole fetch is
measured: asking, parsing in child processes, storing. Then the feeds, all unchanged, are fetched
again. The memory is that of this process and its children together, looked at twenty times a
second.
"""

import argparse
import asyncio
import json
import multiprocessing
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path

from bench.fetch import URL, rss
from bench.resident import resident
from bench.workload import morning
from newsletter.app.clock import SystemClock
from newsletter.publisher.fetching import fetch_sources
from newsletter.sources import Client, Feed, SourceClient
from newsletter.stores import open_store

LATENCY = 0.1  # seconds from a request to its answer


class Server:
    """A server of all feeds; it counts requests, and connections by host."""

    def __init__(self, bodies: Sequence[bytes]) -> None:
        self.bodies = bodies
        self.counts: Counter[str] = Counter()
        self.open: Counter[str] = Counter()

    async def serve(self, pipe: Connection) -> None:
        """Serve until the pipe says something; then send the counts."""
        server = await asyncio.start_server(self.answer, "127.0.0.1", 0, backlog=512)
        pipe.send(server.sockets[0].getsockname()[1])
        while await asyncio.to_thread(pipe.recv):
            pipe.send(dict(self.counts))
            self.counts.clear()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        host = ""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
                if not host:
                    host = head.partition("\r\nHost: ")[2].partition(":")[0]
                    self.open[host] += 1
                self._count(host, head)
                await SystemClock().sleep(LATENCY)
                writer.write(self._page(int(host.partition(".")[0][4:]), head))
        except (asyncio.IncompleteReadError, ConnectionError):
            self.open[host] -= 1
            writer.close()

    def _count(self, host: str, head: str) -> None:
        self.counts["requests"] += 1
        self.counts["unchanged"] += "If-None-Match" in head
        for name, now in (
            ("connections at once", sum(self.open.values())),
            ("connections to one host", self.open[host]),
        ):
            self.counts[name] = max(self.counts[name], now)

    def _page(self, number: int, head: str) -> bytes:
        if f'If-None-Match: "{number}"' in head:
            return f'HTTP/1.1 304 Not Modified\r\nETag: "{number}"\r\n\r\n'.encode()
        body = self.bodies[number % len(self.bodies)]
        own = f"https://feed{number}.example".encode()
        body = body.replace(URL.encode(), own).replace(b"<title>", b"<title>%d: " % number)
        told = f'HTTP/1.1 200 OK\r\nETag: "{number}"\r\nContent-Length: {len(body)}\r\n\r\n'
        return told.encode() + body


def run_server(pipe: Connection, bodies: Sequence[bytes]) -> None:
    """The server's process."""
    asyncio.run(Server(bodies).serve(pipe))


class Watcher:
    """The most memory that this process and its children had together, in megabytes."""

    def __init__(self, ignored: int | None) -> None:
        self.ignored, self.peak = ignored, 0.0

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch while the block runs."""
        done = threading.Event()
        thread = threading.Thread(target=self._watch, args=[done])
        thread.start()
        yield
        done.set()
        thread.join()

    def _watch(self, done: threading.Event) -> None:
        while not done.wait(0.05):
            total = 0.0
            for process in ("self", *self._below("self")):
                with suppress(OSError):
                    found = resident(process)
                    total += found.now if found else 0.0
            self.peak = max(self.peak, total)

    def _below(self, process: str) -> Iterator[str]:
        """The children of a process, theirs, and so on."""
        with suppress(OSError):  # it has ended meanwhile
            for task in Path(f"/proc/{process}/task").iterdir():
                for child in (task / "children").read_text(encoding="ascii").split():
                    if child != str(self.ignored):
                        yield child
                        yield from self._below(child)


async def _loopback(host: str, port: int) -> Sequence[str]:
    del host, port
    return ["127.0.0.1"]


def measure(feeds: int, entries: int) -> dict[str, float]:
    """The figures of a first fetch and of a second one."""
    items = [paper.item for paper in morning(entries * 10, 0).issue.papers]
    bodies = [rss(items[at::10]) for at in range(10)]
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=run_server, args=[theirs, bodies])
    server.start()
    port = ours.recv()
    figures: dict[str, float] = {"a feed, KB": sum(map(len, bodies)) / len(bodies) / 1000}
    with tempfile.TemporaryDirectory() as folder:
        clock = SystemClock()
        client = Client(
            contact="editor@example.org",
            clock=clock,
            kept=Path(folder) / "answers.db",
            resolver=_loopback,
        )
        asking = SourceClient(client, allow_private_addresses=True)
        store = open_store(f"sqlite:///{folder}/store.db")
        sources = [Feed(f"F{n}", asking, f"http://feed{n}.example:{port}/") for n in range(feeds)]
        for turn in ("first", "again"):
            watcher, start = Watcher(server.pid), time.perf_counter()
            day = clock.now().date() + timedelta(days=turn == "again")
            with watcher.watching():
                reports = asyncio.run(fetch_sources(sources, store, day, clock))
            figures[f"{turn}, s"] = time.perf_counter() - start
            figures[f"{turn}, peak MB"] = watcher.peak
            ours.send(True)
            figures |= {f"{turn}, {name}": count for name, count in ours.recv().items()}
            figures[f"{turn}, failed"] = sum(report.missing for report in reports)
        store.close()
    ours.send(False)
    server.join()
    return figures


def main() -> None:
    """Measure and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--feeds", type=int, default=300)
    parser.add_argument("--entries", type=int, default=40)
    parser.add_argument("--json", type=Path)
    wanted = parser.parse_args()
    figures = measure(wanted.feeds, wanted.entries)
    for name, figure in figures.items():
        sys.stdout.write(f"{name:<32}{figure:>10.1f}\n")
    if wanted.json:
        wanted.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
