"""The interfaces between the newsletter's logic and the outside world.

Each docstring is the contract of its implementations; ``tests/contract`` tests those of
the store, the transports and the matchers.
"""

from newsletter.ports.adapters import Clock, Mark, Matcher, RunLock, Settle, Source, Transport
from newsletter.ports.store import Issues, Ledger, Operator, Pages, Papers, Readers, Store

__all__ = [
    "Clock",
    "Issues",
    "Ledger",
    "Mark",
    "Matcher",
    "Operator",
    "Pages",
    "Papers",
    "Readers",
    "RunLock",
    "Settle",
    "Source",
    "Store",
    "Transport",
]
