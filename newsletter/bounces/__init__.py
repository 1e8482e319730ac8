"""Reads mail that came back: bounces, complaints, unsubscribe requests.

``mailboxes`` reads a Maildir, an mbox or a stream; ``parsing`` says what a mail means, and is pure;
``processing`` finds the reader and updates the store.
"""

from newsletter.bounces.mailboxes import Maildir, Mbox, Stream
from newsletter.bounces.parsing import ParsedMail, parse
from newsletter.bounces.processing import (
    EFFECTS,
    BounceProcessor,
    BounceResult,
    Effect,
    result_line,
)

__all__ = [
    "EFFECTS",
    "BounceProcessor",
    "BounceResult",
    "Effect",
    "Maildir",
    "Mbox",
    "ParsedMail",
    "Stream",
    "parse",
    "result_line",
]
