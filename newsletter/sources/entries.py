"""From a feed's entry to an item: what RSS, Atom, RDF and JSON Feed have in common."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, timedelta
from typing import Any

from newsletter.model import Item, Listing
from newsletter.text import clean, http_url, plain, shorten

RECENT = timedelta(days=2)
"""How far behind the issue's day an entry of a plain feed is still news."""

TITLE = 100
"""Characters of the text that stand in for a title that is missing."""

UNTITLED = "Untitled"
"""What an entry is called that says nothing at all."""

_INITIALS = re.compile(r"(?:[^\W\d_]{1,2}\.?[ -]?){1,4}")


def item(entry: Mapping[str, Any], feed_url: str, read: Callable[[str], str] = plain) -> Item:
    """An entry as an item; one without a title is called by how its text begins, or its link.

    Args:
        entry: as :mod:`newsletter.sources.feed_process` reduces it.
        feed_url: the feed's address, which a guid belongs to.
        read: makes plain text of titles and summaries; ``clean`` where they are no markup.
    """
    abstract = read(entry["summary"])
    link = http_url(entry["link"])
    title = read(entry["title"]) or shorten(abstract, TITLE) or link or UNTITLED
    return Item(
        title=title,
        abstract=abstract,
        ids=tuple(_ids(entry, feed_url)),
        url=link,
        discussion=http_url(entry.get("comments")),
        authors=tuple(names(entry["authors"])),
        categories=tuple(clean(name) for name in entry["categories"] if clean(name)),
        published=day(entry["date"]),
    )


def names(authors: Iterable[str]) -> Iterator[str]:
    """The authors of an entry, one each; some feeds have them all in one field."""
    for author in authors:
        parts = [part.strip() for part in plain(author).split(",") if part.strip()]
        last, first = parts[::2], parts[1::2]
        if len(last) == len(first) and all(map(_INITIALS.fullmatch, first)):
            yield from (f"{initials} {name}" for name, initials in zip(last, first, strict=True))
        else:
            yield from parts


def day(parts: object) -> date | None:
    """A date of year, month and day; None for what is none."""
    try:
        return date(*parts) if isinstance(parts, list) else None
    except (TypeError, ValueError):
        return None


def by_age(source: str, issue: date, items: Iterable[Item]) -> tuple[Listing, ...]:
    """Entries as two listings: the recent and undated ones, and the feed's past."""
    recent: list[Item] = []
    old: list[Item] = []
    for each in items:
        is_old = each.published is not None and each.published < issue - RECENT
        (old if is_old else recent).append(each)
    return (
        Listing(source, issue, tuple(recent)),
        Listing(source, issue, tuple(old), past=True),
    )


def _ids(entry: Mapping[str, Any], feed_url: str) -> Iterator[str]:
    for raw in entry["ids"]:
        yield clean(raw)
    if entry["guid"]:
        yield f"feed:{feed_url}#{clean(entry['guid'])}"
