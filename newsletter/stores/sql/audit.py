"""The audit: a query for each invariant, which finds the rows of an issue that break it."""

import json
from collections.abc import Callable, Sequence
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
from newsletter.stores.invariants import INVARIANTS
from newsletter.stores.rules import NO_ISSUE, OPERATORS_WORD
from newsletter.stores.sql import schema
from newsletter.stores.sql.rows import LEDGER

_EDITIONS, _READERS = schema.editions.c, schema.readers.c

_HERE = and_(_EDITIONS.wave == LEDGER.wave, _EDITIONS.reader == LEDGER.reader)

Query = Select[Any]
"""Finds what breaks an invariant, said in a line a row."""


def audit(connection: Connection, day: date) -> Audit:
    """See :meth:`newsletter.ports.Store.audit`."""
    query = select(schema.issues.c.id).where(schema.issues.c.day == day)
    issue = connection.execute(query).scalar()
    if issue is None:
        raise StoreError(NO_ISSUE.format(day))
    proofs = [
        InvariantCheck(
            id_,
            INVARIANTS[id_],
            tuple(sorted(connection.execute(find(connection, issue)).scalars())),
        )
        for id_, find in QUERIES.items()
    ]
    doubt = _rows(issue, LEDGER.state.in_(sorted(IN_DOUBT)))
    return Audit(day, tuple(proofs), tuple(sorted(connection.execute(doubt).scalars())))


def _rows(issue: int, *breaks: ColumnElement[bool], words: Any = _READERS.email) -> Query:  # noqa: ANN401 - SQLAlchemy's columns, and text
    """The deliveries of which this is true, each in words: the reader's address, if no others."""
    return (
        select(words)
        .select_from(schema.deliveries)
        .join(schema.readers, _READERS.id == LEDGER.reader)
        .where(LEDGER.issue == issue, *breaks)
    )


def _with_edition(issue: int, *breaks: ColumnElement[bool], words: Any = _READERS.email) -> Query:  # noqa: ANN401 - as above
    return _rows(issue, *breaks, words=words).join(schema.editions, _HERE)


def _planned(_connection: Connection, issue: int) -> Query:
    """I1: editions without a delivery. A delivery's one state is the schema's to keep."""
    waves = select(schema.waves.c.id).where(schema.waves.c.issue == issue)
    cut = select(_EDITIONS.wave, _EDITIONS.reader).where(_EDITIONS.wave.in_(waves))
    planned = select(LEDGER.wave, LEDGER.reader).where(LEDGER.issue == issue)
    lost = cut.except_(planned).subquery()
    return select(_READERS.email).join(lost, _READERS.id == lost.c.reader)


def _once(_connection: Connection, issue: int) -> Query:
    """I2: mailboxes with more than one accepted letter of the issue, however they are spelt."""
    mailbox = func.lower(_READERS.email)
    accepted = _rows(issue, LEDGER.state == "accepted", words=mailbox)
    return accepted.group_by(mailbox).having(func.count() > 1)


def _marked(_connection: Connection, issue: int) -> Query:
    """I3: letters that may have left without a mark."""
    return _rows(issue, LEDGER.state.in_(sorted(MAY_HAVE_LEFT)), LEDGER.marked.is_(None))


def _answered(_connection: Connection, issue: int) -> Query:
    """I4: letters accepted without proof, as :class:`newsletter.ports.Transport` defines it."""
    proof = or_(*(LEDGER.reply.startswith(word) for word in ("2", RECEIPT, OPERATORS_WORD)))
    words = _READERS.email + ": " + LEDGER.reply
    return _rows(issue, LEDGER.state == "accepted", ~proof, words=words)


def _closed(_connection: Connection, issue: int) -> Query:
    """I5: open letters of an issue that is called done."""
    done = exists().where(
        schema.issues.c.id == issue, schema.issues.c.state.in_(sorted(DONE_ISSUE))
    )
    words = _READERS.email + ": " + LEDGER.state
    return _rows(issue, LEDGER.state.in_(sorted(OPEN)), done, words=words)


def _same_bytes(_connection: Connection, issue: int) -> Query:
    """I6: letters that may have left and whose name or bytes are not on record, or not theirs."""
    names = select(LEDGER.message_id).where(LEDGER.issue == issue).group_by(LEDGER.message_id)
    shared = LEDGER.message_id.in_(names.having(func.count() > 1))
    unrecorded = or_(LEDGER.digest.is_(None), LEDGER.message_id.is_(None))
    return _rows(
        issue,
        LEDGER.state.in_(sorted(MAY_HAVE_LEFT)),
        LEDGER.marked.is_not(None),
        or_(unrecorded, shared),
    )


def _no_repeats(connection: Connection, issue: int) -> Query:
    """I7: papers that stand in another accepted edition of the reader's too."""
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
    """The readers of an issue who have some paper twice in it and these waves.

    Each reader's lists are put into one, and its papers counted: a tenth of what it takes to
    hold every list against every other.
    """
    waves = select(schema.waves.c.id).where(schema.waves.c.issue == issue)
    bare = func.trim(_EDITIONS.papers, "[]")
    all_papers = (
        select(LEDGER.reader, ("[" + aggregate_strings(bare, ",") + "]").label("papers"))
        .join(schema.editions, _HERE)
        .where(
            or_(LEDGER.wave.in_(waves), LEDGER.wave.in_(others)),
            LEDGER.state == "accepted",
            _EDITIONS.papers != "[]",
        )
        .group_by(LEDGER.reader)
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
    """A stored list of ingest numbers, a row each."""
    if connection.dialect.name == "postgresql":
        each = func.jsonb_array_elements_text(_as_jsonb(papers))
        return each.table_valued(column("value", Text)).lateral()
    return func.json_each(papers).table_valued(column("value", Integer))


def _as_jsonb(text: ColumnElement[str]) -> ColumnElement[Any]:
    """PostgreSQL's own cast; its dialect takes long to import, for one type."""
    return text.op("::")(literal_column("jsonb"))


def _accounted(connection: Connection, issue: int) -> Query:
    """I8: editions whose papers and those left out are not what was owed."""
    count = func.json_array_length(_EDITIONS.papers)
    if connection.dialect.name == "postgresql":
        count = func.jsonb_array_length(_as_jsonb(_EDITIONS.papers))
    told = cast(count + _EDITIONS.left_out, String)
    words = _READERS.email + ": " + cast(_EDITIONS.owed, String) + " owed, " + told + " told"
    return _with_edition(issue, count + _EDITIONS.left_out != _EDITIONS.owed, words=words)


def _not_after(_connection: Connection, issue: int) -> Query:
    """I9: marks that are later than the reader's departure."""
    left = _READERS.status.in_(("unsubscribed", "blocked", "removed"))
    return _rows(issue, left, LEDGER.marked > _READERS.changed)


def _to_its_owner(_connection: Connection, issue: int) -> Query:
    """I10: letters marked under another address than that of the edition they were made of."""
    email = _EDITIONS.email
    words = email + ": to " + LEDGER.recipient
    return _with_edition(issue, LEDGER.recipient != email, words=words)


QUERIES: dict[str, Callable[[Connection, int], Query]] = {
    "I1": _planned,
    "I2": _once,
    "I3": _marked,
    "I4": _answered,
    "I5": _closed,
    "I6": _same_bytes,
    "I7": _no_repeats,
    "I8": _accounted,
    "I9": _not_after,
    "I10": _to_its_owner,
}
"""The query that looks for what breaks each invariant."""
