"""The lines that say what is in a letter: its subject, its preheader, and its index of topics."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

from newsletter.issue.composing import name_reason, quotes_own_rule
from newsletter.model import BY_FILTER, BY_FILTER_BEFORE, OTHER, Edition
from newsletter.text import short_title, shorten

SUBJECT_WIDTH = 78  # characters of a subject (RFC 5322, 2.1.1: what a line should have at most)

PREHEADER = (40, 110)
"""Fewest and most characters of a preheader.

An inbox fills a shorter one up with the letter's masthead and cuts a longer one off.
"""

_INDEX_WIDTH = 92  # characters of two lines at 360 pixels
BETWEEN = "\u00a0· "  # between the topics of an index: no line begins with the dot

Names = tuple[str, str, str]
"""How a paper may be called, the longest name first: in a preheader, in a subject with others."""

NAMED = 3  # papers that a subject names, and as many that the preheader does
_FORMS = ((1, NAMED), (1, 2), (2, 2), (2, 1))
"""Which of the :data:`Names` of how many papers a subject tries, in this order."""


def paper_names(title: str) -> Names:
    """The names of a paper with this title."""
    return shorten(title, PREHEADER[1]), short_title(title, 40), short_title(title, 34)


def names_to_try(papers: Sequence[Names]) -> list[tuple[str, int]]:
    """The names of these papers that a subject tries, in this order; and how many they are of."""
    chosen = [(papers[:count], form) for form, count in _FORMS]
    return [
        (_joined(list(dict.fromkeys(names[form] for names in named))), len(named))
        for named, form in chosen
    ]


def fitting_names(tries: Sequence[tuple[str, int]], total: int, width: int) -> tuple[str, int]:
    """The first of a letter's papers by name, and how many more (``A, B +7``); how many are named.

    ``tries`` are the :func:`names_to_try`, of which it takes the first that fits; ``width`` is the
    most characters.
    """
    for names, named in tries:
        line = f"{names} +{total - named}" if total > named else names
        if len(line) <= width:
            break
    return shorten(line, width), named


def preheader(papers: Sequence[Names], about_first: str) -> str:
    """A line of 40 to 110 characters on the papers after those that the subject names.

    As many titles as fit stand in full, the others by name. ``about_first`` is a line on the
    letter's first paper: it ends a line that would be too short.
    """
    least, most = PREHEADER
    line, next_ones = "", papers[:NAMED]
    for titles in range(len(next_ones), -1, -1):
        shown = [names[place >= titles] for place, names in enumerate(next_ones)]
        line = " · ".join(shown)
        if len(line) <= most:
            break
    if len(line) < least:
        line = f"{line} — {about_first}" if line else about_first
    return shorten(line, most)


def quiet_preheader(popular: Names, unmatched: int) -> str:
    """A preheader for a letter without papers, on the most upvoted one that did not match."""
    if unmatched == 1:
        return shorten(f"The only new paper did not match: {popular[0]}", PREHEADER[1])
    line = f"None of the {unmatched} new papers matched. The most upvoted: {popular[0]}"
    return shorten(line, PREHEADER[1])


def topic_counts(edition: Edition, order: Mapping[str, int]) -> tuple[dict[str, int], list[str]]:
    """The counts of an edition's topics, and those followed that have no paper of it.

    They are in the reader's order, and then in ``order``, that of all topics of the issue. The
    papers that open the letter count for their topics.
    """
    own = BY_FILTER_BEFORE if BY_FILTER_BEFORE in order else BY_FILTER
    counts: dict[str, int] = {}
    for section in edition.sections:
        if section.leads:
            for topic in map(_topic_of, section.because):
                name = own if topic == BY_FILTER else topic
                counts[name] = counts.get(name, 0) + 1
        else:
            name = own if section.name == BY_FILTER else section.name
            below = len(section.cards) + len(section.rows) + section.more
            counts[name] = counts.get(name, 0) + below
    if not counts:
        return {}, []
    followed = [topic for topic in edition.to.topics if topic in order]
    others = sorted((counts.keys() & order.keys()) - {*followed}, key=order.__getitem__)
    without = [topic for topic in followed if topic not in counts]
    return {name: counts[name] for name in (*followed, *others) if name in counts}, without


@lru_cache(maxsize=4096)
def _topic_of(reason: str) -> str:
    return BY_FILTER if quotes_own_rule(reason) else name_reason(reason) or OTHER


def index_entries(counts: Mapping[str, int], without: Sequence[str], when: str) -> list[str]:
    """How many papers each topic has, in two lines on a phone: ``Agents 8 · Speech none today``.

    These are the entries, to be joined by :data:`BETWEEN`.
    ``without`` are topics that have none; ``when`` is today or this week. What does not fit is
    counted. A single entry says no more than the masthead: then the index is empty.
    """
    if len(counts) + len(without) <= 1:
        return []
    shown = [f"{name}\u00a0{count}" for name, count in counts.items()]
    last = [f"{', '.join(without)} none {when}"] if without else []
    if len(without) > 1 and index_width(shown + last) > _INDEX_WIDTH:
        last = [f"{len(without)} topics none {when}"]
    while index_width(shown + last) > _INDEX_WIDTH and len(shown) > 1:
        shown.pop()
        last = [f"{len(counts) - len(shown)} more topics", *last[len(last) - bool(without) :]]
    shown += last
    if index_width(shown) <= _INDEX_WIDTH:
        return shown
    return [shorten(BETWEEN.join(shown), _INDEX_WIDTH)]


def index_width(entries: Sequence[str]) -> int:
    """The characters of an index with these entries."""
    return sum(map(len, entries)) + len(BETWEEN) * (len(entries) - 1)


def _joined(names: Sequence[str]) -> str:
    """Names in a row; where one has a comma, semicolons tell them apart."""
    return ("; " if any("," in name for name in names) else ", ").join(names)
