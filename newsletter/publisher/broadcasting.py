"""Write to all readers: a note, which each of them gets once."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from hashlib import blake2b

from newsletter.delivery.delivering import DeliveryRun, take_over
from newsletter.delivery.refusals import refuses_reader
from newsletter.delivery.store_wait import StoreWait
from newsletter.letter.message import BroadcastBuilder
from newsletter.letter.rendering import LetterTemplates, render_broadcast
from newsletter.model import Broadcast, Counts, MailEvent, Reader
from newsletter.ports import RunLock, Transport
from newsletter.publisher.publisher import Publisher

AT_ONCE = 50  # emails of one call of `send_due`, so that an issue does not wait for many of them

_MAX_REPLY = 500  # characters of a server's reply that a bounce keeps


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom a note is for: ids of readers who get it, and how many have it already."""

    readers: Sequence[int]
    told: int


def write_broadcast(
    publisher: Publisher, templates: LetterTemplates, *, subject: str, source: str, file: str
) -> Broadcast:
    """A note from Markdown; the same words make the same note.

    Raises:
        UsageError: the Markdown has something that an email cannot have.
        RenderError: a template fails.
    """
    from newsletter.letter.markdown import html_of, text_of  # noqa: PLC0415 - only a new note needs it

    made = render_broadcast(
        templates,
        publisher.publication,
        subject=subject,
        html=html_of(source, file),
        text=text_of(source),
    )
    return Broadcast(
        key=blake2b(f"{subject}\n{source}".encode(), digest_size=16).hexdigest(),
        subject="".join(made.subject),
        html=made.html,
        text=made.text,
        publication=publisher.publication,
        signed_by=publisher.keyring.fingerprint,
        at=publisher.clock.now().replace(microsecond=0),
    )


def find_audience(publisher: Publisher, key: str, topics: Collection[str] = ()) -> Audience:
    """The confirmed readers, also paused ones, of all topics or of those who chose one of these.

    A reader counts by the name that they chose, and by the topic that it stands for now.
    """
    known = publisher.known_topics
    wanted = {*topics, *(known[name] for name in topics if name in known)}

    def is_meant(reader: Reader) -> bool:
        chosen = reader.subscriber.filter.topics
        names = {*chosen, *(known[name] for name in chosen if name in known)}
        return reader.status == "confirmed" and (not wanted or not wanted.isdisjoint(names))

    told = publisher.store.told_by_broadcast(key)
    meant = [reader.id for reader in publisher.store.each_reader() if is_meant(reader)]
    return Audience([reader for reader in meant if reader not in told], len(told))


async def send_broadcast(  # noqa: PLR0913 - each is a choice of its own
    publisher: Publisher,
    number: int,
    transport: Transport,
    *,
    run_lock: RunLock,
    turn: str = "1",
    readers: Collection[int] | None = None,
    progress: Callable[[Counts], None] = lambda _counts: None,
    wait: StoreWait | None = None,
) -> Counts:
    """Deliver what is open of a planned note, and record mailboxes that are gone.

    It goes on where an earlier call ended, also after a crash. It raises what
    :func:`newsletter.publisher.publishing.publish` does, and the arguments are the same.
    """
    store, clock = publisher.store, publisher.clock
    wait, ledger = wait or StoreWait(clock, limit=timedelta()), store.broadcast_ledger(number)
    note = await wait.until_done(lambda: store.broadcast(number))
    builder, day = BroadcastBuilder(note, publisher.keyring), note.at.date()
    await wait.until_done(lambda: take_over(ledger, day, run_lock, clock.now()))
    counts = await DeliveryRun(
        ledger,
        transport,
        clock,
        day,
        lambda claim: builder.build(claim.edition.to),
        run=f"{run_lock.name}.note{number}.{turn}",
        readers=readers,
        resend=publisher.in_doubt == "resend",
        progress=progress,
        wait=wait,
    ).deliver()
    if counts.failed:
        await wait.until_awaited(
            lambda: asyncio.to_thread(_record_refused, publisher, number, note.key)
        )
    return counts


async def send_due(
    publisher: Publisher, transport: Transport, *, run_lock: RunLock, turn: str
) -> Mapping[int, Counts]:
    """Deliver some of the emails of notes that can leave now: deferred ones, or left by a crash.

    Raises as :func:`send_broadcast`.
    """
    due = await asyncio.to_thread(
        publisher.store.due_broadcasts, now=publisher.clock.now(), limit=AT_ONCE
    )
    return {
        number: await send_broadcast(
            publisher, number, transport, run_lock=run_lock, turn=turn, readers=readers
        )
        for number, readers in due.items()
    }


def _record_refused(publisher: Publisher, number: int, key: str) -> None:
    """Record a hard bounce for each email refused because there is no such reader, once.

    As with issues, if more were refused so than accepted, the refusals are about the sender.
    """
    rows = publisher.store.broadcast_deliveries(number)
    refused = {
        row.email: row for row in rows if row.state == "failed" and refuses_reader(row.reply)
    }
    if len(refused) > sum(row.state == "accepted" for row in rows):
        return
    now = publisher.clock.now()
    for reader in publisher.store.readers(emails=refused):
        email = reader.subscriber.email
        event = MailEvent(
            digest=f"note {key}:{reader.id}",
            kind="hard",
            reader=reader.id,
            day=now.date(),
            said=refused[email].reply[:_MAX_REPLY],
            address=email,
        )
        publisher.store.record_mail_event(event, now=now)
