"""Domain values as JSON and back: compact, and still readable after the model has grown.

A dataclass becomes an object of its fields without those that have their default; tuples and sets
become lists, dates ISO 8601, rules their text. Reading ignores keys that the model no longer has; a
change of meaning needs a migration.
"""

import json
import re
import sys
import types
import zlib
from collections.abc import Callable, Collection
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import date, datetime
from functools import cache
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from newsletter.model import Rule
from newsletter.papers.filters import parse_rule

T = TypeVar("T")

Plain = Any
"""What JSON has: objects, lists, strings, numbers, booleans, null."""

Step = Callable[[Any], Any]
"""Converts a value into a plain one, or back."""


def dump(value: object) -> str:
    """A value as JSON, escaped to ASCII so that every database accepts it."""
    kind: Any = type(value)
    return json.dumps(_writer(kind)(value), separators=(",", ":"))


def load(kind: type[T], text: str | bytes) -> T:
    """The value of this type that :func:`dump` wrote."""
    hint: Any = kind
    value: T = _reader(hint)(json.loads(text))
    return value


def pack(value: object) -> bytes:
    """A large value as compressed JSON."""
    return zlib.compress(dump(value).encode(), level=6)


def unpack(kind: type[T], packed: bytes) -> T:
    """The value of this type that :func:`pack` wrote."""
    return load(kind, zlib.decompress(packed))


def read_numbers(text: str) -> list[int]:
    """A list of ingest numbers; of a damaged one, the numbers that can be read."""
    try:
        numbers: list[int] = json.loads(text)
    except ValueError:
        return [int(number) for number in re.findall(r"\d+", text)]
    return numbers


@cache
def _writer(kind: Any) -> Step:  # noqa: ANN401 - a type hint is anything
    """The step from values of this type to plain ones."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is types.UnionType:
        return _optional(_writer(inner[0]))
    if origin is tuple:
        return _sequence(list, _writer(inner[0]))
    if origin is frozenset:
        return sorted
    if is_dataclass(kind) and kind not in _WRITERS:
        return _object_writer(kind)
    return _WRITERS.get(kind, _identity)


@cache
def _reader(kind: Any) -> Step:  # noqa: ANN401 - a type hint is anything
    """The step from plain values to values of this type."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is types.UnionType:
        return _optional(_reader(inner[0]))
    if origin is tuple and inner[0] is str:
        # Saves memory: many editions have the same reasons, many papers the same categories.
        return lambda words: tuple(map(sys.intern, _listed(words)))
    if origin is tuple:
        return _sequence(tuple, _reader(inner[0]))
    if origin is frozenset:
        return frozenset
    if is_dataclass(kind) and kind not in _READERS:
        return _object_reader(kind)
    return _READERS.get(kind, _identity)


_WRITERS: dict[type, Step] = {
    Rule: lambda rule: rule.text,
    date: date.isoformat,
    datetime: datetime.isoformat,
}

_READERS: dict[type, Step] = {
    Rule: parse_rule,
    date: date.fromisoformat,
    datetime: datetime.fromisoformat,
}


def _identity(value: Plain) -> Plain:
    return value


def _optional(step: Step) -> Step:
    return lambda value: None if value is None else step(value)


def _sequence(kind: type, step: Step) -> Step:
    """The step for tuples of any length whose members have one type."""
    if step is _identity:
        return lambda values: kind(_listed(values))
    return lambda values: kind(map(step, _listed(values)))


def _listed(values: Plain) -> Plain:
    """These values, which must be a list: the letters of a word are no list of words."""
    if type(values) not in {list, tuple}:
        raise TypeError(f"not a list: {values!r:.60}")
    return values


def _object_writer(kind: Any) -> Step:  # noqa: ANN401 - as above
    hints = get_type_hints(kind)
    parts = [(field.name, _default(field), _writer(hints[field.name])) for field in fields(kind)]

    def write(value: Any) -> dict[str, Plain]:  # noqa: ANN401 - a value of this type
        found = ((name, getattr(value, name), default, step) for name, default, step in parts)
        return {name: step(part) for name, part, default, step in found if part != default}

    return write


def _object_reader(kind: Any) -> Step:  # noqa: ANN401 - as above
    hints = get_type_hints(kind)
    steps = {field.name: _reader(hints[field.name]) for field in fields(kind)}
    steps_needed = [(name, step) for name, step in steps.items() if step is not _identity]

    def read(plain: dict[str, Plain]) -> Any:  # noqa: ANN401 - a value of this type
        # Only bodies of an older model have other keys.
        known = plain if plain.keys() <= steps.keys() else _without_unknown(plain, steps)
        for name, step in steps_needed:
            if name in known:
                known[name] = step(known[name])
        return kind(**known)

    return read


def _without_unknown(plain: dict[str, Plain], names: Collection[str]) -> dict[str, Plain]:
    return {name: part for name, part in plain.items() if name in names}


def _default(field: Field[Any]) -> object:
    """The field's default; an object that equals nothing if it has none."""
    return object() if field.default is MISSING else field.default
