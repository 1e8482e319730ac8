"""Runs the feed parser in a child process with limits on time and memory."""

import asyncio
import json
import re
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from typing import Any

from newsletter.errors import SourceError
from newsletter.sources import feed_parser

WALL_SECONDS = 30.0

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
    starting = asyncio.ensure_future(_start())
    header_line = json.dumps(_parser_headers(headers, url)).encode() + b"\n"
    try:
        # Shielded: if it were cancelled here, uvloop would not wait for the end of the child.
        child = await asyncio.shield(starting)
        async with asyncio.timeout(WALL_SECONDS):
            out, err = await child.communicate(header_line + body)
    except TimeoutError as error:
        raise SourceError(f"{url}: parsing took over {WALL_SECONDS:g} seconds") from error
    finally:
        await _kill(await starting)
    if child.returncode in _OUT_OF_TIME:
        raise SourceError(f"{url}: parsing took over {feed_parser.CPU_SECONDS} seconds of CPU")
    if child.returncode:
        last_line = err.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise SourceError(f"{url}: cannot be parsed: {last_line[:200] or child.returncode}")
    return _checked_entries(json.loads(out), body, url)


def parse_feed_unlimited(
    body: bytes, headers: Mapping[str, str], url: str
) -> list[Mapping[str, Any]]:
    """The same in this process, without limits: for tests and for feeds that are trusted.

    Raises:
        SourceError: the body is not a whole feed.
    """
    return _checked_entries(feed_parser.parse(body, _parser_headers(headers, url)), body, url)


async def _start() -> Process:
    # -I: no user site, no environment, no current folder to import from.
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", feed_parser.__file__), stdin=PIPE, stdout=PIPE, stderr=PIPE, env={}
    )


async def _kill(child: Process) -> None:
    if child.returncode is None:
        child.kill()
        await child.wait()


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
        words = " ".join(body[:80].decode("utf-8", "replace").split())
        raise SourceError(f"{url}: not a feed but {words!r}")
    tags = _QUOTED.sub(b"", body.replace(b"\0", b""))  # in UTF-16 a NUL stands beside each letter
    if not _END.search(tags):
        raise SourceError(f"{url}: the feed breaks off after {len(body)} bytes; try again later")
    entries: list[Mapping[str, Any]] = feed["entries"]
    return entries
