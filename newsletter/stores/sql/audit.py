"""The audit: for each invariant a query that finds the deliveries that break it."""

import json
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.sql.functions import aggregate_strings
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
from newsletter.stores.logic import BY_OPERATOR, NO_ISSUE
from newsletter.stores.sql import schema
from newsletter.stores.sql.deliveries import DELIVERIES
from newsletter.stores.sql.engine import Queries
from newsletter.stores.sql.statements import is_postgres

_EDITIONS, _READERS = schema.editions.c, schema.readers.c

_SAME_EDITION = sa.and_(_EDITIONS.wave == DELIVERIES.wave, _EDITIONS.reader == DELIVERIES.reader)

Query = sa.Select[Any]
"""A query for what breaks an invariant; each row is a line for the operator."""

Finder = Callable[[sa.Connection, int], Query]
"""Returns the query for an issue."""


class Invariant(NamedTuple):
    """An invariant in one line, and the query that finds the deliveries that break it."""

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
                InvariantCheck(id_, law, _lines(connection, find(connection, issue)))
                for id_, (law, find) in INVARIANTS.items()
            )
            doubt = _rows(issue, DELIVERIES.state.in_(sorted(IN_DOUBT)))
            return Audit(day, checks, _lines(connection, doubt))


def _lines(connection: sa.Connection, query: Query) -> tuple[str, ...]:
    return tuple(sorted(connection.execute(query).scalars()))


def _rows(issue: int, *broken: sa.ColumnElement[bool], line: Any = _READERS.email) -> Query:  # noqa: ANN401 - SQLAlchemy's columns, and text
    """A line for each delivery that fulfils all conditions: the reader's address by default."""
    return (
        sa.select(line)
        .select_from(schema.deliveries)
        .join(schema.readers, _READERS.id == DELIVERIES.reader)
        .where(DELIVERIES.issue == issue, *broken)
    )


def _with_edition(issue: int, *broken: sa.ColumnElement[bool], line: Any = _READERS.email) -> Query:  # noqa: ANN401 - as above
    return _rows(issue, *broken, line=line).join(schema.editions, _SAME_EDITION)


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
    return _rows(issue, DELIVERIES.state.in_(sorted(MAY_HAVE_LEFT)), DELIVERIES.marked.is_(None))


@_invariant("I4", "accepted only with a 2xx reply or a receipt, or as the operator confirmed")
def _unproved(_connection: sa.Connection, issue: int) -> Query:
    """Letters accepted without proof, as :class:`newsletter.ports.Transport` defines it."""
    proof = sa.or_(*(DELIVERIES.reply.startswith(word) for word in ("2", RECEIPT, BY_OPERATOR)))
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
def _repeated_papers(connection: sa.Connection, issue: int) -> Query:
    """Papers that are in another accepted edition of the reader, too."""
    others = _other_waves(connection, issue)
    suspects = _with_repeats(connection, issue, others) if others else []
    if not suspects:
        return sa.select(_READERS.email).where(sa.false())
    mine, theirs = schema.editions.alias("mine"), schema.editions.alias("theirs")
    here, there = schema.deliveries.alias("here"), schema.deliveries.alias("there")
    papers, also = _numbers(connection, mine.c.papers), _numbers(connection, theirs.c.papers)
    return (
        sa.select(_READERS.email + ": " + schema.papers.c.key)
        .select_from(here)
        .join(mine, sa.and_(mine.c.wave == here.c.wave, mine.c.reader == here.c.reader))
        .join(theirs, sa.and_(theirs.c.reader == mine.c.reader, theirs.c.wave.in_(others)))
        .join(there, sa.and_(there.c.wave == theirs.c.wave, there.c.reader == theirs.c.reader))
        .join(papers, sa.literal(value=True))
        .join(schema.papers, schema.papers.c.number == sa.cast(papers.c.value, sa.Integer))
        .join(schema.readers, _READERS.id == here.c.reader)
        .where(
            here.c.issue == issue,
            here.c.reader.in_(suspects),
            here.c.state.in_(sorted(ARRIVED)),
            there.c.state.in_(sorted(ARRIVED)),
            sa.exists(sa.select(1).select_from(also).where(also.c.value == papers.c.value)),
        )
        .distinct()
    )


