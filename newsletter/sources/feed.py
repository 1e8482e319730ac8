"""Reads any feed: RSS 0.9 to 2.0, Atom and RDF through feedparser, and JSON Feed."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import urljoin

from newsletter.errors import SourceError
from newsletter.model import STREAM, Calendar, Item, Listing, ListRequest
from newsletter.papers.identity import mark_shared
from newsletter.sources import feed_parser, sandbox
from newsletter.sources.answers import as_text, load_json
from newsletter.sources.entries import Entry, Reading, item_from_entry
from newsletter.sources.http_client import SourceClient
from newsletter.text import http_url

RECENT = timedelta(days=2)
"""An entry that is older than this on the issue's day belongs to the feed's past."""

FUTURE = timedelta(days=366)
"""An entry that is dated later than this after the issue's day counts as undated."""

_MAX_AGE = re.compile(r"max-age=(\d{1,7})\b")
_TTL = re.compile(rb"<ttl>\s*(\d{1,6})\s*</ttl>")
_SKIP_HOURS = re.compile(rb"<skipHours>(.*?)</skipHours>", re.DOTALL)
_HOUR = re.compile(rb"<hour>\s*(\d{1,2})\s*</hour>")

_JSON_FEED = ("https://jsonfeed.org/version/", "http://jsonfeed.org/version/")


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
            reading = Reading(self.url)
            recent, old = split_by_age(self.name, request.day, _items(entries, reading))
            pause = asked_pause(answer.body, answer.headers, request.as_of)
            return replace(recent, unreadable=reading.unreadable, poll_after=pause), old


def asked_pause(body: bytes, headers: Mapping[str, str], now: datetime) -> timedelta:
    """How long a feed asks to be left alone; nothing if it does not say.

    It says so by ``Cache-Control: max-age`` (RFC 9111, 5.2.2.1), and in RSS by ``ttl`` in
    minutes and ``skipHours`` in GMT (https://www.rssboard.org/rss-specification).
    """
    channel = re.split(rb"<item\b", body, maxsplit=1)[0]
    seconds = _MAX_AGE.search(headers.get("cache-control", ""))
    minutes = _TTL.search(channel)
    block = _SKIP_HOURS.search(channel)
    skipped = {int(hour) % 24 for hour in _HOUR.findall(block[1])} if block else set()
    skip = next((ahead for ahead in range(24) if (now.hour + ahead) % 24 not in skipped), 0)
    return max(
        timedelta(seconds=int(seconds[1]) if seconds else 0),
        timedelta(minutes=int(minutes[1]) if minutes else 0),
        timedelta(hours=skip, minutes=-now.minute) if skip else timedelta(),
    )


def parse(body: bytes, headers: Mapping[str, str], url: str) -> tuple[Item, ...]:
    """The items of a feed, parsed in this process and without limits.

    Raises:
        SourceError: the body is not a feed.
    """
    if _is_json(body):
        return tuple(_items(_json_entries(body, url), Reading(url)))
    return tuple(_items(sandbox.parse_feed_unlimited(body, headers, url), Reading(url)))


def split_by_age(source: str, day: date, items: Iterable[Item]) -> tuple[Listing, ...]:
    """Two listings: the recent and undated items, and the feed's past.

    A date in the far future is a mistake and left out; a journal's issue may be some months ahead.
    """
    recent: list[Item] = []
    old: list[Item] = []
    for item in items:
        if item.published is not None and item.published > day + FUTURE:
            item = replace(item, published=None)  # noqa: PLW2901
        last = item.published or _end_of_month(item.published_month)
        (old if last is not None and last < day - RECENT else recent).append(item)
    return (Listing(source, day, tuple(recent)), Listing(source, day, tuple(old), past=True))


def _end_of_month(first: date | None) -> date | None:
    return first and (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def _items(entries: Sequence[Entry], reading: Reading) -> Iterator[Item]:
    """The entries as items. What several share, as a link to a table of contents, names none."""
    url = reading.origin
    return mark_shared(reading.items(entries, lambda entry: item_from_entry(entry, url)))


def _is_json(body: bytes) -> bool:
    return body.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[")


def _json_entries(body: bytes, url: str) -> list[Entry]:
    """The entries of a JSON Feed (https://jsonfeed.org/version/1.1), in the form of XML ones.

    Raises:
        SourceError: the body is not a JSON Feed.
    """
    feed = load_json(body, url)
    version, items = (
        (feed.get("version"), feed.get("items")) if isinstance(feed, dict) else (None, None)
    )
    if not isinstance(items, list) or not str(version).startswith(_JSON_FEED):
        raise SourceError(f"{url}: JSON, but not a JSON Feed (its version is {version!r})")
    return [
        _json_entry(item, url)
        for item in items[: feed_parser.MAX_ENTRIES]
        if isinstance(item, dict)
    ]


def _json_entry(item: Mapping[str, Any], url: str) -> Entry:
    guid = str(item["id"]) if isinstance(item.get("id"), str | int | float) else ""
    address = as_text(item.get("url")) or as_text(item.get("external_url"))
    # The address of an item may be its id only.
    link = _absolute(address, url) if address else http_url(guid) or ""
    body = as_text(item.get("content_text")) or as_text(item.get("content_html"))
    return {
        "title": as_text(item.get("title")),
        "summary": as_text(item.get("summary"))[: feed_parser.MAX_TEXT],
        "contents": [body[: feed_parser.MAX_TEXT]],
        "link": link,
        "comments": "",
        "ids": list(filter(None, (guid, link, as_text(item.get("external_url"))))),
        "guid": guid,
        "authors": list(_json_authors(item)),
        "categories": [tag for tag in _list(item.get("tags")) if isinstance(tag, str)],
        "dates": [as_text(item.get(name)) for name in ("date_published", "date_modified")],
        "announcement": "",
        "comment": "",
        "arxiv": False,
    }


def _json_authors(item: Mapping[str, Any]) -> Iterator[str]:
    """Version 1.1 has ``authors``, version 1 had ``author``; some feeds have bare names."""
    for author in _list(item.get("authors")) or [item.get("author")]:
        name = author.get("name") if isinstance(author, dict) else author
        if as_text(name):
            yield as_text(name)


def _absolute(address: str, base: str) -> str:
    try:
        return urljoin(base, address)
    except ValueError:
        return address


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
