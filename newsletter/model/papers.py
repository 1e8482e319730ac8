"""What sources list, and the papers that the newsletter knows."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Literal

Announcement = Literal["new", "cross", "replace", "replace-cross"]
"""How arXiv announces an item; the items of other sources are ``new``."""

ListingState = Literal["ok", "quiet", "stale", "holiday", "partial", "failed"]
"""The meaning of a source's answers: papers, nothing new, an older list again, a day off; papers,
but a list could not be read; no papers, because one could not be read."""

INCOMPLETE_STATES: frozenset[ListingState] = frozenset({"partial", "failed"})
"""The states of a source with a list that could not be read."""


@dataclass(frozen=True, slots=True)
class Item:
    """One paper as one source lists it.

    Every text is plain text without markup, control characters and lone surrogates, its white
    space collapsed; every address is an absolute http or https URL. ``ids`` are identifiers and
    addresses as the source wrote them (``2503.02130v2``, ``https://doi.org/10.1/x``,
    ``feed:https://a.org/rss#guid-1``); :mod:`newsletter.papers.names` parses them. Those in
    ``shared``, addresses too, belong to several items of the source and name none. ``listed`` is
    the date of its list, if that was read days later; ``published_month`` is the first day of the
    month of publication, if the day is not known. ``sources`` are the names of those that listed
    it, the first one first; a paper that was stored before they were recorded has none.
    ``brief`` is the source's own sentence on what the paper did, written by a machine.
    ``submitter`` listed the paper at the source, and ``author_answers`` says that an author takes
    part in the discussion there. ``media`` are addresses of images and videos, ``thumbnail`` that
    of a small image. ``homes`` are the addresses of copies of the paper that have other ids, such
    as its article in a journal.
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
    listed: date | None = None
    published_month: date | None = None
    upvotes: int | None = None
    comments: int | None = None
    version: int | None = None
    announcement: Announcement = "new"
    withdrawn: bool = False
    shared: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    brief: str = ""
    keywords: tuple[str, ...] = ()
    submitter: str | None = None
    author_answers: bool = False
    media: tuple[str, ...] = ()
    thumbnail: str | None = None
    homes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Listing:
    """The items that one part of a source lists for one date.

    Attributes:
        past: whether it is from before the present list (an earlier date, old entries of a feed).
            On the first fetch of a source its papers are remembered as seen and never sent; later,
            papers that are new in it are sent.
        complete: whether it can no longer grow, although its date is not over yet.
        missing: why some of its papers are missing; the list is asked for again.
        poll_after: how long the source asks to be left alone.
        unreadable: how many entries could not be read and are left out.
    """

    source: str
    day: date
    items: tuple[Item, ...]
    past: bool = False
    complete: bool = False
    missing: str = ""
    poll_after: timedelta = timedelta()
    unreadable: int = 0


@dataclass(frozen=True, slots=True)
class Identity:
    """The names of a paper: one canonical key, and all aliases, the key among them.

    Keys and aliases are ``scheme:value`` strings.
    """

    key: str
    aliases: frozenset[str]


@dataclass(frozen=True, slots=True)
class IdentifiedItem:
    """An item with its identity, to be compared with the known papers.

    ``past`` as in :class:`Listing`. What the operator ``asked`` for is news, even if it is known
    from the source's past.
    """

    item: Item
    identity: Identity
    past: bool = False
    asked: bool = False


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


BLOCK_SIZE = 500  # papers of a block of the archive's index


@dataclass(frozen=True, slots=True)
class IndexBlock:
    """A part of the archive's index: the papers with some consecutive numbers.

    Attributes:
        start: the first number, a multiple of ``BLOCK_SIZE``.
        last: the highest number that it covers.
        changes: how often the words of its papers had changed when they were read.
        body: what is known of them; only searches read it.
    """

    start: int
    last: int
    changes: int = 0
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Correction:
    """A known paper's withdrawal or new title, told to the readers who were sent the paper.

    Attributes:
        number: rises with every correction.
        group: the group of the paper; see :class:`Paper`.
        title: its title from then on.
        was: its title before; empty for a withdrawal.
        url: where the paper is.
    """

    number: int
    group: int
    title: str
    was: str = ""
    url: str | None = None


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """The last report of a source, and when it last answered well.

    Attributes:
        last_ok: when at least one of its lists was read last.
        failures: how many times in a row something was wrong with its answers.
        interval: how many minutes to wait before it is asked again.
    """

    name: str
    state: ListingState
    detail: str = ""
    checked: datetime | None = None
    last_ok: datetime | None = None
    failures: int = 0
    interval: int = 60

    def after(self, counts: "IngestCounts") -> "SourceHealth":
        """The same, once its papers are counted: a source with new papers is not quiet."""
        quiet = self.state in {"quiet", "holiday"}
        return replace(self, state="ok", detail="") if quiet and counts.new else self


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
        """Whether a list of this source could not be read."""
        return self.state in INCOMPLETE_STATES


MAX_LIKES = 200  # papers of which is kept what a reader said


@dataclass(frozen=True, slots=True)
class Like:
    """What a reader said of a paper: that they want ``more`` like it, or else less.

    ``paper`` is its ingest number.
    """

    paper: int
    more: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class Taste:
    """The papers of an issue, as indexes, that come earlier or later by what a reader said.

    Each has the title of the paper that it is closest to, of those that the reader said it of.
    """

    earlier: Mapping[int, str] = field(default_factory=dict)
    later: Mapping[int, str] = field(default_factory=dict)


NO_TASTE = Taste()
