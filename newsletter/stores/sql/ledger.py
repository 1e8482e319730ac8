"""The ledger of deliveries: marked before the dot, settled by the answer.

Every change is a compare-and-set: its statement names the claim's token and the states it may
change. Rows are changed in the order of their readers, so that two never wait for each other.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Update, bindparam, or_, select, update

from newsletter.model import (
    Accepted,
    Claim,
    Deferred,
    Letter,
    Settlement,
    Unknown,
)
from newsletter.stores.decisions import (
    OPEN_ISSUE,
    OTHER_BYTES,
    SETTLED,
    UNDER_CLAIM,
    chunks,
    resolved,
    words_of,
)
from newsletter.stores.sql import issues, schema
from newsletter.stores.sql.papers import MANY
from newsletter.stores.sql.rows import LEDGER, doubt, put

_HERE = (LEDGER.issue == bindparam("at_issue")) & (LEDGER.reader == bindparam("at_reader"))
_HELD_BY = _HERE & (LEDGER.wave == bindparam("at_wave")) & (LEDGER.token == bindparam("at_token"))
"""That a delivery is under the claim the parameters name."""

_MARK: Update = (
    update(schema.deliveries)
    .where(_HERE)
    .values(
        state="committing",
        lease_until=bindparam("until"),
        marked=bindparam("now"),
        message_id=bindparam("new_message_id"),
        recipient=bindparam("new_recipient"),
        digest=bindparam("new_digest"),
    )
)

_SETTLE: Update = (
    update(schema.deliveries)
    .where(_HELD_BY, or_(*(LEDGER.state == state for state in sorted(UNDER_CLAIM))))
    .values(
        reply=bindparam("new_reply"),
        token=None,
        lease_until=None,
        settled=bindparam("now"),
    )
)

_END = _SETTLE.values(state=bindparam("new_state"), next_try=bindparam("new_next_try"))
_DOUBT = _SETTLE.values(next_try=None, **doubt())


def mark(
    connection: Connection, letters: Sequence[Letter], *, now: datetime, lease: float
) -> frozenset[str]:
    """See :meth:`newsletter.ports.Store.mark`."""
    found = _issues(connection, [letter.claim for letter in letters], open_only=True)
    confirmed = _confirmed(connection, [letter.claim.reader for letter in letters])
    asked = [letter for letter in letters if letter.claim.reader in confirmed]
    claimed = _claimed(connection, [letter.claim for letter in asked], found, now)
    held = [letter for letter in asked if _key(letter.claim) in claimed]
    changed = [letter for letter in held if _has_changed(letter, claimed)]
    granted = [letter for letter in held if letter not in changed]
    _hold(connection, changed, found, now)
    _commit(connection, granted, found, now=now, until=now + timedelta(seconds=lease))
    return frozenset(letter.claim.token for letter in granted)


_Key = tuple[int, int, str | None]
"""What a claim is known by: its wave, its reader and its token."""


def _key(claim: Claim) -> _Key:
    return claim.wave, claim.reader, claim.token


def _claimed(
    connection: Connection, claims: Sequence[Claim], found: Mapping[int, int], now: datetime
) -> dict[_Key, Any]:
    """The deliveries these claims hold, ready to be marked."""
    rows = (
        row
        for some in chunks(claims, MANY)
        for row in connection.execute(
            select(LEDGER.wave, LEDGER.reader, LEDGER.token, LEDGER.doubts, LEDGER.digest)
            .where(
                LEDGER.issue.in_(set(found.values())),
                LEDGER.reader.in_([claim.reader for claim in some]),
                LEDGER.state == "claimed",
                LEDGER.lease_until > now,
            )
            .order_by(LEDGER.reader)
            .with_for_update()
        )
    )
    return {(row.wave, row.reader, row.token): row for row in rows}


def _has_changed(letter: Letter, claimed: Mapping[_Key, Any]) -> bool:
    """Whether other bytes may have left before, under this letter's name."""
    row = claimed[_key(letter.claim)]
    return bool(row.doubts) and row.digest != letter.envelope.digest


def _hold(
    connection: Connection, letters: Sequence[Letter], found: Mapping[int, int], now: datetime
) -> None:
    for letter in letters:
        put(
            connection,
            found[letter.claim.wave],
            [letter.claim.reader],
            state="held",
            reply=OTHER_BYTES,
            token=None,
            lease_until=None,
            settled=now,
        )


def _commit(
    connection: Connection,
    letters: Sequence[Letter],
    found: Mapping[int, int],
    *,
    now: datetime,
    until: datetime,
) -> None:
    changes = [
        {
            "at_issue": found[letter.claim.wave],
            "at_reader": letter.claim.reader,
            "new_message_id": letter.envelope.message_id,
            "new_recipient": letter.envelope.recipient,
            "new_digest": letter.envelope.digest,
            "now": now,
            "until": until,
        }
        for letter in letters
    ]
    if changes:
        connection.execute(_MARK, changes)


