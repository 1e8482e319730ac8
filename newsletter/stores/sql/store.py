"""The store: all queries together, on tables that are migrated when it opens."""

from contextlib import ExitStack

from sqlalchemy import Connection, inspect, text
from typing_extensions import override

from newsletter.ports import Store
from newsletter.stores.sql import schema
from newsletter.stores.sql.archive_index import ArchiveIndexQueries
from newsletter.stores.sql.audit import AuditQueries
from newsletter.stores.sql.broadcasts import BroadcastQueries
from newsletter.stores.sql.claims import ClaimQueries
from newsletter.stores.sql.engine import Task, lock_task
from newsletter.stores.sql.errors import printable_url
from newsletter.stores.sql.issues import IssueQueries
from newsletter.stores.sql.ledger import LedgerQueries
from newsletter.stores.sql.likes import LikeQueries
from newsletter.stores.sql.operator_queries import OperatorQueries
from newsletter.stores.sql.pages import PageQueries
from newsletter.stores.sql.papers import PaperQueries
from newsletter.stores.sql.pruning import PruningQueries
from newsletter.stores.sql.reader_history import HistoryQueries


class SqlStore(
    PaperQueries,
    ArchiveIndexQueries,
    HistoryQueries,
    PageQueries,
    LikeQueries,
    IssueQueries,
    ClaimQueries,
    LedgerQueries,
    OperatorQueries,
    AuditQueries,
    PruningQueries,
    BroadcastQueries,
    Store,
):
    """:class:`newsletter.ports.Store` on SQLite or PostgreSQL."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        with ExitStack() as on_error:
            on_error.callback(self.close)
            self._migrate()
            on_error.pop_all()

    def _migrate(self) -> None:
        """Migrate the tables; if they are up to date, nothing is locked."""
        with self._database.reading() as connection:
            if _revision(connection) == schema.REVISION:
                return
        with self._database.writing() as connection:
            lock_task(connection, Task.MIGRATE)
            if _revision(connection) != schema.REVISION:
                from newsletter.stores.migrations import migrate  # noqa: PLC0415 - seldom needed

                migrate(connection, printable_url(self._database.url))

    @override
    def close(self) -> None:
        self._database.close()


def _revision(connection: Connection) -> str | None:
    """The version of the tables; None if there are none yet."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
