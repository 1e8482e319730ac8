"""The day's issue, each reader's edition of it, and the letter that shows it."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from email.utils import parseaddr

from newsletter.model.cadences import CADENCES, Cadence, Days
from newsletter.model.papers import NO_TASTE, Correction, Paper, Taste
from newsletter.model.readers import Reader, Summary
from newsletter.model.rules import Topic

_WEEK = timedelta(weeks=1)

OTHER = "Other"  # the section of papers that are in no topic

BY_FILTER = "Your interests"
"""The section of papers that match a reader's own rules, outside the topics they follow."""

BY_FILTER_BEFORE = "Your filters"  # the same in issues that an earlier version has frozen

TOP = "Top three"
"""The section that opens a letter: its best papers, each with more of its abstract."""

TOP_TEN = "Top ten"  # the same of a weekly letter

EVERY_PAPER = "every paper"  # why a reader without topics and rules gets a paper


@dataclass(frozen=True, slots=True)
class Publication:
    """The newsletter itself, as its letters name it.

    ``url`` is where the readers' pages are; without it letters have ``mailto:`` links only.
    ``bounces`` is the mailbox that bounces are read from, ``reply_to`` the
    one for replies, as a header has it. ``cadence`` is for readers who chose none.
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
    reply_to: str | None = None
    cadence: Days = "daily"

    @property
    def domain(self) -> str:
        """The sender's domain, which Message-ID and List-Id are aligned with."""
        return self.sender_email.rpartition("@")[2]

    @property
    def requests_to(self) -> str:
        """The address that readers' emails go to: the mailbox for bounces, else that for replies.

        Requests must not go to a sender's address that nobody reads.
        """
        return self.bounces or parseaddr(self.reply_to or "")[1] or self.sender_email

    @property
    def is_read_by_a_person(self) -> bool:
        """Whether a person answers readers: there are no pages, and no mailbox for bounces."""
        return not (self.url or self.bounces)


@dataclass(frozen=True, slots=True)
class Issue:
    """One day's papers, best first.

    Attributes:
        day: the issue's date.
        papers: the papers; everywhere else a paper of the issue is an index into these.
        topics: the topics, in the order of sections.
        cutoff: the highest ingest number that the issue decides.
        frozen_at: when it was frozen (UTC); the Date of every letter.
        missing: the sources that did not answer.
        quarantined: the papers that could not be rendered, as pairs of key and reason.
        after: the lowest ingest number that a reader of the issue had decided before.
        corrections: those of the last days; letters with papers end with the reader's.
        short: the papers, as indexes, that lack the upvotes which each reader who still waits for
            them asks for. Nobody gets them from this issue, and they are not rendered.
    """

    day: date
    papers: tuple[Paper, ...]
    topics: tuple[Topic, ...]
    cutoff: int
    frozen_at: datetime
    missing: tuple[str, ...] = ()
    quarantined: tuple[tuple[str, str], ...] = ()
    after: int = 0
    corrections: tuple[Correction, ...] = ()
    short: tuple[int, ...] = ()

    @property
    def in_question(self) -> tuple[Paper, ...]:
        """The papers that some reader may be owed: not muted, and not decided for all of them."""
        return tuple(p for p in self.papers if p.number > self.after and not p.muted)


@dataclass(frozen=True, slots=True)
class Section:
    """One heading of an edition, with its papers as cards and, beyond the limits, as rows.

    ``because`` has the reason for each paper, those of the cards first. ``leads`` marks the
    section that opens the letter, with papers of any topic. ``more`` is how many papers of it the
    letter has no room to name; editions stored by earlier versions do not say.
    """

    name: str
    cards: tuple[int, ...]
    rows: tuple[int, ...] = ()
    because: tuple[str, ...] = ()
    leads: bool = False
    more: int = 0

    @property
    def papers(self) -> tuple[int, ...]:
        """Its cards, then its rows."""
        return self.cards + self.rows


@dataclass(frozen=True, slots=True)
class ReaderHistory:
    """What was decided for one reader before a freeze; it determines which papers they are owed.

    ``again`` has the ingest numbers of papers that only lacked upvotes in an edition of the last
    days, or room in the last one; ``sent`` the groups (see :class:`Paper`) of the issue that they
    were already sent; ``corrected`` the issue's corrections, as indexes, that they have to be told.
    ``taste`` is what their likes say of the issue: it changes the order of their papers alone.
    """

    reader: Reader
    again: frozenset[int] = frozenset()
    sent: frozenset[int] = frozenset()
    corrected: tuple[int, ...] = ()
    taste: Taste = NO_TASTE


