"""Finds the feeds behind a page's address: those that it links, or those in the usual places."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urljoin

from newsletter.errors import SourceError
from newsletter.model import ListRequest
from newsletter.sources.feed import Feed
from newsletter.sources.feed_links import FeedLink, feed_links
from newsletter.sources.http_client import SourceClient

MAX_LINKS = 20
"""Links of a page that are followed."""

_USUAL_PLACES = ("feed", "rss", "feed.xml", "rss.xml", "atom.xml", "index.xml")


@dataclass(frozen=True, slots=True)
class FoundFeed:
    """A feed: its address, the name that the page gives it, and how many entries it has."""

    url: str
    name: str
    entries: int


async def find_feeds(
    client: SourceClient, address: str, now: datetime
) -> tuple[list[FoundFeed], list[str]]:
    """The feeds behind an address, which may be one itself, and why linked ones cannot be read.

    Raises:
        SourceError: the address has no answer.
    """
    async with client.answer(address) as answer:
        body, place = answer.body, answer.url or address
    try:
        return [await _read(client, FeedLink(address, ""), now)], []
    except SourceError:
        links = feed_links(body, place)
    if links:
        return await _readable(client, links[:MAX_LINKS], now)
    roots = dict.fromkeys((urljoin(place, "."), urljoin(place, "/")))
    guesses = [FeedLink(urljoin(root, name), "") for root in roots for name in _USUAL_PLACES]
    feeds, _ = await _readable(client, guesses, now)
    return feeds, []


async def _readable(
    client: SourceClient, links: Iterable[FeedLink], now: datetime
) -> tuple[list[FoundFeed], list[str]]:
    feeds, failures = [], []
    for link in links:
        try:
            feeds.append(await _read(client, link, now))
        except SourceError as error:
            failures.append(str(error))
    return feeds, failures


async def _read(client: SourceClient, link: FeedLink, now: datetime) -> FoundFeed:
    listings = await Feed(link.url, client, link.url).read(ListRequest("", now.date(), now))
    return FoundFeed(link.url, link.name, sum(len(listing.items) for listing in listings))
