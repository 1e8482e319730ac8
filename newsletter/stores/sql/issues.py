"""Issues, frozen in waves with every reader's edition and delivery, in SQL."""

import json
import zlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa
from typing_extensions import override

from newsletter.errors import StoreError
from newsletter.model import (
    DECIDING,
    STOPPED_ISSUE,
    UNSENT,
    Counts,
    Delivery,
    DeliveryState,
    Edition,
    Issue,
    IssueState,
    PlannedEdition,
    PublishedIssue,
    Wave,
    WaveHead,
    state_after_freeze,
    state_by_counts,
)
from newsletter.ports import Issues
from newsletter.stores.logic import NO_ISSUE, numbers_of, published, resolved_state
from newsletter.stores.sql import schema
from newsletter.stores.sql.codec import pack, read_numbers, unpack
from newsletter.stores.sql.deliveries import DELIVERIES, record_decided, update_deliveries
from newsletter.stores.sql.editions import (
    SETTINGS,
    STORED,
    EditionQueries,
    packed_rows,
    store_rows,
    words_of,
)
from newsletter.stores.sql.packed_editions import StoredEdition, WaveWords
from newsletter.stores.sql.planning import PlannedRows, Rows, Standing, busy_readers, without_busy
from newsletter.stores.sql.statements import Driver, insert_into, insert_new, select_in

ISSUES, WAVES, EDITIONS = schema.issues.c, schema.waves.c, schema.editions.c


