"""What the store owes the readers' pages: one reader, their word, their past, their going."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Protocol

from newsletter.model import (
    Caps,
    Consent,
    DailyGrowth,
    Delivery,
    MailEvent,
    Paper,
    PublishedIssue,
    Reader,
    Status,
)


class Subscribing(Protocol):
    """The part of :class:`newsletter.ports.Store` that readers themselves come to."""

    def reader(self, number: int) -> Reader | None:
        """The reader of this id, whatever their status."""

    def reader_at(self, email: str) -> Reader | None:
        """The reader of this mailbox, however its letters are capitalised."""

    def tally(self) -> Mapping[Status, int]:
        """How many readers there are of each status that anybody has."""

    def daily_growth(self) -> tuple[DailyGrowth, ...]:
        """On which days the readers there are came and left, oldest first; days of neither are not.

        Each counts once: as coming on the day of their first consent, or of being added where
        none is kept; as leaving, who gets no letters any more, on the day of their last change.
        Those who never confirmed do not count.
        """

    def admit(self, address: str, client: str, caps: Caps, *, now: datetime) -> bool:
        """Record that a letter is asked for, if every cap allows it; whether it does.

        ``address`` and ``client`` are keyed hashes: nothing else is remembered of who asked, and
        of the client nothing after a day. What is refused is not counted.
        """

    def forget_unconfirmed(self, *, before: datetime) -> int:
        """Forget those of the store who were last heard of before then and never confirmed.

        Returns:
            How many they were.
        """

    def consent(self, reader: int, consent: Consent) -> bool:
        """Confirm a reader on their own word, which is kept.

        Everything up to the last freeze is decided for them. One who was struck from the
        operator's file is the store's from then on. False, and nothing changes, where they are
        confirmed already, blocked, or unknown.
        """

    def consents(self, reader: int) -> tuple[Consent, ...]:
        """What a reader agreed to, oldest first."""

    def letters(self, reader: int) -> tuple[Delivery, ...]:
        """Every delivery a reader had a line for, oldest first."""

    def farewells(self, *, limit: int, reader: int | None = None) -> tuple[MailEvent, ...]:
        """What those said who left, the last ones first; only this reader's, if one is named."""

    def move(self, reader: int, email: str, *, now: datetime) -> bool:
        """Give a reader of the store another address.

        False, and nothing changes, where it is somebody's already, or the reader is the file's or
        unknown.
        """

    def erase(self, reader: int, alias: str, *, now: datetime) -> None:
        """Forget who a reader is: from now on they are ``alias``, who has left and wants nothing.

        Nothing of the address stays, in rows or in what a database's file still holds of former
        rows; the ledger's counts stay true.
        """


class Archive(Protocol):
    """The part of :class:`newsletter.ports.Store` that the archive is read from."""

    def published(self) -> tuple[PublishedIssue, ...]:
        """The issues that were frozen and are neither held nor cancelled, the last one first."""

    def paper_called(self, name: str) -> Paper | None:
        """The paper that answers to this name: its key or an alias."""

    def days_listed(self, paper: Paper) -> tuple[date, ...]:
        """The days for which this paper, or another of its group, was listed, oldest first."""

    def search(self, words: Sequence[str], *, limit: int) -> tuple[Paper, ...]:
        """The newest papers in whose title, abstract or authors every word begins a word.

        Case and accents do not count, nothing in a word has a meaning of its own; muted papers
        are left out, and no word at all finds nothing.
        """
