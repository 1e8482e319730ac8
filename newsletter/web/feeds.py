"""Papers as a feed: Atom (RFC 4287), RSS 2.0, JSON Feed 1.1. An entry's id never changes."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from starlette.requests import Request
from starlette.responses import Response

from newsletter.model import Publication
from newsletter.web.editions import Entry
from newsletter.web.pages import Pages

Format = Literal["atom", "rss", "json"]
FORMATS: tuple[Format, ...] = get_args(Format)
TYPES: dict[Format, str] = {
    "atom": "application/atom+xml",
    "rss": "application/rss+xml",
    "json": "application/feed+json",
}
MOST_ENTRIES = 200


@dataclass(frozen=True, slots=True)
class Told:
    """A paper as a feed tells of it.

    Attributes:
        id: its name for ever (a ``tag:`` of RFC 4151).
        page: where it is shown here.
        at: when it came out.
    """

    id: str
    page: str
    at: datetime
    entry: Entry


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed.

    Attributes:
        title: what it is called.
        home: the page it is of.
        own: where it is itself, without the format's ending.
        entries: the newest first.
    """

    title: str
    home: str
    own: str
    entries: tuple[Told, ...]


def told(publication: Publication, page: str, at: datetime, entry: Entry) -> Told:
    """A paper as it stands in every feed of a newsletter."""
    return Told(f"tag:{publication.domain},2026:{entry.key}", page, at, entry)


def written(pages: Pages, feed: Feed, form: Format) -> str:
    """A feed in a format."""
    return _json(feed) if form == "json" else pages.text(f"feed.{form}", feed=feed)


def answer(request: Request, body: str, form: Format, *, secret: bool) -> Response:
    """A written feed, or word that nothing has changed (RFC 9110, 13.1.2)."""
    tag = f'"{hashlib.sha256(body.encode()).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": f"{'private' if secret else 'public'}, max-age=900"}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=f"{TYPES[form]}; charset=utf-8", headers=headers)


def _json(feed: Feed) -> str:
    document = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": feed.title,
        "home_page_url": feed.home,
        "feed_url": f"{feed.own}.json",
        "items": [_item(each) for each in feed.entries],
    }
    return json.dumps(document, ensure_ascii=False)


def _item(each: Told) -> dict[str, str]:
    outward = {} if each.entry.view.url is None else {"external_url": each.entry.view.url}
    return {
        "id": each.id,
        "url": each.page,
        **outward,
        "title": each.entry.view.title,
        "content_text": each.entry.summary or each.entry.view.title,
        "date_published": each.at.isoformat(),
    }


def newest(entries: Sequence[Told]) -> tuple[Told, ...]:
    """As many as a feed holds, each paper once."""
    return tuple({each.id: each for each in reversed(entries)}.values())[::-1][:MOST_ENTRIES]
