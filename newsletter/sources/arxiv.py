"""arXiv's daily announcements, as Atom: the RSS form loses abstract text to its parser."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, get_args

from newsletter.errors import SourceError
from newsletter.model import Announcement, Item, Listing
from newsletter.papers.identity import parse_arxiv_id
from newsletter.sources import entries, feed_process, sandbox
from newsletter.sources.http import Client
from newsletter.sources.options import Options
from newsletter.text import clean, http_url

PACE = 3.0
"""Seconds between requests, over all sources (https://info.arxiv.org/help/api/tou.html)."""

_REFUSED = frozenset({400})
"""What arXiv answers, with its reason in a feed, to categories it does not know."""

_HEAD = re.compile(
    r"^\s*(?:arXiv:\S+\s+)?Announce Type:\s*[\w-]+\s*(?:\n|\s)\s*Abstract:\s*", re.IGNORECASE
)
_WITHDRAWN = re.compile(
    r"^(?:(?:this|the) (?:paper|article|submission|manuscript|work)\b.{0,40}?)?\bwithdrawn\b",
    re.IGNORECASE,
)
"""How an abstract or a comment begins that takes the paper back."""


@dataclass(frozen=True, slots=True)
class Arxiv:
    """What arXiv announces in these categories, one query an archive."""

    name: str
    client: Client
    options: Options
    categories: tuple[str, ...]
    url: str = "https://rss.arxiv.org"

    @property
    def daily(self) -> bool:
        """There is an announcement every working day."""
        return True

    async def fetch(self, day: date) -> tuple[Listing, ...]:
        """The announcement there is.

        Raises:
            SourceError: arXiv did not answer with one.
        """
        items: dict[str, Item] = {}
        for query in queries(self.categories):
            url = f"{self.url.rstrip('/')}/atom/{query}"
            async with self.client.turn(PACE):
                answer = await self.options.get(self.client, url, expect=_REFUSED)
            if answer.status in _REFUSED:
                raise SourceError(f"{url}: arXiv says: {_reason(answer.body)}")
            found = await sandbox.entries(answer.body, answer.headers, url)
            items |= {item.ids[0]: item for item in _items(found, url)}
        return (Listing(self.name, day, tuple(items.values())),)


def parse(body: bytes, headers: Mapping[str, str], url: str) -> tuple[Item, ...]:
    """The items of an announcement or of an answer of arXiv's API, parsed here and now.

    Args:
        body: the Atom (or RSS) document.
        headers: of the answer it came in.
        url: where it came from.

    Raises:
        SourceError: it is none, or arXiv's own error.
    """
    found = feed_process.reduced(body, sandbox.context(headers, url))
    return tuple(_items(sandbox.listed(found, body, url), url))


def queries(categories: Sequence[str]) -> tuple[str, ...]:
    """One query an archive: a broad one is cut at 2,000 rows, replacements first."""
    by_archive: dict[str, list[str]] = {}
    for category in dict.fromkeys(categories):
        by_archive.setdefault(category.partition(".")[0], []).append(category)
    return tuple("+".join(names) for names in by_archive.values())


def _items(found: Iterable[Mapping[str, Any]], url: str) -> Iterator[Item]:
    for entry in found:
        if entry["title"].strip() in {"Error", "Feed error"} or "/api/errors" in entry["guid"]:
            raise SourceError(f"{url}: arXiv says: {clean(entry['summary'])[:200]}")
        yield _item(entry, url)


def _item(entry: Mapping[str, Any], url: str) -> Item:
    """One announced paper; one without an arXiv number keeps the names the entry gives it."""
    number = next((n for raw in entry["ids"] if (n := parse_arxiv_id(raw)) is not None), None)
    item = replace(
        entries.item({**entry, "summary": _HEAD.sub("", entry["summary"])}, url, clean),
        authors=tuple(_authors(entry["authors"])),
        announcement=_announcement(entry["announcement"]),
    )
    withdrawn = _WITHDRAWN.search(item.abstract) or _WITHDRAWN.search(entry["comment"])
    if number is None:
        return item
    name, version = number
    dois = (raw for raw in entry["ids"] if "10." in raw and parse_arxiv_id(raw) is None)
    return replace(
        item,
        ids=(name, *(clean(raw) for raw in dois)),
        url=http_url(f"https://arxiv.org/abs/{name}"),
        pdf=http_url(f"https://arxiv.org/pdf/{name}"),
        version=version,
        withdrawn=withdrawn is not None,
    )


def _authors(written: Iterable[str]) -> Iterator[str]:
    """The names, from one string with commas or from several; affiliations left out."""
    for names in written:
        bare = re.sub(r"\s*\([^()]*\)", "", clean(names))
        yield from (name for name in re.split(r",\s+(?!(?:Jr|Sr|I{2,3}|IV)\b)", bare) if name)


def _reason(body: bytes) -> str:
    """Why arXiv refuses, as the feed it refuses with says."""
    found = re.search(rb"<(?:subtitle|description)>(.*?)</", body, re.DOTALL)
    return clean((found[1] if found else body[:200]).decode("utf-8", "replace"))


def _announcement(word: str) -> Announcement:
    for known in get_args(Announcement):
        if word.strip().lower() == known:
            return known  # type: ignore[no-any-return]
    return "new"
