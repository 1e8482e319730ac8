"""Bring the store's readers up to date from the operator's file of readers."""

import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path

from newsletter.app.files import read_file, remedy
from newsletter.letter.links import Keyring
from newsletter.model import LEFT, FileEffect, ListedReader, OperatorAct, Reader, Subscriber
from newsletter.ports import Acts, Operator
from newsletter.readers.erasing import is_erased, without_erased
from newsletter.readers.operating import OperatedStore, describe_change

_log = logging.getLogger(__name__)

TAKEN_IN = "readers' file taken in"
"""The fact of a store that says which content of the readers' file it took in last."""

LARGE = 100_000
"""Bytes from which a readers' file that has not changed is not read again."""

_FILE = "readers' file"  # as who acts
_NAMED = 10  # readers that one sync names in the log


def read_bytes(path: Path, configuration: str) -> bytes:
    """The bytes of the readers' file; ``configuration`` is the name of the file that names it.

    Raises:
        ConfigurationError: it does not exist or cannot be read.
    """
    lists_nobody = "write it (`subscribers: []` lists nobody)"
    return read_file(
        path, remedy(path, f"{lists_nobody}, or correct `subscribers:` in {configuration}")
    )


def is_taken_in(store: Operator, content: bytes, topics: Collection[str]) -> bool:
    """Whether a store took in a large file as it is now, with these names of topics."""
    digest = _digest(content, topics)
    return bool(digest) and store.facts().get(TAKEN_IN) == digest


def record_taken_in(store: Operator, content: bytes, topics: Collection[str]) -> None:
    """Record that a store has taken in a file of any size."""
    digest = _digest(content, topics)
    if store.facts().get(TAKEN_IN, "") != digest:
        store.record_fact(TAKEN_IN, digest)


def _digest(content: bytes, topics: Collection[str]) -> str:
    """A digest of what decides what a file means; another version may read it otherwise.

    Empty for a file that is always read again: it is small, or has variables, with which it may
    mean something else than before.
    """
    if len(content) < LARGE or b"${" in content:
        return ""
    digest = blake2b(content, digest_size=16)
    digest.update("\0".join((version("daily-papers-newsletter"), *sorted(topics))).encode())
    return digest.hexdigest()


def subscribed(listed: Iterable[ListedReader]) -> tuple[Subscriber, ...]:
    """The subscribers in a file of readers, without those who left or are blocked."""
    return tuple(each.subscriber for each in listed if each.status == "confirmed")


def sync_readers(
    store: OperatedStore, listed: Sequence[ListedReader], keys: Keyring, now: datetime
) -> None:
    """Bring the store's readers up to date; known ones keep the spelling of their address.

    Whoever is touched by that, beyond what the file itself gave them, is logged and recorded.
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
    effects = store.sync_subscribers(
        spelt,
        named={s.email: named[one.email] for s, one in zip(spelt, current, strict=True)},
        now=now,
    )
    _tell(store, [(each.reader, each.email, _words(each)) for each in effects], now)


def _words(effect: FileEffect) -> str:
    changed = "; ".join(map(describe_change, effect.replaced))
    return f"choices replaced: {changed}" if changed else "is not listed any more: no more emails"


def _tell(store: Acts, touched: Sequence[tuple[int, str, str]], now: datetime) -> None:
    """Log whom the file touches, the first of them by name, and record it of all."""
    for _, email, words in touched[:_NAMED]:
        _log.warning("the readers' file: %s %s", email, words)
    if len(touched) > _NAMED:
        _log.warning("the readers' file: and so on, %d readers in all", len(touched))
    acts = [OperatorAct(now, _FILE, "changed by the file", id_, said) for id_, _, said in touched]
    store.record_acts(acts)


def _record_departures(
    store: OperatedStore, listed: Iterable[ListedReader], known: dict[str, Reader], now: datetime
) -> None:
    """Record who has left by the operator's file.

    An entry without a date gives way to any consent: the reader may have come back since.
    """
    for each in listed:
        reader = known.get(each.subscriber.email.casefold())
        if each.status == "confirmed" or (reader is not None and reader.status in LEFT):
            continue
        stays = reader is not None and not each.since and store.consents(reader.id)
        if not stays and store.import_departure(each, now=now) and reader is not None:
            words = f"{each.status} by the file: no more emails"
            _tell(store, [(reader.id, reader.subscriber.email, words)], now)
