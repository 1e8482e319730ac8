"""What comes in: items, listings, and the papers they turn out to be."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

Announcement = Literal["new", "cross", "replace", "replace-cross"]
"""How arXiv announces an item; other sources announce everything as ``new``."""

ListingState = Literal["ok", "quiet", "stale", "holiday", "failed"]
"""What an answer meant: papers, no papers today, yesterday's again, a day off, no answer."""


@dataclass(frozen=True, slots=True)
class Item:
    """One paper as one source lists it.

    Every text is plain text (never markup), white space collapsed, no control characters, no
    lone surrogates; every address is an absolute http or https URL. ``ids`` are the identifiers
    and addresses as the source wrote them (``2503.02130v2``, ``https://doi.org/10.1/x``,
    ``feed:https://a.org/rss#guid-1``); :mod:`newsletter.papers.identity` reads them.
    """

    title: str
    abstract: str = ""
    ids: tuple[str, ...] = ()
    url: str | None = None
    pdf: str | None = None
    code: str | None = None
    code_stars: int | None = None
    project: str | None = None
    discussion: str | None = None
    authors: tuple[str, ...] = ()
    author_count: int | None = None
    organization: str | None = None
    categories: tuple[str, ...] = ()
    published: date | None = None
    upvotes: int | None = None
    comments: int | None = None
    version: int | None = None
    announcement: Announcement = "new"
    withdrawn: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """The items a source lists for one day.

    ``past`` marks what lies behind the issue's own day (earlier listings, old entries of a
    feed): of a source met for the first time it is remembered as seen and never sent; of a
    known source whatever is new in it is news.
    """

    source: str
    day: date
    items: tuple[Item, ...]
    past: bool = False


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a paper is: one canonical key, and every other name it answers to.

    ``aliases`` holds the key too. Keys and aliases are ``scheme:value`` strings.
    """

    key: str
    aliases: frozenset[str]


@dataclass(frozen=True, slots=True)
class IdentifiedItem:
    """An item with its identity, ready to be told apart from what is known."""

    item: Item
    identity: Identity
    past: bool = False


@dataclass(frozen=True, slots=True)
class Paper:
    """A paper the newsletter knows.

    ``number`` is its ingest number: it counts up and is never reused, and it, not a date,
    decides what is new. ``group`` is the lowest number among papers that later turned out to
    be the same one (its own number where there is none): sent as one means sent as all.
    ``muted`` papers are remembered as seen and never owed.
    """

    number: int
    key: str
    item: Item
    first_seen: datetime
    group: int
    muted: bool = False


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """What is remembered of a source: its last word and when it last answered well.

    ``digest`` is a hash of the items it last listed, which tells a stale mirror from news.
    """

    name: str
    state: ListingState
    detail: str = ""
    checked: datetime | None = None
    last_ok: datetime | None = None
    digest: str = ""


@dataclass(frozen=True, slots=True)
class IngestCounts:
    """What one source's listings came to: counts, and how many papers each was."""

    new: int = 0
    seen: int = 0
    revised: int = 0


@dataclass(frozen=True, slots=True)
class SourceReport:
    """One source's line in the table of a fetch. ``missing`` ones are named in the letter."""

    name: str
    state: ListingState
    new: int = 0
    seen: int = 0
    revised: int = 0
    detail: str = ""

    @property
    def missing(self) -> bool:
        """Whether the letter should say that this source is absent today."""
        return self.state == "failed"
