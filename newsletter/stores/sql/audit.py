"""The audit: for each invariant a query that finds the deliveries that break it."""

from collections.abc import Callable, Iterator
from datetime import date
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

import sqlalchemy as sa
from typing_extensions import override

from newsletter.errors import StoreError
from newsletter.model import (
    ARRIVED,
    DONE_ISSUE,
    IN_DOUBT,
    MAY_HAVE_LEFT,
    OPEN,
    RECEIPT,
    Audit,
    InvariantCheck,
)
from newsletter.ports import Operator
from newsletter.stores.logic import BY_OPERATOR, NO_ISSUE, REMOVED
from newsletter.stores.sql import schema
from newsletter.stores.sql.codec import read_numbers
from newsletter.stores.sql.deliveries import DELIVERIES
from newsletter.stores.sql.editions import SETTINGS
from newsletter.stores.sql.engine import Queries
from newsletter.stores.sql.packed_editions import count_places, recipient, unpack_places

_EDITIONS, _READERS = schema.editions.c, schema.readers.c

_SAME_EDITION = sa.and_(_EDITIONS.wave == DELIVERIES.wave, _EDITIONS.reader == DELIVERIES.reader)

Query = sa.Select[Any]
"""A query for what breaks an invariant; each row is a line for the operator."""

Finder = Callable[[sa.Connection, int], Query | Iterator[str]]
"""Returns the query for an issue, or the lines themselves."""


class Invariant(NamedTuple):
    """An invariant in one line, and what finds the deliveries that break it."""

    law: str
    find: Finder


INVARIANTS: dict[str, Invariant] = {}  # the invariants by their ids; docs/delivery.md explains them


def _invariant(id_: str, law: str) -> Callable[[Finder], Finder]:
    """Adds the decorated function to :data:`INVARIANTS`."""

    def add(find: Finder) -> Finder:
        INVARIANTS[id_] = Invariant(law, find)
        return find

    return add


class AuditQueries(Queries, Operator):
    """The audit of :class:`newsletter.ports.Operator`."""

    @override
    def audit(self, day: date) -> Audit:
        query = sa.select(schema.issues.c.id).where(schema.issues.c.day == day)
        with self._database.reading() as connection:
            issue = connection.execute(query).scalar()
            if issue is None:
                raise StoreError(NO_ISSUE.format(day))
            checks = tuple(
                InvariantCheck(id_, law, lines(connection, find(connection, issue)))
                for id_, (law, find) in INVARIANTS.items()
            )
            doubt = _rows(issue, DELIVERIES.state.in_(sorted(IN_DOUBT)))
            return Audit(day, checks, lines(connection, doubt))


def lines(connection: sa.Connection, found: Query | Iterator[str]) -> tuple[str, ...]:
    """What a finder found, sorted."""
    found_lines = connection.execute(found).scalars() if isinstance(found, sa.Select) else found
    return tuple(sorted(found_lines))


def _rows(issue: int, *broken: sa.ColumnElement[bool], line: Any = _READERS.email) -> Query:  # noqa: ANN401 - SQLAlchemy's columns, and text
    """A line for each delivery that fulfils all conditions: the reader's address by default."""
    return (
        sa.select(line)
        .select_from(schema.deliveries)
        .join(schema.readers, _READERS.id == DELIVERIES.reader)
        .where(DELIVERIES.issue == issue, *broken)
    )


@_invariant(
    "I1", "every planned delivery is accepted, failed, suppressed, empty, expired, held or open"
)
def _without_delivery(_connection: sa.Connection, issue: int) -> Query:
    """Editions without a delivery. The schema keeps a delivery in one known state."""
    waves = sa.select(schema.waves.c.id).where(schema.waves.c.issue == issue)
    editions = sa.select(_EDITIONS.wave, _EDITIONS.reader).where(_EDITIONS.wave.in_(waves))
    planned = sa.select(DELIVERIES.wave, DELIVERIES.reader).where(DELIVERIES.issue == issue)
    lost = editions.except_(planned).subquery()
    return sa.select(_READERS.email).join(lost, _READERS.id == lost.c.reader)


@_invariant("I2", "at most one letter accepted for a reader")
def _accepted_twice(_connection: sa.Connection, issue: int) -> Query:
    """Mailboxes, compared without case, with more than one accepted letter."""
    mailbox = sa.func.lower(_READERS.email)
    accepted = _rows(issue, DELIVERIES.state.in_(sorted(ARRIVED)), line=mailbox)
    return accepted.group_by(mailbox).having(sa.func.count() > 1)


@_invariant("I3", "no letter left without a mark before it")
def _unmarked(_connection: sa.Connection, issue: int) -> Query:
    """Letters that may have left without a mark."""
    left = DELIVERIES.state.in_(sorted(MAY_HAVE_LEFT))
    return _rows(issue, left, DELIVERIES.marked.is_(None), DELIVERIES.reply != REMOVED)


@_invariant("I4", "accepted only with a 2xx reply or a receipt, or as the operator confirmed")
def _unproved(_connection: sa.Connection, issue: int) -> Query:
    """Letters accepted without proof, as :class:`newsletter.ports.Transport` defines it."""
    proof = sa.or_(
        *(DELIVERIES.reply.startswith(word) for word in ("2", RECEIPT, BY_OPERATOR, REMOVED))
    )
    line = _READERS.email + ": " + DELIVERIES.reply
    return _rows(issue, DELIVERIES.state.in_(sorted(ARRIVED)), ~proof, line=line)


