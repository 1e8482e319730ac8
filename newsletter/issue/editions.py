"""One reader's edition: the chosen papers as cards, as one-line rows, or as "n more"."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice

from newsletter.issue.composing import IssueMasks
from newsletter.issue.ranking import Ranking
from newsletter.issue.selecting import Selection, TopicGroup, group_by_topic, select_papers
from newsletter.model import (
    OTHER,
    TOP,
    TOP_TEN,
    Days,
    Edition,
    Length,
    ReaderHistory,
    Recipient,
    Section,
    Subscriber,
    Summary,
)
from newsletter.papers.topics import bit_indexes

LEAD_PAPERS = 3  # how many papers open a letter, before its topics
WEEKLY_CARDS = 10  # how many papers open a weekly letter; the others are titles
POPULAR_PAPERS = 3  # how many papers a letter names if none matched

MIN_CARDS_FOR_LEADS = 6  # a shorter letter does without papers that open it
MAX_HTML_BYTES = 102_400  # bytes of HTML that Gmail shows before it clips a message
MAX_CORRECTIONS = 20  # in one letter, the newest ones
CARD_SHARE = 4  # a fourth of the room goes to cards, even if titles alone would fill it


@dataclass(frozen=True, slots=True)
class HtmlSizes:
    """Bytes of HTML that the parts of a letter take, personal values at their longest."""

    frame: int  # everything around the sections
    headings: Mapping[str, int]  # the heading and end of each section, by its name
    more_in: Mapping[str, int]  # the number of its papers without room
    reason: int  # the most that the reason on a card adds, if it shows one
    cards: Mapping[Length, tuple[int, ...]]  # each paper's card without a reason
    rows: tuple[int, ...]  # each paper's one-line title
    corrections: tuple[int, ...] = ()  # each correction
    corrections_frame: int = 0  # everything around the corrections


@dataclass(frozen=True, slots=True)
class EditionLimits:
    """What a letter may hold; ``max_items`` applies to readers who set no number themselves.

    ``has_page`` says that "n more" links to a page with every paper of the edition. ``cadence`` is
    that of readers who chose none, None if no letter has a weekly form.
    """

    sizes: HtmlSizes
    max_items: int
    max_html: int = MAX_HTML_BYTES
    has_page: bool = False
    cadence: Days | None = None


def compose_edition(masks: IssueMasks, history: ReaderHistory, limits: EditionLimits) -> Edition:
    """The papers this reader is owed and wants, in their order, within the limits.

    Papers that the letter cannot name are behind its "n more" if that links to a page that does;
    otherwise they wait for the next issue, once: then they are named even if that makes the letter
    longer than ``limits.max_html``.
    """
    selection = select_papers(masks, history)
    chosen, subscriber = selection.chosen, history.reader.subscriber
    wants, sizes = subscriber.filter, limits.sizes
    groups = group_by_topic(masks, wants, chosen)
    to, cadence = Recipient.of(history.reader), limits.cadence
    weekly = cadence is not None and to.is_weekly(masks.issue.day, cadence)
    max_cards = _max_cards(subscriber, limits, weekly=weekly)
    corrections = history.corrected[-MAX_CORRECTIONS:] if chosen else ()  # no letter for them alone
    room = limits.max_html - sizes.frame
    if corrections:
        room -= sum([sizes.corrections[i] for i in corrections]) + sizes.corrections_frame
    ranking = selection.ranking
    fit = partial(_fit, groups, selection, max_cards, room, subscriber.summary, limits)
    leads = cards = 0
    cards_wanted = min(max_cards, (chosen & ~ranking.titles).bit_count())
    if cards_wanted >= MIN_CARDS_FOR_LEADS:
        ten = weekly and cards_wanted >= WEEKLY_CARDS
        count = WEEKLY_CARDS if ten else LEAD_PAPERS
        leads = _lead_papers(masks, groups, ranking, chosen, count)
        cards, rows = fit(leads)
    if leads == 0 or leads & ~cards:  # a section of the best three has three
        leads = 0
        cards, rows = fit(leads)
    shown = cards | rows
    below = [group for group in groups if group.papers & shown & ~leads]
    rest = chosen & ~shown
    unnamed = _unnamed(below, ranking, rest)
    return Edition(
        to=to,
        sections=(
            *_lead_section(masks, groups, ranking, leads),
            *(_section(masks, group, ranking, cards & ~leads, rows, rest) for group in below),
        ),
        more=unnamed if limits.has_page else (),
        waiting=() if limits.has_page else unnamed,
        short=tuple(bit_indexes(selection.too_few_upvotes & ~selection.again)),
        left_out=(selection.owed & ~chosen & ~selection.sent).bit_count(),
        corrections=corrections,
        popular=() if chosen else _popular(masks, selection),
    )


def _popular(masks: IssueMasks, selection: Selection) -> tuple[int, ...]:
    """The most upvoted papers for a reader whom none matched: no excluded one, none sent before."""
    offered = selection.owed & ~selection.sent & ~selection.excluded
    offered &= ~masks.quarantined & ~masks.short
    return tuple(islice((i for i in masks.by_upvotes if offered >> i & 1), POPULAR_PAPERS))


def _max_cards(subscriber: Subscriber, limits: EditionLimits, *, weekly: bool) -> int:
    """How many papers have a card in this reader's letter, at most."""
    if subscriber.summary == "titles":
        return 0
    if subscriber.filter.max_items is not None:
        return subscriber.filter.max_items
    return min(limits.max_items, WEEKLY_CARDS) if weekly else limits.max_items


