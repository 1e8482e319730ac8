"""The store on a database: SQLAlchemy Core on SQLite or PostgreSQL."""

from newsletter.stores.sql.store import SqlStore
from newsletter.stores.sql.witnessed import WitnessedStore

__all__ = ["SqlStore", "WitnessedStore"]
