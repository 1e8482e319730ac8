"""Reads any feed: RSS 0.9 to 2.0, Atom and RDF through feedparser, and JSON Feed.

An entry is a mapping as :func:`newsletter.sources.feed_parser.parse` returns it.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, ClassVar

from newsletter.errors import SourceError
from newsletter.model import STREAM, Calendar, Item, Listing, ListRequest
from newsletter.papers.identity import mark_shared
from newsletter.papers.names import find_version
from newsletter.sources import feed_parser, sandbox
from newsletter.sources.http_client import SourceClient
from newsletter.text import clean, http_url, shorten, strip_markup

RECENT = timedelta(days=2)
"""An entry that is older than this on the issue's day belongs to the feed's past."""

_TITLE_LENGTH = 100  # characters of the text that replace a missing title

_UNTITLED = "Untitled"

_JSON_FEED = ("https://jsonfeed.org/version/", "http://jsonfeed.org/version/")
_INITIALS = re.compile(r"(?:[^\W\d_]{1,2}\.?[ -]?){1,4}")

Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Feed:
    """One feed. Its current listing has the entries of the last two days, and undated ones."""

    calendar: ClassVar[Calendar] = STREAM
    parts: ClassVar[tuple[str, ...]] = ("",)

    name: str
    client: SourceClient
    url: str

    async def read(self, request: ListRequest) -> tuple[Listing, ...]:
        """The feed's recent entries as one listing, older ones as another."""
        async with self.client.answer(self.url) as answer:
            if _is_json(answer.body):
                entries = _json_entries(answer.body, self.url)
            else:
                entries = await sandbox.parse_feed(answer.body, answer.headers, self.url)
            return split_by_age(self.name, request.day, _items(entries, self.url))


def parse(body: bytes, headers: Mapping[str, str], url: str) -> tuple[Item, ...]:
    """The items of a feed, parsed in this process and without limits.

    Raises:
        SourceError: the body is not a feed.
    """
    if _is_json(body):
        return tuple(_items(_json_entries(body, url), url))
    return tuple(_items(sandbox.parse_feed_unlimited(body, headers, url), url))


def split_by_age(source: str, day: date, items: Iterable[Item]) -> tuple[Listing, ...]:
    """Two listings: the recent and undated items, and the feed's past."""
    recent: list[Item] = []
    old: list[Item] = []
    for item in items:
        is_old = item.published is not None and item.published < day - RECENT
        (old if is_old else recent).append(item)
    return (Listing(source, day, tuple(recent)), Listing(source, day, tuple(old), past=True))


def item_from_entry(
    entry: Entry, feed_url: str, to_text: Callable[[str], str] = strip_markup
) -> Item:
    """An entry as an item. A missing title is replaced by the start of the text, or the link.

    ``to_text`` makes plain text of title and summary: ``clean`` if they have no markup. Guids are
    unique within their feed only, so they get its address.
    """
    abstract = to_text(entry["summary"])
    link = http_url(entry["link"])
    title = to_text(entry["title"]) or shorten(abstract, _TITLE_LENGTH) or link or _UNTITLED
    guid = [f"feed:{feed_url}#{clean(entry['guid'])}"] if entry["guid"] else []
    ids = tuple(map(clean, entry["ids"]))
    return Item(
        title=title,
        abstract=abstract,
        ids=(*ids, *guid),
        url=link,
        discussion=http_url(entry["comments"]),
        authors=tuple(_author_names(entry["authors"])),
        categories=tuple(filter(None, map(clean, entry["categories"]))),
        published=as_date(entry["date"]),
        version=find_version(ids),
    )


def _items(entries: Sequence[Entry], url: str) -> Iterator[Item]:
    """The entries as items. What several share, as a link to a table of contents, names none."""
    return mark_shared(item_from_entry(entry, url) for entry in entries)


def _author_names(authors: Iterable[str]) -> Iterator[str]:
    """The authors, one name each; some feeds put all of them into one field."""
    for author in authors:
        parts = [part.strip() for part in strip_markup(author).split(",") if part.strip()]
        last, first = parts[::2], parts[1::2]
        if len(last) == len(first) and all(map(_INITIALS.fullmatch, first)):
            yield from (f"{initials} {name}" for name, initials in zip(last, first, strict=True))
        else:
            yield from parts


def as_text(value: object) -> str:
    """A value of JSON as it is, if it is text; otherwise empty."""
    return value if isinstance(value, str) else ""


def as_date(value: object) -> date | None:
    """The date that a value of JSON begins with (ISO 8601); None if it does not."""
    try:
        return date.fromisoformat(as_text(value)[:10])
    except ValueError:
        return None


def _is_json(body: bytes) -> bool:
    return body.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[")


def _json_entries(body: bytes, url: str) -> list[Entry]:
    """The entries of a JSON Feed (https://jsonfeed.org/version/1.1), in the form of XML ones.

    Raises:
        SourceError: the body is not a JSON Feed.
    """
    try:
        feed = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{url}: not JSON: {error}") from error
    version, items = (
        (feed.get("version"), feed.get("items")) if isinstance(feed, dict) else (None, None)
    )
    if not isinstance(items, list) or not str(version).startswith(_JSON_FEED):
        raise SourceError(f"{url}: JSON, but not a JSON Feed (its version is {version!r})")
    return [
        _json_entry(item) for item in items[: feed_parser.MAX_ENTRIES] if isinstance(item, dict)
    ]


def _json_entry(item: Mapping[str, Any]) -> Entry:
    link = as_text(item.get("url")) or as_text(item.get("external_url"))
    body = item.get("content_text") or item.get("content_html") or item.get("summary")
    guid = str(item["id"]) if isinstance(item.get("id"), str | int | float) else ""
    return {
        "title": as_text(item.get("title")),
        "summary": as_text(body)[: feed_parser.MAX_TEXT],
        "link": link,
        "comments": "",
        "ids": list(filter(None, (guid, link, as_text(item.get("external_url"))))),
        "guid": guid,
        "authors": list(_json_authors(item)),
        "categories": [tag for tag in _list(item.get("tags")) if isinstance(tag, str)],
        "date": as_text(item.get("date_published")) or item.get("date_modified"),
    }


def _json_authors(item: Mapping[str, Any]) -> Iterator[str]:
    """Version 1.1 has ``authors``, version 1 had ``author``."""
    for author in (*_list(item.get("authors")), item.get("author")):
        if isinstance(author, dict) and as_text(author.get("name")):
            yield as_text(author.get("name"))


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
