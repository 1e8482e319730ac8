"""The operator's file taken into the store."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from newsletter.letter.links import Keyring
from newsletter.model import Reader, Subscriber
from newsletter.ports import Readers
from newsletter.readers.service import is_erased, without_erased


def sync(
    store: Readers, listed_subscribers: Sequence[Subscriber], keys: Keyring, now: datetime
) -> None:
    """Make the file's readers the store's, known ones under the spelling they are known by.

    One mailbox spelt with other capitals is one reader: who left does not come back by them.
    """
    readers = _concerned(store, listed_subscribers) if listed_subscribers else []
    known = {r.subscriber.email.casefold(): r.subscriber.email for r in readers}
    here = without_erased(listed_subscribers, readers, keys)
    spelt = [replace(s, email=known.get(s.email.casefold(), s.email)) for s in here]
    store.sync_subscribers(spelt, now=now)


def _concerned(store: Readers, listed_subscribers: Sequence[Subscriber]) -> list[Reader]:
    """The readers who are in the file, and the erased, of whom that cannot be seen."""
    listed = {subscriber.email.casefold() for subscriber in listed_subscribers}
    return [
        reader
        for reader in store.each_reader()
        if is_erased(reader) or reader.subscriber.email.casefold() in listed
    ]
