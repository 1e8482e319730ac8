"""The audit: for each invariant a query that finds the deliveries that break it."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Select,
    String,
    Text,
    and_,
    cast,
    column,
    distinct,
    exists,
    false,
    func,
    literal,
    literal_column,
    or_,
    select,
)
from sqlalchemy.sql.functions import aggregate_strings
from typing_extensions import override

from newsletter.errors import StoreError
from newsletter.model import (
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

INVARIANTS: Mapping[str, str] = {
    "I1": "every planned delivery is accepted, failed, suppressed, empty, expired, held or open",
    "I2": "at most one letter accepted for a reader",
    "I3": "no letter left without a mark before it",
    "I4": "accepted only with the server's 2xx, or on the operator's word",
    "I5": "done only when nothing is open",
    "I6": "one Message-ID, one letter: the same bytes under it",
    "I7": "no paper accepted twice for a reader",
    "I8": "every paper owed at the freeze is in the edition or has its reason",
    "I9": "nothing marked after a reader left",
    "I10": "the letter went to the reader it was made for",
}
"""Each invariant in a line; docs/delivery.md explains them."""

_EDITIONS, _READERS = schema.editions.c, schema.readers.c

_SAME_EDITION = and_(_EDITIONS.wave == DELIVERIES.wave, _EDITIONS.reader == DELIVERIES.reader)

Query = Select[Any]
"""Finds what breaks an invariant; each row is a line for the operator."""


class AuditQueries(Queries, Operator):
    """The audit of :class:`newsletter.ports.Operator`."""

    @override
    def audit(self, day: date) -> Audit:
        query = select(schema.issues.c.id).where(schema.issues.c.day == day)
        with self._database.reading() as connection:
            issue = connection.execute(query).scalar()
            if issue is None:
                raise StoreError(NO_ISSUE.format(day))
            checks = tuple(
                InvariantCheck(id_, INVARIANTS[id_], _lines(connection, find(connection, issue)))
                for id_, find in QUERIES.items()
            )
            doubt = _rows(issue, DELIVERIES.state.in_(sorted(IN_DOUBT)))
            return Audit(day, checks, _lines(connection, doubt))


def _lines(connection: Connection, query: Query) -> tuple[str, ...]:
    return tuple(sorted(connection.execute(query).scalars()))


def _rows(issue: int, *broken: ColumnElement[bool], line: Any = _READERS.email) -> Query:  # noqa: ANN401 - SQLAlchemy's columns, and text
    """A line for each delivery that fulfils all conditions: the reader's address by default."""
    return (
        select(line)
        .select_from(schema.deliveries)
        .join(schema.readers, _READERS.id == DELIVERIES.reader)
        .where(DELIVERIES.issue == issue, *broken)
    )


def _with_edition(issue: int, *broken: ColumnElement[bool], line: Any = _READERS.email) -> Query:  # noqa: ANN401 - as above
    return _rows(issue, *broken, line=line).join(schema.editions, _SAME_EDITION)


def _without_delivery(_connection: Connection, issue: int) -> Query:
    """I1: editions without a delivery. The schema keeps a delivery in one known state."""
    waves = select(schema.waves.c.id).where(schema.waves.c.issue == issue)
    editions = select(_EDITIONS.wave, _EDITIONS.reader).where(_EDITIONS.wave.in_(waves))
    planned = select(DELIVERIES.wave, DELIVERIES.reader).where(DELIVERIES.issue == issue)
    lost = editions.except_(planned).subquery()
    return select(_READERS.email).join(lost, _READERS.id == lost.c.reader)


def _accepted_twice(_connection: Connection, issue: int) -> Query:
    """I2: mailboxes, compared without case, with more than one accepted letter."""
    mailbox = func.lower(_READERS.email)
    accepted = _rows(issue, DELIVERIES.state == "accepted", line=mailbox)
    return accepted.group_by(mailbox).having(func.count() > 1)


def _unmarked(_connection: Connection, issue: int) -> Query:
    """I3: letters that may have left without a mark."""
    return _rows(issue, DELIVERIES.state.in_(sorted(MAY_HAVE_LEFT)), DELIVERIES.marked.is_(None))


def _unproved(_connection: Connection, issue: int) -> Query:
    """I4: letters accepted without proof, as :class:`newsletter.ports.Transport` defines it."""
    proof = or_(*(DELIVERIES.reply.startswith(word) for word in ("2", RECEIPT, BY_OPERATOR)))
    line = _READERS.email + ": " + DELIVERIES.reply
    return _rows(issue, DELIVERIES.state == "accepted", ~proof, line=line)


def _open_when_done(_connection: Connection, issue: int) -> Query:
    """I5: open deliveries of an issue that is done."""
    done = exists().where(
        schema.issues.c.id == issue, schema.issues.c.state.in_(sorted(DONE_ISSUE))
    )
    line = _READERS.email + ": " + DELIVERIES.state
    return _rows(issue, DELIVERIES.state.in_(sorted(OPEN)), done, line=line)


def _unidentified(_connection: Connection, issue: int) -> Query:
    """I6: letters that may have left without a recorded Message-ID and digest of their own."""
    names = (
        select(DELIVERIES.message_id)
        .where(DELIVERIES.issue == issue)
        .group_by(DELIVERIES.message_id)
    )
    shared = DELIVERIES.message_id.in_(names.having(func.count() > 1))
    unrecorded = or_(DELIVERIES.digest.is_(None), DELIVERIES.message_id.is_(None))
    return _rows(
        issue,
        DELIVERIES.state.in_(sorted(MAY_HAVE_LEFT)),
        DELIVERIES.marked.is_not(None),
        or_(unrecorded, shared),
    )


