"""Measure how many bylines are read wrongly, on recorded lists of authors joined in eight ways.

Usage: ``python -m bench.bylines LISTS.json``, where the file has a JSON list of lists of names.
"""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from newsletter.text.bylines import byline

Names = Sequence[str]

_SUFFIXES = {"Jr", "Jr.", "Sr", "Sr.", "II", "III", "IV"}
_ADDRESSES = ("Univ. of Fiction, Nowhere", "Dept. X", "MIT; ETH", "1,2")


def _parts(name: str) -> tuple[str, str, str]:
    """First names, last name and suffix."""
    words = name.replace(",", "").split(" ")
    suffix = words.pop() if len(words) > 1 and words[-1] in _SUFFIXES else ""
    return " ".join(words[:-1]), words[-1], suffix


def _initials(first: str) -> str:
    return " ".join(f"{word[0]}." for word in first.split(" ") if word)


def turned(name: str) -> str:
    """``Last, First``, with a suffix at the end."""
    first, last, suffix = _parts(name)
    return ", ".join(filter(None, (last, first, suffix)))


def with_initials(name: str) -> str:
    """``Last, F.``, with a suffix at the end."""
    first, last, suffix = _parts(name)
    return ", ".join(filter(None, (last, _initials(first), suffix)))


def shortened(name: str) -> str:
    """``F. Last``: what is to be read out of ``Last, F.``."""
    first, last, suffix = _parts(name)
    return " ".join(filter(None, (_initials(first), last, suffix)))


def _and(names: Names, comma: str) -> str:
    head = ", ".join(names[:-1])
    return f"{head}{comma} and {names[-1]}" if head else names[-1]


def _with_places(names: Names) -> str:
    return ", ".join(f"{name} ({_ADDRESSES[at % 4]})" for at, name in enumerate(names))


JOINS: dict[str, Callable[[Names], Sequence[str]]] = {
    "commas": lambda names: [", ".join(names)],
    "comma and": lambda names: [_and(names, ",")],
    "and": lambda names: [_and(names, "")],
    "semicolons": lambda names: ["; ".join(names)],
    "Last, First;": lambda names: ["; ".join(map(turned, names))],
    "Last, F., Last, F.": lambda names: [", ".join(map(with_initials, names))],
    "fields": lambda names: names,
    "affiliations": lambda names: [_with_places(names)],
}
"""Eight ways to write a list of names into the fields of an entry."""


def wrong(names: Names, join: str) -> tuple[str, ...]:
    """What is read where the list is joined in this way; empty if it is right."""
    found = byline(JOINS[join](names))
    right = map(shortened, names) if join == "Last, F., Last, F." else names
    return () if found == tuple(name.replace(",", "") for name in right) else found


def main() -> None:
    """Print the share of lists that are read wrongly: of all, and of those of two authors."""
    lists = [tuple(names) for names in json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))]
    pairs = [names[:2] for names in lists if len(names) > 1]
    for title, each in (("lists", lists), ("first two authors", pairs)):
        for join in JOINS:
            bad = [(names, got) for names in each if (got := wrong(names, join))]
            print(f"{title:18} {join:20} {len(bad):4} of {len(each)} {str(bad[:1])[:300]}")


if __name__ == "__main__":
    main()
