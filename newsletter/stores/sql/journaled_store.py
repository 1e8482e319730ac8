"""A store with a send journal, which sends nothing once it has forgotten what was sent before."""

import logging
from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from threading import Lock
from typing import Literal

from sqlalchemy import Connection, select
from typing_extensions import override

from newsletter.errors import OldStoreError, StoreError
from newsletter.model import (
    STATE_AFTER,
    Broadcast,
    Claim,
    Consent,
    DeliveryState,
    Letter,
    ListedReader,
    PlannedEdition,
    Reader,
    Settlement,
    Status,
    Subscriber,
    Wave,
)
from newsletter.stores.journal import (
    Journaled,
    JournaledWave,
    ReaderEntries,
    Restoration,
    SendJournal,
    combined,
)
from newsletter.stores.logic import reply_of
from newsletter.stores.sql import schema
from newsletter.stores.sql.editions import numbers_of_waves, papers_as_json
from newsletter.stores.sql.recovery import forgotten, lacks_waves, recover
from newsletter.stores.sql.statements import BATCH, batches, select_in
from newsletter.stores.sql.store import SqlStore

_log = logging.getLogger(__name__)

CHECK_INTERVAL = timedelta(minutes=1)
"""Time between two checks whether the store was restored while this process runs."""


@dataclass(frozen=True, slots=True)
class _Wave:
    """A wave in the journal: its issue's day, its name there, and its readers' sorted ids."""

    day: date
    name: str
    readers: Sequence[int]

    def has(self, reader: int) -> bool:
        """Whether the journal has this reader of the wave."""
        place = bisect_left(self.readers, reader)
        return place < len(self.readers) and self.readers[place] == reader


