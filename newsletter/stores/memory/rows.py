"""What the store in memory keeps of an issue."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from newsletter.model import (
    FREE,
    IN_DOUBT,
    LEASED,
    Counts,
    DeliveryState,
    Edition,
    Envelope,
    IssueState,
    ReaderHistory,
    Wave,
)
from newsletter.stores.rules import PATIENCE, in_doubt


@dataclass(slots=True)
class Row:
    """One delivery."""

    wave: Wave
    history: ReaderHistory
    edition: Edition
    state: DeliveryState
    token: str = ""
    lease_until: datetime | None = None
    attempts: int = 0
    doubts: int = 0
    reply: str = ""
    next_try: datetime | None = None
    envelope: Envelope | None = None

    @property
    def reader(self) -> int:
        """The reader's id."""
        return self.edition.to.id

    @property
    def email(self) -> str:
        """The reader's address."""
        return self.edition.to.email

    def numbers(self, places: Iterable[int]) -> frozenset[int]:
        """The ingest numbers of the papers at these places of the issue."""
        return frozenset(self.wave.issue.papers[place].number for place in places)

    def runs_out(self, now: datetime) -> bool:
        """Whether the claim's lease is over."""
        return self.lease_until is not None and self.lease_until <= now

    @property
    def is_under_claim(self) -> bool:
        """Whether a run has it in hand."""
        return self.state in LEASED

    def is_free(self, now: datetime) -> bool:
        """Whether it may be claimed."""
        due = self.next_try is None or self.next_try <= now
        return self.state in FREE and due

    def is_past(self, now: datetime) -> bool:
        """Whether it was deferred long enough."""
        return self.state == "deferred" and self.wave.issue.frozen_at <= now - PATIENCE

    def give_up(self) -> None:
        """End it where it is open: held if it is in doubt."""
        if self.state in FREE:
            self.state = "held" if self.state in IN_DOUBT else "expired"

    def has_changed(self, envelope: Envelope) -> bool:
        """Whether other bytes may have left before, under this letter's name."""
        before = self.envelope
        return bool(self.doubts) and before is not None and before.digest != envelope.digest

    def take_back(self) -> None:
        """End a claim that came to no mark: that was no try; one in doubt keeps its count."""
        self.state, self.attempts = "pending", self.attempts - (not self.doubts)

    def doubt(self) -> None:
        """Nobody knows what became of it."""
        self.state, self.doubts = in_doubt(self.doubts), self.doubts + 1


@dataclass(slots=True)
class DayIssue:
    """A day's issue: its waves, and its deliveries by reader."""

    state: IssueState
    reason: str = ""
    waves: list[Wave] = field(default_factory=list)
    rows: dict[int, Row] = field(default_factory=dict)

    @property
    def counts(self) -> Counts:
        """The deliveries by state."""
        return Counts(**Counter[str](row.state for row in self.rows.values()))
