"""Reads arXiv's daily announcements as Atom, and answers of its API."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from newsletter.errors import SourceError
from newsletter.model import ARXIV, Calendar, Item, Listing, ListRequest
from newsletter.sources import sandbox
from newsletter.sources.entries import Entry, Reading, arxiv_item
from newsletter.sources.http_client import SourceClient
from newsletter.text import clean

REQUEST_INTERVAL = 3.0
"""Seconds between requests, over all sources (https://info.arxiv.org/help/api/tou.html)."""

_BAD_REQUEST = frozenset({400})  # arXiv's status for unknown categories, with the reason in a feed


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
            reading = Reading(url)
            items = {item.ids[0]: item for item in _items(entries, reading)}
            return (
                Listing(
                    self.name,
                    request.day,
                    tuple(items.values()),
                    complete=bool(items),
                    unreadable=reading.unreadable,
                ),
            )


def parse(body: bytes, headers: Mapping[str, str], url: str) -> tuple[Item, ...]:
    """The items of an announcement, or of an answer of arXiv's API, parsed in this process.

    Raises:
        SourceError: the body is not a feed, or is an error message of arXiv.
    """
    return tuple(_items(sandbox.parse_feed_unlimited(body, headers, url), Reading(url)))


def by_archive(categories: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    """The categories of each archive: arXiv cuts a list at 2,000 rows, replacements first."""
    grouped: dict[str, tuple[str, ...]] = {}
    for category in dict.fromkeys(categories):
        archive = category.partition(".")[0]
        grouped[archive] = (*grouped.get(archive, ()), category)
    return grouped


def _items(entries: Sequence[Entry], reading: Reading) -> Iterator[Item]:
    url = reading.origin
    for entry in entries:
        if entry["title"].strip() in {"Error", "Feed error"} or "/api/errors" in entry["guid"]:
            raise SourceError(f"{url}: arXiv says: {clean(entry['summary'])[:200]}")
    return reading.items(entries, lambda entry: arxiv_item(entry, url))


def _refusal_reason(body: bytes) -> str:
    match = re.search(rb"<(?:subtitle|description)>(.*?)</", body, re.DOTALL)
    return clean((match[1] if match else body[:200]).decode("utf-8", "replace"))
