"""Runs the feed parser in a child process with limits on time and memory."""

import asyncio
import json
import re
import sys
from asyncio.subprocess import Process
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from newsletter.errors import SourceError
from newsletter.sources import feed_process

WALL_SECONDS = 30.0

_OUT_OF_TIME = frozenset({-24, -9})
"""The child's exit by SIGXCPU or SIGKILL: its CPU seconds are used up."""

_END = re.compile(rb"</(?:\w+:)?(?:rss|feed|rdf)\s*>|<(?:\w+:)?feed\b[^>]*/>", re.IGNORECASE)
"""How the outermost element of a feed is closed; RSS 0.9 and 1.0 have ``rdf``."""


async def entries(body: bytes, headers: Mapping[str, str], url: str) -> list[Mapping[str, Any]]:
    """A feed's entries, as :func:`newsletter.sources.feed_process.reduced` gives them.

    Raises:
        SourceError: the parser ran out of time or memory, or the body is no feed.
    """
    starting = asyncio.ensure_future(_start())
    told = json.dumps(context(headers, url)).encode() + b"\n"
    try:
        # Shielded: cancelled in the middle of it, uvloop would not wait for the child's end.
        child = await asyncio.shield(starting)
        async with asyncio.timeout(WALL_SECONDS):
            out, err = await child.communicate(told + body)
    except TimeoutError as error:
        raise SourceError(f"{url}: parsing took over {WALL_SECONDS:g} seconds") from error
    finally:
        await _end(await starting)
    if child.returncode in _OUT_OF_TIME:
        raise SourceError(f"{url}: parsing took over {feed_process.CPU_SECONDS} seconds of CPU")
    if child.returncode:
        last = err.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise SourceError(f"{url}: cannot be parsed: {last[:200] or child.returncode}")
    return listed(json.loads(out), body, url)


async def _start() -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        str(Path(feed_process.__file__)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={},
    )


async def _end(child: Process) -> None:
    if child.returncode is None:
        child.kill()
        await child.wait()


def context(headers: Mapping[str, str], url: str) -> Mapping[str, str]:
    """What of an answer's headers the parser needs, and where its relative links start from."""
    content_type = headers.get("content-type")
    return {"content-location": url} | ({"content-type": content_type} if content_type else {})


def listed(found: Mapping[str, Any], body: bytes, url: str) -> list[Mapping[str, Any]]:
    """The entries of a reduced feed.

    The parser makes do with half a feed. Whoever took it for a whole one would never see the other
    half of an announcement that stands for a day; a day that failed is made up for.

    Raises:
        SourceError: it is no feed, and the message shows how the body begins; or one that was cut.
    """
    if not found["version"]:
        words = " ".join(body[:80].decode("utf-8", "replace").split())
        raise SourceError(f"{url}: not a feed but {words!r}")
    if not _END.search(body.replace(b"\0", b"")):  # UTF-16 has one beside each letter
        raise SourceError(f"{url}: the feed ends in the middle; try again later")
    entries_: list[Mapping[str, Any]] = found["entries"]
    return entries_
