"""An edition cut: the chosen papers as cards, as rows while they fit, and the rest as more."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from newsletter.issue.composing import IssueMasks
from newsletter.issue.selecting import TopicGroup, group_by_topic, select_papers
from newsletter.model import TOP, Edition, Length, ReaderHistory, Recipient, Section, Summary
from newsletter.papers.topics import bit_indexes

LEAD_PAPERS = 3
"""How many papers open a letter, before its topics."""

MIN_CARDS_FOR_LEADS = 6
"""A letter of fewer cards has no papers of its own to open it: it is short enough."""

MAX_HTML_BYTES = 102_400
"""Bytes of HTML that Gmail shows before it clips a message."""


@dataclass(frozen=True, slots=True)
class HtmlSizes:
    """Bytes of HTML of the pieces a letter is made of.

    ``frame`` is all that surrounds the sections, ``heading`` the most a section adds, ``because``
    the most a reason adds; ``cards`` has, for a summary length, each paper's card.
    """

    frame: int
    heading: int
    because: int
    cards: Mapping[Length, tuple[int, ...]]
    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class EditionLimits:
    """What a letter may hold: bytes by the pieces' sizes, and cards by the newsletter's cap."""

    sizes: HtmlSizes
    max_items: int
    max_html: int = MAX_HTML_BYTES


def compose_edition(table: IssueMasks, history: ReaderHistory, budget: EditionLimits) -> Edition:
    """One reader's edition: what they are owed and want, in their order, within the budget."""
    judged = select_papers(table, history)
    wants, summary = history.reader.subscriber.filter, history.reader.subscriber.summary
    under = group_by_topic(table, wants, judged.chosen)
    cap = budget.max_items if wants.max_items is None else wants.max_items
    listed = _first(judged.chosen, cap) if summary == "titles" else judged.chosen
    top = _top(listed, summary, cap)
    cards, rows = _fit(listed, top, len(under) + bool(top), _limit(summary, cap), summary, budget)
    shown, top = cards | rows, top & cards
    return Edition(
        to=Recipient.of(history.reader),
        sections=(
            *_leading(under, top),
            *(_section(h, cards & ~top, rows) for h in under if h.papers & shown & ~top),
        ),
        more=tuple(bit_indexes(judged.chosen & ~shown)),
        short=tuple(bit_indexes(judged.short)),
        left_out=(judged.owed & ~judged.chosen & ~judged.sent).bit_count(),
    )


def _limit(summary: Summary, cap: int) -> int:
    """How many cards a letter has at most."""
    return 0 if summary == "titles" else cap


def _top(chosen: int, summary: Summary, cap: int) -> int:
    """The papers that open the letter, if it has enough others."""
    enough = min(_limit(summary, cap), chosen.bit_count()) >= MIN_CARDS_FOR_LEADS
    return _first(chosen, LEAD_PAPERS) if enough else 0


def _fit(
    chosen: int, top: int, sections: int, limit: int, summary: Summary, budget: EditionLimits
) -> tuple[int, int]:
    """Which of the chosen become cards and which rows: the best first, while they fit."""
    sizes = budget.sizes
    of_cards, of_leads = sizes.cards[summary], sizes.cards[lead_length(summary)]
    room = budget.max_html - sizes.frame - sections * sizes.heading
    cards = rows = count = 0
    for place in bit_indexes(chosen):
        card = sizes.because + (of_leads if top >> place & 1 else of_cards)[place]
        if count < limit and card <= room:
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


def lead_length(summary: Summary) -> Length:
    """How much of their abstracts the papers that open a letter show its reader."""
    return "lead" if summary == "short" else summary


def _leading(under: Sequence[TopicGroup], top: int) -> tuple[Section, ...]:
    """The section of the papers that open the letter, each with the reason that brought it."""
    if not top:
        return ()
    because = {place: h.because[place] for h in under for place in bit_indexes(h.papers & top)}
    cards = tuple(bit_indexes(top))
    return (Section(TOP, cards, because=tuple(because[place] for place in cards), leads=True),)


def _first(papers: int, count: int) -> int:
    return sum(1 << place for place in islice(bit_indexes(papers), count))


def _section(heading: TopicGroup, cards: int, rows: int) -> Section:
    as_cards, as_rows = (
        tuple(bit_indexes(heading.papers & cards)),
        tuple(bit_indexes(heading.papers & rows)),
    )
    because = tuple(map(heading.because.__getitem__, as_cards + as_rows))
    return Section(heading.name, as_cards, as_rows, because)
