"""The audit of what is kept in memory: the same invariants, looked for row by row."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date

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
from newsletter.stores.memory.rows import DayIssue, Row
from newsletter.stores.rules import OPERATORS_WORD, OwedCounter


def audit(issues: Mapping[date, DayIssue], day: date) -> Audit:
    """What the ledger of a day's issue proves.

    Some laws cannot be broken here: a reader has one row in an issue (I1, I2), and a row's mark
    and departures are not timed (I9).
    """
    rows = list(issues[day].rows.values())
    broken = {
        "I3": _unmarked(rows),
        "I4": _unproved(rows),
        "I5": _left_open(issues[day]),
        "I6": _namesakes(rows),
        "I7": _repeats(issues, day),
        "I8": _unaccounted(rows),
        "I10": _misdirected(rows),
    }
    proofs = (
        InvariantCheck(id_, law, tuple(sorted(broken.get(id_, ()))))
        for id_, law in INVARIANTS.items()
    )
    doubt = sorted(row.email for row in rows if row.state in IN_DOUBT)
    return Audit(day, tuple(proofs), tuple(doubt))


def _unmarked(rows: list[Row]) -> Iterator[str]:
    return (row.email for row in rows if row.state in MAY_HAVE_LEFT and row.envelope is None)


def _unproved(rows: list[Row]) -> Iterator[str]:
    accepted = (row for row in rows if row.state == "accepted")
    proof = ("2", RECEIPT, OPERATORS_WORD)
    return (f"{row.email}: {row.reply}" for row in accepted if not row.reply.startswith(proof))


def _left_open(issue: DayIssue) -> Iterator[str]:
    done = issue.state in DONE_ISSUE
    return (f"{r.email}: {r.state}" for r in issue.rows.values() if done and r.state in OPEN)


def _namesakes(rows: list[Row]) -> Iterator[str]:
    names = Counter(row.envelope.message_id for row in rows if row.envelope)
    return (row.email for row in rows if row.envelope and names[row.envelope.message_id] > 1)


def _repeats(issues: Mapping[date, DayIssue], day: date) -> Iterator[str]:
    for row in issues[day].rows.values():
        keys = {paper.number: paper.key for paper in row.wave.issue.papers}
        others = [issue.rows.get(row.reader) for on, issue in issues.items() if on != day]
        sent = (o.numbers(o.edition.papers) for o in others if o and o.state == "accepted")
        if row.state == "accepted":
            again = row.numbers(row.edition.papers) & frozenset[int]().union(*sent)
            yield from (f"{row.email}: {keys[number]}" for number in again)


def _unaccounted(rows: list[Row]) -> Iterator[str]:
    owing = {row.wave.id: OwedCounter(row.wave.issue) for row in rows}
    for row in rows:
        owed = owing[row.wave.id].to(row.history)
        told = len(row.edition.papers) + row.edition.left_out
        if owed != told:
            yield f"{row.email}: {owed} owed, {told} told"


def _misdirected(rows: list[Row]) -> Iterator[str]:
    marked = ((row.email, row.envelope.recipient) for row in rows if row.envelope)
    return (f"{email}: to {recipient}" for email, recipient in marked if recipient != email)
