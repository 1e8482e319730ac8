"""Removing the details of old issues, in SQL, a few readers at a time.

What stays of a letter: its state, and which papers it had. Removing is safe to break off: what was
removed stays so, and the next call goes on.
"""

import shutil
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from typing_extensions import override

from newsletter.model import IN_DOUBT, OPEN, OPEN_ISSUE
from newsletter.ports import Pruning
from newsletter.stores.logic import REMOVED
from newsletter.stores.sql import schema
from newsletter.stores.sql.deliveries import DELIVERIES
from newsletter.stores.sql.editions import EDITIONS, WAVES
from newsletter.stores.sql.engine import Queries

ISSUES, CHOICES = schema.issues.c, schema.choices.c

SLICE = 500
"""How many letters' details are removed in one transaction: some hundredths of a second."""

_KEPT_OF_EDITION = (
    EDITIONS.wave,
    EDITIONS.reader,
    EDITIONS.papers,
    EDITIONS.owed,
    EDITIONS.left_out,
)
_KEPT_OF_LETTER = tuple(
    DELIVERIES[name] for name in ("issue", "reader", "wave", "state", "attempts", "doubts")
)
_WITH_DETAILS = WAVES.body != b""


class PruningQueries(Queries, Pruning):
    """Implements :class:`newsletter.ports.Pruning`."""

    @override
    def issues_with_details(self, *, before: date) -> tuple[date, ...]:
        unsettled = sa.exists().where(
            DELIVERIES.issue == ISSUES.id, DELIVERIES.state.in_(sorted(OPEN | IN_DOUBT))
        )
        query = (
            sa.select(ISSUES.day)
            .join(schema.waves)
            .where(ISSUES.day < before, _WITH_DETAILS, ISSUES.state.not_in(OPEN_ISSUE), ~unsettled)
            .distinct()
            .order_by(ISSUES.day)
        )
        with self._database.reading() as connection:
            return tuple(connection.execute(query).scalars())

    @override
    def has_no_details(self, day: date) -> bool:
        query = sa.select(_WITH_DETAILS).join(schema.issues).where(ISSUES.day == day)
        with self._database.reading() as connection:
            waves = connection.execute(query).scalars().all()
        return bool(waves) and not any(waves)

    @override
    def size_of_details(self, day: date) -> tuple[int, int]:
        of_issue = WAVES.issue == sa.select(ISSUES.id).where(ISSUES.day == day).scalar_subquery()
        editions = _total(EDITIONS.body, EDITIONS.own, EDITIONS.again)
        letters = _total(
            *(DELIVERIES[name] for name in ("reply", "message_id", "recipient", "digest"))
        )
        waves = _total(WAVES.body, WAVES.pieces, WAVES.words)
        with self._database.reading() as connection:
            of_waves = connection.execute(sa.select(waves).where(of_issue)).scalar_one()
            row = connection.execute(
                sa.select(sa.func.count(), editions)
                .join(schema.waves, WAVES.id == EDITIONS.wave)
                .where(of_issue, EDITIONS.body.is_not(None))
            ).one()
            of_letters = connection.execute(
                sa.select(letters)
                .join(schema.waves, WAVES.id == DELIVERIES.wave)
                .where(of_issue, DELIVERIES.reply != REMOVED)
            ).scalar_one()
        return row[0], row[1] + of_waves + of_letters

    @override
    def remove_details(self, day: date) -> bool:
        with self._database.writing() as connection:
            issue = connection.execute(
                sa.select(ISSUES.id)
                .where(ISSUES.day == day, ISSUES.state.not_in(OPEN_ISSUE))
                .with_for_update()  # as a freeze does
            ).scalar()
            if issue is None:
                return False
            waves = sa.select(WAVES.id).where(WAVES.issue == issue)
            query = sa.select(EDITIONS.reader).where(
                EDITIONS.wave.in_(waves), EDITIONS.body.is_not(None)
            )
            readers = connection.execute(query.limit(SLICE)).scalars().all()
            if readers:
                editions = EDITIONS.wave.in_(waves) & EDITIONS.reader.in_(readers)
                _keep_only(connection, schema.editions, _KEPT_OF_EDITION, editions)
                theirs: sa.ColumnElement[bool] = DELIVERIES.reader.in_(readers)
            else:  # the last step, also for letters of readers who were erased
                this = sa.update(schema.waves).where(WAVES.issue == issue)
                connection.execute(this.values(body=b"", pieces=b"", words=None))
                theirs = DELIVERIES.reply != REMOVED
            letters = (DELIVERIES.issue == issue) & theirs
            _keep_only(connection, schema.deliveries, _KEPT_OF_LETTER, letters, reply=REMOVED)
        return bool(readers)

    @override
    def forget_settings(self) -> None:
        used = sa.select(EDITIONS.choices).where(EDITIONS.choices.is_not(None))
        newest = sa.select(sa.func.max(CHOICES.id)).group_by(CHOICES.reader)
        unused = CHOICES.id.not_in(used) & CHOICES.id.not_in(newest)
        with self._database.writing() as connection:
            connection.execute(sa.delete(schema.choices).where(unused))

    @override
    def give_back(self) -> int:
        return self._database.give_back()

    @override
    def rewrite(self) -> bool:
        if not self._database.free_space():
            return False
        file = Path(self._database.url.database or "")
        # The new content is in the journal too, before it replaces the old one.
        if shutil.disk_usage(file.parent).free < 3 * file.stat().st_size:
            return False
        self._database.scrub()
        return True


def _total(*columns: sa.ColumnElement[Any]) -> sa.ColumnElement[int]:
    """The bytes in all these columns."""
    lengths = (sa.func.coalesce(sa.func.sum(sa.func.length(column)), 0) for column in columns)
    total: sa.ColumnElement[int] = sa.literal(0)
    for length in lengths:
        total = total + length
    return total


def _keep_only(
    connection: sa.Connection,
    table: sa.Table,
    kept: Sequence[sa.ColumnElement[Any]],
    which: sa.ColumnElement[bool],
    **values: object,
) -> None:
    """Replace these rows by rows that have only these columns, and these values.

    Updated rows would leave their pages half empty in SQLite; deleted ones free them.
    """
    rows = connection.execute(sa.select(*kept).where(which)).mappings().all()
    if rows:
        connection.execute(sa.delete(table).where(which))
        connection.execute(sa.insert(table), [{**row, **values} for row in rows])
