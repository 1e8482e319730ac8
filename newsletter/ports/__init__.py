"""The interfaces between the newsletter's logic and the outside world.

Each docstring is the contract of its implementations; ``tests/contract`` tests those of
the store, the transports and the matchers.
"""

from newsletter.ports.adapters import (
    Clock,
    Letters,
    Mark,
    Matcher,
    RunLock,
    Settle,
    Source,
    Transport,
)
from newsletter.ports.ledger import Acts, Broadcasts, Issues, Ledger, Operator, Pruning
from newsletter.ports.mail_events import MailEvents
from newsletter.ports.readers import ArchiveIndex, Likes, Pages, Papers, Readers
from newsletter.ports.store import Store

__all__ = [
    "Acts",
    "ArchiveIndex",
    "Broadcasts",
    "Clock",
    "Issues",
    "Ledger",
    "Letters",
    "Likes",
    "MailEvents",
    "Mark",
    "Matcher",
    "Operator",
    "Pages",
    "Papers",
    "Pruning",
    "Readers",
    "RunLock",
    "Settle",
    "Source",
    "Store",
    "Transport",
]
