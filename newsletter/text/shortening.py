"""Shorten: the first sentences or words of a text, the first authors of a list."""

# ruff: noqa: RUF001 - characters that look alike are the subject here

import re
from collections.abc import Sequence

ELLIPSIS = "…"

_END = re.compile(r"[.!?][\"')\]”’]*(?=\s+[\"'(\[“‘]*[A-Z0-9À-Þ])")
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|cf|al|resp|approx|Figs?|Eqs?|Secs?|Tab|Refs?|Nos?|Dr|Prof|Mrs?|Ms|St"
    r"|w\.r\.t|a\.k\.a)|\b[A-Z])\.[\"')\]”’]*$"
)
_LONGEST_ABBREVIATION = 16


def first_sentences(text: str, count: int) -> str:
    """The first ``count`` sentences of a text; an abbreviation does not end one."""
    for match in _END.finditer(text):
        tail = text[max(0, match.end() - _LONGEST_ABBREVIATION) : match.end()]
        if _ABBREVIATION.search(tail):
            continue
        count -= 1
        if count <= 0:
            return text[: match.end()]
    return text


def first_words(text: str, least: int, most: int) -> str:
    """Enough first sentences of a text for ``least`` words, cut at ``most`` words."""
    count = 1
    while len((start := first_sentences(text, count)).split()) < least and start != text:
        count += 1
    words = start.split(" ")
    return start if len(words) <= most else " ".join(words[:most]).rstrip(" ,;:.-") + ELLIPSIS


def shorten(text: str, limit: int) -> str:
    """The text, cut to ``limit`` characters at the end of a word, with an ellipsis if cut."""
    if len(text) <= limit:
        return text
    cut = text[: max(limit - 1, 0)]
    head, space, _ = text[: len(cut) + 1].rpartition(" ")
    return (head if space and len(head) > limit // 2 else cut).rstrip(" ,;:.-") + ELLIPSIS


_ALL_SHOWN = 3  # authors of a paper that names them all


def authors_line(names: Sequence[str], count: int | None = None) -> str:
    """The first authors, the last one and how many; only the number if no names are known.

    A ``count`` above the number of names says that the list was cut: its last author is unknown.
    """
    total = max(len(names), count or 0)
    if not names:
        return "" if not total else f"{total} author{'s' if total > 1 else ''}"
    if len(names) < total:
        return f"{', '.join(names[:_ALL_SHOWN])} … ({total})"
    if total <= _ALL_SHOWN:
        return ", ".join(names)
    return f"{', '.join(names[: _ALL_SHOWN - 1])} … {names[-1]} ({total})"
