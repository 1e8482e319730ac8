"""``newsletter subscribers``."""

from newsletter.cli.subscribers import joining, leaving
from newsletter.cli.subscribers.common import app

__all__ = ["app", "joining", "leaving"]
