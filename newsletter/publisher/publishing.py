"""Publish: decide who is waiting for the issue, freeze it for them, deliver what is open."""

import asyncio
from array import array
from collections.abc import Callable, Collection, Sequence
from datetime import date, datetime

from newsletter.delivery.delivering import deliver
from newsletter.delivery.refusals import refuses_reader
from newsletter.model import STOPPED_ISSUE, Counts, MailEvent, SourceReport
from newsletter.ports import Readers, RunLock, Transport
from newsletter.publisher.drafting import chunks, draft, draft_issue, in_turn, plans, wave
from newsletter.publisher.issue_mailer import IssueMailer
from newsletter.publisher.publisher import Publisher
from newsletter.readers.due import is_due

NOTHING_NEW = "no new papers"

_LONGEST = 500
"""Characters of a server's words that are kept of a bounce."""


def waiting(
    publisher: Publisher,
    day: date,
    *,
    emails: Collection[str] | None = None,
    everyone: bool = False,
) -> Sequence[int]:
    """The confirmed readers, by id, the issue of ``day`` is for who have no delivery of it yet.

    Args:
        publisher: the newsletter.
        day: the issue's date.
        emails: only these; all where it is None.
        everyone: whatever their cadence; a pause stays a pause.
    """
    store = publisher.store
    found = (
        reader.id
        for reader in (store.each_reader() if emails is None else store.readers(emails=emails))
        if reader.status == "confirmed"
        and is_due(reader.subscriber, day, publisher.cadence, everyone=everyone)
    )
    return unplanned(store, day, array("q", found))


def in_question(publisher: Publisher, day: date, readers: Sequence[int]) -> int:
    """How many papers an issue frozen now for these readers, by id, would be about."""
    after = publisher.store.lowest_decided(readers)
    return 0 if after is None else len(draft_issue(publisher, day, after, ()).in_question)


def unplanned(store: Readers, day: date, readers: Sequence[int]) -> Sequence[int]:
    """Those of these readers, in their order, who have no delivery of that day's issue."""
    found = array("q")
    for some in chunks(readers):
        planned = store.planned_readers(day, among=some)
        found.extend(reader for reader in some if reader not in planned)
    return found


def freeze(
    publisher: Publisher,
    day: date,
    readers: Sequence[int],
    reports: Sequence[SourceReport],
    *,
    due: datetime | None = None,
) -> bool:
    """Freeze the issue of ``day`` for these readers, or record that there was nothing to send.

    Args:
        publisher: the newsletter.
        day: the issue's date.
        readers: those the wave is for, by id. They are read again a few at a time, while the
            wave is frozen: however many there are, few are in memory.
        reports: what the sources said; the letter names those that are missing.
        due: the wave's instant; now where it is None, and for those who come after their wave.

    Returns:
        Whether there was a wave to freeze; for an issue that is held or cancelled there is none.
    """
    after = publisher.store.lowest_decided(readers)
    if after is None or is_stopped(publisher, day):
        return False
    late = due in {there.due for there in publisher.store.waves(day)}
    made = draft(publisher, day, after, missing_from(reports))
    again = publisher.store.papers_to_reconsider(since=made.since)
    if publisher.when_empty == "skip" and not made.issue.in_question and not again:
        publisher.store.skip_issue(day, reason=NOTHING_NEW, now=made.issue.frozen_at)
        return False
    frozen = wave(made, made.issue.frozen_at if late or due is None else due)
    publisher.store.freeze(frozen, plans(publisher, made, in_turn(publisher, readers)))
    return True


def is_stopped(publisher: Publisher, day: date) -> bool:
    """Whether the issue of ``day`` is held or cancelled."""
    state = publisher.store.issue_state(day)
    return state is not None and state[0] in STOPPED_ISSUE


def missing_from(reports: Sequence[SourceReport]) -> tuple[str, ...]:
    """The sources the letter says are absent today."""
    return tuple(report.name for report in reports if report.missing)


async def publish(
    publisher: Publisher,
    day: date,
    transport: Transport,
    *,
    run_lock: RunLock,
    turn: str = "1",
    readers: Collection[int] | None = None,
    progress: Callable[[Counts], None],
) -> Counts:
    """Deliver what is open of the frozen issue of ``day``; note whose mailbox is not there.

    Args:
        publisher: the newsletter.
        day: the issue's date.
        transport: the door the letters leave by.
        run_lock: this run; claims are made under its name, and those of runs that are gone are
            taken over at once.
        turn: which of the owner's deliveries this is; no two have claims of one name.
        readers: only these, by id; all where it is None.
        progress: told the counts now and then.

    Raises:
        TransportError: the server as a whole refuses us; what was sent is settled, and the same
            call later goes on.
    """
    gone = run_lock.gone(publisher.store.claiming_runs(day))
    publisher.store.end_leases(day, gone, now=publisher.clock.now())
    mailer = IssueMailer(publisher.store, publisher.keyring, day)
    counts = await deliver(
        publisher.store,
        transport,
        publisher.clock,
        day,
        mailer.envelope,
        run=f"{run_lock.name}.{turn}",
        readers=readers,
        resend=publisher.in_doubt == "resend",
        progress=progress,
    )
    if counts.failed:
        await asyncio.to_thread(note_refused, publisher, day)
    return counts


def note_refused(publisher: Publisher, day: date) -> None:
    """Count as a hard bounce, once, each letter refused because there is no such reader.

    Where more were refused so than taken, the server speaks of us, whatever its words.
    """
    failed = publisher.store.deliveries(day, states={"failed"})
    refused = {line.email: line.reply for line in failed if refuses_reader(line.reply)}
    if len(refused) > publisher.store.counts(day).accepted:
        return
    now = publisher.clock.now()
    for reader in publisher.store.readers(emails=refused):
        reply = refused[reader.subscriber.email]
        digest = f"{day}:{reader.id}"
        returned = MailEvent(digest, "hard", reader.id, now.date(), reply[:_LONGEST])
        publisher.store.record_mail_event(returned, now=now)
