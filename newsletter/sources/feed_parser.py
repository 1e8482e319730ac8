"""Parses a feed with feedparser, in a process that can be killed.

:mod:`newsletter.sources.sandbox` runs this file as a program: on standard input a line of JSON with
the answer's headers and then the body, on standard output JSON. It imports nothing of the
newsletter, so that it starts fast and knows no secrets.
"""

import io
import json
import resource
import sys
from collections.abc import Iterator, Mapping
from typing import Any

CPU_SECONDS = 10
MEMORY = 512 * 1024 * 1024
MAX_ENTRIES = 5000
MAX_TEXT = 50_000
MAX_LIST = 1000
MAX_OUTPUT = 20 * 1024 * 1024
"""Characters of JSON: entities can expand to far more text than the feed has."""

_IDS = ("id", "prism_doi", "dc_identifier", "arxiv_doi", "citation_doi", "link")


def parse(body: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
    """A feed's ``version`` (empty if it is not a feed) and ``entries``.

    Each entry has only what an item needs, of limited length. Of the headers, ``content-type`` may
    name the encoding; ``content-location`` is the base of relative links.
    """
    import feedparser  # noqa: PLC0415 - the sandbox imports this module and does not need it

    # Not a str: feedparser would open a path, and fetch an address.
    feed = feedparser.parse(io.BytesIO(body), response_headers=dict(headers))
    entries = [_entry(entry) for entry in feed.entries[:MAX_ENTRIES]]
    return {"version": feed.get("version") or "", "entries": entries}


def _entry(entry: Any) -> dict[str, Any]:  # noqa: ANN401 - feedparser is untyped
    contents = [str(part.get("value") or "") for part in entry.get("content") or []]
    summary = str(entry.get("summary") or "")
    return {
        "title": str(entry.get("title") or "")[:MAX_TEXT],
        "summary": (summary or max(contents, key=len, default=""))[:MAX_TEXT],
        "link": str(entry.get("link") or "")[:MAX_TEXT],
        "comments": str(entry.get("comments") or "")[:MAX_TEXT],
        "ids": list(dict.fromkeys(_ids(entry))),
        "guid": str(entry.get("id") or "")[:MAX_TEXT],
        "authors": list(dict.fromkeys(_authors(entry)))[:MAX_LIST],
        "categories": [str(tag.get("term") or "") for tag in (entry.get("tags") or [])[:MAX_LIST]],
        "date": _date(entry),
        "announcement": str(entry.get("arxiv_announce_type") or ""),
        "comment": str(entry.get("arxiv_comment") or "")[:MAX_TEXT],
    }


def _ids(entry: Any) -> Iterator[str]:  # noqa: ANN401 - as above
    for name in _IDS:
        value = entry.get(name)
        if isinstance(value, str) and value:
            yield value[:MAX_TEXT]


def _authors(entry: Any) -> Iterator[str]:  # noqa: ANN401 - as above
    people = entry.get("authors") or []
    names = [person.get("name") for person in people if isinstance(person, dict)]
    for name in list(filter(None, names)) or [entry.get("author")]:
        if name:
            yield str(name)[:MAX_TEXT]


def _date(entry: Any) -> str:  # noqa: ANN401 - as above
    """The day (UTC) of publication, or else of the last change, as ISO 8601; empty if unknown."""
    for name in ("published_parsed", "updated_parsed", "created_parsed"):
        # For a missing date, feedparser would return another one, with a warning.
        parsed = entry.get(name) if name in entry else None
        if parsed:
            return "{:04}-{:02}-{:02}".format(*parsed[:3])
    return ""


def main() -> None:
    """Parse standard input and write the entries to standard output, within the limits."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 1))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    headers = json.loads(sys.stdin.buffer.readline())
    output = json.dumps(parse(sys.stdin.buffer.read(), headers))
    if len(output) > MAX_OUTPUT:
        sys.exit(f"its entries come to more than {MAX_OUTPUT // 2**20} MB")
    sys.stdout.write(output)


if __name__ == "__main__":
    main()