class IssueQueries(EditionQueries, Issues):
    """Implements :class:`newsletter.ports.Issues`, except for readers' histories."""

    @override
    def freeze(self, wave: Wave, plans: Iterable[PlannedEdition]) -> Wave:
        if isinstance(plans, Iterator) or wave.due in {
            h.due for h in self.wave_heads(wave.issue.day)
        }:
            with self._database.writing() as connection:
                return freeze(connection, wave, without_busy(connection, wave.issue, plans))
        words = WaveWords(len(wave.issue.papers))
        with PlannedRows(self._database.folder) as planned:
            with self._database.reading() as connection:
                before = Standing.read(connection, _issue_id(connection, wave.issue.day))
            planned.write(packed_rows(wave.issue, words, plans))
            with self._database.writing() as connection:
                changed = before.changed_for(connection, _issue_id(connection, wave.issue.day))
                busy = busy_readers(connection, wave.issue.day, wave.issue.frozen_at)
                rows = planned.without(changed | busy)
                return _freeze_rows(connection, wave, words, rows) or freeze(
                    connection, wave, without_busy(connection, wave.issue, plans)
                )

    @override
    def skip_issue(self, day: date, *, reason: str, now: datetime) -> None:
        values = {"reason": reason, "skipped": now}
        with self._database.writing() as connection:
            new = insert_into(connection, schema.issues).values(day=day, state="skipped", **values)
            connection.execute(
                new.on_conflict_do_update(
                    index_elements=["day"], set_=values, where=ISSUES.state == "skipped"
                )
            )

    @override
    def waves(self, day: date) -> tuple[Wave, ...]:
        with self._database.reading() as connection:
            return waves(connection, day)

    @override
    def wave_heads(self, day: date) -> tuple[WaveHead, ...]:
        query = sa.select(WAVES.id, WAVES.due, WAVES.frozen).join(schema.issues)
        with self._database.reading() as connection:
            rows = connection.execute(
                query.where(ISSUES.day == day, WAVES.body != b"").order_by(WAVES.id)
            )
            return tuple(WaveHead(*row) for row in rows)

    @override
    def wave(self, wave: int) -> Wave:
        with self._database.reading() as connection:
            query = sa.select(schema.waves).where(WAVES.id == wave)
            return _wave(connection.execute(query).one())

    @override
    def edition(self, day: date, email: str) -> tuple[int, Edition] | None:
        query = (
            sa.select(EDITIONS.wave, *STORED)
            .select_from(schema.editions.join(schema.waves).join(schema.issues))
            .join(schema.readers, schema.readers.c.id == EDITIONS.reader)
            .join(schema.choices, SETTINGS)
            .where(ISSUES.day == day, schema.readers.c.email == email, EDITIONS.body.is_not(None))
        )
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        wave, *stored = row
        return wave, self._edition(wave, StoredEdition(*stored))

    @override
    def edition_page(self, day: date, email: str) -> tuple[datetime, Edition, Sequence[int]] | None:
        found = self.edition(day, email)
        if found is None:
            return None
        query = sa.select(WAVES.frozen, WAVES.numbers).where(WAVES.id == found[0])
        with self._database.reading() as connection:
            frozen, numbers = connection.execute(query).one()
        by_place, edition = read_numbers(numbers), found[1]
        return frozen, edition, [by_place[place] for place in edition.papers]

    @override
    def issue_state(self, day: date) -> tuple[IssueState, str] | None:
        query = sa.select(ISSUES.state, ISSUES.reason).where(ISSUES.day == day)
        with self._database.reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else (row.state, row.reason)

    @override
    def issue_days(self) -> tuple[date, ...]:
        with self._database.reading() as connection:
            query = sa.select(ISSUES.day).order_by(ISSUES.day.desc())
            return tuple(connection.execute(query).scalars())

    @override
    def published_issues(self) -> tuple[PublishedIssue, ...]:
        query = (
            sa.select(ISSUES.day, sa.func.min(WAVES.frozen), sa.func.max(WAVES.cutoff))
            .select_from(schema.issues.join(schema.waves))
            .where(ISSUES.state.not_in(STOPPED_ISSUE))
            .group_by(ISSUES.day)
        )
        with self._database.reading() as connection:
            return published((day, at, cutoff) for day, at, cutoff in connection.execute(query))

    @override
    def is_cleared(self, day: date) -> bool:
        query = sa.select(ISSUES.cleared).where(ISSUES.day == day)
        with self._database.reading() as connection:
            return bool(connection.execute(query).scalar())

    @override
    def clear_issue(self, day: date) -> None:
        with self._database.writing() as connection:
            connection.execute(
                sa.update(schema.issues).where(ISSUES.day == day).values(cleared=True)
            )

    @override
    def set_issue_state(
        self,
        day: date,
        state: IssueState,
        *,
        reason: str,
        from_states: Collection[IssueState | None],
    ) -> bool:
        with self._database.writing() as connection:
            if None in from_states:
                new = insert_new(connection, schema.issues)
                new = new.values(day=day, state=state, reason=reason)
                # PostgreSQL's driver counts no rows here; a returned id says that there was none.
                if connection.execute(new.returning(ISSUES.id)).first() is not None:
                    return True
            row = _lock_issue(connection, day).one_or_none()
            if row is None or row.state not in from_states:
                return False
            after = state_by_counts(counts(connection, day), state)
            set_state(connection, row.id, after, reason=reason)
            return True

    @override
    def undo_issue(self, day: date, *, now: datetime) -> bool:
        with self._database.writing() as connection:
            row = _lock_issue(connection, day).one_or_none()
            found = counts(connection, day)
            if row is None or found.of(UNSENT) < found.planned:
                return False
            its_waves = sa.select(WAVES.id).where(WAVES.issue == row.id)
            _undecide(connection, row.id)
            for table, condition in (
                (schema.deliveries, DELIVERIES.issue == row.id),
                (schema.editions, EDITIONS.wave.in_(its_waves)),
                (schema.waves, WAVES.issue == row.id),
                (schema.issues, ISSUES.id == row.id),
            ):
                connection.execute(sa.delete(table).where(condition))
        self._words.clear()  # a wave to come may get the same id
        return True

    @override
    def resolve(
        self, day: date, emails: Collection[str], *, arrived: bool, now: datetime
    ) -> frozenset[str]:
        readers = schema.readers.c
        state, reply = resolved_state(arrived=arrived)
        query = (
            sa.select(DELIVERIES.issue, DELIVERIES.wave, DELIVERIES.reader, readers.email)
            .select_from(schema.deliveries.join(schema.issues).join(schema.readers))
            .where(ISSUES.day == day, DELIVERIES.state == "held")
            .order_by(DELIVERIES.reader)
            .with_for_update(of=schema.deliveries)
        )
        with self._database.writing() as connection:
            rows = list(select_in(connection, query, readers.email, emails))
            if rows:
                ids = [row.reader for row in rows]
                values = {"state": state, "reply": reply, "token": None, "settled": now}
                update_deliveries(connection, rows[0].issue, ids, **values)
            if arrived:
                record_decided(Driver.of(connection), [(row.wave, row.reader) for row in rows])
            return frozenset(row.email for row in rows)

    @override
    def deliveries(
        self,
        day: date,
        *,
        states: Collection[DeliveryState] | None = None,
        reply: str = "",
        limit: int | None = None,
    ) -> tuple[Delivery, ...]:
        query = (
            sa.select(schema.deliveries, ISSUES.day, schema.readers.c.email)
            .select_from(schema.deliveries.join(schema.issues).join(schema.readers))
            .where(ISSUES.day == day)
        )
        if states is not None:
            query = query.where(DELIVERIES.state.in_(states))
        if reply:
            query = query.where(sa.func.substr(DELIVERIES.reply, 1, len(reply)) == reply)
        with self._database.reading() as connection:
            found = map(delivery_of, connection.execute(query.limit(limit)))
            return tuple(sorted(found, key=lambda delivery: delivery.email))

    @override
    def counts(self, day: date) -> Counts:
        with self._database.reading() as connection:
            return counts(connection, day)

    @override
    def close_issue(self, day: date) -> IssueState:
        with self._database.writing() as connection:
            row = _lock_issue(connection, day).one_or_none()
            if row is None:
                raise StoreError(NO_ISSUE.format(day))
            state = state_by_counts(counts(connection, day), row.state)
            if state != row.state:
                set_state(connection, row.id, state)
            return state


