"""Papers as a feed: Atom (RFC 4287), RSS 2.0, JSON Feed 1.1. An entry's id never changes."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from starlette.requests import Request
from starlette.responses import Response

from newsletter.web.context import PageTemplates
from newsletter.web.page_cache import PaperEntry

Format = Literal["atom", "rss", "json"]
FORMATS: tuple[Format, ...] = get_args(Format)
MEDIA_TYPES: dict[Format, str] = {
    "atom": "application/atom+xml",
    "rss": "application/rss+xml",
    "json": "application/feed+json",
}
MAX_ENTRIES = 200


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """A paper in a feed, with its page in the archive and the time its issue was published.

    The id is a ``tag:`` URI (RFC 4151), the same in every feed and for ever.
    """

    id: str
    page: str
    at: datetime
    entry: PaperEntry


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed, newest entries first; ``home`` is the page with the same papers.

    ``about`` says what is in it. ``own`` is its own address without the
    ending that says the format.
    """

    title: str
    about: str
    home: str
    own: str
    entries: tuple[FeedEntry, ...]


def newest_entries(entries: Iterable[FeedEntry]) -> tuple[FeedEntry, ...]:
    """As many entries as a feed may have, each paper once; takes no more than it needs."""
    found: dict[str, FeedEntry] = {}
    for each in entries:
        found.setdefault(each.id, each)
        if len(found) == MAX_ENTRIES:
            break
    return tuple(found.values())


def render_feed(templates: PageTemplates, feed: Feed, form: Format) -> str:
    """A feed as text in a format."""
    return _as_json(feed) if form == "json" else templates.render(f"feed.{form}", feed=feed)


def feed_response(request: Request, body: bytes, form: Format, *, secret: bool) -> Response:
    """The answer with a rendered feed, or 304 if the client has it already (RFC 9110, 13.1.2)."""
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": f"{'private' if secret else 'public'}, max-age=900"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=f"{MEDIA_TYPES[form]}; charset=utf-8", headers=headers)


def _as_json(feed: Feed) -> str:
    document = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": feed.title,
        "description": feed.about,
        "home_page_url": feed.home,
        "feed_url": f"{feed.own}.json",
        "items": [_as_item(each) for each in feed.entries],
    }
    return json.dumps(document, ensure_ascii=False)


def _as_item(each: FeedEntry) -> dict[str, str]:
    external = {} if each.entry.view.url is None else {"external_url": each.entry.view.url}
    return {
        "id": each.id,
        "url": each.page,
        **external,
        "title": each.entry.view.title,
        "content_text": each.entry.summary or each.entry.view.title,
        "date_published": each.at.isoformat(),
    }
