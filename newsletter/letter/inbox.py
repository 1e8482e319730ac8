"""What an inbox shows of a letter before it is opened: its subject and its preheader."""

from collections.abc import Sequence

from newsletter.text import short_title, shorten

SUBJECT_WIDTH = 78  # characters of a subject (RFC 5322, 2.1.1: what a line should have at most)

PREHEADER = (40, 110)
"""Fewest and most characters of a preheader.

An inbox fills a shorter one up with the letter's masthead and cuts a longer one off.
"""

Names = tuple[str, str, str]
"""How a paper may be called, the longest name first: in a preheader, in a subject with others."""

NAMED = 3  # papers that a subject names, and as many that the preheader does
_FORMS = ((1, NAMED), (1, 2), (2, 2), (2, 1))
"""Which of the :data:`Names` of how many papers a subject tries, in this order."""


def paper_names(title: str) -> Names:
    """The names of a paper with this title."""
    return shorten(title, PREHEADER[1]), short_title(title, 40), short_title(title, 34)


def name_papers(papers: Sequence[Names], total: int, width: int) -> tuple[str, int]:
    """The first of a letter's papers by name, and how many more (``A, B +7``); how many are named.

    ``width`` is the most characters: as many papers are named as fit, at most three.
    """
    for form, count in _FORMS:
        named = papers[:count]
        more = f" +{total - len(named)}" if total > len(named) else ""
        line = _joined(list(dict.fromkeys(names[form] for names in named))) + more
        if len(line) <= width:
            break
    return shorten(line, width), len(named)


def preheader(papers: Sequence[Names], about_first: str) -> str:
    """A line of 40 to 110 characters on the papers after those that the subject names.

    As many titles as fit stand in full, the others by name. ``about_first`` is a line on the
    letter's first paper: it ends a line that would be too short.
    """
    least, most = PREHEADER
    line, next_ones = "", papers[:NAMED]
    for titles in range(len(next_ones), -1, -1):
        line = " · ".join(
            names[0] if place < titles else names[1] for place, names in enumerate(next_ones)
        )
        if len(line) <= most:
            break
    if len(line) < least:
        line = f"{line} — {about_first}" if line else about_first
    return shorten(line, most)


def _joined(names: Sequence[str]) -> str:
    """Names in a row; where one has a comma, semicolons tell them apart."""
    return ("; " if any("," in name for name in names) else ", ").join(names)
