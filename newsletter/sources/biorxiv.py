"""Reads the preprints of a date from bioRxiv and medRxiv (https://api.biorxiv.org)."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from newsletter.config.sources import plain_category
from newsletter.errors import SourceError
from newsletter.model import DATED, Calendar, Item, Listing, ListRequest
from newsletter.papers.names import find_dois
from newsletter.sources.answers import as_date, as_text, load_object, unknown_shape
from newsletter.sources.boilerplate import apart_headings
from newsletter.sources.dated_lists import WITHDRAWN, Page, read_pages
from newsletter.sources.entries import Reading
from newsletter.sources.http_client import SourceClient
from newsletter.text import byline, clean, http_url, strip_markup


@dataclass(frozen=True, slots=True)
class BioRxiv:
    """The preprints that were posted on a date, in all categories or some."""

    calendar: ClassVar[Calendar] = DATED
    parts: ClassVar[tuple[str, ...]] = ("",)

    name: str
    client: SourceClient
    server: str = "biorxiv"
    categories: tuple[str, ...] = ()
    url: str = "https://api.biorxiv.org"

    async def read(self, request: ListRequest) -> tuple[Listing, ...]:
        """The preprints of one date; later versions are replacements."""
        day, reading = request.day, Reading(self.name)
        items, missing = await read_pages(
            self.client,
            lambda cursor: (
                f"{self.url.rstrip('/')}/details/{self.server}/{day}/{day}/{cursor}/json"
            ),
            lambda body, url, cursor: parse(body, reading.at(url), int(cursor)),
            first="0",
        )
        chosen = set(map(plain_category, self.categories))
        kept = tuple(item for item in items if not chosen or chosen & set(item.categories))
        return (Listing(self.name, day, kept, unreadable=reading.unreadable, missing=missing),)


def parse(body: bytes, reading: Reading, start: int) -> Page:
    """The preprints in an answer of the API, which begins at entry ``start`` of the list.

    Raises:
        SourceError: the body is not a list of preprints.
    """
    answer = load_object(body, reading.origin)
    entries, messages = answer.get("collection"), answer.get("messages")
    message = messages[0] if isinstance(messages, list) and messages else None
    if not isinstance(entries, list) or not isinstance(message, Mapping):
        raise unknown_shape(reading.origin, answer)
    if not entries and as_text(message.get("status")).casefold().startswith("no "):
        return (), None  # "no posts found"
    try:
        total = int(message["total"])
    except (KeyError, TypeError, ValueError) as error:
        raise unknown_shape(reading.origin, answer) from error
    if not entries and total:
        raise SourceError(f"{reading.origin}: the list breaks off; it should have {total} entries")
    end = start + len(entries)
    return tuple(reading.items(entries, _item)), str(end) if end < total else None


def _item(entry: Any) -> Item | None:  # noqa: ANN401 - any JSON
    if not isinstance(entry, Mapping):
        return None
    doi, title = clean(as_text(entry.get("doi"))), _plain(as_text(entry.get("title")))
    if not find_dois(doi) or not title:
        return None
    version = int(entry["version"]) if str(entry.get("version")).isdecimal() else 1
    server = "medrxiv" if as_text(entry.get("server")).casefold() == "medrxiv" else "biorxiv"
    page = f"https://www.{server}.org/content/{doi}v{version}"
    abstract = _plain(as_text(entry.get("abstract")))
    category = plain_category(as_text(entry.get("category")))
    return Item(
        title=title,
        abstract=abstract,
        ids=(f"{doi}v{version}", *find_dois(as_text(entry.get("published")))),
        url=http_url(page),
        pdf=http_url(f"{page}.full.pdf"),
        authors=byline([as_text(entry.get("authors"))]),
        categories=(category,) if category else (),
        published=as_date(entry.get("date")),
        version=version,
        announcement="new" if version == 1 else "replace",
        withdrawn=any(WITHDRAWN.match(text) for text in (title, abstract)),
    )


# -- HighWire's marks ------------------------------------------------------------------------------

_FIGURE = re.compile(
    r"(?:(?:graphical abstract|toc graphic)\s*)?O_(FIG|TBL)\b.*?(?:C_\1|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_HEADING = re.compile(r"O_ST_ABS(.{1,200}?)C_ST_ABS", re.DOTALL)
_SMALL_CAPITALS = re.compile(r"[OC]_SCP(?:LOW|CAP)")
_MARK = re.compile(r"[OCM]_(?:LI|UL|OL|ST|TEXTBOX|QD|INLINEFIG|FIG|TBL)(?![a-z])")
_NAMED = re.compile(r"\{([a-z]{2,8}|middle dot|\+/-)\}", re.IGNORECASE)
_BRACKETED = re.compile(r"\[(&[a-z]{2,8};|~)\]")
_CHARACTERS = {"middle dot": "·", "+/-": "±", "degrees": "°", "micro": "µ"}


def _plain(text: str) -> str:
    """A text of the API without the marks that its typesetter HighWire leaves in it.

    Figures are left out, headings of sections get a colon, and characters have names in braces.
    """
    text = _HEADING.sub(r"\n\1: ", _FIGURE.sub("\n", text))
    text = _MARK.sub("\n", _SMALL_CAPITALS.sub("", text))
    lines = filter(None, map(str.strip, text.splitlines()))
    text = apart_headings("\n".join(lines))
    return strip_markup(_BRACKETED.sub(r"\1", _NAMED.sub(_character, text)))


def _character(name: re.Match[str]) -> str:
    word = name[1]
    if (known := _CHARACTERS.get(word)) is not None:
        return known
    case = "SMALL" if word.islower() else "CAPITAL"
    greek = "lamda" if word.casefold() == "lambda" else word
    try:
        return unicodedata.lookup(f"GREEK {case} LETTER {greek.upper()}")
    except KeyError:
        return name[0]