@_invariant("I5", "done only when nothing is open")
def _open_when_done(_connection: sa.Connection, issue: int) -> Query:
    """Open deliveries of an issue that is done."""
    done = sa.exists().where(
        schema.issues.c.id == issue, schema.issues.c.state.in_(sorted(DONE_ISSUE))
    )
    line = _READERS.email + ": " + DELIVERIES.state
    return _rows(issue, DELIVERIES.state.in_(sorted(OPEN)), done, line=line)


@_invariant("I6", "one Message-ID belongs to one letter with the same bytes")
def _unidentified(_connection: sa.Connection, issue: int) -> Query:
    """Letters that may have left without their own recorded Message-ID and digest."""
    names = (
        sa.select(DELIVERIES.message_id)
        .where(DELIVERIES.issue == issue)
        .group_by(DELIVERIES.message_id)
    )
    shared = DELIVERIES.message_id.in_(names.having(sa.func.count() > 1))
    unrecorded = sa.or_(DELIVERIES.digest.is_(None), DELIVERIES.message_id.is_(None))
    return _rows(
        issue,
        DELIVERIES.state.in_(sorted(MAY_HAVE_LEFT)),
        DELIVERIES.marked.is_not(None),
        sa.or_(unrecorded, shared),
    )


@_invariant("I7", "no paper accepted twice for a reader")
def _repeated_papers(connection: sa.Connection, issue: int) -> Iterator[str]:
    """Papers that are in another accepted edition of the reader, too."""
    mine, others = _numbers_by_place(connection, issue)
    if not others:
        return
    query = (
        sa.select(DELIVERIES.reader, DELIVERIES.wave, _EDITIONS.papers)
        .join(schema.editions, _SAME_EDITION)
        .where(DELIVERIES.wave.in_([*mine, *others]), DELIVERIES.state.in_(sorted(ARRIVED)))
        .order_by(DELIVERIES.reader)
    )
    for reader, rows in groupby(connection.execute(query), key=itemgetter(0)):
        here, elsewhere = set[int](), set[int]()
        for _, wave, papers in rows:
            known, found = (mine[wave], here) if wave in mine else (others[wave], elsewhere)
            found.update(known[place] for place in unpack_places(papers) if place in known)
        if twice := here & elsewhere:
            papers = schema.papers
            line = sa.select(_READERS.email + ": " + papers.c.key)
            pairs = line.join_from(schema.readers, papers, papers.c.number.in_(twice))
            yield from connection.execute(pairs.where(_READERS.id == reader)).scalars()


def _numbers_by_place(
    connection: sa.Connection, issue: int
) -> tuple[dict[int, dict[int, int]], dict[int, dict[int, int]]]:
    """The waves of an issue, and those of others with one of its papers: its papers in each."""
    columns = schema.waves.c
    own = sa.select(columns.id, columns.numbers).where(columns.issue == issue)
    mine = {w: dict(enumerate(read_numbers(text))) for w, text in connection.execute(own)}
    papers = {number for places in mine.values() for number in places.values()}
    recent = sa.select(columns.id, columns.numbers).where(
        columns.issue != issue, columns.cutoff >= min(papers, default=0)
    )
    others = {
        wave: {place: n for place, n in enumerate(read_numbers(text)) if n in papers}
        for wave, text in connection.execute(recent)
    }
    return mine, {wave: places for wave, places in others.items() if places}


@_invariant("I8", "every paper owed at the freeze is in the edition or was left out for a reason")
def _unaccounted_papers(connection: sa.Connection, issue: int) -> Iterator[str]:
    """Editions whose papers and excluded papers are not as many as were owed."""
    columns = (_READERS.email, _EDITIONS.papers, _EDITIONS.left_out, _EDITIONS.owed)
    editions = _rows(issue).join(schema.editions, _SAME_EDITION).with_only_columns(*columns)
    for email, papers, left_out, owed in connection.execute(editions):
        accounted = count_places(papers) + left_out
        if accounted != owed:
            yield f"{email}: {owed} owed, {accounted} accounted for"


@_invariant("I9", "nothing marked after a reader left")
def _marked_after_leaving(_connection: sa.Connection, issue: int) -> Query:
    """Marks made after the reader left."""
    left = _READERS.status.in_(("unsubscribed", "blocked", "removed"))
    return _rows(issue, left, DELIVERIES.marked > _READERS.changed)


@_invariant("I10", "each letter went to the reader for whom it was rendered")
def _misdirected(connection: sa.Connection, issue: int) -> Iterator[str]:
    """Letters marked for another address than their edition's."""
    columns = (DELIVERIES.reader, DELIVERIES.recipient, schema.choices.c.body)
    marked = _rows(issue, DELIVERIES.recipient.is_not(None)).join(schema.editions, _SAME_EDITION)
    editions = marked.join(schema.choices, SETTINGS).with_only_columns(*columns)
    for reader, address, settings in connection.execute(editions):
        email = recipient(reader, settings).email
        if email != address:
            yield f"{email}: to {address}"
