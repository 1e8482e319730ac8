"""What is composed: the day's issue, each reader's edition of it, and how it is set."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from newsletter.model.papers import Paper
from newsletter.model.readers import Reader, Summary, Term, Topic

OTHER = "Other"
"""The section of papers that are in no topic."""

BY_FILTER = "Your filters"
"""The section of papers that a reader's own rules brought, outside the topics they follow."""

TOP = "Top three"
"""The section that opens a letter: its best papers, each with more of its abstract."""

EVERY_PAPER = "every paper"
"""Why a reader without topics and rules gets a paper."""


@dataclass(frozen=True, slots=True)
class Publication:
    """The newsletter itself, as its letters name it.

    ``sender`` is an address with an optional display name, split; ``url`` is where the readers'
    pages are (None: letters carry ``mailto:`` links alone); ``bounces`` is the mailbox read back.
    """

    name: str
    sender_name: str
    sender_email: str
    url: str | None = None
    postal_address: str = ""
    operator: str | None = None
    bounces: str | None = None
    timezone: str = "UTC"
    language: str = "en"

    @property
    def domain(self) -> str:
        """The sender's domain, which Message-ID and List-Id are aligned with."""
        return self.sender_email.rpartition("@")[2]


@dataclass(frozen=True, slots=True)
class Matching:
    """What matches what, as bitmasks over an issue's papers: bit *i* is paper *i*.

    ``topics`` has a mask for each topic by name and ``best`` the papers whose best topic it is;
    ``because`` has, for a topic's name and a paper, the words that put it there; ``terms`` has a
    mask for every term that occurs in any topic or filter; ``upvotes`` gives a paper's upvotes,
    None where its sources do not count them.
    """

    topics: Mapping[str, int]
    best: Mapping[str, int]
    because: Mapping[tuple[str, int], str]
    terms: Mapping[Term, int]
    upvotes: tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class Issue:
    """One day's papers in their order, best first; a paper's place is its index in ``papers``.

    ``cutoff`` is the highest ingest number it decides, and ``after`` the lowest anybody in it had
    decided before; ``missing`` names the sources that did
    not answer; ``quarantined`` has the papers that could not be set, with why.
    ``frozen_at`` is UTC, and is every letter's Date.
    """

    day: date
    papers: tuple[Paper, ...]
    topics: tuple[Topic, ...]
    cutoff: int
    frozen_at: datetime
    missing: tuple[str, ...] = ()
    quarantined: tuple[tuple[str, str], ...] = ()
    after: int = 0

    @property
    def in_question(self) -> tuple[Paper, ...]:
        """The papers somebody may be owed, rather than those read again that all have decided."""
        return tuple(p for p in self.papers if p.number > self.after and not p.muted)


@dataclass(frozen=True, slots=True)
class Section:
    """One heading of an edition, with its papers as cards and, past the cap, as one-line rows.

    Both are indexes into the issue's papers. ``because`` has the reason for each, those of the
    cards first. ``leads`` says that its papers open the letter, whatever their topics.
    """

    name: str
    cards: tuple[int, ...]
    rows: tuple[int, ...] = ()
    because: tuple[str, ...] = ()
    leads: bool = False

    @property
    def papers(self) -> tuple[int, ...]:
        """Its cards, then its rows."""
        return self.cards + self.rows


@dataclass(frozen=True, slots=True)
class ReaderHistory:
    """Where one reader stands before a freeze: all that decides what they are owed.

    ``again`` has the ingest numbers of papers that fell short of this reader's upvotes alone in
    an issue of the last three days; ``sent`` the groups (see :class:`Paper`) already accepted
    for them among the papers in question.
    """

    reader: Reader
    again: frozenset[int] = frozenset()
    sent: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whose letter it is, and how much of each abstract they get."""

    id: int
    email: str
    name: str = ""
    summary: Summary = "short"

    @classmethod
    def of(cls, reader: Reader) -> "Recipient":
        """A reader, as their letters are made out."""
        wants = reader.subscriber
        return cls(reader.id, wants.email, wants.name, wants.summary)


@dataclass(frozen=True, slots=True)
class Edition:
    """One reader's own letter of an issue, before it is set.

    ``more`` are the papers within "N more": in the edition, on neither card nor row. ``short``
    fell short of the reader's upvotes alone and are judged again. ``left_out`` counts the papers
    of the day that the filters kept away. All four are indexes into the issue's papers or count
    them. An edition without a paper is empty.
    """

    to: Recipient
    sections: tuple[Section, ...]
    more: tuple[int, ...] = ()
    short: tuple[int, ...] = ()
    left_out: int = 0

    @property
    def papers(self) -> tuple[int, ...]:
        """Every paper of the edition, in reading order: cards and rows by section, then more."""
        placed = [paper for s in self.sections for paper in s.papers]
        return (*placed, *self.more)

    @property
    def summary(self) -> Summary:
        """How much of each abstract this reader gets."""
        return self.to.summary


@dataclass(frozen=True, slots=True)
class PlannedEdition:
    """What a freeze records of one reader: where they stood, and the edition cut from that."""

    history: ReaderHistory
    edition: Edition


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why one paper is, or is not, in one reader's edition: exactly one reason."""

    reader: str
    paper: str
    title: str
    included: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Rendering:
    """A letter as its reader sees it: its subject, in pieces that join, its HTML and its text."""

    subject: tuple[str, ...]
    html: str
    text: str


@dataclass(frozen=True, slots=True)
class PublishedIssue:
    """A day's issue as everybody may see it: the papers that were new with it.

    They are those numbered above ``after`` up to ``cutoff``; so each paper is in one day's.
    ``at`` is when the day's first wave was frozen.
    """

    day: date
    after: int
    cutoff: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Wave:
    """An issue frozen for the readers due at one instant, with the pieces its letters are set from.

    ``pieces`` is a stored :class:`newsletter.letter.fragments.IssueFragments`, so that a letter
    can be made again byte for byte after an edit of a template, a key or the code.
    """

    id: int
    issue: Issue
    due: datetime
    pieces: bytes
