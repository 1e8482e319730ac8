"""See an issue before it is sent: the letters, the reasons for them, and what a filter would bring.

Nothing here stores anything.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from newsletter.delivery.delivering import send_unrecorded
from newsletter.errors import TransportError
from newsletter.issue.composing import IssueMasks, compose_issue
from newsletter.issue.editions import compose_edition
from newsletter.issue.ranking import near_wishes, nearest_first
from newsletter.issue.selecting import explain, select_papers
from newsletter.letter.fragments import IssueFragments
from newsletter.letter.message import MessageBuilder
from newsletter.model import (
    Accepted,
    Claim,
    Edition,
    Envelope,
    Issue,
    Letter,
    Matching,
    Outcome,
    PlannedEdition,
    PublishedIssue,
    Reader,
    ReaderHistory,
    Rendering,
    Subscriber,
    Verdict,
)
from newsletter.papers.topics import extend_matching, with_later_names
from newsletter.ports import Transport
from newsletter.publisher.drafting import (
    Draft,
    compose_from_store,
    compose_late,
    in_chunks,
    limits_for,
    masks_for,
    match_readers,
    plan_editions,
    read_in_chunks,
    render_draft,
    with_tastes,
)
from newsletter.publisher.mailing import IssueMailer
from newsletter.publisher.publisher import Publisher
from newsletter.publisher.publishing import without_delivery

NEAR_MISSES = ("exclude ", "has ", "left out: ", "not close enough ")
"""How the reasons begin of papers that a filter wanted and one rule kept away, or almost wanted."""


@dataclass(frozen=True, slots=True)
class PreviewedLetter:
    """One reader's letter before it is sent."""

    edition: Edition
    rendering: Rendering
    envelope: Envelope


def preview(
    publisher: Publisher, day: date, readers: Sequence[Reader], to: str | None = None
) -> Iterator[PreviewedLetter]:
    """Each reader's letter: as it was frozen, or else as it would be composed now.

    With ``to``, the letters are addressed to that person instead, as if to a reader who does not
    exist: the links in them change nothing.
    """
    mailer = IssueMailer(publisher.store, publisher.keyring)
    rest = []
    for reader in readers:
        frozen = publisher.store.edition(day, reader.subscriber.email)
        if frozen is None:
            rest.append(reader)
        else:
            wave, edition = frozen[0], _readdressed(publisher, frozen[1], to)
            yield PreviewedLetter(edition, *mailer.letter(wave, edition))
    if rest:
        after = min(reader.decided for reader in rest)
        draft = render_draft(publisher, compose_from_store(publisher, day, after))
        plans = plan_editions(publisher, draft, [rest])
        editions = (_readdressed(publisher, plan.edition, to) for plan in plans)
        yield from _letters(publisher, draft, editions)


def preview_waiting(
    publisher: Publisher, day: date, reader_ids: Sequence[int]
) -> Iterator[PreviewedLetter]:
    """The letters of readers, by id, who wait for the issue of ``day``, as composed now.

    Few letters are in memory at a time, however many readers there are.
    """
    after = publisher.store.lowest_decided(reader_ids)
    if after is not None:
        draft = render_draft(publisher, compose_from_store(publisher, day, after))
        plans = plan_editions(publisher, draft, read_in_chunks(publisher, reader_ids))
        yield from _letters(publisher, draft, (plan.edition for plan in plans))


def preview_as_new(
    publisher: Publisher, day: date, reader: Reader, to: str | None = None
) -> PreviewedLetter:
    """A letter with all papers read for a day, as if nothing had ever been sent.

    It is rendered with the current templates, even if the day's issue was frozen before. ``to`` is
    that of :func:`preview`.
    """
    draft, plan = _plan_as_new(publisher, day, replace(reader, decided=0))
    (letter,) = _letters(publisher, draft, [_readdressed(publisher, plan.edition, to)])
    return letter


def render_sample(
    publisher: Publisher, published: PublishedIssue, subscriber: Subscriber
) -> Rendering | None:
    """The email that a newcomer with these choices gets of a frozen issue: its new papers.

    None if the issue is so old that its details were removed.
    """
    if publisher.store.has_no_details(published.day):
        return None
    wave = publisher.store.wave(publisher.store.wave_heads(published.day)[-1].id)
    fragments = IssueFragments.load(wave.pieces)
    stranger = Reader(0, subscriber, "confirmed", published.after, "store")
    # Of a paper that an earlier issue had under another name, the number alone is new.
    known = (paper.group for paper in wave.issue.papers if paper.group <= published.after)
    history = ReaderHistory(stranger, sent=frozenset(known))
    edition = compose_late(publisher, wave.issue, fragments, history)
    return MessageBuilder(fragments, publisher.keyring).render(edition)


