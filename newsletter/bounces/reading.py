"""Reads a mailbox: each mail once, and one that cannot be processed stops no other."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import islice

from newsletter.bounces.mailboxes import Mailbox, OpenMailbox
from newsletter.bounces.processing import AT_ONCE, BounceProcessor, BounceResult
from newsletter.ports import MailEvents

PIPE = "pipe"
"""The name of the mails that come on standard input, beside those of the mailboxes."""

_REMEMBERED_AT_ONCE = 100  # mails after which the store remembers that they were read


def read_mailbox(
    mailbox: Mailbox,
    processor: BounceProcessor,
    store: MailEvents,
    now: datetime,
    *,
    again: bool = False,
) -> Iterator[BounceResult]:
    """Process the mails of a mailbox that were not read before; ``again`` also those left in place.

    Processed mails are marked as seen, for people; what was read is remembered in the store. If
    reading is cut off, it goes on from there the next time.

    Raises:
        UsageError: there is no such mailbox, or it may not be read.
        MailboxError: the server cannot be read from now.
        StoreError: the store cannot be read or written.
    """
    known = dict(store.known_mails(mailbox.name))
    left = {name for name, why in known.items() if why}
    read: dict[str, str] = {}
    with mailbox.open() as opened:
        try:
            mails = opened.mails(known, left if again else ())
            while some := list(islice(mails, AT_ONCE)):
                for mail, result in zip(some, processor.process_all(some, now), strict=True):
                    read[mail.key or mail.name] = why_left(result)
                    yield result
                if len(read) >= _REMEMBERED_AT_ONCE:
                    store.remember_mails(mailbox.name, read, now=now)
                    known |= read
                    read = {}
        finally:
            store.remember_mails(mailbox.name, read, now=now)
        _tidy(mailbox.name, opened, known | read, store, now)
        store.record_mailbox_read(mailbox.name, now=now)


def why_left(result: BounceResult) -> str:
    """Why a mail needs a person; empty if it does not."""
    if result.effect != "left":
        return ""
    return f"{result.reader}: {result.said}" if result.reader else result.said


def _tidy(
    name: str, opened: OpenMailbox, known: Mapping[str, str], store: MailEvents, now: datetime
) -> None:
    """Forget mails that are gone; one that was left and that a person has seen is done with."""
    there = opened.look(known)
    done = {mail: "" for mail, seen in there.items() if seen and known[mail]}
    if done:
        store.remember_mails(name, done, now=now)
    if gone := known.keys() - there.keys():
        store.forget_mails(name, gone)
