"""The feeds that a web page links (https://html.spec.whatwg.org/#link-type-alternate)."""

from typing import NamedTuple
from urllib.parse import urljoin

from newsletter.text import clean, http_url
from newsletter.text.tags import find_tags

_HEAD = 500_000  # bytes of a page that are searched

_FEED_TYPES = (
    "application/rss+xml",
    "application/atom+xml",
    "application/rdf+xml",
    "application/feed+json",
)


class FeedLink(NamedTuple):
    """A link to a feed, with the name that the page gives it."""

    url: str
    name: str


def feed_links(body: bytes, place: str) -> list[FeedLink]:
    """The feeds that a page links, in its order; ``place`` is its address."""
    head = body[:_HEAD]
    bases = (base.get("href", "") for _, base in find_tags(head, "base"))
    base = urljoin(place, next(filter(None, bases), ""))
    links: dict[str, FeedLink] = {}
    for _, link in find_tags(head, "link"):
        kinds, kind = link.get("rel", "").lower().split(), link.get("type", "").lower()
        address = http_url(_joined(base, link.get("href", "")))
        if "alternate" in kinds and kind.partition(";")[0].strip() in _FEED_TYPES and address:
            links.setdefault(address, FeedLink(address, clean(link.get("title", ""))))
    return list(links.values())


def _joined(base: str, address: str) -> str:
    try:
        return urljoin(base, address) if address else ""
    except ValueError:
        return ""
