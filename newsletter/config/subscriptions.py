"""Lists of feeds as feed readers keep them (OPML, http://opml.org/spec2.opml), as settings.

Most lists are not well-formed: bare ``&``, a wrong encoding, folders, the same feed twice.
"""

import itertools
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from pydantic import ValidationError

from newsletter.config.sources import FeedSource, kind_of_address
from newsletter.papers.names import normalise_url
from newsletter.text import clean
from newsletter.text.tags import find_tags

Lines = Mapping[str, object]
"""The settings of a source, as they are written in newsletter.yaml."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An entry of a list that is no source: its line, its name, and why."""

    line: int
    name: str
    why: str


@dataclass(slots=True)
class Subscriptions:
    """The sources that a list comes to, and what was left out.

    Feeds of arXiv, bioRxiv and medRxiv become sources of these kinds, one for each server.
    """

    sources: list[dict[str, Any]] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    _seen: dict[str | None, str] = field(default_factory=dict)
    _names: set[str] = field(default_factory=set)

    def add(self, line: int, name: str, address: str) -> None:
        """Add the feed of an entry, or the reason why it is none."""
        address = re.sub(r"^feed:(?://)?(?=https?:)|^feed:(?=//)", "", address)
        address = f"http:{address}" if address.startswith("//") else address
        known = self._seen.get(normalise_url(address))
        why = problem_of(address) if known is None else f"the same address as {known}"
        if why:
            self.left_out.append(LeftOut(line, name or address, why))
            return
        self.know(address, f"line {line}")
        own = kind_of_address(address)
        if own is not None:
            self._join(own)
            return
        named = {"name": name} if name and name not in self._names else {}
        self._names.add(name)
        self.sources.append({"kind": "feed", **named, "url": address})

    def know(self, address: str, place: str) -> None:
        """Remember an address, so that it is left out from now on."""
        self._seen[normalise_url(address)] = place

    def _join(self, own: dict[str, Any]) -> None:
        """Add a source of a kind of its own, or its categories to the one that is there."""
        for source in self.sources:
            if source | {"categories": []} == own | {"categories": []}:
                lists = [one.pop("categories", []) for one in (source, own)]
                if all(lists):  # otherwise one of them has all categories
                    source["categories"] = list(dict.fromkeys(itertools.chain(*lists)))
                return
        self.sources.append(own)


def read_opml(body: bytes, known: Iterable[str] = ()) -> Subscriptions:
    """The sources in a list of feeds; the addresses in ``known`` are configured already."""
    found = Subscriptions()
    for address in known:
        found.know(address, "a source that is configured")
    for line, outline in find_tags(body, "outline", needed="xmlUrl"):
        name = clean(outline.get("title") or outline.get("text", ""))
        if address := outline.get("xmlurl", ""):
            found.add(line, name, address)
        elif outline.get("url") or outline.get("htmlurl"):
            page = outline.get("htmlurl") or outline["url"]
            why = f"it has a page and no feed; try: newsletter sources find {page}"
            found.left_out.append(LeftOut(line, name, why))
    return found


def problem_of(address: str) -> str:
    """Why an address is not one of a source; empty if it is."""
    if kind_of_address(address) is not None:
        return ""
    try:
        FeedSource(kind="feed", url=address)
    except ValidationError as error:
        return str(error.errors(include_url=False)[0]["msg"]).removeprefix("Value error, ")
    return ""


def write_opml(title: str, feeds: Iterable[tuple[str, str]]) -> str:
    """A list of feeds, each with name and address, as OPML 2.0."""
    lines = (
        f'    <outline type="rss" text={quoteattr(name)} xmlUrl={quoteattr(url)}/>\n'
        for name, url in feeds
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<opml version="2.0">\n'
        f"  <head>\n    <title>{escape(title)}</title>\n  </head>\n"
        f"  <body>\n{''.join(lines)}  </body>\n</opml>\n"
    )


def source_line(settings: Lines) -> str:
    """A source as one line of newsletter.yaml. Text in it names no environment variable."""
    values = (
        f"{key}: {json.dumps(value, ensure_ascii=False)}".replace("${", "$${")
        if key != "kind"
        else f"kind: {value}"
        for key, value in settings.items()
    )
    return f"  - {{{', '.join(values)}}}"
