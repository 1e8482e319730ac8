"""Publish an issue: freeze it for the readers who wait for it, deliver it, stop it.

Also here: the operator's decisions about an issue, or about a letter whose fate is unknown.
"""

import asyncio
from array import array
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from newsletter.delivery.delivering import DeliveryRun, take_over
from newsletter.delivery.refusals import refuses_reader
from newsletter.delivery.store_wait import StoreWait
from newsletter.errors import Isolated, UsageError, describe
from newsletter.model import (
    OPEN_ISSUE,
    STOPPED_ISSUE,
    Counts,
    IssueState,
    MailEvent,
    PlannedEdition,
    Reader,
    ReaderFault,
    SourceReport,
    Wave,
    allowing,
)
from newsletter.ports import Issues, Readers, RunLock, Transport
from newsletter.publisher.canary import Canary, canary_readers, find_turn
from newsletter.publisher.drafting import (
    OnFault,
    compose_from_store,
    in_chunks,
    plan_editions,
    read_in_chunks,
    render_draft,
    usable_readers,
)
from newsletter.publisher.mailing import IssueMailer
from newsletter.publisher.publisher import Publisher
from newsletter.publisher.reporting import is_in
from newsletter.readers.due import is_due
from newsletter.text.kept import forget_texts

NOTHING_NEW, NO_SOURCE = "no new papers", "no source answered"

_MAX_REPLY = 500  # characters of a server's reply that a bounce keeps

_BY_OPERATOR = "by the operator"


def waiting_readers(
    publisher: Publisher,
    day: date,
    *,
    emails: Collection[str] | None = None,
    everyone: bool = False,
    on_fault: OnFault = lambda _fault: None,
) -> Sequence[int]:
    """The ids of confirmed readers whom the issue of ``day`` is for and who have no delivery yet.

    ``emails`` of None means all. With ``everyone``, readers are included whose cadence leaves this
    day out; paused ones stay paused. ``on_fault`` gets readers whose settings cannot be used, or
    raise an unexpected exception.
    """
    store = publisher.store
    readers = store.each_reader() if emails is None else store.readers(emails=emails)

    def is_waiting(reader: Reader) -> bool:
        with Isolated(f"{day}: reader {reader.subscriber.email}") as attempt:
            return is_due(reader.subscriber, day, publisher.cadence, everyone=everyone)
        on_fault(ReaderFault(reader.id, reader.subscriber.email, describe(attempt.error)))
        return False

    usable = usable_readers(publisher, readers, on_fault)
    found = (reader.id for reader in usable if is_waiting(reader))
    return without_delivery(store, day, array("q", found))


def count_papers(publisher: Publisher, day: date, readers: Sequence[int]) -> int:
    """How many papers an issue frozen now for these readers, by id, would be about."""
    after = publisher.store.lowest_decided(readers)
    if after is None:
        return 0
    issue = compose_from_store(publisher, day, after)
    new = {paper.number for paper in issue.in_question}
    return len(new.union(publisher.store.papers_to_reconsider(day=day)))


def without_delivery(store: Readers, day: date, readers: Sequence[int]) -> Sequence[int]:
    """Those of these readers, in their order, who have no delivery of that day's issue."""
    found = array("q")
    for chunk in in_chunks(readers):
        planned = store.planned_readers(day, among=chunk)
        found.extend(reader for reader in chunk if reader not in planned)
    return found


def free_readers(publisher: Publisher, day: date, readers: Sequence[int]) -> Sequence[int]:
    """Those of :func:`without_delivery` to whom no letter of another issue is being sent now."""
    busy = publisher.store.busy_readers(day, now=publisher.clock.now())
    return without_delivery(publisher.store, day, array("q", (r for r in readers if r not in busy)))