def _issues(
    connection: Connection, claims: Iterable[Claim], *, open_only: bool = False
) -> dict[int, int]:
    """The issue of each of these claims' waves; of those to be sent alone, if so wanted."""
    waves = schema.waves.c
    query = select(waves.id, waves.issue).where(waves.id.in_({claim.wave for claim in claims}))
    if open_only:
        query = query.join(schema.issues).where(schema.issues.c.state.in_(sorted(OPEN_ISSUE)))
    return {row.id: row.issue for row in connection.execute(query)}


def _confirmed(connection: Connection, readers: Sequence[int]) -> frozenset[int]:
    """Which of these readers are confirmed, and stay so until we commit."""
    columns = schema.readers.c
    return frozenset(
        reader
        for some in chunks(sorted(readers), MANY)
        for reader in connection.execute(
            select(columns.id)
            .where(columns.id.in_(some), columns.status == "confirmed")
            .order_by(columns.id)
            .with_for_update(read=True)
        ).scalars()
    )


def settle(connection: Connection, settlements: Sequence[Settlement], *, now: datetime) -> None:
    """See :meth:`newsletter.ports.Store.settle`."""
    found = _issues(connection, [settlement.claim for settlement in settlements])
    known = [one for one in settlements if one.claim.wave in found]
    known.sort(key=lambda settlement: settlement.claim.reader)
    in_doubt = [_end(one, found, now) for one in known if isinstance(one.outcome, Unknown)]
    ended = [
        {
            **_end(one, found, now),
            "new_state": SETTLED[type(one.outcome)],
            "new_next_try": one.next_try if isinstance(one.outcome, Deferred) else None,
        }
        for one in known
        if not isinstance(one.outcome, Unknown)
    ]
    for statement, changes in ((_END, ended), (_DOUBT, in_doubt)):
        if changes:
            connection.execute(statement, changes)
    accepted = [one.claim for one in known if isinstance(one.outcome, Accepted)]
    _decide(connection, {(found[made.wave], made.wave, made.reader) for made in accepted})


def _place(claim: Claim, issues: Mapping[int, int]) -> dict[str, Any]:
    return {
        "at_issue": issues[claim.wave],
        "at_reader": claim.reader,
        "at_wave": claim.wave,
        "at_token": claim.token,
    }


def _end(settlement: Settlement, issues: Mapping[int, int], now: datetime) -> dict[str, Any]:
    return {
        **_place(settlement.claim, issues),
        "new_reply": words_of(settlement.outcome),
        "now": now,
    }


def resolve(
    connection: Connection, day: date, emails: Collection[str], *, arrived: bool, now: datetime
) -> frozenset[str]:
    """See :meth:`newsletter.ports.Store.resolve`."""
    issue = select(schema.issues.c.id).where(schema.issues.c.day == day).scalar_subquery()
    rows = [
        row
        for some in chunks(sorted(emails), MANY)
        for row in connection.execute(
            select(LEDGER.issue, LEDGER.wave, LEDGER.reader, schema.readers.c.email)
            .join(schema.readers, schema.readers.c.id == LEDGER.reader)
            .where(LEDGER.issue == issue, LEDGER.state == "held", schema.readers.c.email.in_(some))
            .order_by(LEDGER.reader)
            .with_for_update(of=schema.deliveries)
        )
    ]
    state, reply = resolved(arrived=arrived)
    for at in {row.issue for row in rows}:
        readers = [row.reader for row in rows]
        put(connection, at, readers, state=state, reply=reply, token=None, settled=now)
    if arrived:
        _decide(connection, {(row.issue, row.wave, row.reader) for row in rows})
    return frozenset(row.email for row in rows)


def _decide(connection: Connection, letters: Collection[tuple[int, int, int]]) -> None:
    """Record the freeze as decided for those of these (issue, wave, reader) that are accepted."""
    for issue, wave in sorted({(issue, wave) for issue, wave, _ in letters}):
        readers = [reader for _, at, reader in letters if at == wave]
        accepted = [
            reader
            for some in chunks(readers, MANY)
            for reader in connection.execute(
                select(LEDGER.reader).where(
                    LEDGER.issue == issue,
                    LEDGER.wave == wave,
                    LEDGER.reader.in_(some),
                    LEDGER.state == "accepted",
                )
            ).scalars()
        ]
        cutoff = select(schema.waves.c.cutoff).where(schema.waves.c.id == wave)
        issues.decide(connection, accepted, connection.execute(cutoff).scalar_one())
