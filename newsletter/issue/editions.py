"""One reader's edition: the chosen papers as cards, as one-line rows, or behind "N more"."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from newsletter.issue.composing import IssueMasks
from newsletter.issue.selecting import TopicGroup, group_by_topic, select_papers
from newsletter.model import TOP, Edition, Length, ReaderHistory, Recipient, Section, Summary
from newsletter.papers.topics import bit_indexes

LEAD_PAPERS = 3  # how many papers open a letter, before its topics

MIN_CARDS_FOR_LEADS = 6  # a shorter letter does without papers that open it
MAX_HTML_BYTES = 102_400  # bytes of HTML that Gmail shows before it clips a message


@dataclass(frozen=True, slots=True)
class HtmlSizes:
    """Bytes of HTML that the parts of a letter take, personal values at their longest."""

    frame: int  # everything around the sections
    heading: int  # the most that one section adds
    reason: int  # the most that the reason on a card adds
    cards: Mapping[Length, tuple[int, ...]]  # each paper's card
    rows: tuple[int, ...]  # each paper's one-line title


@dataclass(frozen=True, slots=True)
class EditionLimits:
    """What a letter may hold; ``max_items`` applies to readers who set no number themselves."""

    sizes: HtmlSizes
    max_items: int
    max_html: int = MAX_HTML_BYTES


def compose_edition(masks: IssueMasks, history: ReaderHistory, limits: EditionLimits) -> Edition:
    """The papers this reader is owed and wants, in their order, within the limits."""
    selection = select_papers(masks, history)
    chosen, subscriber = selection.chosen, history.reader.subscriber
    wants, summary = subscriber.filter, subscriber.summary
    groups = group_by_topic(masks, wants, chosen)
    max_items = limits.max_items if wants.max_items is None else wants.max_items
    # Readers of titles alone have no cards: for them the cap is on the rows.
    listed, max_cards = (
        (_first(chosen, max_items), 0) if summary == "titles" else (chosen, max_items)
    )
    cards_at_most = min(max_cards, listed.bit_count())
    leads = _first(listed, LEAD_PAPERS) if cards_at_most >= MIN_CARDS_FOR_LEADS else 0
    room = limits.max_html - limits.sizes.frame
    room -= (len(groups) + bool(leads)) * limits.sizes.heading
    cards, rows = _fit(listed, leads, max_cards, room, summary, limits.sizes)
    shown, leads = cards | rows, leads & cards
    return Edition(
        to=Recipient.of(history.reader),
        sections=(
            *_lead_section(groups, leads),
            *(_section(g, cards & ~leads, rows) for g in groups if g.papers & shown & ~leads),
        ),
        more=tuple(bit_indexes(chosen & ~shown)),
        short=tuple(bit_indexes(selection.too_few_upvotes)),
        left_out=(selection.owed & ~chosen & ~selection.sent).bit_count(),
    )


def _first(papers: int, count: int) -> int:
    return sum(1 << index for index in islice(bit_indexes(papers), count))


def _fit(
    papers: int, leads: int, max_cards: int, room: int, summary: Summary, sizes: HtmlSizes
) -> tuple[int, int]:
    """Which papers become cards and which rows, best first, while the bytes suffice."""
    card_sizes, lead_sizes = sizes.cards[summary], sizes.cards[lead_length(summary)]
    cards = rows = count = 0
    for index in bit_indexes(papers):
        card = sizes.reason + (lead_sizes if leads >> index & 1 else card_sizes)[index]
        if count < max_cards and card <= room:
            cards |= 1 << index
            room -= card
            count += 1
        elif sizes.rows[index] <= room:
            max_cards = 0  # no card after the first row: the order says how good a paper is
            rows |= 1 << index
            room -= sizes.rows[index]
        else:
            break
    return cards, rows


def lead_length(summary: Summary) -> Length:
    """How much of their abstracts the papers that open a letter show its reader."""
    return "lead" if summary == "short" else summary


def _lead_section(groups: Sequence[TopicGroup], leads: int) -> tuple[Section, ...]:
    """The section that opens the letter, each paper with the reason from its own group."""
    if not leads:
        return ()
    reasons = {i: group.reasons[i] for group in groups for i in bit_indexes(group.papers & leads)}
    cards = tuple(bit_indexes(leads))
    return (Section(TOP, cards, because=tuple(map(reasons.__getitem__, cards)), leads=True),)


def _section(group: TopicGroup, cards: int, rows: int) -> Section:
    as_cards = tuple(bit_indexes(group.papers & cards))
    as_rows = tuple(bit_indexes(group.papers & rows))
    reasons = tuple(map(group.reasons.__getitem__, as_cards + as_rows))
    return Section(group.name, as_cards, as_rows, reasons)
