"""The doors of the house, as those inside need them; what lies behind them is wiring's affair.

Each docstring is the law its adapters keep; ``tests/contract`` runs one suite a port over every
adapter.
"""

from newsletter.ports.adapters import Clock, Mark, Matcher, RunLock, Settle, Source, Transport
from newsletter.ports.store import Store

__all__ = ["Clock", "Mark", "Matcher", "RunLock", "Settle", "Source", "Store", "Transport"]