def freeze(connection: sa.Connection, wave: Wave, plans: Iterable[PlannedEdition]) -> Wave:
    """Plan and freeze a wave within a transaction; see :meth:`IssueQueries.freeze`."""
    issue = _open_issue(connection, wave.issue.day)
    stored, is_same = _store_wave(connection, issue.id, wave)
    if is_same:
        words = words_of(connection, stored.id)
        store_rows(connection, issue.id, stored.id, words, packed_rows(wave.issue, words, plans))
    _close_freeze(connection, issue, wave.issue.day)
    return stored


def _freeze_rows(
    connection: sa.Connection, wave: Wave, words: WaveWords, planned: Iterable[Rows]
) -> Wave | None:
    """Freeze a new wave whose rows were packed with these words; None if another has frozen it."""
    day = wave.issue.day
    issue = _open_issue(connection, day)
    same = sa.select(WAVES.id).where(WAVES.issue == issue.id, WAVES.due == wave.due)
    if connection.execute(same).first() is not None:
        return None
    stored, _ = _store_wave(connection, issue.id, wave)
    store_rows(connection, issue.id, stored.id, words, planned)
    _close_freeze(connection, issue, day)
    return stored


def _open_issue(connection: sa.Connection, day: date) -> Any:  # noqa: ANN401 - its id and state
    """The issue of a day, which is locked until the commit."""
    values = {"day": day, "state": "frozen", "reason": ""}
    connection.execute(insert_new(connection, schema.issues), values)
    return _lock_issue(connection, day).one()


def _close_freeze(connection: sa.Connection, issue: Any, day: date) -> None:  # noqa: ANN401 - as above
    set_state(connection, issue.id, state_after_freeze(counts(connection, day), issue.state))


