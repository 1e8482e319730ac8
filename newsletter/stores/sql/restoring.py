"""Taking up from the witness what left since the backup a store was restored from."""

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
    Wave,
    state_after_freeze,
)
from newsletter.stores.journal import Noted, Restoration, SeenWave, SendJournal
from newsletter.stores.rules import OwedCounter
from newsletter.stores.sql import issues, schema
from newsletter.stores.sql.bulk import Driver
from newsletter.stores.sql.codec import unpack
from newsletter.stores.sql.decided import decide
from newsletter.stores.sql.papers import take_back_in
from newsletter.stores.sql.readers import readers, set_status
from newsletter.stores.sql.rows import LEDGER

UNHEARD = "the store was restored; no witness heard what became of this letter"
"""What is told of a letter that was marked, and of which nothing more is known."""

BECAUSE = "it was in the letter that left"
"""Why a paper is in an edition of which the witness alone knows."""

_GONE = frozenset({"unsubscribed", "blocked", "erased"})
"""What a reader does not come back from unasked."""

_ENDS: Mapping[DeliveryState, DeliveryState] = {
    state: state if state in ANSWERED else "held" for state in ANSWERED | MAY_HAVE_LEFT
}
"""What becomes of a letter by its last state; those that certainly did not leave go again."""


def restore(connection: Connection, journal: SendJournal, now: datetime) -> Restoration:
    """Bring the ledger up to what the witness knows; see :class:`Restoration`."""
    found: list[tuple[date, str]] = []
    people = {
        name: reader
        for reader in readers(connection)
        for name in journal.names(reader.subscriber.email)
    }
    for day in journal.days():
        left = [letter for letter in journal.letters(day) if letter.state in _ENDS]
        for frozen, wave in sorted(journal.waves(day).items()):
            theirs = [letter for letter in left if letter.wave == frozen]
            known = [
                (people[wave.names[letter.reader]], letter)
                for letter in theirs
                if wave.names.get(letter.reader) in people
            ]
            found += [(day, "gone")] * (len(theirs) - len(known))
            found += [(day, end) for end in _take_up(connection, day, wave, known, now)]
    departed, erased = _take_leave(connection, journal)
    ends = Counter(end for _, end in found)
    return Restoration(
        issues=tuple(sorted({day for day, end in found if end != "gone"})),
        accepted=ends["accepted"],
        failed=ends["failed"],
        held=ends["held"],
        gone=ends["gone"],
        left=departed,
        erased=erased,
    )


def _take_leave(
    connection: Connection, journal: SendJournal
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Let those go again who had left; their addresses, and those who asked to be forgotten."""
    words = journal.last_words()
    columns = schema.readers.c
    there = select(columns.email, columns.changed).where(
        columns.status.in_(("confirmed", "unconfirmed"))
    )
    left, erased = [], []
    for email, changed in connection.execute(there.order_by(columns.email)).all():
        named = [words[name] for name in journal.names(email) if name in words]
        word, at = max(named, key=itemgetter(1), default=("confirmed", changed))
        if word not in _GONE or at <= changed:
            continue
        set_status(connection, email, "blocked" if word == "blocked" else "unsubscribed", now=at)
        left.append(email)
        if word == "erased":
            erased.append(email)
    return tuple(left), tuple(erased)


Known = Sequence[tuple[Reader, Noted]]
"""Letters, each with its reader as the restored store knows them."""


def _take_up(
    connection: Connection, day: date, wave: SeenWave, letters: Known, now: datetime
) -> list[DeliveryState]:
    """Bring the letters of a wave up to date; the states of those that were forgotten."""
    if not letters:
        return []
    columns = (LEDGER.reader, LEDGER.state, LEDGER.attempts)
    rows = connection.execute(
        select(*columns).join(schema.issues).where(schema.issues.c.day == day)
    )
    ledger = {row.reader: (row.state, row.attempts) for row in rows}
    missing = [(reader, letter) for reader, letter in letters if reader.id not in ledger]
    behind = [
        (reader, letter)
        for reader, letter in letters
        if reader.id in ledger and letter.is_news_to(*ledger[reader.id])
    ]
    if missing:
        _plan(connection, day, wave, missing)
    forgotten = [*behind, *missing]
    if forgotten:
        here = select(schema.issues.c.id, schema.issues.c.state).where(schema.issues.c.day == day)
        issue, state = connection.execute(here).one()
        for reader, letter in forgotten:
            _end(connection, issue, reader, letter, now)
        accepted = [reader.id for reader, letter in forgotten if letter.state == "accepted"]
        _decide(connection, issue, accepted)
        issues.set_state(
            connection, issue, state_after_freeze(issues.counts(connection, day), state)
        )
    return [_ENDS[letter.state] for _, letter in forgotten]


def _plan(connection: Connection, day: date, wave: SeenWave, letters: Known) -> None:
    """Store the deliveries of a wave the ledger has forgotten, each with the papers it had."""
    old = unpack(Issue, wave.body)
    places = {paper.number: place for place, paper in enumerate(old.papers)}
    made = _issue(connection, day, old)
    owing = OwedCounter(made)
    plans = []
    for reader, letter in letters:
        theirs = [places[number] for number in json.loads(wave.papers[letter.reader])]
        history = _standing(made, reader, theirs)
        section = Section(OTHER, tuple(theirs), because=(BECAUSE,) * len(theirs))
        left_out = max(0, owing.to(history) - len(theirs))
        edition = Edition(Recipient.of(reader), (section,), left_out=left_out)
        plans.append(PlannedEdition(history, edition))
    pieces = zlib.decompress(wave.pieces)
    issues.freeze(connection, Wave(0, made, wave.due, pieces), plans)


def _issue(connection: Connection, day: date, old: Issue) -> Issue:
    """A forgotten wave's issue with its papers as the store numbers them."""
    for wave in issues.waves(connection, day):
        if wave.issue.frozen_at == old.frozen_at:
            return wave.issue
    papers = take_back_in(connection, old.papers)
    numbers = [paper.number for paper in papers.values()]
    before = [papers[paper.number].number for paper in old.papers if paper.number <= old.after]
    return replace(
        old,
        papers=tuple(papers[paper.number] for paper in old.papers),
        cutoff=max(numbers, default=0),
        after=max(before, default=0),
    )


def _standing(issue: Issue, reader: Reader, places: Sequence[int]) -> ReaderHistory:
    """Where a reader stood who had these papers, as far as that is known."""
    again = {issue.papers[place].number for place in places}
    return ReaderHistory(reader, again=frozenset(n for n in again if n <= reader.decided))


def _end(connection: Connection, issue: int, reader: Reader, letter: Noted, now: datetime) -> None:
    """Write what the witness knows into a delivery."""
    state = _ENDS[letter.state]
    connection.execute(
        update(schema.deliveries)
        .where(LEDGER.issue == issue, LEDGER.reader == reader.id)
        .values(
            state=state,
            token=None,
            lease_until=None,
            next_try=None,
            attempts=letter.attempt,
            reply=UNHEARD if state == "held" else letter.reply,
            marked=letter.at,
            settled=now,
            message_id=letter.message_id or None,
            recipient=reader.subscriber.email,
            digest=letter.digest or None,
        )
    )


def _decide(connection: Connection, issue: int, accepted: Sequence[int]) -> None:
    """Record the freezes of these readers' letters of an issue as decided."""
    query = select(LEDGER.wave, LEDGER.reader)
    rows = connection.execute(query.where(LEDGER.issue == issue, LEDGER.reader.in_(accepted)))
    decide(Driver.of(connection), [(row.wave, row.reader) for row in rows])