class JournaledStore(SqlStore, Journaled):
    """:class:`newsletter.ports.Store` that records letters in a send journal, too.

    ``freeze``, ``claim`` and what sends notes raise OldStoreError if the journal knows letters that
    the store does not: it was restored from a backup.
    """

    def __init__(self, url: str, journal: SendJournal) -> None:
        super().__init__(url)
        self._journal = journal
        self._waves: dict[int, _Wave] = {}
        self._waves_lock = Lock()
        self._marked: set[str] = set()
        self._checked: datetime | None = None
        journal.identify()

    @override
    def has_lost_its_journal(self) -> bool:
        if self._journal.exists:
            return False
        with self._database.reading() as connection:  # a skipped issue has nothing to record
            return connection.execute(select(schema.waves.c.id).limit(1)).first() is not None

    @override
    def lacks(self, journal: SendJournal) -> str:
        last_letters = list(journal.last_letters())
        with self._database.reading() as connection:
            for day, letters in last_letters:
                if lacks_waves(connection, day, letters) or forgotten(
                    connection, day, letters, self._database.boot
                ):
                    return f"the letters of {day}"
            readers = connection.execute(select(schema.readers.c.id).limit(1)).first()
        return "the readers" if readers is None and journal.says_anything else ""

    @override
    def recover_from_journal(self, *, now: datetime) -> Restoration:
        relatives = self._journal.relatives(self.emails)
        others = [one for one in relatives if not self._journal.has_taken_over(one)]
        with self._database.writing() as connection:
            found = [recover(connection, one, now) for one in (self._journal, *others)]
        for other in reversed(others):
            self._journal.take_over(other)
        self._journal.record_restoration(now)
        return combined(found)

    @override
    def emails(self) -> Sequence[str]:
        with self._database.reading() as connection:
            return connection.execute(select(schema.readers.c.email)).scalars().all()

    @override
    def freeze(self, wave: Wave, plans: Iterable[PlannedEdition]) -> Wave:
        self.check_journal(now=wave.issue.frozen_at)
        frozen = super().freeze(wave, plans)
        with self._waves_lock:
            self._waves[frozen.id] = self._record_wave(wave.issue.day, frozen.id)
        return frozen

    @override
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
        self._record_kept(now)  # before the check: the store knows less than was sent
        self.check_journal(now=now)
        claims = super().claim(
            day, limit=limit, now=now, lease=lease, token=token, readers=readers, resend=resend
        )
        self._record_waves(day, claims)
        return claims

    @override
    def plan_broadcast(
        self, broadcast: Broadcast, readers: Collection[int], *, now: datetime
    ) -> int:
        self.check_journal(now=now)
        return super().plan_broadcast(broadcast, readers, now=now)

    @override
    def due_broadcasts(self, *, now: datetime, limit: int) -> Mapping[int, Collection[int]]:
        if due := super().due_broadcasts(now=now, limit=limit):
            self.check_journal(now=now)
        return due

    @override
    def keep(self, settlements: Sequence[Settlement]) -> None:
        try:
            self._journal.keep(settlements, self._marked)
        except StoreError as error:
            _log.error("%d outcomes are kept in memory only: %s", len(settlements), error)
            super().keep(settlements)

    @override
    def _record_kept(self, now: datetime) -> None:
        """Record the outcomes that this process or another one kept, in the journal too."""
        super()._record_kept(now)
        for path, kept in self._journal.kept().items():
            settlements = [one for one, _ in kept]
            claims = [one.claim for one in settlements]
            days = self._days_of({claim.wave for claim in claims})
            if days is None:
                continue  # the store was restored: the check names that
            for wave, day in days.items():
                self._record_waves(day, [claim for claim in claims if claim.wave == wave])
            self._marked.update(one.claim.token for one, marked in kept if marked)
            self.settle(settlements, now=now)
            path.unlink(missing_ok=True)
            _log.info("recorded %d outcomes that the store had missed", len(settlements))

    def _days_of(self, waves: Collection[int]) -> dict[int, date] | None:
        """The days of these waves; None if the store lacks one of them."""
        columns = schema.waves.c
        query = select(columns.id, schema.issues.c.day).join(schema.issues)
        with self._database.reading() as connection:
            rows = select_in(connection, query, columns.id, waves)
            found: dict[int, date] = {row.id: row.day for row in rows}
        return found if len(found) == len(waves) else None

    @override
    def mark(
        self,
        letters: Sequence[Letter],
        *,
        now: datetime,
        lease: float,
        settled: Sequence[Settlement] = (),
    ) -> frozenset[str]:
        granted = super().mark(letters, now=now, lease=lease, settled=settled)
        marked = [letter for letter in letters if letter.claim.token in granted]
        self._record_letters(marked, settled, now)
        return granted

    @override
    def settle(self, settlements: Sequence[Settlement], *, now: datetime) -> None:
        super().settle(settlements, now=now)
        self._record_letters((), settlements, now)

    @override
    def undo_issue(self, day: date, *, now: datetime) -> bool:
        undone = super().undo_issue(day, now=now)
        self._waves.clear()  # a wave to come may get the same id
        if undone and day in self._journal.days():
            self._journal.record_restoration(now, days=[day])
        return undone

    @override
    def set_status(self, email: str, status: Status, *, now: datetime) -> bool:
        changed = super().set_status(email, status, now=now)
        if changed:
            self._journal.record_reader(email, status, now=now)
        return changed

    @override
    def import_departure(self, listed: ListedReader, *, now: datetime) -> bool:
        changed = super().import_departure(listed, now=now)
        if changed:
            self._journal.record_reader(listed.subscriber.email, listed.status, now=now)
        return changed

    @override
    def import_readers(self, listed: Sequence[ListedReader], *, now: datetime) -> Mapping[str, int]:
        ids = super().import_readers(listed, now=now)
        self._statuses_changed(ids.values(), now)
        return ids

    @override
    def _statuses_changed(self, readers: Collection[int], now: datetime) -> None:
        changed = self.readers_by_id(sorted(readers))
        self._journal.record_readers(
            [(reader.subscriber.email, reader.status) for reader in changed], now=now
        )

    @override
    def record_consent(
        self,
        reader: int,
        consent: Consent,
        *,
        status: Literal["confirmed", "waiting"] = "confirmed",
    ) -> bool:
        changed = super().record_consent(reader, consent, status=status)
        if changed:
            self._statuses_changed([reader], consent.at)
        return changed

    @override
    def approve(self, reader: int, *, now: datetime) -> bool:
        approved = super().approve(reader, now=now)
        if approved:
            self._statuses_changed([reader], now)
        return approved

    @override
    def unsuppress(self, email: str, *, now: datetime) -> bool:
        confirmed = super().unsuppress(email, now=now)
        if confirmed:
            self._journal.record_reader(email, "confirmed", now=now)
        return confirmed

    @override
    def save_reader(self, subscriber: Subscriber, *, status: Status, now: datetime) -> Reader:
        saved = super().save_reader(subscriber, status=status, now=now)
        if saved.status == "confirmed":
            self._journal.record_reader(subscriber.email, "confirmed", now=now)
        return saved

    @override
    def erase(self, reader: int, alias: str, *, now: datetime) -> None:
        known = self.reader_by_id(reader)
        super().erase(reader, alias, now=now)
        if known is not None:
            self._journal.record_reader(known.subscriber.email, "erased", now=now)

    @override
    def check_journal(self, *, now: datetime) -> None:
        if self._checked is not None and abs(now - self._checked) < CHECK_INTERVAL:
            return
        # The journal is read first, because letters may leave during the check.
        last_letters = list(self._journal.last_letters())
        with self._database.reading() as connection:
            for day, letters in last_letters:
                lost = forgotten(connection, day, letters, self._database.boot)
                if lost:
                    raise OldStoreError(
                        f"the store has forgotten emails of {day} that were sent "
                        f"({len(lost)} of the last {len(letters)} in {self._journal.folder}). "
                        "Was it restored from a backup? `newsletter store restored` recovers what "
                        "was sent since; until then nothing is sent."
                    )
        self._checked = now

    def _record_waves(self, day: date, claims: Sequence[Claim]) -> None:
        """Record the waves of these claims if the journal may lack one of their readers."""
        with self._waves_lock:
            for wave in sorted({claim.wave for claim in claims}):
                known = self._waves.get(wave)
                readers = (claim.reader for claim in claims if claim.wave == wave)
                if known is None or not all(map(known.has, readers)):
                    self._waves[wave] = self._record_wave(day, wave)

    def _record_wave(self, day: date, wave: int) -> _Wave:
        """Record a wave's readers whom the journal does not have yet."""
        with self._database.reading() as connection:
            frozen, readers = _readers_of(connection, wave)
            known = self._waves.get(wave)
            if known is not None:
                new: Sequence[int] = [reader for reader in readers if not known.has(reader)]
            else:
                recorded = self._journal.count_readers(day, frozen)
                new = readers if recorded < len(readers) else ()
            if new:
                entries = _entries(connection, wave, new, self._journal)
                bodies = _bodies(connection, wave)
                self._journal.record_wave(day, bodies, entries, count=len(readers))
        return _Wave(day, frozen, readers)

    def _record_letters(
        self, letters: Sequence[Letter], settlements: Sequence[Settlement], now: datetime
    ) -> None:
        """Record these marks, and the outcomes of letters marked before."""
        waves = self._waves
        ended = [one for one in settlements if one.claim.token in self._marked]
        self._marked.difference_update(one.claim.token for one in ended)
        self._marked.update(letter.claim.token for letter in letters)
        marks = [(waves[letter.claim.wave], letter) for letter in letters]
        ends = [(waves[one.claim.wave], one) for one in ended]
        for day in {wave.day for wave, _ in marks} | {wave.day for wave, _ in ends}:
            self._journal.record_letters(
                day,
                [(wave.name, letter) for wave, letter in marks if wave.day == day],
                [_outcome(one, wave.name) for wave, one in ends if wave.day == day],
                now=now,
            )


