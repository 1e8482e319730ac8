"""What the sources share that ask an API for the list of a date, page by page."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any
from urllib.parse import urlsplit

from newsletter.errors import SourceError
from newsletter.model import Item
from newsletter.sources.http_client import SourceClient

MAX_PAGES = 200
"""The most pages of one list: no site lists 20,000 papers on a date."""

INTERVAL = 0.34
"""Seconds between two requests to one of these sites: PubMed allows three in a second."""

WITHDRAWN = re.compile(
    r"withdrawn\b|retracted\s*[:\].]|.{0,60}\b(?:has|have) (?:been )?(?:withdrawn|removed)\b",
    re.IGNORECASE,
)
"""How the title or the abstract of a withdrawn paper begins."""

Page = tuple[Iterable[Item], str | None]
"""The papers of a page, and where the next one begins; None: it is the last."""


async def read_pages(
    client: SourceClient,
    address: Callable[[str], str],
    read: Callable[[bytes, str, str], Page],
    first: str,
) -> tuple[tuple[Item, ...], str]:
    """The papers of a list, page by page, and why the others are missing if a later page fails.

    ``address`` gives the address of the page that begins at a place; ``read`` reads its body, given
    its address and place. A paper that stands on two pages comes once.

    Raises:
        SourceError: the first page has no answer or cannot be read.
    """
    items: dict[Item, None] = {}
    place, site = first, urlsplit(address(first)).netloc
    for _ in range(MAX_PAGES):
        url = address(place)
        try:
            async with client.shared.spaced(INTERVAL, site), client.answer(url) as answer:
                found, following = read(answer.body, url, place)
                items |= dict.fromkeys(found)
        except SourceError as error:
            if not items:
                raise
            return tuple(items), str(error)
        if following is None:
            return tuple(items), ""
        place = following
    return tuple(items), f"{address(first)}: more than {MAX_PAGES} pages; narrow the search"


def load_object(body: bytes, origin: str) -> Mapping[str, Any]:
    """The JSON object in an answer.

    Raises:
        SourceError: the answer is something else; the message has its beginning.
    """
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError) as error:
        words = " ".join(body[:80].decode("utf-8", "replace").split())
        raise SourceError(f"{origin}: not JSON but {words!r}") from error
    if not isinstance(answer, Mapping):
        raise unknown_shape(origin, answer)
    return answer


def unknown_shape(origin: str, came: object) -> SourceError:
    """The error for an answer that is no list of papers."""
    return SourceError(f"{origin}: no list of papers but {str(came)[:160]}")


def objects(value: object) -> list[Mapping[str, Any]]:
    """The JSON objects of a list; nothing for any other value."""
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def day_of(parts: object) -> date | None:
    """A date as year, month and day; None if one of them is missing or wrong."""
    try:
        return date(*parts)  # type: ignore[misc]
    except (TypeError, ValueError):
        return None
