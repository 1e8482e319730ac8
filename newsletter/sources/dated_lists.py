"""What the sources share that ask an API for the list of a date, page by page."""

import re
from collections.abc import Callable, Iterable
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
