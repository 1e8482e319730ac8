"""Makes items of a feed's entries: makes texts plain, tells authors apart, finds dates.

An entry is a mapping as :func:`newsletter.sources.feed_parser.parse` returns it. arXiv's entries
are recognised in any feed: their texts have no markup, and some only announce a new version.
"""

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Self, TypeVar, get_args

from newsletter.errors import Isolated, SourceError
from newsletter.model import Announcement, Item
from newsletter.papers.names import find_dois, find_version, parse_arxiv_id
from newsletter.sources.boilerplate import Boilerplate, split_boilerplate
from newsletter.text import (
    byline,
    clean,
    find_day,
    find_month,
    fold,
    http_url,
    shorten,
    strip_markup,
    unmarked,
)

logger = logging.getLogger(__name__)

Entry = Mapping[str, Any]

_E = TypeVar("_E")

MAX_KEYWORDS = 50  # of one paper; the most seen is 30

_KEYWORD_LENGTH = 100  # characters; a longer text is no keyword

_TITLE_LENGTH = 100  # characters of the text that replace a missing title

_UNTITLED = "Untitled"

_CUT = re.compile(
    r"(?:\.\.\.|…|\[(?:…|\.\.\.)\]|\b(?:read|continue) (?:more|reading)\W*|\(more\W*\))\s*$",
    re.IGNORECASE,
)
_LONGEST_ABSTRACT = 6000  # characters; a longer text is an article
_START = 40  # characters that tell whether two texts begin the same

_ANNOUNCEMENTS: dict[str, Announcement] = {word: word for word in get_args(Announcement)}
_ABSTRACT_PREFIX = re.compile(
    r"^\s*(?:arXiv:\S+\s+)?Announce Type:\s*(?P<kind>[\w-]+)\s*(?:\n|\s)\s*Abstract:\s*",
    re.IGNORECASE,
)
_WITHDRAWN = re.compile(
    r"^(?:(?:this|the) (?:paper|article|submission|manuscript|work)\b.{0,40}?)?\bwithdrawn\b",
    re.IGNORECASE,
)
"""How the abstract or the comment of a withdrawn paper begins."""

_AFFILIATION = re.compile(r"\s*\([^()]*\)")
_BETWEEN_NAMES = re.compile(r",?\s+and\s+|,\s+(?!(?:Jr|Sr|I{2,3}|IV)\b)")


@dataclass(slots=True)
class Reading:
    """Entries that are read one by one: one that cannot be read is logged and left out.

    Attributes:
        origin: the address or file of the entries, for errors.
        unreadable: how many were left out.
    """

    origin: str
    unreadable: int = 0

    def at(self, origin: str) -> Self:
        """The same reading, going on in another page or file."""
        self.origin = origin
        return self

    def items(self, entries: Sequence[_E], read: Callable[[_E], Item | None]) -> Iterator[Item]:
        """The entries as items. ``read`` may fail, or return None, for one that is no paper.

        Raises:
            SourceError: none of them can be read: the form is unknown.
        """
        left_out = 0
        for place, entry in enumerate(entries, 1):
            item = None
            with Isolated(f"{self.origin}: entry {place}"):
                item = read(entry)
            if item is None:
                left_out += 1
                logger.warning("%s: entry %d cannot be read; it is left out", self.origin, place)
            else:
                yield item
        self.unreadable += left_out
        if entries and left_out == len(entries):
            came = " ".join(str(entries[0]).split())[:160]
            raise SourceError(f"{self.origin}: none of {left_out} entries can be read: {came}")


def keywords(written: Iterable[str]) -> tuple[str, ...]:
    """A source's keywords, each once in whatever case."""
    by_form: dict[str, str] = {}
    for word in (clean(each).rstrip(" .,;") for each in written):
        if 0 < len(word) <= _KEYWORD_LENGTH:
            by_form.setdefault(fold(word), word)
    return tuple(by_form.values())[:MAX_KEYWORDS]


def item_from_entry(entry: Entry, feed_url: str) -> Item | None:
    """An entry as an item. A missing title is replaced by the start of the text, or the link.

    None if the entry has neither of them.
    """
    if is_from_arxiv(entry):
        return arxiv_item(entry, feed_url)
    title = strip_markup(entry["title"])
    around = _abstract(entry)
    abstract = clean(around.abstract)
    if fold(abstract).rstrip(".") == fold(title).rstrip("."):
        abstract = ""  # a text that only repeats its title
    authors = byline(entry["authors"]) or byline(around.authors)
    around = replace(around, abstract=abstract, authors=authors)
    item = _item(entry, feed_url, title, around)
    return None if item.title == _UNTITLED and not title else item


