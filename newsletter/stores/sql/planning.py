"""Plan a wave outside of the transaction that stores it, so that others may write meanwhile.

Planning takes seconds, and storing what was planned a fraction of one. What was planned waits in an
unnamed file. Before that, :class:`Standing` tells for whom what they got has changed meanwhile.
"""

import marshal
import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import IO, Any, Self

import sqlalchemy as sa

from newsletter.errors import StoreError
from newsletter.model import DECIDING, DELIVERY_STATES, LEASED, Issue, PlannedEdition
from newsletter.stores.sql import schema
from newsletter.stores.sql.deliveries import DELIVERIES

Rows = Sequence[dict[str, Any]]
"""Rows of the table of editions, whose wave is not known yet."""

_UNDECIDED = sorted(
    state
    for state, facts in DELIVERY_STATES.items()
    if state not in DECIDING and (facts.becomes or facts.leased)
)
"""A delivery in one of these may still be decided."""


class PlannedRows:
    """Rows on their way into the store, in a file without a name, which ends with this process.

    Args:
        folder: where the file is; None for the system's folder of temporary files.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def __enter__(self) -> Self:
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=self._folder)
        return self

    def __exit__(self, *_error: object) -> None:
        self._file.close()

    def write(self, batches: Iterable[Rows]) -> None:
        """Keep these rows, a batch at a time.

        Raises:
            StoreError: the file cannot be written.
        """
        try:
            for rows in batches:
                marshal.dump(list(rows), self._file)
            self._file.flush()
        except OSError as error:
            place = self._folder or tempfile.gettempdir()
            raise StoreError(f"what was planned cannot be written in {place}: {error}") from error

    def without(self, readers: Collection[int]) -> Iterator[Rows]:
        """The batches as they were written, without the rows of these readers."""
        self._file.seek(0)
        while True:
            try:
                rows = marshal.load(self._file)  # noqa: S302 - our own file, which nobody else opens
            except EOFError:
                return
            yield [row for row in rows if row["reader"] not in readers]


@dataclass(frozen=True, slots=True)
class Standing:
    """What may change while a wave is planned: the letters of other issues that are not decided.

    ``undecided`` has them as pairs of an issue and a reader.
    """

    last_wave: int
    undecided: frozenset[tuple[int, int]]

    @classmethod
    def read(cls, connection: sa.Connection, issue: int | None) -> Self:
        """The standing at present, without that of the issue that is planned."""
        last = connection.execute(sa.select(sa.func.max(schema.waves.c.id))).scalar()
        issues = schema.issues.c
        unfinished = sa.select(issues.id).where(issues.state != "done", issues.id != (issue or 0))
        ids = connection.execute(unfinished).scalars().all()
        query = sa.select(DELIVERIES.issue, DELIVERIES.reader).where(
            DELIVERIES.issue.in_(ids), DELIVERIES.state.in_(_UNDECIDED)
        )
        rows = connection.execute(query)
        return cls(last or 0, frozenset((row.issue, row.reader) for row in rows))

    def changed_for(self, connection: sa.Connection, issue: int | None) -> frozenset[int]:
        """The readers for whom it has changed since."""
        now = Standing.read(connection, issue)
        changed = {reader for _, reader in self.undecided - now.undecided}
        if now.last_wave > self.last_wave:
            later = sa.select(DELIVERIES.reader).where(
                DELIVERIES.wave > self.last_wave, DELIVERIES.issue != (issue or 0)
            )
            changed.update(connection.execute(later).scalars())
        return frozenset(changed)


def busy_readers(connection: sa.Connection, day: date, now: datetime) -> frozenset[int]:
    """The readers to whom a letter of another day is being sent: a run holds it under a lease.

    Whether they get its papers is not known yet, so that a wave could repeat them.
    """
    issues = schema.issues.c
    others = sa.select(issues.id).where(issues.state != "done", issues.day != day)
    query = sa.select(DELIVERIES.reader).where(
        DELIVERIES.issue.in_(connection.execute(others).scalars().all()),
        DELIVERIES.state.in_(LEASED),
        DELIVERIES.lease_until > now,
    )
    return frozenset(connection.execute(query).scalars())


def without_busy(
    connection: sa.Connection, issue: Issue, plans: Iterable[PlannedEdition]
) -> Iterator[PlannedEdition]:
    """The plans for this issue that are not for a busy reader."""
    busy = busy_readers(connection, issue.day, issue.frozen_at)
    return (plan for plan in plans if plan.history.reader.id not in busy)
