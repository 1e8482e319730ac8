"""The ledger, in memory."""

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime, timedelta
from itertools import islice

from newsletter.errors import StoreError
from newsletter.model import (
    FREE,
    OPEN_ISSUE,
    SETTLEABLE,
    STATE_AFTER,
    Accepted,
    Audit,
    Claim,
    Deferred,
    Heartbeat,
    Letter,
    NotSent,
    Settlement,
    Unknown,
)
from newsletter.stores.memory.door import PageQueries
from newsletter.stores.memory.proofs import audit
from newsletter.stores.memory.rows import Row
from newsletter.stores.rules import NO_ISSUE, OTHER_BYTES, resolved, run_of, token_for, words_of


class MemoryStore(PageQueries):
    """:class:`newsletter.ports.Store` in this process' memory."""

    def __init__(self) -> None:
        super().__init__()
        self._heartbeats: dict[str, Heartbeat] = {}

    def close(self) -> None:
        """Nothing to let go of."""

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
        with self._lock:
            rows = list(self._rows(day))
            _take_back(rows, now)
            if day not in self._issues or self._issues[day].state not in OPEN_ISSUE:
                return ()
            self._expire(day, rows, now)
            if not resend:
                _hold_doubts(rows)
            rows = [row for row in rows if row.state in FREE]
            rows.sort(key=lambda row: (FREE.index(row.state), row.reader))
            asked = [row for row in rows if readers is None or row.reader in readers]
            free = (row for row in asked if row.is_free(now) and self._is_still_reading(row))
            taken = list(islice(free, limit))
            for row in taken:
                row.state, row.token, row.next_try = "claimed", token_for(token, row.reader), None
                row.lease_until, row.attempts = now + timedelta(seconds=lease), row.attempts + 1
            if taken and self._issues[day].state == "frozen":
                self._issues[day].state = "sending"
            return tuple(
                Claim(row.wave.id, row.reader, row.token, row.edition, row.attempts)
                for row in taken
            )

    def _expire(self, day: date, rows: Iterable[Row], now: datetime) -> None:
        """End the open deliveries that are past: deferred too long, or with a later letter."""
        others = [row for on in self._issues if on != day for row in self._rows(on)]
        newest: dict[int, int] = {}
        for other in others:
            newest[other.reader] = max(other.wave.id, newest.get(other.reader, 0))
        for row in rows:
            if row.is_past(now):
                row.state = "expired"
            elif newest.get(row.reader, 0) > row.wave.id:
                row.give_up()

    def _is_still_reading(self, row: Row) -> bool:
        """Whether the reader is confirmed; the delivery of one who is not is suppressed."""
        if self._readers[row.email].status != "confirmed":
            row.state = "suppressed"
        return row.state != "suppressed"

    def owners(self, day: date) -> frozenset[str]:
        """See :meth:`newsletter.ports.Store.owners`."""
        with self._lock:
            return frozenset(run_of(row.token) for row in self._rows(day) if row.is_under_claim)

    def abandon(self, day: date, runs: Collection[str], *, now: datetime) -> None:
        """See :meth:`newsletter.ports.Store.abandon`."""
        with self._lock:
            for row in self._rows(day):
                if row.is_under_claim and run_of(row.token) in runs:
                    row.lease_until = now

    def renew(self, day: date, run: str, *, now: datetime, lease: float) -> None:
        """See :meth:`newsletter.ports.Store.renew`."""
        until = now + timedelta(seconds=lease)
        with self._lock:
            for row in self._rows(day):
                ours = row.is_under_claim and row.token.startswith(f"{run}.")
                if ours and row.lease_until is not None and now < row.lease_until < until:
                    row.lease_until = until

    def mark(
        self,
        letters: Sequence[Letter],
        *,
        now: datetime,
        lease: float,
        settled: Sequence[Settlement] = (),
    ) -> frozenset[str]:
        """See :meth:`newsletter.ports.Store.mark`."""
        with self._lock:
            if settled:
                self.settle(settled, now=now)
            until = now + timedelta(seconds=lease)
            return frozenset(
                letter.claim.token for letter in letters if self._marked(letter, now, until)
            )

    def _marked(self, letter: Letter, now: datetime, until: datetime) -> bool:
        row = self._held(letter.claim)
        if row is None or row.state != "claimed" or row.runs_out(now):
            return False
        if self._readers[row.email].status != "confirmed":
            return False
        if self._issues[row.wave.issue.day].state not in OPEN_ISSUE:
            return False
        if row.has_changed(letter.envelope):
            row.state, row.reply, row.token, row.lease_until = "held", OTHER_BYTES, "", None
            return False
        row.state, row.lease_until, row.envelope = "committing", until, letter.envelope
        return True

    def _held(self, claim: Claim) -> Row | None:
        """The delivery a claim holds; a void claim has none."""
        for issue in self._issues.values():
            row = issue.rows.get(claim.reader)
            if row is not None and (row.wave.id, row.token) == (claim.wave, claim.token):
                return row
        return None

    def settle(self, settlements: Sequence[Settlement], *, now: datetime) -> None:  # noqa: ARG002
        """See :meth:`newsletter.ports.Store.settle`."""
        with self._lock:
            for settlement in settlements:
                row = self._held(settlement.claim)
                if row is not None and row.state in SETTLEABLE:
                    self._end(row, settlement)

    def _end(self, row: Row, settlement: Settlement) -> None:
        outcome = settlement.outcome
        row.reply = words_of(outcome)
        if isinstance(outcome, Unknown):
            row.doubt()
        elif isinstance(outcome, NotSent) and row.state == "claimed":
            row.take_back()
        else:
            row.state = STATE_AFTER[type(outcome)]
        row.next_try = settlement.next_try if isinstance(outcome, Deferred) else None
        row.token, row.lease_until = "", None
        if isinstance(outcome, Accepted):
            self._accept(row)

    def _accept(self, row: Row) -> None:
        self._sent.setdefault(row.reader, set()).update(row.numbers(row.edition.papers))
        self._decide(row)

    def resolve(
        self,
        day: date,
        emails: Collection[str],
        *,
        arrived: bool,
        now: datetime,  # noqa: ARG002 - nobody asks memory when
    ) -> frozenset[str]:
        """See :meth:`newsletter.ports.Store.resolve`."""
        with self._lock:
            rows = [row for row in self._rows(day) if row.state == "held" and row.email in emails]
            for row in rows:
                row.state, row.reply = resolved(arrived=arrived)
                row.token = ""
                if arrived:
                    self._accept(row)
            return frozenset(row.email for row in rows)

    def audit(self, day: date) -> Audit:
        """See :meth:`newsletter.ports.Store.audit`."""
        with self._lock:
            if day not in self._issues:
                raise StoreError(NO_ISSUE.format(day))
            return audit(self._issues, day)

    def beat(self, heartbeat: Heartbeat) -> None:
        """See :meth:`newsletter.ports.Store.beat`."""
        with self._lock:
            self._heartbeats[heartbeat.name] = heartbeat

    def heartbeats(self) -> tuple[Heartbeat, ...]:
        """See :meth:`newsletter.ports.Store.heartbeats`."""
        with self._lock:
            by_name = sorted(self._heartbeats.values(), key=lambda beat: beat.name)
            return tuple(sorted(by_name, key=lambda beat: beat.seen, reverse=True))


def _hold_doubts(rows: Iterable[Row]) -> None:
    """Hold what is in doubt; it keeps its token, as a late answer would still end the doubt."""
    for row in rows:
        if row.state == "unknown":
            row.state = "held"


def _take_back(rows: Iterable[Row], now: datetime) -> None:
    """End the claims whose lease ran out; those in doubt keep their token."""
    for row in rows:
        if row.runs_out(now) and row.state == "claimed":
            row.take_back()
            row.token, row.lease_until = "", None
        elif row.runs_out(now) and row.state == "committing":
            row.lease_until = None
            row.doubt()
