"""Serves the simulated world on loopback, and lets its time and its parsing cost nothing."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from contextvars import ContextVar
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

from newsletter.papers import identity
from newsletter.publisher import fetching
from newsletter.sources import arxiv, sandbox
from tests.faults.world_papers import CUT, World
from tests.support.http_servers import response


class WorldClock:
    """The world's time. A wait counts only for the task that waits, as if others ran meanwhile."""

    def __init__(self, now: datetime) -> None:
        self.time = self.latest = now
        self._waited: ContextVar[timedelta] = ContextVar("waited", default=timedelta())

    def now(self) -> datetime:
        return self.time + self._waited.get()

    async def sleep(self, seconds: float) -> None:
        self._waited.set(self._waited.get() + timedelta(seconds=seconds))
        self.latest = max(self.latest, self.now())
        await asyncio.sleep(0)  # noqa: TID251 - lets other tasks run, as a wait does

    def go_to(self, now: datetime) -> None:
        """Set the time, but not back to before a wait ended."""
        self.time = self.latest = max(self.latest, now)


@contextlib.asynccontextmanager
async def serve_world(world: World, clock: WorldClock) -> AsyncIterator[int]:
    """Serve all hosts of the world on one port of loopback."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
            target = urlsplit(head[0].split(" ")[1])
            query = {name: values[-1] for name, values in parse_qs(target.query).items()}
            host = headers["host"].partition(":")[0]
            page = world.answer(host, target.path, query, clock.time)
            if page is not None:
                status, own, body = page
                if status == 200 and own.get("ETag", "-") == headers.get("if-none-match"):
                    status, body = 304, b""
                written = {name.replace("-", "_"): text for name, text in own.items()}
                writer.write(response(status, body, **written))
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@contextlib.contextmanager
def parsing_once() -> Iterator[None]:
    """Parse feeds in this process, each body once, and identify each item once.

    A child process for each answer, as in the product, would make a month take hours. For the same
    reason arXiv's lists are cut at fewer rows.
    """
    parsed: dict[tuple[bytes, str], Any] = {}

    async def parse_feed(body: bytes, headers: Mapping[str, str], url: str) -> Any:  # noqa: ANN401
        key = body, headers.get("content-type", "")
        if key not in parsed:
            parsed[key] = sandbox.parse_feed_unlimited(body, headers, url)
        return parsed[key]

    cached: dict[tuple[Any, str], Any] = {
        (module, name): lru_cache(None)(getattr(module, name))
        for module, name in ((fetching, "identify"), (identity, "parse_names"))
    }
    smaller = {(sandbox, "parse_feed"): parse_feed, (arxiv, "MAX_ROWS"): CUT}
    with contextlib.ExitStack() as stack:
        for (module, name), faster in {**smaller, **cached}.items():
            stack.callback(setattr, module, name, getattr(module, name))
            setattr(module, name, faster)
        yield