def freeze(
    publisher: Publisher,
    day: date,
    readers: Sequence[int],
    reports: Sequence[SourceReport],
    *,
    due: datetime | None = None,
    on_fault: OnFault = lambda _fault: None,
) -> bool:
    """Freeze the issue of ``day`` for these readers, or record that there was nothing to send.

    The readers, by id, are read again a few at a time while the wave is frozen, so that few are in
    memory at once. ``due`` is the wave's instant; None means now, which is also taken if that wave
    is frozen already. ``on_fault`` gets readers whose edition raises an unexpected exception;
    they get no delivery, and so wait for the next attempt.

    Returns whether a wave was frozen. False for an issue that is held or cancelled.
    """
    readers = with_canary(publisher, day, readers)
    after = publisher.store.lowest_decided(readers)
    if after is None or is_in(publisher.store, day, STOPPED_ISSUE):
        return False
    frozen_already = due in {wave.due for wave in publisher.store.wave_heads(day)}
    failed = [report.name for report in reports if report.state == "failed"]
    draft = render_draft(publisher, compose_from_store(publisher, day, after, failed))
    in_question = draft.issue.in_question or publisher.store.papers_to_reconsider(day=day)
    if publisher.when_empty == "skip" and not in_question:
        unknown = bool(reports) and all(one.state == "failed" for one in reports)
        reason = NO_SOURCE if unknown else NOTHING_NEW
        publisher.store.skip_issue(day, reason=reason, now=draft.issue.frozen_at)
        return False
    at = draft.issue.frozen_at if frozen_already or due is None else due
    wave = Wave(0, draft.issue, at, draft.fragments.dump())
    faulty = set[int]()

    def note(fault: ReaderFault) -> None:
        faulty.add(fault.id)
        on_fault(fault)

    def plan(ids: Sequence[int]) -> Iterator[PlannedEdition]:
        return plan_editions(publisher, draft, read_in_chunks(publisher, ids), note)

    try:
        publisher.store.freeze(wave, _Plans(lambda: plan(readers)))
    except _NobodyPlannedError:
        return False
    left = free_readers(publisher, day, [r for r in readers if r not in faulty])
    if left:  # a letter of another issue was decided meanwhile: within a transaction none can be
        publisher.store.freeze(wave, plan(left))
    forget_texts()
    return True


def with_canary(publisher: Publisher, day: date, readers: Sequence[int]) -> Sequence[int]:
    """These readers, before them those who get an issue first, if any of these waits for it."""
    if publisher.canary is None or not readers:
        return readers
    first = canary_readers(publisher.store, publisher.canary)
    missing = without_delivery(publisher.store, day, [one for one in first if one not in readers])
    return [*missing, *readers] if missing else readers


class _NobodyPlannedError(Exception):
    """Every reader was skipped: a wave without deliveries would be left open."""


@dataclass(frozen=True, slots=True)
class _Plans:
    """At least one plan, made before the transaction that stores them."""

    make: Callable[[], Iterator[PlannedEdition]]

    def __iter__(self) -> Iterator[PlannedEdition]:
        plans = self.make()
        first = next(plans, None)
        if first is None:
            raise _NobodyPlannedError
        yield first
        yield from plans


async def publish(  # noqa: PLR0913 - each is a choice of its own
    publisher: Publisher,
    day: date,
    transport: Transport,
    *,
    run_lock: RunLock,
    turn: str = "1",
    readers: Collection[int] | None = None,
    progress: Callable[[Counts], None] = lambda _counts: None,
    wait: StoreWait | None = None,
) -> Counts:
    """Deliver the open letters of the frozen issue of ``day``, and record mailboxes that are gone.

    Claims are made under the name of ``run_lock``; claims of runs that have ended are taken over at
    once. ``turn`` tells this delivery from others of the same run; no two may use the same one.
    ``readers`` are ids, None for all. ``wait`` is how long to wait for a store that is away; None
    means not at all.

    Raises:
        TransportError: the server as a whole refuses us. What was sent is settled, and the same
            call later continues.
        StoreError: the store cannot be read or written; the same call later continues.
    """
    wait = wait or StoreWait(publisher.clock, limit=timedelta())
    await wait.until_done(lambda: take_over(publisher.store, day, run_lock, publisher.clock.now()))
    allowed = await wait.until_done(lambda: take_turn(publisher, day, readers))
    mailer = IssueMailer(publisher.store, publisher.keyring)
    counts = await DeliveryRun(
        publisher.store,
        transport,
        publisher.clock,
        day,
        mailer.envelope,
        run=f"{run_lock.name}.{turn}",
        readers=allowed,
        resend=publisher.in_doubt == "resend",
        progress=progress,
        wait=wait,
    ).deliver()
    if counts.failed:
        await wait.until_awaited(
            lambda: asyncio.to_thread(record_refused_mailboxes, publisher, day)
        )
    return counts