def _issue_id(connection: sa.Connection, day: date) -> int | None:
    return connection.execute(sa.select(ISSUES.id).where(ISSUES.day == day)).scalar()


def waves(connection: sa.Connection, day: date) -> tuple[Wave, ...]:
    """The frozen waves of a day's issue, oldest first."""
    query = sa.select(schema.waves).join(schema.issues).where(ISSUES.day == day, WAVES.body != b"")
    return tuple(map(_wave, connection.execute(query.order_by(WAVES.id))))


def counts(connection: sa.Connection, day: date) -> Counts:
    """The number of a day's deliveries in each state."""
    query = (
        sa.select(DELIVERIES.state, sa.func.count().label("number"))
        .join(schema.issues)
        .where(ISSUES.day == day)
        .group_by(DELIVERIES.state)
    )
    return Counts(**{row.state: row.number for row in connection.execute(query)})


def set_state(
    connection: sa.Connection, issue: int, state: IssueState, *, reason: str = ""
) -> None:
    """Store an issue's state."""
    this = sa.update(schema.issues).where(ISSUES.id == issue)
    connection.execute(this.values(state=state, reason=reason))


def delivery_of(row: sa.Row[Any]) -> Delivery:
    """The delivery in a row that also has its day and its reader's address."""
    return Delivery(row.day, row.email, row.state, row.attempts, row.reply, row.next_try)


def _undecide(connection: sa.Connection, issue: int) -> None:
    """Give readers back their cutoff from before a freeze, unless a later one moved it."""
    readers = schema.readers.c
    frozen = schema.deliveries.join(
        schema.editions, (EDITIONS.wave == DELIVERIES.wave) & (EDITIONS.reader == DELIVERIES.reader)
    ).join(schema.waves, WAVES.id == DELIVERIES.wave)
    moved = (
        sa.select(EDITIONS.decided)
        .select_from(frozen)
        .where(
            DELIVERIES.issue == issue,
            DELIVERIES.reader == readers.id,
            DELIVERIES.state.in_(DECIDING),
            WAVES.cutoff == readers.decided,
            EDITIONS.decided.is_not(None),
        )
    )
    before = moved.correlate(schema.readers).scalar_subquery()
    there = moved.correlate(schema.readers).exists()
    connection.execute(sa.update(schema.readers).where(there).values(decided=before))


def _lock_issue(connection: sa.Connection, day: date) -> sa.Result[tuple[int, IssueState]]:
    """The id and the state of a day's issue, which is locked until the commit."""
    query = sa.select(ISSUES.id, ISSUES.state).where(ISSUES.day == day)
    return connection.execute(query.with_for_update())


def _wave(row: sa.Row[Any]) -> Wave:
    return Wave(row.id, unpack(Issue, row.body), row.due, zlib.decompress(row.pieces))


def _store_wave(connection: sa.Connection, issue: int, wave: Wave) -> tuple[Wave, bool]:
    """The stored wave of this due instant, and whether it has the papers of ``wave``, rendered."""
    query = sa.select(schema.waves).where(WAVES.issue == issue, WAVES.due == wave.due)
    row = connection.execute(query).one_or_none()
    if row is not None:
        stored = _wave(row)
        same_papers = numbers_of(stored.issue) == numbers_of(wave.issue)
        return stored, same_papers and stored.issue.short == wave.issue.short
    values = {
        "issue": issue,
        "due": wave.due,
        "cutoff": wave.issue.cutoff,
        "frozen": wave.issue.frozen_at,
        "numbers": json.dumps(numbers_of(wave.issue)),
        "body": pack(wave.issue),
        "pieces": zlib.compress(wave.pieces),
        "corrected": max((each.number for each in wave.issue.corrections), default=0),
    }
    new = connection.execute(sa.insert(schema.waves).values(values).returning(WAVES.id))
    return Wave(new.scalar_one(), wave.issue, wave.due, wave.pieces), True
