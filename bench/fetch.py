"""The cost of reading a feed, in this process and in the child process that a fetch uses.

``python -m bench.fetch [--entries N] [--rounds N] [--json FILE]``

A made-up feed of abstracts, as RSS, Atom and JSON Feed; every way must find the same papers. `here`
is the CPU time of the parser; `fetch` is elapsed time, child process included.
"""

import argparse
import asyncio
import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from bench.workload import morning
from newsletter.model import Item
from newsletter.sources import sandbox
from newsletter.sources.feed import parse

URL = "https://example.org/feed"


def rss(items: Sequence[Item]) -> bytes:
    """The items as RSS 2.0."""
    told = "".join(
        f"<item><title>{escape(item.title)}</title><link>{URL}/{at}</link>"
        f"<guid>{URL}/{at}</guid><description>{escape(item.abstract)}</description>"
        f"<author>{escape(item.authors[0])}</author><category>{item.categories[0]}</category>"
        "<pubDate>Mon, 03 Aug 2026 05:00:00 GMT</pubDate></item>"
        for at, item in enumerate(items)
    )
    return f'<rss version="2.0"><channel><title>F</title>{told}</channel></rss>'.encode()


def atom(items: Sequence[Item]) -> bytes:
    """The items as Atom."""
    told = "".join(
        f'<entry><title>{escape(item.title)}</title><link href="{URL}/{at}"/><id>{URL}/{at}</id>'
        f"<summary>{escape(item.abstract)}</summary>"
        f"<author><name>{escape(item.authors[0])}</name></author>"
        f'<category term="{item.categories[0]}"/><updated>2026-08-03T05:00:00Z</updated></entry>'
        for at, item in enumerate(items)
    )
    return f'<feed xmlns="http://www.w3.org/2005/Atom"><title>F</title>{told}</feed>'.encode()


def json_feed(items: Sequence[Item]) -> bytes:
    """The items as a JSON Feed."""
    told = [
        {
            "id": f"{URL}/{at}",
            "url": f"{URL}/{at}",
            "title": item.title,
            "content_text": item.abstract,
            "authors": [{"name": item.authors[0]}],
            "tags": [item.categories[0]],
            "date_published": "2026-08-03T05:00:00Z",
        }
        for at, item in enumerate(items)
    ]
    return json.dumps({"version": "https://jsonfeed.org/version/1.1", "items": told}).encode()


FORMS: Mapping[str, Callable[[Sequence[Item]], bytes]] = {
    "RSS": rss,
    "Atom": atom,
    "JSON Feed": json_feed,
}


def measure(entries: int, rounds: int) -> dict[str, float]:
    """Milliseconds per way of reading, and the sizes of the feeds."""
    items = [paper.item for paper in morning(entries, 0).issue.papers]
    bodies = {name: form(items) for name, form in FORMS.items()}
    took: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, body in bodies.items():
            began = time.process_time()
            found = parse(body, {}, URL)
            took.setdefault(f"{name}, here", []).append(time.process_time() - began)
            assert [item.title for item in found] == [item.title for item in items]
            if name != "JSON Feed":  # read without a child
                start = time.perf_counter()
                fetched = asyncio.run(sandbox.parse_feed(body, {}, URL))
                took.setdefault(f"{name}, fetch", []).append(time.perf_counter() - start)
                assert len(fetched) == entries
    figures = {name: statistics.median(seconds) * 1000 for name, seconds in took.items()}
    return figures | {f"{name}, KB": len(body) / 1000 for name, body in bodies.items()}


def main() -> None:
    """Measure and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    wanted = parser.parse_args()
    figures = measure(wanted.entries, wanted.rounds)
    for name, figure in figures.items():
        sys.stdout.write(f"{name:<20}{figure:>10.1f}{'' if name.endswith('KB') else ' ms'}\n")
    if wanted.json:
        wanted.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
