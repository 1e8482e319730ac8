"""What the newsletter tells of itself, in SQL: signs of life, and what the operator was told."""

from collections.abc import Collection
from datetime import datetime

from newsletter.model import Heartbeat
from newsletter.stores.sql import heartbeats, notices
from newsletter.stores.sql.engine import Database


class OperatorQueries:
    """The operator's side of a :class:`~newsletter.stores.sql.SqlStore`."""

    _database: Database

    def record_notices(self, events: Collection[str], *, now: datetime) -> frozenset[str]:
        """See :meth:`newsletter.ports.Store.record_notices`."""
        with self._database.writing() as connection:
            return notices.announce(connection, events, now=now)

    def remove_notices(self, events: Collection[str]) -> None:
        """See :meth:`newsletter.ports.Store.remove_notices`."""
        with self._database.writing() as connection:
            notices.retract(connection, events)

    def record_heartbeat(self, heartbeat: Heartbeat) -> None:
        """See :meth:`newsletter.ports.Store.record_heartbeat`."""
        with self._database.writing() as connection:
            return heartbeats.beat(connection, heartbeat)

    def heartbeats(self) -> tuple[Heartbeat, ...]:
        """See :meth:`newsletter.ports.Store.heartbeats`."""
        with self._database.reading() as connection:
            return heartbeats.heartbeats(connection)
