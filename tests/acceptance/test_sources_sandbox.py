import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from newsletter.errors import SourceError
from newsletter.sources import sandbox

URL = "https://feeds.example/atom"
CORPORA = Path(__file__).parents[2].parent / "shared" / "data" / "corpora"

GOOD = b"""<?xml version="1.0"?><rss version="2.0"><channel><title>A feed</title>
<item><title>One</title><link>/one</link></item></channel></rss>"""

LAUGHS = b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a0 "ha ha ha">' + b"".join(
    b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 12)
)


def read(body: bytes) -> list[Mapping[str, Any]]:
    return asyncio.run(sandbox.parse_feed(body, {"content-type": "text/xml"}, URL))


def rss(title: bytes, before: bytes = b"") -> bytes:
    start = before or b'<?xml version="1.0"?>'
    return start + b'<rss version="2.0"><channel><item><title>%s</title></item></channel></rss>' % (
        title
    )


LONG = rss(b"<b>" * 200_000)
"""A feed that takes long to parse, so that the test finds the process that parses it."""


def outcome(body: bytes) -> str:
    """The titles of the feed, or the message of the SourceError."""
    try:
        return "".join(entry["title"] for entry in read(body))
    except SourceError as error:
        return str(error)


def test_feed_is_parsed_in_child_with_absolute_links() -> None:
    (entry,) = read(GOOD)
    assert (entry["title"], entry["link"]) == ("One", "https://feeds.example/one")


@pytest.mark.parametrize(
    "body", [b"", b"\x00\xff\xfe", b"<html><body>Sorry</body></html>", b"nothing", b'{"a": 1}']
)
def test_non_feed_is_quoted_in_the_error(body: bytes) -> None:
    with pytest.raises(SourceError, match=r"^https://feeds\.example/atom: not a feed but"):
        read(body)


@pytest.mark.slow
def test_billion_laughs_do_not_reach_the_parent() -> None:
    said = outcome(rss(b"&a11;", LAUGHS + b"]>"))
    assert len(said) < 100_000


@pytest.mark.slow
def test_huge_entity_does_not_reach_the_parent() -> None:
    big = b'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY big "' + b"x" * 5_000_000 + b'">]>'
    assert len(outcome(rss(b"&big;" * 100, big))) < 100_000


@pytest.mark.slow
def test_slow_body_is_given_up_with_an_error() -> None:
    with pytest.raises(SourceError, match=r"^https://feeds\.example/atom: "):
        read(rss(b"<b>" * 3_000_000))


@pytest.mark.slow
def test_deeply_nested_tags_end() -> None:
    said = outcome(rss(b"<b>" * 200_000 + b"deep" + b"</b>" * 200_000))
    assert len(said) < 1_000_000


def test_external_entity_is_not_read() -> None:
    steal = b'<?xml version="1.0"?><!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    assert "root:" not in outcome(rss(b"before &x; after", steal))


@pytest.mark.parametrize("body", [b"/etc/passwd", b"file:///etc/passwd", b"http://127.0.0.1/"])
def test_path_or_address_is_parsed_as_bytes(body: bytes) -> None:
    with pytest.raises(SourceError, match="not a feed but"):
        read(body)


def test_child_has_none_of_our_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEWSLETTER_SECRET", "s3cret")
    started: list[str] = []

    async def run() -> None:
        reading = asyncio.ensure_future(sandbox.parse_feed(LONG, {}, URL))
        while not started:
            assert not (await asyncio.wait({reading}, timeout=0.001))[0]
            told = {child: _environment(child) for child in _children()}
            started.extend(told[child] for child in _children() if child in told)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)

    asyncio.run(run())
    assert "s3cret" not in started[0]


def _environment(child: str) -> str:
    return _read_proc(Path(f"/proc/{child}/environ")).decode()


def _children() -> list[str]:
    return [
        child
        for task in Path(f"/proc/{os.getpid()}/task").iterdir()
        for child in _read_proc(task / "children").decode().split()
        if b"feed_parser" in _read_proc(Path(f"/proc/{child}/cmdline"))
    ]


def _read_proc(file: Path) -> bytes:
    """A file in /proc of a thread or process; empty if that has ended meanwhile."""
    try:
        return file.read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def test_cancelled_child_is_gone() -> None:
    async def run() -> None:
        reading = asyncio.ensure_future(sandbox.parse_feed(LONG, {}, URL))
        while not _children():
            assert not (await asyncio.wait({reading}, timeout=0.001))[0]
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        assert _children() == []

    asyncio.run(run())


