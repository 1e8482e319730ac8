"""Reads arXiv's daily announcements as Atom.

Announcements of past dates come by OAI-PMH, and if that fails, from the search of arXiv's API.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date
from typing import ClassVar
from urllib.parse import quote, urlsplit

from newsletter.errors import SourceError
from newsletter.model import ARXIV, Calendar, Item, Listing, ListRequest
from newsletter.sources import arxiv_oai, sandbox
from newsletter.sources.entries import Entry, Reading, arxiv_item
from newsletter.sources.http_client import SourceClient
from newsletter.sources.kept_answers import Answer
from newsletter.text import clean

REQUEST_INTERVAL = 3.0
"""Seconds between requests, over all sources (https://info.arxiv.org/help/api/tou.html)."""

MAX_ROWS = 2000
"""arXiv cuts an announcement at so many rows. Replacements come first, so new papers are lost
(https://github.com/arXiv/arxiv-feed, feed/database.py)."""

HARVEST_TIMEOUT = 120.0
"""Seconds for an answer by OAI-PMH or from the API, at least; they often take more than 30."""

MAX_PAGES = 200

_API_PAGE = 500  # papers of one answer of the API

_WITHOUT_SUBJECTS = frozenset(
    ["gr-qc", "hep-ex", "hep-lat", "hep-ph", "hep-th", "math-ph", "nucl-ex", "nucl-th", "quant-ph"]
)
"""The archives that are categories themselves."""

_BAD_REQUEST = frozenset({400})  # arXiv's status for unknown categories, with the reason in a feed


@dataclass(frozen=True, slots=True)
class Arxiv:
    """The announcements in these categories, one request for each archive.

    ``url`` may be that of a mirror, which has OAI-PMH at ``/oai`` and the API at ``/api/query``.
    Without ``cross_lists`` only papers whose primary category is asked for are listed.
    """

    calendar: ClassVar[Calendar] = ARXIV

    name: str
    client: SourceClient
    categories: tuple[str, ...]
    url: str = "https://rss.arxiv.org"
    cross_lists: bool = True

    @property
    def parts(self) -> tuple[str, ...]:
        """The archives of its categories."""
        return tuple(by_archive(self.categories))

    async def read(self, request: ListRequest) -> tuple[Listing, ...]:
        """The announcement of an archive; it is complete as soon as it has papers."""
        categories = by_archive(self.categories)[request.part]
        over = request.day < self.calendar.today(request.as_of)
        reading, reasons, day = Reading(self.name), list[str](), request.day
        if over:
            items = await self._past(categories, day, reading)
        else:
            items, reasons, day = await self._present(categories, day, reading)
        listed = tuple(item for item in items.values() if self._is_wanted(item))
        complete = over or (bool(items) and not reasons)
        cut = "; ".join([f"cut at {MAX_ROWS:,} rows", *reasons]) if reasons else ""
        return (
            Listing(
                self.name,
                day,
                listed,
                complete=complete,
                missing=cut,
                unreadable=reading.unreadable,
            ),
        )

    async def _present(
        self, categories: Sequence[str], day: date, reading: Reading
    ) -> tuple[dict[str, Item], list[str], date]:
        """The present announcement, why a part of it is missing if it is cut, and its date.

        The date is an earlier one if the announcement of ``day`` is late. Of a list that is cut
        each category is asked for alone; if that is cut too, its papers are asked for like those
        of a past date.
        """
        items, cut = await self._announced(categories, reading)
        # Every item carries the date of the announcement, replacements too.
        shown = max((item.published for item in items.values() if item.published), default=day)
        reasons: list[str] = []
        for category in categories if cut else ():
            alone = len(categories) == 1
            try:
                more, cut = ({}, True) if alone else await self._announced([category], reading)
                past = await self._past([category], day, reading) if cut else {}
            except SourceError as error:
                reasons.append(str(error))
                continue
            items = {**past, **items, **more}
            if cut and not past:
                reasons.append(f"{category}: no list by OAI-PMH yet")
        return items, reasons, min(shown, day)

    async def _announced(
        self, categories: Sequence[str], reading: Reading
    ) -> tuple[dict[str, Item], bool]:
        """The present announcement in these categories, and whether it is cut."""
        url = f"{self.url.rstrip('/')}/atom/{'+'.join(categories)}"
        async with (
            self.client.shared.spaced(REQUEST_INTERVAL),
            self.client.answer(url, expect=_BAD_REQUEST) as answer,
        ):
            if answer.status in _BAD_REQUEST:
                raise SourceError(f"{url}: arXiv says: {_refusal_reason(answer.body)}")
            entries = await sandbox.parse_feed(answer.body, answer.headers, url)
            return _by_id(_items(entries, reading.at(url))), len(entries) >= MAX_ROWS

    def _is_wanted(self, item: Item) -> bool:
        if self.cross_lists or not item.categories:
            return True
        primary = item.categories[0]
        asked = {primary, primary.partition(".")[0]}.intersection(self.categories)
        return bool(asked) and item.announcement not in {"cross", "replace-cross"}

    async def _past(
        self, categories: Sequence[str], day: date, reading: Reading
    ) -> dict[str, Item]:
        """The papers that were first announced on a date."""
        try:
            harvested = [item async for item in self._harvested(categories, day, reading)]
        except SourceError as error:
            try:
                harvested = [item async for item in self._searched(categories, day, reading)]
            except SourceError as second:
                both = f"by OAI-PMH: {error}; by the API: {second}"
                raise SourceError(f"the list of {day} cannot be read {both}") from second
        return _by_id(harvested)

    async def _harvested(
        self, categories: Sequence[str], day: date, reading: Reading
    ) -> AsyncIterator[Item]:
        """By OAI-PMH; also from after the date, to which a paper moves when it is replaced."""
        url = self._address("oaipmh.arxiv.org", "/oai") + "?verb=ListRecords"
        for category in categories:
            query = f"&metadataPrefix=arXivRaw&set={arxiv_oai.set_name(category)}&from={day}"
            for _ in range(MAX_PAGES):
                async with self._slow(url + query) as answer:
                    page = await asyncio.to_thread(arxiv_oai.parse, answer.body, url + query)
                reading.unreadable += page.unreadable
                for record in page.records:
                    if arxiv_oai.is_first_listed(record, day):
                        yield arxiv_item(record.entry, url)
                query = f"&resumptionToken={quote(page.token, safe='')}"
                if not page.token:
                    break
            else:
                raise SourceError(f"{url}{query}: no end after {MAX_PAGES} answers")

    async def _searched(
        self, categories: Sequence[str], day: date, reading: Reading
    ) -> AsyncIterator[Item]:
        """What arXiv's API has of the days on which papers were submitted for a date's list."""
        last = arxiv_oai.deadline(day).astimezone(UTC)
        period = f"[{last - arxiv_oai.RECENT:%Y%m%d%H%M}+TO+{last:%Y%m%d%H%M}]"
        address = self._address("export.arxiv.org", "/api/query")
        for category in categories:
            subjects = "." in category or category in _WITHOUT_SUBJECTS
            name = category if subjects else f"{category}.*"
            query = f"?search_query=cat:{name}+AND+submittedDate:{period}&sortBy=submittedDate"
            for start in range(0, MAX_PAGES * _API_PAGE, _API_PAGE):
                url = f"{address}{query}&start={start}&max_results={_API_PAGE}"
                async with self._slow(url) as answer:
                    entries = await sandbox.parse_feed(answer.body, answer.headers, url)
                    items = tuple(_items(entries, reading.at(url)))
                    total = re.search(rb"totalResults[^<>]*>\s*(\d+)", answer.body)
                    if total is None:
                        raise SourceError(f"{url}: a feed, but no answer of arXiv's API")
                    rest = int(total[1]) - start - len(items)
                    if rest > 0 and not items:  # the API does this at times
                        raise SourceError(f"{url}: empty, but {rest} papers are missing")
                for item in items:
                    yield item
                if rest <= 0:
                    break

    @asynccontextmanager
    async def _slow(self, url: str) -> AsyncIterator[Answer]:
        """The answer of an address that may take its time."""
        client = replace(self.client, timeout=max(self.client.timeout, HARVEST_TIMEOUT))
        async with client.shared.spaced(REQUEST_INTERVAL), client.answer(url) as answer:
            yield answer

    def _address(self, host: str, path: str) -> str:
        """The address of another service of arXiv, or of the mirror."""
        official = (urlsplit(self.url).hostname or "").endswith("arxiv.org")
        return f"https://{host}{path}" if official else f"{self.url.rstrip('/')}{path}"


def parse(body: bytes, headers: Mapping[str, str], url: str) -> tuple[Item, ...]:
    """The items of an announcement, or of an answer of arXiv's API, parsed in this process.

    Raises:
        SourceError: the body is not a feed, or is an error message of arXiv.
    """
    return tuple(_items(sandbox.parse_feed_unlimited(body, headers, url), Reading(url)))


def by_archive(categories: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    """The categories of each archive: arXiv cuts a list at 2,000 rows, replacements first."""
    grouped: dict[str, tuple[str, ...]] = {}
    for category in dict.fromkeys(categories):
        archive = category.partition(".")[0]
        grouped[archive] = (*grouped.get(archive, ()), category)
    return grouped


def _by_id(items: Iterable[Item]) -> dict[str, Item]:
    return {next(iter(item.ids), item.title): item for item in items}


def _items(entries: Sequence[Entry], reading: Reading) -> Iterator[Item]:
    url = reading.origin
    for entry in entries:
        if entry["title"].strip() in {"Error", "Feed error"} or "/api/errors" in entry["guid"]:
            raise SourceError(f"{url}: arXiv says: {clean(entry['summary'])[:200]}")
    return reading.items(entries, lambda entry: arxiv_item(entry, url))


def _refusal_reason(body: bytes) -> str:
    match = re.search(rb"<(?:subtitle|description)>(.*?)</", body, re.DOTALL)
    return clean((match[1] if match else body[:200]).decode("utf-8", "replace"))