def _outcome(settlement: Settlement, wave: str) -> tuple[str, int, int, DeliveryState, str]:
    claim, outcome = settlement.claim, settlement.outcome
    return wave, claim.reader, claim.attempt, STATE_AFTER[type(outcome)], reply_of(outcome)


def _readers_of(connection: Connection, wave: int) -> tuple[str, Sequence[int]]:
    """The instant a wave was frozen, and its readers' ids."""
    query = select(schema.waves.c.frozen).where(schema.waves.c.id == wave)
    frozen: datetime = connection.execute(query).scalar_one()
    reader = schema.editions.c.reader
    readers = select(reader).where(schema.editions.c.wave == wave).order_by(reader)
    # An array: a wave may have a hundred thousand readers, and stays in memory.
    rows = connection.execute(readers.execution_options(yield_per=BATCH))
    return frozen.isoformat(), array("q", rows.scalars())


def _bodies(connection: Connection, wave: int) -> JournaledWave:
    """A wave as it is stored, without its readers."""
    waves = schema.waves.c
    query = select(waves.frozen, waves.due, waves.body, waves.pieces).where(waves.id == wave)
    row = connection.execute(query).one()
    return JournaledWave(row.frozen.isoformat(), row.due, row.body, row.pieces)


def _entries(
    connection: Connection, wave: int, readers: Sequence[int], journal: SendJournal
) -> Iterator[ReaderEntries]:
    """The journal's entries of these readers of a wave, in batches."""
    columns, editions = schema.readers.c, schema.editions.c
    query = select(columns.id, columns.email, editions.papers).join(schema.editions)
    numbers = numbers_of_waves(connection, [wave])[wave]
    for batch in batches(readers):
        rows = connection.execute(query.where(editions.wave == wave, editions.reader.in_(batch)))
        yield {
            row.id: (journal.names(row.email)[0], papers_as_json(numbers, row.papers))
            for row in rows
        }