def _with_repeats(connection: sa.Connection, issue: int, others: Sequence[int]) -> list[int]:
    """The readers who have some paper twice in this issue and these waves.

    Counting the papers in one joined list for each reader takes a tenth of the time of comparing
    each list with each other.
    """
    waves = sa.select(schema.waves.c.id).where(schema.waves.c.issue == issue)
    numbers_only = sa.func.trim(_EDITIONS.papers, "[]")
    all_papers = (
        sa.select(
            DELIVERIES.reader, ("[" + aggregate_strings(numbers_only, ",") + "]").label("papers")
        )
        .join(schema.editions, _SAME_EDITION)
        .where(
            sa.or_(DELIVERIES.wave.in_(waves), DELIVERIES.wave.in_(others)),
            DELIVERIES.state.in_(sorted(ARRIVED)),
            _EDITIONS.papers != "[]",
        )
        .group_by(DELIVERIES.reader)
        .subquery()
    )
    papers = _numbers(connection, all_papers.c.papers)
    numbers = sa.cast(papers.c.value, sa.Integer)
    twice = sa.select(sa.func.count(sa.distinct(numbers)) < sa.func.count()).select_from(papers)
    query = sa.select(all_papers.c.reader).where(twice.correlate(all_papers).scalar_subquery())
    return list(connection.execute(query).scalars())


def _other_waves(connection: sa.Connection, issue: int) -> list[int]:
    """The waves of other issues that have a paper of this one."""
    columns = schema.waves.c
    here = sa.select(columns.numbers).where(columns.issue == issue)
    mine = {n for text in connection.execute(here).scalars() for n in json.loads(text)}
    recent = sa.select(columns.id, columns.numbers).where(
        columns.issue != issue, columns.cutoff >= min(mine, default=0)
    )
    found = connection.execute(recent)
    return [row.id for row in found if not mine.isdisjoint(json.loads(row.numbers))]


def _numbers(connection: sa.Connection, papers: sa.ColumnElement[str]) -> Any:  # noqa: ANN401 - a table-valued function
    """A stored list of ingest numbers as a table with one row for each."""
    if is_postgres(connection):
        each = sa.func.jsonb_array_elements_text(_as_jsonb(papers))
        return each.table_valued(sa.column("value", sa.Text)).lateral()
    return sa.func.json_each(papers).table_valued(sa.column("value", sa.Integer))


def _as_jsonb(text: sa.ColumnElement[str]) -> sa.ColumnElement[Any]:
    """PostgreSQL's own cast; importing the dialect for one type takes long."""
    return text.op("::")(sa.literal_column("jsonb"))


@_invariant("I8", "every paper owed at the freeze is in the edition or was left out for a reason")
def _unaccounted_papers(connection: sa.Connection, issue: int) -> Query:
    """Editions whose papers and excluded papers are not as many as were owed."""
    count = sa.func.json_array_length(_EDITIONS.papers)
    if is_postgres(connection):
        count = sa.func.jsonb_array_length(_as_jsonb(_EDITIONS.papers))
    owed = sa.cast(_EDITIONS.owed, sa.String)
    accounted = sa.cast(count + _EDITIONS.left_out, sa.String)
    line = _READERS.email + ": " + owed + " owed, " + accounted + " accounted for"
    return _with_edition(issue, count + _EDITIONS.left_out != _EDITIONS.owed, line=line)


@_invariant("I9", "nothing marked after a reader left")
def _marked_after_leaving(_connection: sa.Connection, issue: int) -> Query:
    """Marks made after the reader left."""
    left = _READERS.status.in_(("unsubscribed", "blocked", "removed"))
    return _rows(issue, left, DELIVERIES.marked > _READERS.changed)


@_invariant("I10", "each letter went to the reader for whom it was rendered")
def _misdirected(_connection: sa.Connection, issue: int) -> Query:
    """Letters marked for another address than their edition's."""
    email = _EDITIONS.email
    line = email + ": to " + DELIVERIES.recipient
    return _with_edition(issue, DELIVERIES.recipient != email, line=line)
