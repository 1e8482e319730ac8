"""The store on a database: SQLAlchemy Core on SQLite or PostgreSQL."""

from newsletter.stores.sql.journaled_store import JournaledStore
from newsletter.stores.sql.store import SqlStore

__all__ = ["JournaledStore", "SqlStore"]
