"""What the operator's file of readers changes in the readers that the store knows."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import sqlalchemy as sa

from newsletter.model import (
    LEFT,
    FileEffect,
    Status,
    Subscriber,
    field_changes,
    field_values,
)
from newsletter.stores.logic import (
    OwnChoices,
    follow_file,
    merge_file_changes,
    named_fields,
    status_in_file,
    status_removed_from_file,
)
from newsletter.stores.sql.codec import dump
from newsletter.stores.sql.reader_rows import load_or_fault, usable_subscriber

OWN: frozenset[Status] = LEFT | {"confirmed"}
"""The statuses of readers of the store who chose for themselves. An unconfirmed one may be anybody:
what somebody wrote into the form does not bind the operator."""


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A reader in the operator's file: the subscriber, also as stored, and the fields named."""

    subscriber: Subscriber
    body: str
    given: Collection[str]

    @classmethod
    def of(cls, subscriber: Subscriber, given: Collection[str] = ()) -> Self:
        """The entry of a subscriber, of whom the file names at least the fields ``given``."""
        return cls(subscriber, dump(subscriber), given)

    @property
    def named(self) -> frozenset[str]:
        """The fields that the file names."""
        return named_fields(self.subscriber).union(self.given) - {"email"}


@dataclass(frozen=True, slots=True)
class _State:
    """What the file may change of a reader."""

    status: str
    origin: str
    body: str
    listed: str | None
    own: str | None


def file_changes(
    known: Iterable[sa.Row[Any]], entries: Mapping[str, FileEntry]
) -> Iterator[dict[str, Any]]:
    """The changes that the operator's file makes to known readers, as parameters of an update."""
    for row in known:
        entry = entries.get(row.email)
        if entry is None and row.origin != "file":
            continue
        before = _State(row.status, row.origin, row.body, row.listed, row.own)
        after = _struck(row) if entry is None else _listed(row, entry)
        if after != before:
            yield {
                "reader": row.id,
                "new_status": after.status,
                "new_origin": after.origin,
                "new_body": after.body,
                "new_listed": after.listed,
                "new_own": after.own,
            }


def effect_of_file(row: sa.Row[Any], change: Mapping[str, Any]) -> Iterator[FileEffect]:
    """What a change means to somebody who gets letters: none any more, or another choice.

    A value that they had from the file is no choice of theirs.
    """
    before, after = usable_subscriber(row.body), usable_subscriber(change["new_body"])
    if row.status != "confirmed" or before is None or after is None:
        return
    listed = usable_subscriber(row.listed)
    of_file = field_values(listed) if listed else {}
    own = [
        each
        for each in field_changes(before, after)
        if each.field not in of_file or of_file[each.field] != each.before
    ]
    if own or change["new_status"] == "removed":
        yield FileEffect(row.id, row.email, tuple(own))


def _listed(row: sa.Row[Any], entry: FileEntry) -> _State:
    """A known reader whom the file lists; what cannot be read gives way to the file."""
    status = status_in_file(row.status)
    if row.listed == entry.body and row.own is None:
        return _State(status, "file", row.body, row.listed, None)
    known, listed, own = usable_subscriber(row.body), usable_subscriber(row.listed), _own(row)
    if known is not None and own is not None:
        before = listed or entry.subscriber
        mine, kept = follow_file(known, own, before, entry.subscriber, entry.named)
        return _State(status, "file", dump(mine), entry.body, dump(kept))
    if known is not None and listed is not None:
        merged = merge_file_changes(known, listed, entry.subscriber)
        return _State(status, "file", dump(merged), entry.body, None)
    return _State(status, "file", entry.body, entry.body, None)


def _struck(row: sa.Row[Any]) -> _State:
    """A reader of the file who is not listed any more: the store's again, if they were before."""
    if row.own is None:
        return _State(status_removed_from_file(row.status), "file", row.body, row.listed, None)
    known, listed, own = usable_subscriber(row.body), usable_subscriber(row.listed), _own(row)
    body = row.body
    if known is not None and listed is not None and own is not None:
        body = dump(follow_file(known, own, listed, listed, ())[0])
    return _State(row.status, "store", body, None, None)


def _own(row: sa.Row[Any]) -> OwnChoices | None:
    """The own choices of a reader who is, or was, the store's; None for one of the file."""
    if row.own is not None:
        return load_or_fault(OwnChoices, row.own)[0]
    known = usable_subscriber(row.body)
    return OwnChoices(known) if known and row.origin == "store" and row.status in OWN else None
