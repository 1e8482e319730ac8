"""Any feed: RSS 0.9 to 2.0, Atom and RDF through feedparser, and JSON Feed."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from newsletter.errors import SourceError
from newsletter.model import Item, Listing
from newsletter.sources import feed_process, sandbox
from newsletter.sources.entries import by_age, item
from newsletter.sources.http import Client
from newsletter.sources.options import Options

JSON_FEED = ("https://jsonfeed.org/version/", "http://jsonfeed.org/version/")


@dataclass(frozen=True, slots=True)
class Feed:
    """One feed. What is dated within two days of the issue, or undated, is its current listing."""

    name: str
    client: Client
    options: Options
    url: str

    @property
    def daily(self) -> bool:
        """A feed owes nobody an entry a day."""
        return False

    async def fetch(self, day: date) -> tuple[Listing, ...]:
        """The feed's entries, recent ones apart from its past.

        Raises:
            SourceError: no answer, or no feed.
        """
        answer = await self.options.get(self.client, self.url)
        if is_json(answer.body):
            entries = json_entries(answer.body, self.url)
        else:
            entries = await sandbox.entries(answer.body, answer.headers, self.url)
        return by_age(self.name, day, _items(entries, self.url))


def parse(body: bytes, headers: Mapping[str, str], url: str) -> tuple[Item, ...]:
    """The items of a feed, parsed here and now, without limits.

    Args:
        body: the feed.
        headers: of the answer it came in.
        url: where it came from.

    Raises:
        SourceError: it is no feed.
    """
    if is_json(body):
        entries = json_entries(body, url)
    else:
        entries = sandbox.listed(
            feed_process.reduced(body, sandbox.context(headers, url)), body, url
        )
    return tuple(_items(entries, url))


def _items(entries: Sequence[Mapping[str, Any]], url: str) -> Iterator[Item]:
    """The entries as items. A link that several share (a home page) names none of them."""
    shared = Counter(entry["link"] for entry in entries)
    for entry in entries:
        own = [raw for raw in entry["ids"] if shared[raw] <= 1]
        yield item({**entry, "ids": own}, url)


def is_json(body: bytes) -> bool:
    """Whether a body looks like a JSON document rather than XML."""
    return body.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[")


def json_entries(body: bytes, url: str) -> list[Mapping[str, Any]]:
    """The entries of a JSON Feed (https://jsonfeed.org/version/1.1), in the form of XML ones.

    Raises:
        SourceError: it is no JSON Feed.
    """
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{url}: not JSON: {error}") from error
    version = found.get("version") if isinstance(found, dict) else None
    items = found.get("items") if isinstance(found, dict) else None
    if not isinstance(items, list) or not str(version).startswith(JSON_FEED):
        raise SourceError(f"{url}: JSON, but no JSON Feed (its version is {version!r})")
    return [_entry(each) for each in items[: feed_process.MAX_ENTRIES] if isinstance(each, dict)]


def _entry(each: Mapping[str, Any]) -> Mapping[str, Any]:
    link = _text(each.get("url")) or _text(each.get("external_url"))
    body = each.get("content_text") or each.get("content_html") or each.get("summary")
    guid = each.get("id")
    return {
        "title": _text(each.get("title")),
        "summary": _text(body)[: feed_process.MAX_TEXT],
        "link": link,
        "ids": [link, _text(each.get("external_url"))] if link else [],
        "guid": str(guid) if isinstance(guid, str | int | float) else "",
        "authors": list(_authors(each)),
        "categories": [tag for tag in _list(each.get("tags")) if isinstance(tag, str)],
        "date": _date(_text(each.get("date_published")) or _text(each.get("date_modified"))),
    }


def _authors(each: Mapping[str, Any]) -> Iterator[str]:
    """Version 1.1 has authors, version 1 had one."""
    for author in (*_list(each.get("authors")), each.get("author")):
        if isinstance(author, dict) and _text(author.get("name")):
            yield _text(author.get("name"))


def _date(text: str) -> list[int] | None:
    try:
        found = date.fromisoformat(text[:10])
    except ValueError:
        return None
    return [found.year, found.month, found.day]


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
