"""Reads arXiv's daily announcements as Atom; the RSS form loses abstract text to its parser."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, get_args

from newsletter.errors import SourceError
from newsletter.model import ARXIV, Announcement, Calendar, Item, Listing, ListRequest
from newsletter.papers.names import parse_arxiv_id
from newsletter.sources import sandbox
from newsletter.sources.feed import item_from_entry
from newsletter.sources.http_client import SourceClient
from newsletter.text import clean, http_url

REQUEST_INTERVAL = 3.0
"""Seconds between requests, over all sources (https://info.arxiv.org/help/api/tou.html)."""

_ANNOUNCEMENTS: dict[str, Announcement] = {word: word for word in get_args(Announcement)}

_BAD_REQUEST = frozenset({400})  # arXiv's status for unknown categories, with the reason in a feed

_ABSTRACT_PREFIX = re.compile(
    r"^\s*(?:arXiv:\S+\s+)?Announce Type:\s*[\w-]+\s*(?:\n|\s)\s*Abstract:\s*", re.IGNORECASE
)
_WITHDRAWN = re.compile(
    r"^(?:(?:this|the) (?:paper|article|submission|manuscript|work)\b.{0,40}?)?\bwithdrawn\b",
    re.IGNORECASE,
)
"""How the abstract or the comment of a withdrawn paper begins."""


@dataclass(frozen=True, slots=True)
class Arxiv:
    """The announcements in these categories, one request for each archive."""

    calendar: ClassVar[Calendar] = ARXIV

    name: str
    client: SourceClient
    categories: tuple[str, ...]
    url: str = "https://rss.arxiv.org"

    @property
    def parts(self) -> tuple[str, ...]:
        """The archives of its categories."""
        return tuple(by_archive(self.categories))

    async def read(self, request: ListRequest) -> tuple[Listing, ...]:
        """The present announcement of an archive; its list is complete as soon as it has papers."""
        if request.day != self.calendar.today(request.as_of):
            raise SourceError(f"the announcement of {request.day} is over")
        categories = by_archive(self.categories)[request.part]
        url = f"{self.url.rstrip('/')}/atom/{'+'.join(categories)}"
        async with (
            self.client.shared.spaced(REQUEST_INTERVAL),
            self.client.answer(url, expect=_BAD_REQUEST) as answer,
        ):
            if answer.status in _BAD_REQUEST:
                raise SourceError(f"{url}: arXiv says: {_refusal_reason(answer.body)}")
            entries = await sandbox.parse_feed(answer.body, answer.headers, url)
            items = {item.ids[0]: item for item in _items(entries, url)}
            return (Listing(self.name, request.day, tuple(items.values()), complete=bool(items)),)


def parse(body: bytes, headers: Mapping[str, str], url: str) -> tuple[Item, ...]:
    """The items of an announcement, or of an answer of arXiv's API, parsed in this process.

    Raises:
        SourceError: the body is not a feed, or is an error message of arXiv.
    """
    return tuple(_items(sandbox.parse_feed_unlimited(body, headers, url), url))


def by_archive(categories: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    """The categories of each archive: arXiv cuts a list at 2,000 rows, replacements first."""
    grouped: dict[str, tuple[str, ...]] = {}
    for category in dict.fromkeys(categories):
        archive = category.partition(".")[0]
        grouped[archive] = (*grouped.get(archive, ()), category)
    return grouped


def _items(entries: Iterable[Mapping[str, Any]], url: str) -> Iterator[Item]:
    for entry in entries:
        if entry["title"].strip() in {"Error", "Feed error"} or "/api/errors" in entry["guid"]:
            raise SourceError(f"{url}: arXiv says: {clean(entry['summary'])[:200]}")
        yield _item(entry, url)


def _item(entry: Mapping[str, Any], url: str) -> Item:
    """One announced paper; without an arXiv number it keeps the ids and links of its entry."""
    number = next((n for raw in entry["ids"] if (n := parse_arxiv_id(raw)) is not None), None)
    without_prefix = {**entry, "summary": _ABSTRACT_PREFIX.sub("", entry["summary"])}
    item = replace(
        item_from_entry(without_prefix, url, clean),
        authors=tuple(_authors(entry["authors"])),
        announcement=_ANNOUNCEMENTS.get(entry["announcement"].strip().lower(), "new"),
    )
    if number is None:
        return item
    name, version = number
    dois = (raw for raw in entry["ids"] if "10." in raw and parse_arxiv_id(raw) is None)
    withdrawn = _WITHDRAWN.search(item.abstract) or _WITHDRAWN.search(entry["comment"])
    return replace(
        item,
        ids=(name, *(clean(raw) for raw in dois)),
        url=http_url(f"https://arxiv.org/abs/{name}"),
        pdf=http_url(f"https://arxiv.org/pdf/{name}"),
        version=version,
        withdrawn=withdrawn is not None,
    )


def _authors(fields: Iterable[str]) -> Iterator[str]:
    """The names, separated by commas or in several fields, without affiliations."""
    for names in fields:
        bare = re.sub(r"\s*\([^()]*\)", "", clean(names))
        yield from (name for name in re.split(r",\s+(?!(?:Jr|Sr|I{2,3}|IV)\b)", bare) if name)


def _refusal_reason(body: bytes) -> str:
    match = re.search(rb"<(?:subtitle|description)>(.*?)</", body, re.DOTALL)
    return clean((match[1] if match else body[:200]).decode("utf-8", "replace"))