def _repeated_papers(connection: Connection, issue: int) -> Query:
    """I7: papers that are in another accepted edition of the reader, too."""
    others = _other_waves(connection, issue)
    suspects = _with_repeats(connection, issue, others) if others else []
    if not suspects:
        return select(_READERS.email).where(false())
    mine, theirs = schema.editions.alias("mine"), schema.editions.alias("theirs")
    here, there = schema.deliveries.alias("here"), schema.deliveries.alias("there")
    papers, also = _numbers(connection, mine.c.papers), _numbers(connection, theirs.c.papers)
    return (
        select(_READERS.email + ": " + schema.papers.c.key)
        .select_from(here)
        .join(mine, and_(mine.c.wave == here.c.wave, mine.c.reader == here.c.reader))
        .join(theirs, and_(theirs.c.reader == mine.c.reader, theirs.c.wave.in_(others)))
        .join(there, and_(there.c.wave == theirs.c.wave, there.c.reader == theirs.c.reader))
        .join(papers, literal(value=True))
        .join(schema.papers, schema.papers.c.number == cast(papers.c.value, Integer))
        .join(schema.readers, _READERS.id == here.c.reader)
        .where(
            here.c.issue == issue,
            here.c.reader.in_(suspects),
            here.c.state == "accepted",
            there.c.state == "accepted",
            exists(select(1).select_from(also).where(also.c.value == papers.c.value)),
        )
        .distinct()
    )


def _with_repeats(connection: Connection, issue: int, others: Sequence[int]) -> list[int]:
    """The readers who have some paper twice in this issue and these waves.

    Counting the papers in one joined list for each reader takes a tenth of the time of comparing
    each list with each other.
    """
    waves = select(schema.waves.c.id).where(schema.waves.c.issue == issue)
    numbers_only = func.trim(_EDITIONS.papers, "[]")
    all_papers = (
        select(
            DELIVERIES.reader, ("[" + aggregate_strings(numbers_only, ",") + "]").label("papers")
        )
        .join(schema.editions, _SAME_EDITION)
        .where(
            or_(DELIVERIES.wave.in_(waves), DELIVERIES.wave.in_(others)),
            DELIVERIES.state == "accepted",
            _EDITIONS.papers != "[]",
        )
        .group_by(DELIVERIES.reader)
        .subquery()
    )
    papers = _numbers(connection, all_papers.c.papers)
    numbers = cast(papers.c.value, Integer)
    twice = select(func.count(distinct(numbers)) < func.count()).select_from(papers)
    query = select(all_papers.c.reader).where(twice.correlate(all_papers).scalar_subquery())
    return list(connection.execute(query).scalars())


def _other_waves(connection: Connection, issue: int) -> list[int]:
    """The waves of other issues that have a paper of this one."""
    columns = schema.waves.c
    here = select(columns.numbers).where(columns.issue == issue)
    mine = {n for text in connection.execute(here).scalars() for n in json.loads(text)}
    recent = select(columns.id, columns.numbers).where(
        columns.issue != issue, columns.cutoff >= min(mine, default=0)
    )
    found = connection.execute(recent)
    return [row.id for row in found if not mine.isdisjoint(json.loads(row.numbers))]


def _numbers(connection: Connection, papers: ColumnElement[str]) -> Any:  # noqa: ANN401 - a table-valued function
    """A stored list of ingest numbers as a table with one row for each."""
    if is_postgres(connection):
        each = func.jsonb_array_elements_text(_as_jsonb(papers))
        return each.table_valued(column("value", Text)).lateral()
    return func.json_each(papers).table_valued(column("value", Integer))


def _as_jsonb(text: ColumnElement[str]) -> ColumnElement[Any]:
    """PostgreSQL's own cast; importing the dialect for one type takes long."""
    return text.op("::")(literal_column("jsonb"))


def _unaccounted_papers(connection: Connection, issue: int) -> Query:
    """I8: editions whose papers and excluded papers are not as many as were owed."""
    count = func.json_array_length(_EDITIONS.papers)
    if is_postgres(connection):
        count = func.jsonb_array_length(_as_jsonb(_EDITIONS.papers))
    told = cast(count + _EDITIONS.left_out, String)
    line = _READERS.email + ": " + cast(_EDITIONS.owed, String) + " owed, " + told + " told"
    return _with_edition(issue, count + _EDITIONS.left_out != _EDITIONS.owed, line=line)


def _marked_after_leaving(_connection: Connection, issue: int) -> Query:
    """I9: marks made after the reader left."""
    left = _READERS.status.in_(("unsubscribed", "blocked", "removed"))
    return _rows(issue, left, DELIVERIES.marked > _READERS.changed)


def _misdirected(_connection: Connection, issue: int) -> Query:
    """I10: letters marked for another address than their edition's."""
    email = _EDITIONS.email
    line = email + ": to " + DELIVERIES.recipient
    return _with_edition(issue, DELIVERIES.recipient != email, line=line)


QUERIES: dict[str, Callable[[Connection, int], Query]] = {
    "I1": _without_delivery,
    "I2": _accepted_twice,
    "I3": _unmarked,
    "I4": _unproved,
    "I5": _open_when_done,
    "I6": _unidentified,
    "I7": _repeated_papers,
    "I8": _unaccounted_papers,
    "I9": _marked_after_leaving,
    "I10": _misdirected,
}
"""The query of each invariant."""