@dataclass(frozen=True, slots=True)
class Recipient:
    """The reader that a letter is for, and what they chose of its form.

    ``topics`` are those they follow, in their order; ``cadence`` and ``day`` are as in
    :class:`Subscriber`.
    """

    id: int
    email: str
    name: str = ""
    summary: Summary = "short"
    topics: tuple[str, ...] = ()
    cadence: Cadence | None = None
    day: int = 0

    @classmethod
    def of(cls, reader: Reader) -> "Recipient":
        """The recipient of this reader's letters."""
        own = reader.subscriber
        topics = own.filter.topics
        return cls(reader.id, own.email, own.name, own.summary, topics, own.cadence, own.day)

    def is_weekly(self, day: date, default: Days) -> bool:
        """Whether their letter of this day is about a week; ``default`` is the newsletter's."""
        own = self.cadence
        facts = CADENCES[default if own is None or own == "paused" else own]
        return facts.longest_gap == _WEEK and facts.falls_on(day, self.day)


@dataclass(frozen=True, slots=True)
class Edition:
    """The papers that one reader gets of an issue, as indexes into its ``papers``.

    Attributes:
        to: the reader.
        sections: the papers with a card or a row, by heading.
        more: the papers behind "n more", which the page that it links to names: those of each
            section in turn, then those of no section.
        short: papers that only lack upvotes, for the first time; they are judged again for some
            days.
        waiting: papers that the letter has no room to name, in the order of ``more``; they come
            with the next issue.
        left_out: how many of the papers owed the reader's filter excluded.
        corrections: the issue's corrections at the end of the letter, as indexes.
        popular: if no paper matched, the most upvoted ones. They are named and do not count as
            sent.
    """

    to: Recipient
    sections: tuple[Section, ...]
    more: tuple[int, ...] = ()
    short: tuple[int, ...] = ()
    waiting: tuple[int, ...] = ()
    left_out: int = 0
    corrections: tuple[int, ...] = ()
    popular: tuple[int, ...] = ()

    @property
    def papers(self) -> tuple[int, ...]:
        """Every paper it names, in reading order: cards and rows by section, then more."""
        placed: list[int] = []
        for section in self.sections:
            placed += section.cards
            placed += section.rows
        return (*placed, *self.more)

    @property
    def summary(self) -> Summary:
        """How much of each abstract this reader gets."""
        return self.to.summary


@dataclass(frozen=True, slots=True)
class PlannedEdition:
    """What a freeze records for one reader: their history, and the edition composed from it.

    ``even_empty``: they get a letter if no paper is in it.
    """

    history: ReaderHistory
    edition: Edition
    even_empty: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """The one reason why a paper is, or is not, in a reader's edition.

    ``topics`` say why each of the paper's topics has it, whether the reader follows it or not.
    ``moved`` says which paper that the reader liked, or not, moved this one in their order.
    """

    reader: str
    paper: str
    title: str
    included: bool
    reason: str
    topics: tuple[str, ...] = ()
    moved: str = ""


@dataclass(frozen=True, slots=True)
class Rendering:
    """A letter as its reader sees it; the subject is in pieces to be joined."""

    subject: tuple[str, ...]
    html: str
    text: str


@dataclass(frozen=True, slots=True)
class PublishedIssue:
    """A day's issue as the public pages show it: the papers that were new in it.

    These are the papers numbered above ``after`` up to ``cutoff``, so that each paper is in one
    issue only. ``at`` is when the day's first wave was frozen.
    """

    day: date
    after: int
    cutoff: int
    at: datetime


@dataclass(frozen=True, slots=True)
class WaveHead:
    """What is small of a wave: a :class:`Wave` takes as much memory as its issue."""

    id: int
    due: datetime
    frozen_at: datetime


@dataclass(frozen=True, slots=True)
class IssueSize:
    """How large an issue is, to be compared with others.

    Attributes:
        frozen: when its first wave was frozen.
        papers: how many papers are numbered after those of the issue before.
        letter_size: the compressed bytes of the compiled letter; 0 once they were removed.
        planned: the number of deliveries, of which ``empty`` have no paper.
    """

    day: date
    frozen: datetime
    papers: int
    letter_size: int
    planned: int
    empty: int


@dataclass(frozen=True, slots=True)
class Wave:
    """An issue frozen for the readers due at one instant, with what its letters consist of.

    ``pieces`` is a stored :class:`newsletter.letter.fragments.IssueFragments`, so that a letter
    can be made again byte for byte after an edit of a template, a key or the code.
    """

    id: int
    issue: Issue
    due: datetime
    pieces: bytes
