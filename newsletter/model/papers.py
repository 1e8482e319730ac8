"""What sources list, and the papers that the newsletter knows."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

Announcement = Literal["new", "cross", "replace", "replace-cross"]
"""How arXiv announces an item; the items of other sources are ``new``."""

ListingState = Literal["ok", "quiet", "stale", "holiday", "failed"]
"""The meaning of an answer: papers, nothing new, an older list again, a day off, no listing."""


@dataclass(frozen=True, slots=True)
class Item:
    """One paper as one source lists it.

    Every text is plain text without markup, control characters and lone surrogates, its white
    space collapsed; every address is an absolute http or https URL. ``ids`` are identifiers and
    addresses as the source wrote them (``2503.02130v2``, ``https://doi.org/10.1/x``,
    ``feed:https://a.org/rss#guid-1``); :mod:`newsletter.papers.names` parses them. Those in
    ``shared``, addresses too, belong to several items of the source and name none.
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
    shared: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Listing:
    """The items a source lists for one day.

    ``past`` marks a listing from before the issue's day (an earlier list, old entries of a feed).
    On the first fetch of a source its papers are remembered as seen and never sent; later, papers
    that are new in it are sent.
    """

    source: str
    day: date
    items: tuple[Item, ...]
    past: bool = False


@dataclass(frozen=True, slots=True)
class Identity:
    """The names of a paper: one canonical key, and all aliases, the key among them.

    Keys and aliases are ``scheme:value`` strings.
    """

    key: str
    aliases: frozenset[str]


@dataclass(frozen=True, slots=True)
class IdentifiedItem:
    """An item with its identity, to be compared with the known papers."""

    item: Item
    identity: Identity
    past: bool = False


@dataclass(frozen=True, slots=True)
class Paper:
    """A paper in the store.

    Attributes:
        number: its ingest number; numbers rise and are never reused, and they (not dates) decide
            which papers are new for a reader.
        key: its canonical name.
        item: the paper as a source listed it.
        first_seen: when a fetch found it first (UTC).
        group: the lowest number among papers that turned out to be the same one, before that of
            any muted one; a reader who was sent one of a group was sent all.
        muted: whether it is remembered as seen and not sent: all sources that list it did so
            before they were followed. Once another lists it as news, it gets a new number.
    """

    number: int
    key: str
    item: Item
    first_seen: datetime
    group: int
    muted: bool = False


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """The last report of a source, and when it last answered well.

    ``digest`` is a hash of its last list, to recognise the same list on a later day.
    """

    name: str
    state: ListingState
    detail: str = ""
    checked: datetime | None = None
    last_ok: datetime | None = None
    digest: str = ""


@dataclass(frozen=True, slots=True)
class IngestCounts:
    """How many papers of one source's listings were new, known, or had a new version."""

    new: int = 0
    seen: int = 0
    revised: int = 0


@dataclass(frozen=True, slots=True)
class SourceReport:
    """The result of fetching one source."""

    name: str
    state: ListingState
    new: int = 0
    seen: int = 0
    revised: int = 0
    detail: str = ""

    @property
    def missing(self) -> bool:
        """Whether letters say that this source is missing."""
        return self.state == "failed"