def test_many_feeds_share_few_parsers() -> None:
    async def run() -> int:
        readings = [asyncio.ensure_future(sandbox.parse_feed(GOOD, {}, URL)) for _ in range(20)]
        most, open_readings = 0, set(readings)
        while open_readings:
            _, open_readings = await asyncio.wait(open_readings, timeout=0.001)
            most = max(most, len(_children()))
        assert all(reading.result()[0]["title"] == "One" for reading in readings)
        assert _children() == []
        return most

    assert asyncio.run(run()) <= sandbox.AT_ONCE


@pytest.mark.slow
def test_feeds_after_a_hostile_one_are_read() -> None:
    bodies = [GOOD, rss(b"&a11;", LAUGHS + b"]>"), b"nothing", GOOD] * 3

    async def run() -> list[Any]:
        parsing = (sandbox.parse_feed(body, {}, URL) for body in bodies)
        return list(await asyncio.gather(*parsing, return_exceptions=True))

    outcomes = asyncio.run(run())
    assert [each[0]["title"] for each in outcomes[::4] + outcomes[3::4]] == ["One"] * 6


def test_killed_parser_is_a_source_error() -> None:
    async def run() -> None:
        reading = asyncio.ensure_future(sandbox.parse_feed(LONG, {}, URL))
        while not _children():
            await asyncio.wait({reading}, timeout=0.001)
        for child in _children():
            os.kill(int(child), signal.SIGKILL)
        with pytest.raises(SourceError, match="the parser was killed"):
            await reading
        assert (await sandbox.parse_feed(GOOD, {}, URL))[0]["title"] == "One"

    asyncio.run(run())


def test_parser_that_died_before_the_feed_is_a_source_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def start_dead() -> asyncio.subprocess.Process:
        parser = await start()
        os.kill(parser.pid, signal.SIGKILL)
        await parser.wait()
        return parser

    start = sandbox._start
    monkeypatch.setattr(sandbox, "_start", start_dead)
    with pytest.raises(SourceError, match="the parser was killed"):
        asyncio.run(sandbox.parse_feed(GOOD, {}, URL))


WATCHED = """
import json, sys, time
from pathlib import Path
from newsletter.errors import SourceError
from newsletter.sources import feed
import encodings.idna, encodings.utf_16, encodings.utf_32, email.utils

files = [Path(line) for line in sys.stdin.read().split("\\n") if line]
bodies = [(file, file.read_bytes()) for file in files]
for _ in range(2):
    feed.parse(b"<rss version='2.0'><channel><item><title>x</title></item></channel></rss>", {}, "")
seen, slow, watching = [], [], False

def watch(event, arguments):
    if not watching:
        return
    own = event == "open" and str(arguments[0]).startswith((sys.prefix, sys.base_prefix))
    if (event == "open" and not own) or event.startswith(("socket.", "subprocess.", "os.system",
                                                           "urllib.")):
        seen.append([event, str(arguments)[:100]])

sys.addaudithook(watch)
read = refused = 0
for file, body in bodies:
    begun = time.process_time()
    watching = True
    try:
        feed.parse(body, {}, "https://feeds.example/f")
        read += 1
    except SourceError:
        refused += 1
    finally:
        watching = False
    if time.process_time() - begun > 5:
        slow.append(str(file))
print(json.dumps({"read": read, "refused": refused, "seen": seen, "slow": slow}))
"""


def parse_watched(files: list[Path]) -> dict[str, Any]:
    """Parse these files in a process that records every opened file and every connection."""
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", WATCHED],
        input="\n".join(map(str, files)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def corpus() -> list[Path]:
    if not CORPORA.is_dir():
        pytest.skip("the folder `shared` with feed corpora is not beside the checkout")
    return sorted(file for file in CORPORA.rglob("*") if file.is_file())


@pytest.mark.slow
def test_corpora_open_no_file_and_no_connection() -> None:
    files = corpus()
    found = parse_watched(files)
    assert found["seen"] == []
    assert found["slow"] == []
    assert found["read"] + found["refused"] == len(files)
    assert found["read"] > len(files) // 2


@pytest.mark.slow
def test_each_corpus_is_read_or_refused() -> None:
    for file in corpus()[::40]:
        outcome(file.read_bytes())
