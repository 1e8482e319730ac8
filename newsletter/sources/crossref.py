"""Reads what publishers registered at Crossref on a date: journals by ISSN, or a search.

The API's answers: https://api.crossref.org/swagger-ui/index.html. The User-Agent says who asks.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

from newsletter.model import DATED, Calendar, Item, Listing, ListRequest
from newsletter.papers.names import find_dois, find_version
from newsletter.sources.answers import as_text, day_of, load_object, objects, unknown_shape
from newsletter.sources.dated_lists import WITHDRAWN, Page, read_pages
from newsletter.sources.entries import Reading
from newsletter.sources.http_client import SourceClient
from newsletter.text import clean, http_url, strip_markup

ROWS = 100  # works of a page

_FIELDS = (
    "DOI,title,author,abstract,type,relation,update-to,posted,published-online,published-print"
    ",issued"
)
_PAPERS = frozenset({"journal-article", "posted-content", "proceedings-article", "book-chapter"})
"""The types of works that are papers; others are issues, volumes, figures, reviews of papers."""

_FRONT_MATTER = re.compile(
    r"(?:issue (?:information|publication information)|(?:front|back|inside)[ -](?:front |back )?"
    r"(?:matter|cover)|cover (?:image|picture|feature)|(?:editorial|advisory) board|masthead"
    r"|table of contents|contents|author index|erratum|corrigendum|(?:author|publisher)?'?s?"
    r" ?correction(?: to)?|retraction note)\b\s*(?:[:\u2013\u2014.(]|to\b|$)",
    re.IGNORECASE,
)
"""How the titles of a journal's other pages begin, and of notices that do not name their paper."""

_DATES = ("posted", "published-online", "published-print", "issued")
_SAME_PAPER = ("is-preprint-of", "has-preprint", "is-version-of", "has-version")
_NEW_VERSIONS = frozenset({"new_version", "new_edition", "new-version", "new-edition"})
_HEADING = re.compile(r"<(?:jats:)?title\b[^<>]*>([^<>]{1,100})</(?:jats:)?title>", re.IGNORECASE)
_OF_THE_WHOLE = frozenset({"abstract", "summary"})


@dataclass(frozen=True, slots=True)
class Crossref:
    """The papers that were registered on a date: of these journals, or found by a search."""

    calendar: ClassVar[Calendar] = DATED
    parts: ClassVar[tuple[str, ...]] = ("",)

    name: str
    client: SourceClient
    issn: tuple[str, ...] = ()
    query: str | None = None
    url: str = "https://api.crossref.org"

    async def read(self, request: ListRequest) -> tuple[Listing, ...]:
        """The papers of one date. What was published long before is no news."""
        day, reading = request.day, Reading(self.name)
        items, missing = await read_pages(
            self.client,
            lambda cursor: self._address(day, cursor),
            lambda body, url, _: parse(body, reading.at(url), day.year - 1),
            first="*",
        )
        return (Listing(self.name, day, items, unreadable=reading.unreadable, missing=missing),)

    def _address(self, day: date, cursor: str) -> str:
        dates = (f"from-created-date:{day}", f"until-created-date:{day}")
        asked = {
            "filter": ",".join((*(f"issn:{number}" for number in self.issn), *dates)),
            "select": _FIELDS,
            "rows": str(ROWS),
            "cursor": cursor,
        }
        if self.query:
            asked["query.bibliographic"] = self.query
        return f"{self.url.rstrip('/')}/works?{urlencode(asked, safe=':,*')}"


def parse(body: bytes, reading: Reading, first_year: int) -> Page:
    """The papers in an answer of the API that were published from ``first_year`` on.

    Raises:
        SourceError: the body is not a list of works.
    """
    answer = load_object(body, reading.origin)
    message = answer.get("message")
    works = message.get("items") if isinstance(message, Mapping) else None
    if not isinstance(message, Mapping) or not isinstance(works, list):
        raise unknown_shape(reading.origin, answer)
    following = as_text(message.get("next-cursor"))
    if len(works) == ROWS and not following:
        raise unknown_shape(reading.origin, {**message, "items": "…"})
    papers = [work for work in works if _is_news(work, first_year)]
    return tuple(reading.items(papers, _item)), following if len(works) == ROWS else None


def _is_news(work: Any, first_year: int) -> bool:  # noqa: ANN401 - any JSON
    """Whether a work can be a new paper: no issue, no erratum, and not registered years later."""
    if not isinstance(work, Mapping):
        return True
    updates = {as_text(update.get("type")) for update in objects(work.get("update-to"))}
    years = [parts[0] for parts in _date_parts(work) if parts and isinstance(parts[0], int)]
    return (
        as_text(work.get("type")) in {"", *_PAPERS}
        and updates <= _NEW_VERSIONS
        and not _FRONT_MATTER.match(_first_text(work.get("title")))
        and max(years, default=first_year) >= first_year
    )


def _item(work: Any) -> Item | None:  # noqa: ANN401 - any JSON
    dois = find_dois(as_text(work.get("DOI"))) if isinstance(work, Mapping) else ()
    title = strip_markup(_first_text(work.get("title"))) if dois else ""
    if not title:
        return None
    written = clean(as_text(work["DOI"]))
    version = find_version([written])
    abstract = strip_markup(_HEADING.sub(_colon, as_text(work.get("abstract"))))
    parts = list(_date_parts(work))
    months = (day_of((*each, 1)) for each in parts if len(each) == 2)  # noqa: PLR2004 - no day
    return Item(
        title=title,
        abstract=abstract,
        ids=tuple(dict.fromkeys((written, *_related(work)))),
        url=http_url(f"https://doi.org/{quote(written)}"),
        authors=tuple(_authors(work)),
        published=next(filter(None, map(day_of, parts)), None),
        published_month=next(filter(None, months), None),
        version=version,
        announcement="replace" if version is not None and version > 1 else "new",
        withdrawn=any(WITHDRAWN.match(text) for text in (title, abstract)),
    )


def _first_text(value: object) -> str:
    return as_text(value[0]) if isinstance(value, list) and value else as_text(value)


def _colon(heading: re.Match[str]) -> str:
    """A heading apart from its section; that of the whole abstract is left out."""
    return "" if heading[1].strip().casefold() in _OF_THE_WHOLE else f"<p>{heading[1]}: "


def _date_parts(work: Mapping[str, Any]) -> Iterator[list[Any]]:
    """The dates of publication as lists of year, month and day; the surest first."""
    for name in _DATES:
        value = work.get(name)
        parts = value.get("date-parts") if isinstance(value, Mapping) else None
        if isinstance(parts, list) and parts and isinstance(parts[0], list):
            yield parts[0]


def _authors(work: Mapping[str, Any]) -> Iterator[str]:
    """People by their first and last names, and groups."""
    for author in objects(work.get("author")):
        parts = (as_text(author.get(key)) for key in ("given", "family", "suffix"))
        name = " ".join(filter(None, parts)) or as_text(author.get("name"))
        if plain := strip_markup(name):
            yield plain


def _related(work: Mapping[str, Any]) -> Iterator[str]:
    """The ids of the paper's preprint, article and other versions."""
    for kind, others in next(iter(objects([work.get("relation")])), {}).items():
        for other in objects(others) if kind in _SAME_PAPER else ():
            if name := clean(as_text(other.get("id"))):
                yield name
