"""Erased readers: only an alias of each is left, a keyed hash of the address."""

import re
from collections.abc import Collection, Iterable

from newsletter.letter.links import Keyring, keyed_hash
from newsletter.model import Reader, Subscriber

ERASED = "@erased.invalid"  # the aliases' domain; nobody can register it (RFC 2606)


def alias_of(reader: Reader, keys: Keyring) -> str:
    """What takes the place of a reader's address, so that no list re-adds them."""
    return f"{_alias_hash(reader.subscriber.email, keys)}.{reader.id}{ERASED}"


def is_erased(reader: Reader) -> bool:
    """Whether only an alias is left of a reader."""
    return is_alias(reader.subscriber.email)


def is_alias(email: str) -> bool:
    """Whether this stands for an erased reader, as :meth:`ReaderService.erase` makes it."""
    return re.fullmatch(r"[0-9a-f]{40}\.\d+" + re.escape(ERASED), email) is not None


def without_erased(
    listed: Iterable[Subscriber], emails: Collection[str], keys: Keyring
) -> list[Subscriber]:
    """The subscribers of a list except those who were erased and have not come back since.

    ``emails`` are those of the present readers, the aliases of the erased ones among them.
    """
    erased = {email.partition(".")[0] for email in emails if email.endswith(ERASED)}
    if not erased:
        return list(listed)
    current = {email.lower() for email in emails}
    # An alias may have been made with a key that has been replaced since.
    return [
        subscriber
        for subscriber in listed
        if subscriber.email.lower() in current
        or not any(_alias_hash(subscriber.email, keyring) in erased for keyring in keys.each)
    ]


def _alias_hash(email: str, keys: Keyring) -> str:
    return keyed_hash(f"erased:{email.lower()}", keys)[:40]
