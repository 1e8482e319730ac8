"""The SQL store: the port's methods, each one transaction over the functions beside it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from datetime import date, datetime

from sqlalchemy import Connection, inspect, text

from newsletter.model import (
    Audit,
    Claim,
    Counts,
    Delivery,
    DeliveryState,
    Edition,
    IdentifiedItem,
    IngestCounts,
    IssueState,
    Letter,
    MailEvent,
    MailEventEffect,
    Paper,
    PlannedEdition,
    ReaderHistory,
    Settlement,
    SourceHealth,
    Suppression,
    Wave,
)
from newsletter.stores.sql import audit, claims, issues, leases, ledger, papers, returns, schema
from newsletter.stores.sql.engine import Database, alone
from newsletter.stores.sql.failures import shown
from newsletter.stores.sql.operator_queries import OperatorQueries
from newsletter.stores.sql.page_queries import PageQueries
from newsletter.stores.sql.reader_queries import ReaderQueries

MIGRATE = 3
"""The task of changing the tables."""


class SqlStore(ReaderQueries, PageQueries, OperatorQueries):
    """:class:`newsletter.ports.Store` on SQLite or PostgreSQL."""

    def __init__(self, url: str) -> None:
        self._database = Database(url)
        with ExitStack() as undone:
            undone.callback(self.close)
            self._bring_up_to_date()
            undone.pop_all()

    def _bring_up_to_date(self) -> None:
        with self._database.reading() as connection:
            if _revision(connection) == schema.REVISION:
                return
        with self._database.writing() as connection:
            alone(connection, MIGRATE)
            if _revision(connection) != schema.REVISION:
                from newsletter.stores.sql.migrating import migrate  # noqa: PLC0415 - seldom needed

                migrate(connection, shown(self._database.url))

    def close(self) -> None:
        """Let go of every connection and file."""
        self._database.close()

    def ingest(
        self, day: date, source: SourceHealth, entries: Sequence[IdentifiedItem], *, now: datetime
    ) -> IngestCounts:
        """See :meth:`newsletter.ports.Store.ingest`."""
        with self._database.writing() as connection:
            return papers.ingest(connection, day, source, entries, now=now)

    def sources(self) -> Mapping[str, SourceHealth]:
        """See :meth:`newsletter.ports.Store.sources`."""
        with self._database.reading() as connection:
            return papers.sources(connection)

    def papers(self, *, after: int, since: datetime) -> tuple[Paper, ...]:
        """See :meth:`newsletter.ports.Store.papers`."""
        with self._database.reading() as connection:
            return papers.papers(connection, after=after, since=since)

    def papers_by_number(self, numbers: Collection[int]) -> tuple[Paper, ...]:
        """See :meth:`newsletter.ports.Store.papers_by_number`."""
        with self._database.reading() as connection:
            return papers.papers_numbered(connection, numbers)

    def papers_listed(self, day: date) -> tuple[Paper, ...]:
        """See :meth:`newsletter.ports.Store.papers_listed`."""
        with self._database.reading() as connection:
            return papers.papers_read(connection, day)

    def cutoff(self) -> int:
        """See :meth:`newsletter.ports.Store.cutoff`."""
        with self._database.reading() as connection:
            return papers.cutoff(connection)

    def record_mail_event(self, event: MailEvent, *, now: datetime) -> MailEventEffect:
        """See :meth:`newsletter.ports.Store.record_mail_event`."""
        with self._database.writing() as connection:
            return returns.record_mail_event(connection, event, now=now)

    def suppressions(self) -> tuple[Suppression, ...]:
        """See :meth:`newsletter.ports.Store.suppressions`."""
        with self._database.reading() as connection:
            return returns.suppressed(connection)

    def unsuppress(self, email: str, *, now: datetime) -> bool:
        """See :meth:`newsletter.ports.Store.unsuppress`."""
        with self._database.writing() as connection:
            return returns.unsuppress(connection, email, now=now)

    def freeze(self, wave: Wave, plans: Iterable[PlannedEdition]) -> Wave:
        """See :meth:`newsletter.ports.Store.freeze`."""
        with self._database.writing() as connection:
            return issues.freeze(connection, wave, plans)

    def skip_issue(self, day: date, *, reason: str, now: datetime) -> None:
        """See :meth:`newsletter.ports.Store.skip_issue`."""
        with self._database.writing() as connection:
            return issues.skip(connection, day, reason=reason, now=now)

    def waves(self, day: date) -> tuple[Wave, ...]:
        """See :meth:`newsletter.ports.Store.waves`."""
        with self._database.reading() as connection:
            return issues.waves(connection, day)

    def edition(self, day: date, email: str) -> tuple[int, Edition] | None:
        """See :meth:`newsletter.ports.Store.edition`."""
        with self._database.reading() as connection:
            return issues.edition(connection, day, email)

    def history_at_freeze(self, day: date, email: str) -> tuple[int, ReaderHistory] | None:
        """See :meth:`newsletter.ports.Store.history_at_freeze`."""
        with self._database.reading() as connection:
            return issues.history_of(connection, day, email)

    def issue_state(self, day: date) -> tuple[IssueState, str] | None:
        """See :meth:`newsletter.ports.Store.issue_state`."""
        with self._database.reading() as connection:
            return issues.issue_state(connection, day)

    def issue_days(self) -> tuple[date, ...]:
        """See :meth:`newsletter.ports.Store.issue_days`."""
        with self._database.reading() as connection:
            return issues.days(connection)

    def planned_readers(self, day: date, *, among: Collection[int] | None = None) -> frozenset[int]:
        """See :meth:`newsletter.ports.Store.planned_readers`."""
        with self._database.reading() as connection:
            return issues.planned(connection, day, among)

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
        with self._database.writing() as connection:
            if not resend:
                leases.hold_doubts(connection, day, now, self._database.boot)
            taken = claims.take(
                connection,
                day,
                limit=limit,
                now=now,
                lease=lease,
                token=token,
                boot=self._database.boot,
                readers=readers,
            )
        return claims.read(taken, token)

    def claiming_runs(self, day: date) -> frozenset[str]:
        """See :meth:`newsletter.ports.Store.claiming_runs`."""
        with self._database.reading() as connection:
            return leases.owners(connection, day)

    def end_leases(self, day: date, runs: Collection[str], *, now: datetime) -> None:
        """See :meth:`newsletter.ports.Store.end_leases`."""
        with self._database.writing() as connection:
            leases.abandon(connection, day, runs, now=now)

    def renew_leases(self, day: date, run: str, *, now: datetime, lease: float) -> None:
        """See :meth:`newsletter.ports.Store.renew_leases`."""
        with self._database.writing() as connection:
            leases.renew(connection, day, run, now=now, lease=lease)

    def mark(
        self,
        letters: Sequence[Letter],
        *,
        now: datetime,
        lease: float,
        settled: Sequence[Settlement] = (),
    ) -> frozenset[str]:
        """See :meth:`newsletter.ports.Store.mark`."""
        with self._database.writing_swiftly() as connection:
            if settled:
                ledger.settle(connection, settled, now=now)
            return ledger.mark(connection, letters, now=now, lease=lease)

    def settle(self, settlements: Sequence[Settlement], *, now: datetime) -> None:
        """See :meth:`newsletter.ports.Store.settle`."""
        with self._database.writing_swiftly() as connection:
            return ledger.settle(connection, settlements, now=now)

    def close_issue(self, day: date) -> IssueState:
        """See :meth:`newsletter.ports.Store.close_issue`."""
        with self._database.writing() as connection:
            return issues.finish(connection, day)

    def set_issue_state(
        self,
        day: date,
        state: IssueState,
        *,
        reason: str,
        from_states: Collection[IssueState | None],
    ) -> bool:
        """See :meth:`newsletter.ports.Store.set_issue_state`."""
        with self._database.writing() as connection:
            return issues.rule(connection, day, state, reason=reason, among=from_states)

    def resolve(
        self, day: date, emails: Collection[str], *, arrived: bool, now: datetime
    ) -> frozenset[str]:
        """See :meth:`newsletter.ports.Store.resolve`."""
        with self._database.writing() as connection:
            return ledger.resolve(connection, day, emails, arrived=arrived, now=now)

    def audit(self, day: date) -> Audit:
        """See :meth:`newsletter.ports.Store.audit`."""
        with self._database.reading() as connection:
            return audit.audit(connection, day)

    def counts(self, day: date) -> Counts:
        """See :meth:`newsletter.ports.Store.counts`."""
        with self._database.reading() as connection:
            return issues.counts(connection, day)

    def deliveries(
        self, day: date, *, states: Collection[DeliveryState] | None = None
    ) -> tuple[Delivery, ...]:
        """See :meth:`newsletter.ports.Store.deliveries`."""
        with self._database.reading() as connection:
            return issues.deliveries(connection, day, states)


def _revision(connection: Connection) -> str | None:
    """The version of the tables; None where there are none yet."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
