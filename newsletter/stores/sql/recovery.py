"""Recovers from the send journal what was sent after the backup that was restored."""

import json
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from operator import itemgetter

from sqlalchemy import Connection, select, update

from newsletter.model import (
    ANSWERED,
    LEASED,
    MAY_HAVE_LEFT,
    OTHER,
    DeliveryState,
    Edition,
    Issue,
    PlannedEdition,
    Reader,
    ReaderHistory,
    Recipient,
    Section,
    Status,
    Wave,
    state_after_freeze,
)
from newsletter.stores.journal import JournaledLetter, JournaledWave, Restoration, SendJournal
from newsletter.stores.logic import OwedCounter, numbers_of
from newsletter.stores.sql import issues, schema
from newsletter.stores.sql.codec import unpack
from newsletter.stores.sql.deliveries import DELIVERIES, record_decided
from newsletter.stores.sql.known_papers import add_forgotten
from newsletter.stores.sql.reader_rows import READERS, all_readers
from newsletter.stores.sql.readers import set_status
from newsletter.stores.sql.statements import Driver, select_in

NO_ANSWER = "the store was restored; the send journal has no answer for this letter"
"""The reply of a letter that was marked, and about which nothing more is known."""

BECAUSE = "it was in the letter that left"
"""The reason for a paper in an edition that only the journal knows."""

_LEFT = frozenset({"unsubscribed", "blocked", "erased"})
"""Changes that hold until the reader comes back."""

_STATES: Mapping[DeliveryState, DeliveryState] = {
    state: state if state in ANSWERED else "held" for state in ANSWERED | MAY_HAVE_LEFT
}
"""The recovered state by the journal's last state; letters that did not leave are sent again."""

Letters = Sequence[tuple[Reader, JournaledLetter]]
"""Journaled letters, each with its reader in the restored store."""


def recover(connection: Connection, journal: SendJournal, now: datetime) -> Restoration:
    """Update the ledger with what the journal knows."""
    outcomes: list[tuple[date, str]] = []
    by_name = {
        name: reader
        for reader in all_readers(connection)
        for name in journal.names(reader.subscriber.email)
    }
    for day in journal.days():
        letters = [letter for letter in journal.letters(day) if letter.state in _STATES]
        for frozen, wave in sorted(journal.waves(day).items()):
            of_wave = [letter for letter in letters if letter.wave == frozen]
            known = [
                (by_name[wave.names[letter.reader]], letter)
                for letter in of_wave
                if wave.names.get(letter.reader) in by_name
            ]
            outcomes += [(day, "gone")] * (len(of_wave) - len(known))
            outcomes += [(day, end) for end in _recover_wave(connection, day, wave, known, now)]
    left, erased = _recover_departures(connection, journal)
    counts = Counter(outcome for _, outcome in outcomes)
    return Restoration(
        issues=tuple(sorted({day for day, outcome in outcomes if outcome != "gone"})),
        accepted=counts["accepted"],
        failed=counts["failed"],
        held=counts["held"],
        gone=counts["gone"],
        left=left,
        erased=erased,
    )


