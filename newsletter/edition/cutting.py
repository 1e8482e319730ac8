"""An edition cut: the chosen papers as cards, as rows while they fit, and the rest as more."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

from newsletter.edition.judging import Heading, headings, judge
from newsletter.edition.table import Table
from newsletter.model import Edition, Section, Standing, Summary
from newsletter.topics import bits

MAX_HTML = 102_400
"""Bytes of HTML that Gmail shows before it clips a message."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bytes of HTML of the pieces a letter is made of.

    ``frame`` is all that surrounds the sections, ``heading`` the most a section adds, ``because``
    the most a reason adds; ``cards`` has, for a summary length, each paper's card.
    """

    frame: int
    heading: int
    because: int
    cards: Mapping[Summary, tuple[int, ...]]
    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Budget:
    """What a letter may hold: bytes by the pieces' sizes, and cards by the newsletter's cap."""

    sizes: Sizes
    max_items: int
    max_html: int = MAX_HTML


def cut(table: Table, standing: Standing, budget: Budget) -> Edition:
    """One reader's edition: what they are owed and want, in their order, within the budget."""
    judged = judge(table, standing)
    wants, summary = standing.reader.subscriber.filter, standing.reader.subscriber.summary
    under = headings(table, wants, judged.chosen)
    cap = budget.max_items if wants.max_items is None else wants.max_items
    listed = _first(judged.chosen, cap) if summary == "titles" else judged.chosen
    cards, rows = _fit(listed, len(under), summary, cap, budget)
    shown = cards | rows
    return Edition(
        standing=standing,
        sections=tuple(_section(h, cards, rows) for h in under if h.papers & shown),
        more=tuple(bits(judged.chosen & ~shown)),
        short=tuple(bits(judged.short)),
        left_out=(judged.owed & ~judged.chosen & ~judged.sent).bit_count(),
    )


def _fit(chosen: int, sections: int, summary: Summary, cap: int, budget: Budget) -> tuple[int, int]:
    """Which of the chosen become cards and which rows: the best first, while they fit."""
    sizes = budget.sizes
    room = budget.max_html - sizes.frame - sections * sizes.heading
    cards = rows = count = 0
    limit = 0 if summary == "titles" else cap
    for place in bits(chosen):
        if count < limit and (card := sizes.cards[summary][place] + sizes.because) <= room:
            cards |= 1 << place
            room -= card
            count += 1
        elif sizes.rows[place] <= room:
            limit = 0  # after the first row no card: the order says how good a paper is
            rows |= 1 << place
            room -= sizes.rows[place]
        else:
            break
    return cards, rows


def _first(papers: int, count: int) -> int:
    return sum(1 << place for place in islice(bits(papers), count))


def _section(heading: Heading, cards: int, rows: int) -> Section:
    papers, placed = heading.papers, heading.placed
    return Section(
        name=heading.name,
        cards=tuple([placed[place] for place in bits(papers & cards)]),
        rows=tuple([placed[place] for place in bits(papers & rows)]),
    )
