"""What a witness knows, and what is taken up from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal, Protocol, runtime_checkable

from newsletter.model import ANSWERED, LEASED, OPEN, DeliveryState, Status

Word = Status | Literal["erased"]
"""What became of a reader."""


@dataclass(frozen=True, slots=True)
class Noted:
    """What the witness knows of one letter: its last try, and what became of that.

    ``wave`` is the instant its wave was frozen, in ISO 8601; ``reader`` the id the reader had.
    """

    wave: str
    reader: int
    attempt: int
    state: DeliveryState
    at: datetime
    reply: str = ""
    message_id: str = ""
    digest: str = ""

    def is_news_to(self, state: DeliveryState, attempts: int) -> bool:
        """Whether a ledger whose row says this has forgotten what became of the letter.

        A row that is pending after as many tries was settled so: the witness missed that.
        """
        if attempts != self.attempt:
            return attempts < self.attempt
        if self.state == "committing":
            return state == "claimed"
        return state in LEASED or (self.state in ANSWERED and state in OPEN)


@dataclass(frozen=True, slots=True)
class SeenWave:
    """A wave as it was stored: its bodies, and for each reader's id a name and the papers.

    ``names`` has the keyed hash of each reader's address, ``papers`` ingest numbers as JSON.
    """

    frozen: str
    due: datetime
    body: bytes
    pieces: bytes
    names: Mapping[int, str] = field(default_factory=dict)
    papers: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Restoration:
    """What was taken up: letters by what became of them, and the issues they are of.

    ``gone`` counts letters of readers the restored store does not know. ``left`` are the readers
    who had left since, by address, ``erased`` those of them who had asked to be forgotten.
    """

    issues: tuple[date, ...] = ()
    accepted: int = 0
    failed: int = 0
    held: int = 0
    gone: int = 0
    left: tuple[str, ...] = ()
    erased: tuple[str, ...] = ()


@runtime_checkable
class Journaled(Protocol):
    """A store that has a witness."""

    def has_lost_its_journal(self) -> bool:
        """Whether letters may have left that no witness knows of: it has issues, and none."""

    def recover_from_journal(self, *, now: datetime) -> Restoration:
        """Take up from the witness what left since the backup this store was restored from.

        Letters the server answered for end as it said; those nobody knows the answer of are held.
        Called again, it finds nothing more to do.
        """
