"""The store's ports, one for each kind of user; :class:`Store` is all of them together.

A function takes the narrowest port it needs. Every method is one transaction, synchronous, and may
be called from any thread; it raises StoreError if the store cannot be read or written. All instants
are aware and in UTC.
"""

from typing import Protocol

from newsletter.ports.ledger import Broadcasts, Issues, Ledger, Operator, Pruning
from newsletter.ports.readers import ArchiveIndex, Likes, Pages, Papers


class Store(
    Papers, ArchiveIndex, Pages, Likes, Issues, Ledger, Operator, Pruning, Broadcasts, Protocol
):
    """Everything that the newsletter remembers."""

    def close(self) -> None:
        """Close every connection and file."""
