"""A store that has a witness, and lets nothing leave once it has forgotten what left before."""

from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from threading import Lock

from sqlalchemy import Connection, select

from newsletter.errors import OldStoreError
from newsletter.model import (
    LEASED,
    STATE_AFTER,
    Claim,
    Consent,
    DeliveryState,
    Letter,
    MailEvent,
    MailEventEffect,
    PlannedEdition,
    Reader,
    Settlement,
    Status,
    Subscriber,
    Wave,
)
from newsletter.stores.journal import Noted, Restoration, SendJournal
from newsletter.stores.rules import chunks, words_of
from newsletter.stores.sql import schema
from newsletter.stores.sql.journal_entries import bodies, people, planned
from newsletter.stores.sql.papers import MANY
from newsletter.stores.sql.restoring import restore
from newsletter.stores.sql.rows import LEDGER
from newsletter.stores.sql.store import SqlStore

LOOK_AGAIN = timedelta(minutes=1)
"""Between two looks whether the store has been restored under a process that stays awake."""


@dataclass(frozen=True, slots=True)
class _Known:
    """A wave the witness has seen: its issue's day, its name there, and its readers by id."""

    day: date
    name: str
    readers: Sequence[int]

    def has(self, reader: int) -> bool:
        """Whether the witness knows that this reader is in the wave."""
        place = bisect_left(self.readers, reader)
        return self.readers[place : place + 1] == array("q", [reader])