def take_turn(
    publisher: Publisher, day: date, readers: Collection[int] | None
) -> Collection[int] | None:
    """Which of these readers' letters may leave now, None for all.

    It holds the issue, or clears it, if the time for that has come.
    """
    turn = find_turn(publisher.store, publisher.canary, day, publisher.clock.now())
    if turn.hold:
        hold(publisher.store, day, reason=turn.hold)
    elif turn.is_over:
        publisher.store.clear_issue(day)
    if turn.is_over or turn.readers is None:
        return readers
    return turn.readers if readers is None else set(turn.readers).intersection(readers)


def record_refused_mailboxes(publisher: Publisher, day: date) -> None:
    """Record a hard bounce for each letter refused because there is no such reader.

    If more letters were refused so than accepted, the refusals are about the sender, whatever
    their words, and none is recorded.
    """
    failed = publisher.store.deliveries(day, states={"failed"})
    refused = {row.email: row.reply for row in failed if refuses_reader(row.reply)}
    if len(refused) > publisher.store.counts(day).accepted:
        return
    now = publisher.clock.now()
    for reader in publisher.store.readers(emails=refused):
        reply = refused[reader.subscriber.email]
        digest = f"{day}:{reader.id}"  # counts once, however often the issue is delivered
        event = MailEvent(
            digest, "hard", reader.id, now.date(), reply[:_MAX_REPLY], reader.subscriber.email, day
        )
        publisher.store.record_mail_event(event, now=now)


def cancel(store: Issues, day: date) -> None:
    """Let no further letter of an issue leave, also if it is not frozen yet.

    The papers of letters that have not left are owed to the next issue.

    Raises:
        UsageError: the issue is closed already.
    """
    among = (*allowing("cancel"), None)
    if not store.set_issue_state(day, "cancelled", reason=_BY_OPERATOR, from_states=among):
        raise UsageError(f"the issue of {day} is done; there is nothing left to cancel")


def undo(store: Issues, day: date, *, now: datetime) -> None:
    """Remove an issue of which nothing was sent; its readers' papers are owed to the next one.

    Raises:
        UsageError: there is none, or emails have left.
    """
    if store.undo_issue(day, now=now):
        return
    if store.issue_state(day) is None:
        raise UsageError(f"there is no issue of {day}")
    raise UsageError(
        f"emails of {day} were sent or are being sent, which cannot be undone; "
        f"`newsletter issue cancel {day}` stops those that were not"
    )


def hold(store: Issues, day: date, *, reason: str) -> bool:
    """Let no letter of an issue leave until it is released; returns whether this changed it."""
    return store.set_issue_state(day, "held", reason=reason, from_states=(*allowing("hold"), None))


def release(store: Issues, day: date, canary: Canary | None = None) -> None:
    """Let the letters of an issue leave that is held, or was sent to the ``canary`` only.

    Raises:
        UsageError: it is neither. A cancelled issue stays so: the next one has its papers.
    """
    if canary is not None and not store.is_cleared(day) and is_in(store, day, OPEN_ISSUE):
        store.clear_issue(day)
        return
    state: IssueState = "frozen" if store.wave_heads(day) else "skipped"
    if not store.set_issue_state(
        day, state, reason="released " + _BY_OPERATOR, from_states=allowing("release")
    ):
        found = store.issue_state(day)
        actual = f": it is {found[0]}" if found else "; there is none"
        raise UsageError(f"the issue of {day} is not held{actual}")
    store.clear_issue(day)


def resolve(
    store: Issues, day: date, emails: Collection[str], *, arrived: bool, now: datetime
) -> Sequence[str]:
    """Settle held letters by what the operator found out about them.

    An empty collection of ``emails`` means all whose letter is held. The papers of letters that did
    not arrive are owed again. Returns the addresses of the readers whose letters were settled.

    Raises:
        UsageError: one of them has no held letter.
    """
    held = {row.email for row in store.deliveries(day, states={"held"})}
    for email in emails:
        if email not in held:
            raise UsageError(f"no email of {day} to {email} is held; `newsletter audit {day}`")
    return sorted(store.resolve(day, emails or held, arrived=arrived, now=now))
