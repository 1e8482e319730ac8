"""What the house remembers: one SQL store for SQLite and PostgreSQL, and one in memory.

Both keep the law of :class:`newsletter.ports.Store`. What they decide alike stands in
:mod:`~newsletter.stores.catalogue` and :mod:`~newsletter.stores.decisions`.
"""

from newsletter.errors import StoreError
from newsletter.ports import Store

FORMS = "sqlite:///newsletter.db, postgresql://user@host/name or memory://"


def open_store(url: str) -> Store:
    """Open the store at ``url``, making it or bringing it up to date where needed.

    Args:
        url: ``sqlite:///`` and a path (relative to the working directory, absolute with a fourth
            slash), ``postgresql://…``, or ``memory://``, which forgets.

    Raises:
        StoreError: the address is none of these, its driver is missing, or the store cannot be
            opened, is no store, or was written by a newer version.
    """
    scheme = url.partition("://")[0].partition("+")[0]
    if scheme == "memory":
        from newsletter.stores.memory import MemoryStore  # noqa: PLC0415 - only what is asked for

        return MemoryStore()
    if scheme not in {"sqlite", "postgresql", "postgres"}:
        raise StoreError(f"store: {scheme!r} is no kind of store; write {FORMS}.")
    from newsletter.stores.sql import SqlStore  # noqa: PLC0415 - SQLAlchemy takes 0.4 s to import

    return SqlStore(url)
