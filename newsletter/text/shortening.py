"""Shorten a text at a word, and a list to its first authors."""

from collections.abc import Sequence

ELLIPSIS = "…"


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
