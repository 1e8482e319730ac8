"""Readers as they are stored: from a row of the table to a reader, whatever is in the row."""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import fields
from typing import Any, TypeVar, get_args

import sqlalchemy as sa

from newsletter.errors import FilterError, Isolated, describe
from newsletter.model import SUBSCRIBER_FIELDS, Filter, Origin, Reader, Status, Subscriber
from newsletter.readers.stored_settings import checked
from newsletter.stores.sql import schema
from newsletter.stores.sql.codec import dump, load
from newsletter.stores.sql.statements import pages

T = TypeVar("T")

READERS = schema.readers.c

_WANTS = frozenset(field.name for field in fields(Filter))
_STATUSES = frozenset(get_args(Status))

COLUMNS: tuple[sa.ColumnElement[Any], ...] = (
    READERS.id,
    READERS.email,
    READERS.status,
    READERS.decided,
    READERS.origin,
    READERS.body,
)
"""What :func:`reader_of` reads; the id comes first."""


def reader_of(row: sa.Row[Any]) -> Reader:
    """The reader in this row; one whose row cannot be used has a ``fault``, and raises nothing."""
    email, fallback, status = row.email, "", row.status
    subscriber, fault = load_or_fault(Subscriber, row.body)
    if subscriber is not None:
        subscriber, fault, fallback = checked(subscriber)
        if subscriber.email != email:
            fault = f"stored for the address {subscriber.email!r}"
    if type(row.decided) is not int:
        fault = f"the last paper decided is stored as {row.decided!r}"
    if status not in _STATUSES:
        status, fault = "confirmed", f"there is no status {status!r}"
    if fault or subscriber is None:
        return Reader(row.id, Subscriber(email), status, 0, _origin(row), fault)
    # An edition reads the text as one that `dump` wrote: a hand may leave white space before it.
    stored = None if fallback or row.body[:1] != "{" else (subscriber, row.body)
    return Reader(row.id, subscriber, status, row.decided, _origin(row), "", fallback, stored)


def _origin(row: sa.Row[Any]) -> Origin:
    return "file" if row.origin == "file" else "store"


def load_or_fault(kind: type[T], text: str) -> tuple[T | None, str]:
    """The value in a stored text; None, and why, if it cannot be read."""
    attempt = Isolated()
    with attempt:
        try:
            return load(kind, text), ""
        except FilterError as error:
            return None, f"a stored rule cannot be read: {error.text!r}: {error.reason}"
    return None, f"stored settings cannot be read: {describe(attempt.error)}"


def read_settings(body: str) -> Mapping[str, object]:
    """Every field in a stored text, those of the filter among them; nothing of one without any."""
    stored = _object(_parsed(body))
    values = {**stored, **_object(stored.get("filter"))}
    return {name: value for name, value in values.items() if name in SUBSCRIBER_FIELDS}


def topics_of(body: str) -> tuple[str, ...]:
    """The topics in a stored text; nothing else of it is read."""
    found = _object(_object(_parsed(body)).get("filter")).get("topics")
    return tuple(name for name in found if isinstance(name, str)) if isinstance(found, list) else ()


def replace_settings(body: str, wanted: Subscriber, names: Collection[str]) -> str:
    """A stored text with these fields as in ``wanted``, and everything else as it was."""
    stored, new = _object(_parsed(body)), json.loads(dump(wanted))
    own = {"email": wanted.email} | stored
    inner, new_inner = {**_object(stored.get("filter"))}, new.pop("filter", {})
    for name in names:
        kept, given = (inner, new_inner) if name in _WANTS else (own, new)
        kept.pop(name, None)
        kept |= {name: given[name]} if name in given else {}
    own |= {"filter": inner} if inner or not _WANTS.isdisjoint(names) else {}
    return json.dumps(own, separators=(",", ":"))


def _parsed(body: str) -> object:
    try:
        return json.loads(body)
    except (ValueError, TypeError, RecursionError):  # anything may be in the column
        return None


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def usable_subscriber(body: str | None) -> Subscriber | None:
    """The subscriber in a stored text as they can be served; None if they cannot."""
    stored = None if body is None else load_or_fault(Subscriber, body)[0]
    if stored is None:
        return None
    subscriber, fault, _ = checked(stored)
    return None if fault else subscriber


def all_readers(connection: sa.Connection) -> Iterator[Reader]:
    """All readers by id, loaded in batches."""
    all_pages = pages(connection, sa.select(*COLUMNS), READERS.id)
    return (reader_of(row) for rows in all_pages for row in rows)
