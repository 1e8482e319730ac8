"""The door in for what comes back by mail: bounces, complaints, readers who leave.

``parsing`` says what a mail means and is pure; ``deciding`` tells which words of a mail server
blame a reader; ``mailboxes`` reads a Maildir, an mbox, a stream; ``taking`` finds the reader and
tells the store.
"""

from newsletter.bounces.mailboxes import Maildir, Mbox, Stream
from newsletter.bounces.parsing import ParsedMail, parse
from newsletter.bounces.processing import BounceProcessor, BounceResult, Effect, in_words

__all__ = [
    "BounceProcessor",
    "BounceResult",
    "Effect",
    "Maildir",
    "Mbox",
    "ParsedMail",
    "Stream",
    "in_words",
    "parse",
]