def _recover_departures(
    connection: Connection, journal: SendJournal
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Unsubscribe readers who had left; return their addresses, and those who were erased."""
    changes = journal.reader_changes()
    query = select(READERS.email, READERS.changed).where(
        READERS.status.in_(("confirmed", "unconfirmed", "waiting"))
    )
    left, erased = list[str](), list[str]()
    for email, changed in connection.execute(query.order_by(READERS.email)).all():
        named = [changes[name] for name in journal.names(email) if name in changes]
        change, at = max(named, key=itemgetter(1), default=("confirmed", changed))
        if change not in _LEFT or at <= changed:
            continue
        status: Status = "blocked" if change == "blocked" else "unsubscribed"
        set_status(connection, email, status, now=at)
        left.append(email)
        if change == "erased":
            erased.append(email)
    return tuple(left), tuple(erased)


def _recover_wave(
    connection: Connection, day: date, wave: JournaledWave, letters: Letters, now: datetime
) -> list[DeliveryState]:
    """Update a wave's deliveries; return the states of those that were forgotten."""
    if not letters:
        return []
    query = select(DELIVERIES.reader, DELIVERIES.state, DELIVERIES.attempts).join(schema.issues)
    rows = connection.execute(query.where(schema.issues.c.day == day))
    ledger = {row.reader: (row.state, row.attempts) for row in rows}
    missing = [(reader, letter) for reader, letter in letters if reader.id not in ledger]
    behind = [
        (reader, letter)
        for reader, letter in letters
        if reader.id in ledger and letter.is_news_to(*ledger[reader.id])
    ]
    if missing:
        _store_missing(connection, day, wave, missing)
    forgotten = [*behind, *missing]
    if forgotten:
        query_issue = select(schema.issues.c.id, schema.issues.c.state)
        issue, state = connection.execute(query_issue.where(schema.issues.c.day == day)).one()
        for reader, letter in forgotten:
            _store_outcome(connection, issue, reader, letter, now)
        accepted = [reader.id for reader, letter in forgotten if letter.state == "accepted"]
        query_waves = select(DELIVERIES.wave, DELIVERIES.reader).where(
            DELIVERIES.issue == issue, DELIVERIES.reader.in_(accepted)
        )
        decided = [(row.wave, row.reader) for row in connection.execute(query_waves)]
        record_decided(Driver.of(connection), decided)
        after = state_after_freeze(issues.counts(connection, day), state)
        issues.set_state(connection, issue, after)
    return [_STATES[letter.state] for _, letter in forgotten]


def _store_missing(
    connection: Connection, day: date, wave: JournaledWave, letters: Letters
) -> None:
    """Freeze the deliveries that the ledger has forgotten, each with the papers it had."""
    old = unpack(Issue, wave.body)
    places = {paper.number: place for place, paper in enumerate(old.papers)}
    issue = _renumbered(connection, day, old)
    owed, place_of = OwedCounter(issue), {n: place for place, n in enumerate(numbers_of(issue))}
    plans = []
    for reader, letter in letters:
        papers = tuple(places[number] for number in json.loads(wave.papers[letter.reader]))
        history = _history(issue, reader, papers)
        section = Section(OTHER, papers, because=(BECAUSE,) * len(papers))
        # The journal does not know which of the others had no room: all are judged again.
        rest = tuple(place_of[n] for n in owed.numbers(history) if place_of[n] not in papers)
        edition = Edition(Recipient.of(reader), (section,), waiting=rest)
        plans.append(PlannedEdition(history, edition))
    issues.freeze(connection, Wave(0, issue, wave.due, zlib.decompress(wave.pieces)), plans)


def _renumbered(connection: Connection, day: date, old: Issue) -> Issue:
    """A forgotten wave's issue with its papers as this store numbers them."""
    for wave in issues.waves(connection, day):
        if wave.issue.frozen_at == old.frozen_at:
            return wave.issue
    papers = add_forgotten(connection, old.papers)
    before = [papers[paper.number].number for paper in old.papers if paper.number <= old.after]
    return replace(
        old,
        papers=tuple(papers[paper.number] for paper in old.papers),
        cutoff=max((paper.number for paper in papers.values()), default=0),
        after=max(before, default=0),
    )


def _history(issue: Issue, reader: Reader, papers: Sequence[int]) -> ReaderHistory:
    """The history, as far as it is known, of a reader who had the papers at these places."""
    numbers = {issue.papers[place].number for place in papers}
    return ReaderHistory(reader, again=frozenset(n for n in numbers if n <= reader.decided))


def _store_outcome(
    connection: Connection, issue: int, reader: Reader, letter: JournaledLetter, now: datetime
) -> None:
    state = _STATES[letter.state]
    connection.execute(
        update(schema.deliveries)
        .where(DELIVERIES.issue == issue, DELIVERIES.reader == reader.id)
        .values(
            state=state,
            token=None,
            lease_until=None,
            next_try=None,
            attempts=letter.attempt,
            reply=NO_ANSWER if state == "held" else letter.reply,
            marked=letter.at,
            settled=now,
            message_id=letter.message_id or None,
            recipient=reader.subscriber.email,
            digest=letter.digest or None,
        )
    )


def lacks_waves(connection: Connection, day: date, letters: Sequence[JournaledLetter]) -> bool:
    """Whether one of these letters is of a wave that the store does not have."""
    query = select(schema.waves.c.frozen).join(schema.issues).where(schema.issues.c.day == day)
    known = {frozen.isoformat() for frozen in connection.execute(query).scalars()}
    return any(letter.wave not in known for letter in letters)


def forgotten(
    connection: Connection, day: date, letters: Sequence[JournaledLetter], boot: str | None
) -> list[JournaledLetter]:
    """The letters about which the store knows less than the journal.

    A letter under a claim from before this start of the machine does not count: a power cut may
    have lost its mark, and the next claim finds it in doubt.
    """
    query = (
        select(DELIVERIES.reader, DELIVERIES.state, DELIVERIES.attempts, DELIVERIES.boot)
        .join(schema.issues)
        .where(schema.issues.c.day == day)
    )
    readers = [letter.reader for letter in letters]
    rows = {row.reader: row for row in select_in(connection, query, DELIVERIES.reader, readers)}

    def is_forgotten(letter: JournaledLetter) -> bool:
        row = rows.get(letter.reader)
        if row is None:
            return True
        before_boot = row.state in LEASED and row.boot not in {None, boot}
        return not before_boot and letter.is_news_to(row.state, row.attempts)

    return [letter for letter in letters if is_forgotten(letter)]