def _item(entry: Entry, feed_url: str, title: str, texts: Boilerplate) -> Item:
    ids = tuple(map(clean, entry["ids"]))
    dates = (*entry["dates"], *texts.dates)
    link = http_url(entry["link"].strip().replace(" ", "%20")) or _address_of_doi(ids)
    # Guids are unique within their feed only.
    guid = [f"feed:{feed_url}#{clean(entry['guid'])}"] if entry["guid"] else []
    return Item(
        title=title or shorten(texts.abstract, _TITLE_LENGTH) or link or _UNTITLED,
        abstract=texts.abstract,
        ids=tuple(dict.fromkeys((*ids, *guid, *texts.dois))),
        url=link,
        discussion=http_url(entry["comments"]),
        authors=texts.authors,
        categories=tuple(filter(None, map(clean, entry["categories"]))),
        published=(published := _first(find_day, dates)),
        published_month=None if published else _first(find_month, dates),
        version=find_version(ids),
    )


def _address_of_doi(ids: Iterable[str]) -> str | None:
    doi = next((doi for raw in ids if "10." in raw for doi in find_dois(raw)), None)
    return None if doi is None else http_url(f"https://doi.org/{doi}")


def _first(find: Callable[[str], date | None], texts: Iterable[str]) -> date | None:
    return next((day for text in texts if (day := find(text)) is not None), None)


def _abstract(entry: Entry) -> Boilerplate:
    """The abstract out of an entry's texts, with what its publisher put around them."""
    texts = dict.fromkeys(filter(None, (entry["summary"], *entry["contents"])))
    parts = [split_boilerplate(unmarked(text)) for text in texts]
    if len(parts) <= 1:
        return parts[0] if parts else Boilerplate("")
    summary, *contents = parts if entry["summary"] else [Boilerplate(""), *parts]
    whole = max((part.abstract for part in contents), key=len, default="")
    return Boilerplate(
        whole if _is_teaser(summary.abstract, whole) else summary.abstract,
        *(_joined(parts, name) for name in ("authors", "dates", "dois")),
    )


def _joined(parts: Sequence[Boilerplate], name: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for part in parts for value in getattr(part, name)))


def _is_teaser(summary: str, content: str) -> bool:
    """Whether the content has the abstract, and the summary only its beginning, or nothing.

    A summary that is no part of the content, or stands before a whole article, is the abstract.
    """
    if not summary or len(content) <= len(summary):
        return not summary
    start, text = (fold(" ".join(each.split())) for each in (summary, content[:_LONGEST_ABSTRACT]))
    bare = _CUT.sub("", start).rstrip()
    if bare != start:
        return bare[:_START] in text or len(content) <= _LONGEST_ABSTRACT
    return text.startswith(start) and len(content) <= _LONGEST_ABSTRACT


def is_from_arxiv(entry: Entry) -> bool:
    """Whether arXiv announces the paper, or answers a query with it; other feeds may copy both."""
    by_guid = entry["guid"].startswith("oai:arXiv.org:")
    by_query = entry["arxiv"] and parse_arxiv_id(entry["guid"]) is not None
    by_text = _ABSTRACT_PREFIX.match(entry["summary"]) is not None
    return bool(entry["announcement"]) or by_guid or by_query or by_text


def arxiv_item(entry: Entry, url: str) -> Item:
    """A paper of arXiv; without an arXiv number it keeps the ids and links of its entry."""
    number = next((n for raw in entry["ids"] if (n := parse_arxiv_id(raw)) is not None), None)
    prefix = _ABSTRACT_PREFIX.match(entry["summary"])
    abstract = clean(entry["summary"][prefix.end() if prefix else 0 :])
    kind = entry["announcement"] or (prefix["kind"] if prefix else "")
    authors = tuple(_arxiv_authors(entry["authors"]))
    item = replace(
        _item(entry, url, clean(entry["title"]), Boilerplate(abstract, authors)),
        announcement=_ANNOUNCEMENTS.get(kind.strip().lower(), "new"),
    )
    if number is None:
        return item
    name, version = number
    dois = (raw for raw in entry["ids"] if "10." in raw and parse_arxiv_id(raw) is None)
    withdrawn = _WITHDRAWN.search(item.abstract) or _WITHDRAWN.search(entry["comment"])
    return replace(
        item,
        ids=(name, *(clean(raw) for raw in dois)),
        url=http_url(f"https://arxiv.org/abs/{name}"),
        pdf=http_url(f"https://arxiv.org/pdf/{name}"),
        version=version,
        withdrawn=withdrawn is not None,
    )


def _arxiv_authors(fields: Iterable[str]) -> Iterator[str]:
    """The names, separated by commas or in several fields, without affiliations."""
    for names in fields:
        bare = clean(names)
        while bare != (bare := _AFFILIATION.sub("", bare)):  # the inner ones first
            pass
        yield from filter(None, _BETWEEN_NAMES.split(bare))
