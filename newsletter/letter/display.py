"""How dates and texts stand in a letter; the templates' filters."""

from collections.abc import Callable, Mapping
from datetime import date

from newsletter.text import clean, direction, language, shorten

WIDTH = 78
"""Columns of the text part."""


def longdate(day: date) -> str:
    """A day in full: ``Monday, 3 August 2026``."""
    return f"{day:%A}, {day.day} {day:%B} {day.year}"


def shown(text: str) -> str:
    """A text fit for a letter: what cannot be printed or encoded is left out.

    Sources clean what they read, so this finds something only where a text came another way.
    """
    return (text if text.isprintable() else clean(text)).strip()


def wrap(text: str, indent: str = "", width: int = WIDTH) -> str:
    """A text in lines that end by column ``width``, all but the first one indented.

    What stands before the first line is as wide as the indent. A word longer than a line, such as
    an address, has a line of its own.
    """
    lines, line, room = [], "", width - len(indent)
    for word in text.split():
        if line and len(line) + 1 + len(word) > room:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return f"\n{indent}".join([*lines, line])


FILTERS: Mapping[str, Callable[..., str]] = {
    "direction": direction,
    "language": language,
    "longdate": longdate,
    "shorten": shorten,
    "wrap": wrap,
}
"""What templates may pass a value through, besides Jinja's own filters."""
