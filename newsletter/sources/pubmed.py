"""Reads what PubMed added on a date and a search finds, by NCBI's E-utilities.

How they are asked: https://www.ncbi.nlm.nih.gov/books/NBK25499/.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import ClassVar
from urllib.parse import urlencode, urlsplit

from pydantic import SecretStr

from newsletter.config.fields import MASK
from newsletter.errors import SourceError
from newsletter.model import DATED, Calendar, Listing, ListRequest
from newsletter.sources import pubmed_records
from newsletter.sources.answers import load_object, objects, unknown_shape
from newsletter.sources.dated_lists import INTERVAL, read_pages
from newsletter.sources.entries import Reading
from newsletter.sources.http_client import SourceClient

MAX_FOUND = 9999  # PubMed gives no more numbers for one search

BATCH = 50
"""Records of one request; one with a thousand references has 100 KB."""

_KEY = re.compile(r"(api_key=)[^&\s]*")


@dataclass(frozen=True, slots=True)
class PubMed:
    """The papers that were added on a date (its "Entrez date") and that a search finds."""

    calendar: ClassVar[Calendar] = DATED
    parts: ClassVar[tuple[str, ...]] = ("",)

    name: str
    client: SourceClient
    query: str
    api_key: SecretStr | None = None
    url: str = "https://eutils.ncbi.nlm.nih.gov"

    async def read(self, request: ListRequest) -> tuple[Listing, ...]:
        """The papers of one date."""
        try:
            return (await self._list(request.day),)
        except SourceError as error:
            raise type(error)(_hidden(str(error))) from None  # the cause names the key, too

    async def _list(self, day: date) -> Listing:
        numbers, reading = await self._search(day), Reading(self.name)
        if not numbers:
            return Listing(self.name, day, ())
        items, missing = await read_pages(
            self.client,
            lambda place: self._address(
                "efetch", id=",".join(numbers[int(place) :][:BATCH]), rettype="abstract"
            ),
            lambda body, url, place: (
                pubmed_records.parse(body, reading.at(_hidden(url))),
                str(end) if (end := int(place) + BATCH) < len(numbers) else None,
            ),
            first="0",
        )
        return Listing(
            self.name, day, items, unreadable=reading.unreadable, missing=_hidden(missing)
        )

    async def _search(self, day: date) -> list[str]:
        on = f"{day:%Y/%m/%d}"
        url = self._address(
            "esearch",
            term=self.query,
            datetype="edat",
            mindate=on,
            maxdate=on,
            retmax=str(MAX_FOUND),
            retmode="json",
        )
        spaced = self.client.shared.spaced(INTERVAL, urlsplit(url).netloc)
        async with spaced, self.client.answer(url) as answer:
            return find_numbers(answer.body, url)

    def _address(self, utility: str, **asked: str) -> str:
        about = {"db": "pubmed", "tool": "daily-papers-newsletter"}
        about["email"] = self.client.shared.contact
        if self.api_key is not None:
            about["api_key"] = self.api_key.get_secret_value()
        query = urlencode({**about, **asked}, safe=",/")
        return f"{self.url.rstrip('/')}/entrez/eutils/{utility}.fcgi?{query}"


def _hidden(text: str) -> str:
    """A text with addresses, without the key in them."""
    return _KEY.sub(rf"\1{MASK}", text)


def find_numbers(body: bytes, origin: str) -> list[str]:
    """The numbers (PMID) of the papers that a search found.

    Raises:
        SourceError: the answer is no result, or PubMed does not understand the search.
    """
    result = load_object(body, origin).get("esearchresult")
    numbers = result.get("idlist") if isinstance(result, Mapping) else None
    if not isinstance(result, Mapping) or not isinstance(numbers, list):
        raise unknown_shape(origin, result or body.decode("utf-8", "replace"))
    for mistakes in objects([result.get("errorlist")]):
        if fields := mistakes.get("fieldsnotfound"):
            raise SourceError(f"{origin}: PubMed has no field {fields}; correct `query`")
    count = str(result.get("count"))
    if not count.isdecimal() or int(count) > len(numbers):
        raise SourceError(f"{origin}: {len(numbers)} of {count} papers came; narrow `query`")
    return [str(number) for number in numbers]