def _letters(
    publisher: Publisher, draft: Draft, editions: Iterable[Edition]
) -> Iterator[PreviewedLetter]:
    builder = MessageBuilder(draft.fragments, publisher.keyring)
    for edition in editions:
        yield PreviewedLetter(edition, builder.render(edition), builder.build(edition))


def _readdressed(publisher: Publisher, edition: Edition, to: str | None) -> Edition:
    """The edition addressed to somebody else, under an id that no reader has.

    The id is new each time: the Message-ID is made from it, and mail programs show a message whose
    Message-ID they know only once.
    """
    if to is None:
        return edition
    stranger = replace(edition.to, id=-int(publisher.clock.now().timestamp()), email=to)
    return replace(edition, to=stranger)


async def dry_run(letters: Iterable[PreviewedLetter], transport: Transport) -> int:
    """Give previewed letters to a transport outside the ledger; returns how many it accepted.

    Raises:
        TransportError: the transport did not accept one.
    """
    accepted = 0

    def count(letter: Letter, outcome: Outcome) -> None:
        nonlocal accepted
        if not isinstance(outcome, Accepted):
            raise TransportError(f"{letter.envelope.recipient}: {outcome}")
        accepted += 1

    claimed = (
        Letter(Claim(0, each.edition.to.id, "dry run", each.edition, 1), each.envelope)
        for each in letters
    )
    await send_unrecorded(transport, claimed, count)
    return accepted


def explain_issue(publisher: Publisher, day: date, readers: Sequence[Reader]) -> Iterator[Verdict]:
    """For each of these readers and each paper of the issue, whether it is included and why.

    Readers with a frozen edition get the reasons that held when it was frozen, with the filter
    they had then; the others get those that would hold if the issue were frozen now.
    """
    store, waves = publisher.store, publisher.store.waves(day)
    ids = [reader.id for reader in readers]
    for wave in waves:
        matching = match_readers(publisher, wave.issue, ())
        for chunk in in_chunks(ids):
            frozen = store.plans_at_freeze(wave, chunk)
            then = with_tastes(publisher, wave.issue, [plan.history for plan in frozen])
            plans = [replace(plan, history=each) for plan, each in zip(frozen, then, strict=True)]
            yield from _explain(publisher, wave.issue, matching, plans)
    without = frozenset(without_delivery(store, day, ids))
    rest = [reader for reader in readers if reader.id in without]
    if not rest or store.has_no_details(day):
        return
    if waves:
        issue, pieces = waves[-1].issue, IssueFragments.load(waves[-1].pieces)
        issue = replace(issue, topics=with_later_names(issue.topics, publisher.topics))
        draft = Draft(issue, match_readers(publisher, issue, ()), pieces)
    else:
        after = min(reader.decided for reader in rest)
        draft = render_draft(publisher, compose_from_store(publisher, day, after))
    for some in in_chunks(rest):
        composed = list(plan_editions(publisher, draft, [some]))
        yield from _explain(publisher, draft.issue, draft.matching, composed)


def explain_as_new(publisher: Publisher, day: date, reader: Reader) -> tuple[Verdict, ...]:
    """The reasons for the letter of :func:`preview_as_new`."""
    draft, plan = _plan_as_new(publisher, day, replace(reader, decided=0))
    return tuple(_explain(publisher, draft.issue, draft.matching, [plan]))


def _explain(
    publisher: Publisher, issue: Issue, matching: Matching, plans: Sequence[PlannedEdition]
) -> Iterator[Verdict]:
    filters = [plan.history.reader.subscriber.filter for plan in plans]
    matching = extend_matching(matching, issue, filters, publisher.matcher)
    masks = IssueMasks(issue, matching, publisher.matcher)
    for plan in plans:
        yield from explain(masks, plan.history, plan.edition)


def _plan_as_new(publisher: Publisher, day: date, reader: Reader) -> tuple[Draft, PlannedEdition]:
    """A reader's edition of a day's papers as if nothing had ever been sent."""
    draft = render_draft(publisher, _as_new(publisher, day))
    (history,) = with_tastes(publisher, draft.issue, [ReaderHistory(reader)])
    masks = masks_for(publisher, draft, [reader])
    edition = compose_edition(masks, history, limits_for(publisher, draft.fragments))
    return draft, PlannedEdition(history, edition)


def _as_new(publisher: Publisher, day: date, *, first: bool = False) -> Issue:
    """The issue of a day's papers as if all of them were new and nothing had ever been sent.

    With ``first`` it has only those that no earlier day listed, as readers get each paper once.
    """
    now, papers = publisher.clock.now(), publisher.store.papers_listed(day, first=first)
    fresh = [replace(paper, muted=False, first_seen=now) for paper in papers]
    cutoff = max((paper.number for paper in papers), default=0)
    return compose_issue(fresh, publisher.topics, day=day, cutoff=cutoff, after=0, frozen_at=now)


