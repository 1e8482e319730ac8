"""One reader's edition: the chosen papers as cards, as one-line rows, or as "N more"."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from newsletter.issue.composing import IssueMasks
from newsletter.issue.selecting import TopicGroup, group_by_topic, select_papers
from newsletter.model import OTHER, TOP, Edition, Length, ReaderHistory, Recipient, Section, Summary
from newsletter.papers.topics import bit_indexes, first_bits

LEAD_PAPERS = 3  # how many papers open a letter, before its topics

MIN_CARDS_FOR_LEADS = 6  # a shorter letter does without papers that open it
MAX_HTML_BYTES = 102_400  # bytes of HTML that Gmail shows before it clips a message
MAX_CORRECTIONS = 20  # in one letter, the newest ones
CARD_SHARE = 4  # a letter that cannot name every paper gives a fourth of its room to cards


@dataclass(frozen=True, slots=True)
class HtmlSizes:
    """Bytes of HTML that the parts of a letter take, personal values at their longest."""

    frame: int  # everything around the sections
    heading: int  # the most that one section adds
    reason: int  # the most that the reason on a card adds
    cards: Mapping[Length, tuple[int, ...]]  # each paper's card
    rows: tuple[int, ...]  # each paper's one-line title
    corrections: tuple[int, ...] = ()  # each correction
    corrections_frame: int = 0  # everything around the corrections


@dataclass(frozen=True, slots=True)
class EditionLimits:
    """What a letter may hold; ``max_items`` applies to readers who set no number themselves.

    ``has_page`` says that "N more" links to a page with every paper of the edition.
    """

    sizes: HtmlSizes
    max_items: int
    max_html: int = MAX_HTML_BYTES
    has_page: bool = False


def compose_edition(masks: IssueMasks, history: ReaderHistory, limits: EditionLimits) -> Edition:
    """The papers this reader is owed and wants, in their order, within the limits.

    Papers that the letter cannot name are behind its "N more" if that links to a page that does;
    otherwise they wait for the next issue, once: then they are named even if that makes the letter
    longer than ``limits.max_html``.
    """
    selection = select_papers(masks, history)
    chosen, subscriber = selection.chosen, history.reader.subscriber
    wants, summary = subscriber.filter, subscriber.summary
    groups = group_by_topic(masks, wants, chosen)
    max_cards = limits.max_items if wants.max_items is None else wants.max_items
    if summary == "titles":
        max_cards = 0
    corrections = history.corrected[-MAX_CORRECTIONS:] if chosen else ()  # no letter for them alone
    room = limits.max_html - limits.sizes.frame - len(groups) * limits.sizes.heading
    if corrections:
        sizes = (limits.sizes.corrections[index] for index in corrections)
        room -= sum(sizes) + limits.sizes.corrections_frame
    waited = 0 if limits.has_page else chosen & selection.again
    leads = 0
    if min(max_cards, chosen.bit_count()) >= MIN_CARDS_FOR_LEADS:
        leads = _lead_papers(groups, chosen)
        room_below = room - limits.sizes.heading
        cards, rows = _fit(chosen, leads, waited, max_cards, room_below, summary, limits.sizes)
    if leads == 0 or leads & ~cards:  # a section of the best three has three
        leads = 0
        cards, rows = _fit(chosen, leads, waited, max_cards, room, summary, limits.sizes)
    shown = cards | rows
    unnamed = tuple(bit_indexes(chosen & ~shown))
    return Edition(
        to=Recipient.of(history.reader),
        sections=(
            *_lead_section(groups, leads),
            *(_section(g, cards & ~leads, rows) for g in groups if g.papers & shown & ~leads),
        ),
        more=unnamed if limits.has_page else (),
        waiting=() if limits.has_page else unnamed,
        short=tuple(bit_indexes(selection.too_few_upvotes)),
        left_out=(selection.owed & ~chosen & ~selection.sent).bit_count(),
        corrections=corrections,
    )


def _fit(
    papers: int,
    leads: int,
    waited: int,
    max_cards: int,
    room: int,
    summary: Summary,
    sizes: HtmlSizes,
) -> tuple[int, int]:
    """Which papers become cards and which rows, best first, within ``room`` bytes.

    Every paper gets a row first; what is left makes cards of the best ones. If the rows alone do
    not fit, the cards get their share of the room, and the last papers get nothing. Those that
    ``waited`` get a row in any case, and leave the others at least half of the room.
    """
    order, rows = (*bit_indexes(leads), *bit_indexes(papers & ~leads)), sizes.rows
    card_sizes, lead_sizes = sizes.cards[summary], sizes.cards[lead_length(summary)]
    left = room - sum([rows[index] for index in order])
    for_cards = left if left >= 0 else room // CARD_SHARE
    room = max(room - sum([rows[index] for index in bit_indexes(waited)]), room // 2)
    cards = named = count = 0
    for index in order:
        row = 0 if waited >> index & 1 else rows[index]  # room for those that waited is kept
        card = sizes.reason + (lead_sizes if leads >> index & 1 else card_sizes)[index]
        more = max(0, card - rows[index])
        if count < max_cards and more <= for_cards and row + more <= room:
            for_cards -= more
            room -= row + more
            count += 1
            cards |= 1 << index
        elif row <= room:
            max_cards = 0  # no card after the first row: the order says how good a paper is
            room -= row
        else:
            papers = named | waited  # no new paper after the first without room
            break
        named |= 1 << index
    return cards, papers & ~cards


def _lead_papers(groups: Sequence[TopicGroup], chosen: int) -> int:
    """The best papers, the last of them from a second topic if the others are all from one."""
    leads = first_bits(chosen, LEAD_PAPERS)
    for group in groups:
        if not leads & ~group.papers:
            topics = sum(other.papers for other in groups if other.name != OTHER)
            elsewhere = first_bits(topics & ~group.papers, 1)
            return first_bits(leads, LEAD_PAPERS - 1) | elsewhere if elsewhere else leads
    return leads


def lead_length(summary: Summary) -> Length:
    """How much of their abstracts the papers that open a letter show its reader."""
    return "lead" if summary in {"short", "brief"} else summary


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