def _fit(
    groups: Sequence[TopicGroup],
    selection: Selection,
    max_cards: int,
    room: int,
    summary: Summary,
    limits: EditionLimits,
    leads: int,
) -> tuple[int, int]:
    """Which papers become cards and which rows, within ``room`` bytes.

    If there is room for it, every paper has a row, and the first ones in :func:`_order` a card. If
    not, cards have their share of the room, and topics take turns with titles. Those that waited
    for this issue have a row in any case, and leave the others at least half of the room.
    """
    ranking, sizes = selection.ranking, limits.sizes
    waited = 0 if limits.has_page else selection.chosen & selection.again
    chosen, order, names = _order(groups, ranking, leads)
    rows, size, leading = sizes.rows, sizes.cards[summary], sizes.cards[lead_length(summary)]
    as_cards = [i for i in order if not ranking.titles >> i & 1] if ranking.titles else order
    firsts, count = as_cards[:max_cards], leads.bit_count()
    shown = [leading[i] for i in firsts[:count]] + [size[i] for i in firsts[count:]]
    reasoned = leads | sum(group.own for group in groups)  # others show no reason
    extra = [
        max(0, card + (sizes.reason if reasoned >> i & 1 else 0) - rows[i])
        for card, i in zip(shown, firsts, strict=True)
    ]
    room -= sum([sizes.headings[name] for name in names])
    spare = room - sum([rows[i] for i in order])
    if sum(extra) <= spare:
        cards = _mask(firsts)
        return cards, chosen & ~cards
    counts = sum([sizes.more_in[name] for name in names])
    room -= counts
    for_cards = max(spare, room // CARD_SHARE)
    room = max(room - sum([rows[i] for i in bit_indexes(waited)]), room // 2)
    cards = spent = 0
    for index, more in zip(firsts, extra, strict=True):
        row = 0 if waited >> index & 1 else rows[index]  # room for those that waited is kept
        if spent + more > for_cards or row + more > room:
            break  # no card after the first row: the order says how good a paper is
        spent += more
        room -= row + more
        cards |= 1 << index
    if spent <= spare:
        return cards, chosen & ~cards
    left = [TopicGroup(g.name, g.papers & ~leads & ~cards, g.reasons) for g in groups]
    return cards, waited & ~cards | _rows_in_turns(left, ranking, waited, room + counts, sizes)


def _rows_in_turns(
    groups: Sequence[TopicGroup], ranking: Ranking, waited: int, room: int, sizes: HtmlSizes
) -> int:
    """The papers that have a row where not all have one: each group's next paper in turn.

    A group that is not named whole needs room for the number of its other papers, too.
    """
    left = [(ranking.order(group.papers), sizes.more_in[group.name]) for group in groups]
    room -= sum([count for papers, count in left if papers])
    named = turn = 0
    while left := [each for each in left if turn < len(each[0])]:
        for papers, count in left:
            index = papers[turn]
            room -= 0 if waited >> index & 1 else sizes.rows[index]
            room += count if turn == len(papers) - 1 else 0
            if room < 0:
                return named
            named |= 1 << index
        turn += 1
    return named


def _order(
    groups: Sequence[TopicGroup], ranking: Ranking, leads: int
) -> tuple[int, list[int], list[str]]:
    """The papers, and their order: the leads, each topic's best, the others; and the sections."""
    papers, firsts, names = 0, 0, [TOP] if leads else []
    for group in groups:
        if below := group.papers & ~leads:
            papers |= below
            firsts |= ranking.first(below)
            names.append(group.name)
    order = ranking.order
    return papers | leads, order(leads) + order(firsts) + order(papers & ~firsts), names


def _mask(indexes: Iterable[int]) -> int:
    return sum([1 << index for index in indexes])


def _lead_papers(
    masks: IssueMasks, groups: Sequence[TopicGroup], ranking: Ranking, chosen: int, count: int
) -> int:
    """The best papers, the last of them from a second topic if the others are all from one.

    Where enough papers have upvotes or comments, those lead: of the others nobody knows yet. None
    if fewer papers are sure, or if too many of these are of one wish.
    """
    if count == WEEKLY_CARDS and ranking.alike:  # these are all that the letter has as cards
        return _mask(ranking.order(chosen & ~ranking.titles)[:count])
    leads = ranking.leads(chosen & (masks.noticed | ranking.liked), count)
    if leads.bit_count() < count:
        leads = ranking.leads(chosen, count)
    if leads.bit_count() < count:
        return 0
    for group in groups:
        if not leads & ~group.papers:
            topics = sum(other.papers for other in groups if other.name != OTHER)
            elsewhere = ranking.leads(topics & ~group.papers, 1)
            best = _mask(ranking.order(leads)[: count - 1])
            return best | elsewhere if elsewhere else leads
    return leads


def lead_length(summary: Summary) -> Length:
    """How much of their abstracts the papers that open a letter show its reader."""
    return "lead" if summary in {"short", "brief"} else summary


def _lead_section(
    masks: IssueMasks, groups: Sequence[TopicGroup], ranking: Ranking, leads: int
) -> tuple[Section, ...]:
    """The section that opens the letter, each paper with the reason from its own group."""
    if not leads:
        return ()
    reasons = {
        i: group.full_reason(masks, i)
        for group in groups
        for i in bit_indexes(group.papers & leads)
    }
    cards = tuple(ranking.order(leads))
    name = TOP_TEN if len(cards) == WEEKLY_CARDS else TOP
    return (Section(name, cards, because=tuple(map(reasons.__getitem__, cards)), leads=True),)


def _section(
    masks: IssueMasks, group: TopicGroup, ranking: Ranking, cards: int, rows: int, rest: int
) -> Section:
    """A group's part of the letter; only cards have the evidence that a wish means the paper."""
    as_cards = tuple(ranking.order(group.papers & cards))
    as_rows = tuple(ranking.order(group.papers & rows))
    reasons = tuple(map(group.reasons.__getitem__, as_cards + as_rows))
    if group.wishes:
        full = (group.full_reason(masks, index) for index in as_cards)
        reasons = (*full, *reasons[len(as_cards) :])
    return Section(group.name, as_cards, as_rows, reasons, more=(group.papers & rest).bit_count())


def _unnamed(sections: Sequence[TopicGroup], ranking: Ranking, rest: int) -> tuple[int, ...]:
    """The papers without room: section by section, then those that are in no section."""
    if not rest:
        return ()
    unnamed = list[int]()
    for group in sections:
        unnamed += ranking.order(group.papers & rest)
        rest &= ~group.papers
    return (*unnamed, *ranking.order(rest))
