"""The store's port for returned mail: what it says about readers and about addresses.

The rules of :mod:`newsletter.ports.store` hold for every method here.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Protocol

from newsletter.model import LeftMail, MailEvent, MailEventEffect, MassReport, SentLetter


class MailEvents(Protocol):
    """Returned mail, the addresses it is about, and the mailboxes it was read from."""

    def record_mail_event(self, event: MailEvent, *, now: datetime) -> MailEventEffect:
        """Record one returned mail; see ``record_mail_events``."""

    def record_mail_events(
        self, events: Sequence[MailEvent], *, now: datetime
    ) -> tuple[MailEventEffect, ...]:
        """Record returned mails once, by their digests, and apply their effects on the readers.

        - ``unsubscribe`` ends the subscription.
        - ``complaint`` blocks the reader, and so do ``hard`` bounces on three days within ninety;
          not if they are about another address than the reader's present one. An
          ``unsubscribed`` reader is never blocked.
        - ``hard`` bounces of many readers' letters at once (``is_mass``) speak of the sender. They
          do not count, in whatever order they come: a block that earlier ones led to is lifted.
        """

    def mass_reports(self, *, since: date) -> tuple[MassReport, ...]:
        """The letters since then whose hard bounces do not count because they are many."""

    def last_letters(self, readers: Collection[int], *, by: date) -> Mapping[int, SentLetter]:
        """The newest letter of that day or before that went to the server for each reader."""

    def former_addresses(self, readers: Collection[int]) -> Mapping[int, frozenset[str]]:
        """The addresses that each reader has moved away from; readers without any are left out."""

    def last_consents(self, readers: Collection[int]) -> Mapping[int, datetime]:
        """When each reader last agreed to get the letters; readers who never did are left out."""

    def readers_of_addresses(self, addresses: Collection[str]) -> Mapping[str, int]:
        """The reader who has each address, in any case, or has moved away from it.

        An address that differs from others only in case is that of the reader who spells it so.
        """

    def refuse_address(self, address: str, *, lasting: bool, now: datetime) -> None:
        """Write no more notes to an address that nobody confirmed, given as a keyed hash.

        After ninety days one is tried again, unless the refusal is ``lasting``.
        """

    def is_refused(self, addresses: Collection[str], *, now: datetime) -> bool:
        """Whether one of these keyed hashes is that of a refused address."""

    def accept_address(self, addresses: Collection[str]) -> bool:
        """Write to an address again, given as its keyed hashes; returns whether it was refused."""

    def known_mails(self, mailbox: str) -> Mapping[str, str]:
        """The mails of a mailbox that were read before, by name, and why they were left, if so."""

    def remember_mails(self, mailbox: str, mails: Mapping[str, str], *, now: datetime) -> None:
        """Remember mails as read; the text says why one was left, and is empty otherwise."""

    def forget_mails(self, mailbox: str, names: Collection[str]) -> None:
        """Forget mails that are no longer in their mailbox."""

    def record_mailbox_read(self, mailbox: str, *, now: datetime) -> None:
        """Record that a mailbox was read to its end."""

    def mailbox_reads(self) -> Mapping[str, datetime]:
        """When each mailbox was last read to its end, by name."""

    def left_mails(self) -> tuple[LeftMail, ...]:
        """The mails of all mailboxes that need a person, oldest first."""
