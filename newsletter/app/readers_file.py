"""Bring the store's readers up to date from the operator's file of readers."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from newsletter.letter.links import Keyring
from newsletter.model import LEFT, ListedReader, Reader, Subscriber
from newsletter.ports import Pages
from newsletter.readers.service import is_erased, without_erased


def subscribed(listed: Iterable[ListedReader]) -> tuple[Subscriber, ...]:
    """The subscribers in a file of readers, without those who left or are blocked."""
    return tuple(each.subscriber for each in listed if each.status == "confirmed")


def sync_readers(
    store: Pages, listed: Sequence[ListedReader], keys: Keyring, now: datetime
) -> None:
    """Bring the store's readers up to date; known ones keep the spelling of their address.

    Addresses that differ only in case are one reader, so a reader who left stays away however the
    file spells them.
    """
    emails = {each.subscriber.email.casefold() for each in listed}
    readers = [
        reader
        for reader in (store.each_reader() if listed else ())
        if is_erased(reader) or reader.subscriber.email.casefold() in emails
    ]
    known = {reader.subscriber.email.casefold(): reader for reader in readers}
    spelling = {key: reader.subscriber.email for key, reader in known.items()}
    _record_departures(store, listed, known, now)
    current = without_erased(subscribed(listed), [r.subscriber.email for r in readers], keys)
    named = {each.subscriber.email: each.named for each in listed}
    spelt = [replace(s, email=spelling.get(s.email.casefold(), s.email)) for s in current]
    store.sync_subscribers(
        spelt,
        named={s.email: named[one.email] for s, one in zip(spelt, current, strict=True)},
        now=now,
    )


def _record_departures(
    store: Pages, listed: Iterable[ListedReader], known: dict[str, Reader], now: datetime
) -> None:
    """Record who has left by the operator's file.

    An entry without a date gives way to any consent: the reader may have come back since.
    """
    for each in listed:
        reader = known.get(each.subscriber.email.casefold())
        if each.status == "confirmed" or (reader is not None and reader.status in LEFT):
            continue
        if each.since or reader is None or not store.consents(reader.id):
            store.import_departure(each, now=now)