@dataclass(frozen=True, slots=True)
class FilterPreview:
    """What a filter makes of one day's papers; of those that are included, the surest come first.

    ``papers`` and ``matches`` say how many there are, and how many are included. The verdicts may
    be those of the first ones only.
    """

    day: date
    papers: int
    matches: int
    included: tuple[Verdict, ...]
    near_misses: tuple[Verdict, ...]


MatchedDay = tuple[Issue, Matching]
"""The papers of a day, and the topics that they are in."""


def preview_filter(
    publisher: Publisher,
    subscriber: Subscriber,
    today: date,
    days: int,
    *,
    most: int | None = None,
    enough: int | None = None,
) -> tuple[FilterPreview, ...]:
    """What a subscriber's filter makes of the papers read on each of the last days."""
    (previews,) = preview_filters(publisher, [subscriber], today, days, most, enough)
    return previews


def preview_filters(
    publisher: Publisher,
    subscribers: Sequence[Subscriber],
    today: date,
    days: int,
    most: int | None = None,
    enough: int | None = None,
) -> Sequence[tuple[FilterPreview, ...]]:
    """What each of these subscribers' filters makes of the papers of each of the last days.

    A paper counts on the day that listed it first. Days without papers are left out, and those
    before the days that have ``enough`` papers together. What was sent before does not count. The
    papers of a day are read and matched once for all filters. ``most`` is how many verdicts of a
    kind are wanted for a day, None for all.
    """
    return preview_on(publisher, read_days(publisher, today, days, enough), subscribers, most)


def read_days(
    publisher: Publisher, today: date, days: int, enough: int | None = None
) -> Iterator[MatchedDay]:
    """The papers of each of the last days, matched with the topics, for :func:`preview_on`."""
    for issue in _first_listed(publisher, today, days, enough):
        yield issue, match_readers(publisher, issue, ())


def preview_on(
    publisher: Publisher,
    days: Iterable[MatchedDay],
    subscribers: Sequence[Subscriber],
    most: int | None = None,
) -> Sequence[tuple[FilterPreview, ...]]:
    """What :func:`preview_filters` says, for days that were read before."""
    histories = [ReaderHistory(Reader(0, each, "confirmed", 0, "store")) for each in subscribers]
    filters = [each.filter for each in subscribers]
    by_day = []
    for issue, matching in days:
        extended = extend_matching(matching, issue, filters, publisher.matcher)
        masks = IssueMasks(issue, extended, publisher.matcher)
        by_day.append([_preview_for(masks, history, most) for history in histories])
    return [tuple(of_day[place] for of_day in by_day) for place in range(len(histories))]


def _first_listed(
    publisher: Publisher, today: date, days: int, enough: int | None = None
) -> Iterator[Issue]:
    """Of each of the last days, newest first, the papers that no day before had listed."""
    papers = 0
    for back in range(days):
        if enough is not None and papers >= enough:
            return
        issue = _as_new(publisher, today - timedelta(days=back), first=True)
        papers += len(issue.papers)
        if issue.papers:
            yield issue


def _preview_for(masks: IssueMasks, history: ReaderHistory, most: int | None) -> FilterPreview:
    selection = select_papers(masks, history)
    wants = history.reader.subscriber.filter
    almost = near_wishes(masks, wants)
    kept_away = (selection.wanted | almost) & ~selection.chosen & ~masks.quarantined
    surest = selection.ranking.order(selection.chosen)[:most]
    nearest = nearest_first(masks, wants, kept_away)[:most]
    asked = sum(1 << index for index in (*surest, *nearest))
    verdicts = {verdict.paper: verdict for verdict in explain(masks, history, among=asked)}
    included, near = (
        [verdicts[masks.issue.papers[index].key] for index in places]
        for places in (surest, nearest)
    )
    return FilterPreview(
        day=masks.issue.day,
        papers=len(masks.issue.papers),
        matches=selection.chosen.bit_count(),
        included=tuple(verdict for verdict in included if verdict.included),
        near_misses=tuple(v for v in near if v.reason.startswith(NEAR_MISSES)),
    )


def count_matches(
    publisher: Publisher, subscribers: Sequence[Subscriber], today: date, days: int
) -> Sequence[int]:
    """How many papers of the last days each of these subscribers' filters finds."""
    histories = [ReaderHistory(Reader(0, each, "confirmed", 0, "store")) for each in subscribers]
    counts = [0] * len(histories)
    for issue in _first_listed(publisher, today, days):
        masks = IssueMasks(issue, match_readers(publisher, issue, [h.reader for h in histories]))
        for place, history in enumerate(histories):
            counts[place] += select_papers(masks, history).chosen.bit_count()
    return counts
