"""The store in memory: the same law, written plainly. For tests and rehearsals; it forgets."""

from newsletter.stores.memory.store import MemoryStore

__all__ = ["MemoryStore"]
