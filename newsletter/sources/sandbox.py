"""Runs the feed parser in child processes with limits on time and memory."""

import asyncio
import json
import os
import re
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from newsletter.errors import SourceError
from newsletter.sources import feed_parser
from newsletter.sources.answers import beginning
from newsletter.sources.feed_links import feed_links

WALL_SECONDS = 30.0

AT_ONCE = min(4, os.cpu_count() or 1)
"""Parsers at once; each takes some 40 MB."""

_OUT_OF_TIME = frozenset({-24, -9})
"""The child's exit by SIGXCPU or SIGKILL: its CPU seconds are used up."""

_END = re.compile(rb"</(?:\w+:)?(?:rss|feed|rdf)\s*>|<(?:\w+:)?feed\b[^<>]*/>", re.IGNORECASE)
"""How the outermost element of a feed is closed; RSS 0.9 and 1.0 have ``rdf``."""

_QUOTED = re.compile(rb"<!\[CDATA\[.*?(?:\]\]>|\Z)|<!--.*?(?:-->|\Z)", re.DOTALL)
"""Texts and comments, where a tag is no tag; the last one may be cut off."""


async def parse_feed(body: bytes, headers: Mapping[str, str], url: str) -> list[Mapping[str, Any]]:
    """A feed's entries, as :func:`newsletter.sources.feed_parser.parse` returns them.

    Raises:
        SourceError: the parser ran out of time or memory, or the body is not a whole feed.
    """
    question = json.dumps([len(body), _parser_headers(headers, url)]).encode() + b"\n"
    try:
        async with _parser() as parser, asyncio.timeout(WALL_SECONDS):
            exit_code, said = await _ask(parser, question + body)
    except TimeoutError as error:
        raise SourceError(f"{url}: parsing took over {WALL_SECONDS:g} seconds") from error
    except (ConnectionError, asyncio.IncompleteReadError) as error:
        raise SourceError(f"{url}: cannot be parsed: the parser was killed") from error
    if exit_code in _OUT_OF_TIME:
        raise SourceError(f"{url}: parsing took over {feed_parser.CPU_SECONDS} seconds of CPU")
    if exit_code:
        words = said.decode("utf-8", "replace")[:200]
        raise SourceError(f"{url}: cannot be parsed: {words or exit_code}")
    return _checked_entries(json.loads(said), body, url)


def parse_feed_unlimited(
    body: bytes, headers: Mapping[str, str], url: str
) -> list[Mapping[str, Any]]:
    """The same in this process, without limits: for tests and for feeds that are trusted.

    Raises:
        SourceError: the body is not a whole feed.
    """
    return _checked_entries(feed_parser.parse(body, _parser_headers(headers, url)), body, url)


@dataclass(slots=True)
class _Parsers:
    """The parsers of one event loop; they stay only while feeds wait."""

    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    idle: list[Process] = field(default_factory=list)
    waiting: int = 0

    async def take(self) -> Process:
        """A parser that has nothing to do."""
        return self.idle.pop() if self.idle else await _start()

    async def end_idle(self) -> None:
        """End the parsers that no feed waits for."""
        while self.idle and not self.waiting:
            await _kill(self.idle.pop())


_parsers = WeakKeyDictionary[asyncio.AbstractEventLoop, _Parsers]()


@asynccontextmanager
async def _parser() -> AsyncIterator[Process]:
    """A parser for one feed, once it is this feed's turn; it ends if the block raises."""
    parsers = _parsers.setdefault(asyncio.get_running_loop(), _Parsers())
    parsers.waiting += 1
    try:
        await parsers.slots.acquire()
    finally:
        parsers.waiting -= 1
    starting = asyncio.ensure_future(parsers.take())
    done = False
    try:
        # Shielded: if it were cancelled here, uvloop would not wait for the end of the child.
        yield await asyncio.shield(starting)
        done = True
    finally:
        parser = await starting
        if done:
            parsers.idle.append(parser)
        else:
            await _kill(parser)
        await parsers.end_idle()
        parsers.slots.release()


async def _ask(parser: Process, question: bytes) -> tuple[int, bytes]:
    """The exit code of the process that parsed a feed, and what it said."""
    assert parser.stdin is not None
    assert parser.stdout is not None
    if parser.stdin.is_closing():  # uvloop's own error for this is no ConnectionError
        raise ConnectionResetError
    parser.stdin.write(question)
    await parser.stdin.drain()
    exit_code, length = (await parser.stdout.readuntil()).split()
    return int(exit_code), await parser.stdout.readexactly(int(length))


async def _start() -> Process:
    # -I: no user site, no environment, no current folder to import from.
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", feed_parser.__file__),
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,  # errors of a feed come on standard output
        env={},
        start_new_session=True,  # a group of its own, with the processes that it forks
    )


async def _kill(parser: Process) -> None:
    with suppress(ProcessLookupError):
        os.killpg(parser.pid, signal.SIGKILL)
    await parser.wait()


def _parser_headers(headers: Mapping[str, str], url: str) -> Mapping[str, str]:
    """The headers that the parser needs: the encoding, and the base of relative links."""
    content_type = headers.get("content-type")
    return {"content-location": url} | ({"content-type": content_type} if content_type else {})


def _checked_entries(feed: Mapping[str, Any], body: bytes, url: str) -> list[Mapping[str, Any]]:
    """The entries of a parsed feed.

    feedparser accepts half a feed. But the missing half of a day's announcement would never be
    read, while a day that failed is fetched again.

    Raises:
        SourceError: the body is not a feed (the message shows its start), or is cut off.
    """
    if not feed["version"]:
        linked = next(iter(feed_links(body, url)), None)
        hint = "" if linked is None else f"; the page links a feed at {linked.url}: use that"
        raise SourceError(f"{url}: not a feed but {beginning(body)!r}{hint}")
    tags = _QUOTED.sub(b"", body.replace(b"\0", b""))  # in UTF-16 a NUL stands beside each letter
    if not _END.search(tags):
        raise SourceError(f"{url}: the feed breaks off after {len(body)} bytes; try again later")
    entries: list[Mapping[str, Any]] = feed["entries"]
    return entries