class JournaledStore(SqlStore):
    """:class:`newsletter.ports.Store` whose letters are written down outside it, too.

    ``freeze`` and ``claim`` raise OldStoreError where the witness knows of letters that the store
    does not: it was restored from a backup.
    """

    def __init__(self, url: str, journal: SendJournal) -> None:
        super().__init__(url)
        self._witness = journal
        self._known: dict[int, _Known] = {}
        self._marked: set[str] = set()
        self._looked: datetime | None = None
        self._introducing = Lock()

    def has_lost_its_journal(self) -> bool:
        """See :meth:`newsletter.stores.journal.Witnessed.has_lost_its_journal`."""
        return not self._witness.is_there and bool(self.issue_days())

    def recover_from_journal(self, *, now: datetime) -> Restoration:
        """See :meth:`newsletter.stores.journal.Witnessed.recover_from_journal`."""
        with self._database.writing() as connection:
            restored = restore(connection, self._witness, now)
        self._witness.close_book(now)
        return restored

    def freeze(self, wave: Wave, plans: Iterable[PlannedEdition]) -> Wave:
        """See :meth:`newsletter.ports.Store.freeze`."""
        self._look(wave.issue.frozen_at)
        frozen = super().freeze(wave, plans)
        with self._introducing:
            self._known[frozen.id] = self._see(wave.issue.day, frozen.id)
        return frozen

    def claim(
        self,
        day: date,
        *,
        limit: int,
        now: datetime,
        lease: float,
        token: str,
        readers: Collection[int] | None = None,
        resend: bool = True,
    ) -> tuple[Claim, ...]:
        """See :meth:`newsletter.ports.Store.claim`."""
        self._look(now)
        claims = super().claim(
            day,
            limit=limit,
            now=now,
            lease=lease,
            token=token,
            readers=readers,
            resend=resend,
        )
        self._introduce(day, claims)
        return claims

    def mark(
        self,
        letters: Sequence[Letter],
        *,
        now: datetime,
        lease: float,
        settled: Sequence[Settlement] = (),
    ) -> frozenset[str]:
        """See :meth:`newsletter.ports.Store.mark`."""
        granted = super().mark(letters, now=now, lease=lease, settled=settled)
        self._note([one for one in letters if one.claim.token in granted], settled, now)
        return granted

    def settle(self, settlements: Sequence[Settlement], *, now: datetime) -> None:
        """See :meth:`newsletter.ports.Store.settle`."""
        super().settle(settlements, now=now)
        self._note((), settlements, now)

    def set_status(self, email: str, status: Status, *, now: datetime) -> bool:
        """See :meth:`newsletter.ports.Store.set_status`."""
        done = super().set_status(email, status, now=now)
        if done:
            self._witness.see_reader(email, status, now=now)
        return done

    def record_mail_event(self, event: MailEvent, *, now: datetime) -> MailEventEffect:
        """See :meth:`newsletter.ports.Store.record_mail_event`."""
        effect = super().record_mail_event(event, now=now)
        if effect in {"suppressed", "unsubscribed"}:
            self._see_reader(event.reader, now)
        return effect

    def record_consent(self, reader: int, consent: Consent) -> bool:
        """See :meth:`newsletter.ports.Store.record_consent`."""
        done = super().record_consent(reader, consent)
        if done:
            self._see_reader(reader, consent.at)
        return done

    def unsuppress(self, email: str, *, now: datetime) -> bool:
        """See :meth:`newsletter.ports.Store.unsuppress`."""
        done = super().unsuppress(email, now=now)
        if done:
            self._witness.see_reader(email, "confirmed", now=now)
        return done

    def save_reader(self, subscriber: Subscriber, *, status: Status, now: datetime) -> Reader:
        """See :meth:`newsletter.ports.Store.save_reader`."""
        saved = super().save_reader(subscriber, status=status, now=now)
        if saved.status == "confirmed":
            self._witness.see_reader(subscriber.email, "confirmed", now=now)
        return saved

    def erase(self, reader: int, alias: str, *, now: datetime) -> None:
        """See :meth:`newsletter.ports.Store.erase`."""
        known = self.reader_by_id(reader)
        super().erase(reader, alias, now=now)
        if known is not None:
            self._witness.see_reader(known.subscriber.email, "erased", now=now)

    def _see_reader(self, number: int, now: datetime) -> None:
        reader = self.reader_by_id(number)
        if reader is not None:
            self._witness.see_reader(reader.subscriber.email, reader.status, now=now)

    def _look(self, now: datetime) -> None:
        """See that the store knows what left last.

        Raises:
            OldStoreError: it does not.
        """
        if self._looked is not None and abs(now - self._looked) < LOOK_AGAIN:
            return
        written = list(self._witness.last_letters())  # first: letters leave while we look
        with self._database.reading() as connection:
            for day, letters in written:
                forgotten = _forgotten(connection, day, letters, self._database.boot)
                if forgotten:
                    raise OldStoreError(
                        f"the store has forgotten letters of {day} that have left "
                        f"({len(forgotten)} of the last {len(letters)} in {self._witness.folder}). "
                        "Was it restored from a backup? `newsletter store restored` takes up what "
                        "left since; until then nothing is sent."
                    )
        self._looked = now

    def _introduce(self, day: date, claims: Sequence[Claim]) -> None:
        """Let the witness see the waves of these claims, whose readers it may not know yet."""
        with self._introducing:
            for wave in sorted({claim.wave for claim in claims}):
                known = self._known.get(wave)
                theirs = (claim.reader for claim in claims if claim.wave == wave)
                if known is None or not all(map(known.has, theirs)):
                    self._known[wave] = self._see(day, wave)

    def _see(self, day: date, wave: int) -> _Known:
        """Write a wave down, unless it was as it was frozen; those who came to it since alone."""
        with self._database.reading() as connection:
            frozen, readers = planned(connection, wave)
            known = self._known.get(wave)
            if known is not None:
                new: Sequence[int] = [reader for reader in readers if not known.has(reader)]
            else:
                new = readers if self._witness.seen(day, frozen) < len(readers) else ()
            if new:
                theirs = people(connection, wave, new, self._witness)
                seen = bodies(connection, wave)
                self._witness.see_wave(day, seen, theirs, count=len(readers))
        return _Known(day, frozen, readers)

    def _note(
        self, letters: Sequence[Letter], settlements: Sequence[Settlement], now: datetime
    ) -> None:
        """Write down these marks, and what became of letters marked before."""
        known = self._known
        ended = [one for one in settlements if one.claim.token in self._marked]
        self._marked.difference_update(one.claim.token for one in ended)
        self._marked.update(letter.claim.token for letter in letters)
        marks = [(known[letter.claim.wave], letter) for letter in letters]
        ends = [(known[one.claim.wave], one) for one in ended]
        for day in {wave.day for wave, _ in marks} | {wave.day for wave, _ in ends}:
            self._witness.see_letters(
                day,
                [(wave.name, letter) for wave, letter in marks if wave.day == day],
                [_line(one, wave.name) for wave, one in ends if wave.day == day],
                now=now,
            )


def _line(settlement: Settlement, wave: str) -> tuple[str, int, int, DeliveryState, str]:
    claim, outcome = settlement.claim, settlement.outcome
    state = STATE_AFTER[type(outcome)]
    return wave, claim.reader, claim.attempt, state, words_of(outcome)


def _forgotten(
    connection: Connection, day: date, letters: Sequence[Noted], boot: str | None
) -> list[Noted]:
    """Those of these letters that the store knows less of than the witness.

    What was in hand before this start of the machine a power cut may have taken from either of
    them: the next claim finds it in doubt.
    """
    columns = select(LEDGER.reader, LEDGER.state, LEDGER.attempts, LEDGER.boot)
    found = {
        row.reader: row
        for some in chunks([letter.reader for letter in letters], MANY)
        for row in connection.execute(
            columns.join(schema.issues).where(schema.issues.c.day == day, LEDGER.reader.in_(some))
        )
    }

    def is_forgotten(letter: Noted) -> bool:
        row = found.get(letter.reader)
        if row is None:
            return True
        is_in_hand = row.state in LEASED and row.boot not in {None, boot}
        return not is_in_hand and letter.is_news_to(row.state, row.attempts)

    return [letter for letter in letters if is_forgotten(letter)]
