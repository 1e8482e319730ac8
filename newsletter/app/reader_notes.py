"""Notes that a command sends to readers: a first letter after approval, and greetings."""

from collections.abc import Iterator, Sequence

from newsletter.app.wiring import App
from newsletter.delivery.delivering import send_unrecorded
from newsletter.model import (
    Accepted,
    Claim,
    Edition,
    Letter,
    Outcome,
    Reader,
    Recipient,
    Unknown,
)
from newsletter.publisher.mailing import build_reader_note
from newsletter.publisher.publishing import publish
from newsletter.publisher.welcoming import plan_first_letter
from newsletter.readers.due import schedule_words
from newsletter.readers.service import Note


async def send_first_letter(app: App, reader: Reader) -> bool:
    """Send a new reader the day's edition, or a note if there is none; whether it was sent.

    An edition that could not be sent stays open in the ledger: `newsletter run` or `send` goes on.

    Raises:
        TransportError: the server as a whole refuses us or is gone.
    """
    first = plan_first_letter(app.publisher, reader)
    if first is None:
        link = app.reader_service.preferences_url(reader, app.clock.now())
        sent: set[int] = set()
        await send_notes(app, [Note("welcome", reader, link)], sent)
        return reader.id in sent
    with app.run_lock("subscribers approve") as lock:
        turn = f"first{reader.id}"
        await publish(
            app.publisher, first.day, app.transport(), run_lock=lock, turn=turn, readers=[reader.id]
        )
    return True


async def greet_added(app: App, readers: Sequence[Reader]) -> list[Reader]:
    """Tell readers whom the operator has added what comes, and when; nobody is told twice.

    Returns those whom it could not be sent to; a later call tries again.

    Raises:
        TransportError: the server as a whole refuses us or is gone; as above.
    """
    events = {f"added: {reader.id}": reader for reader in readers}
    new = app.store.record_notices(events.keys(), now=app.clock.now())
    sent: set[int] = set()
    try:
        await send_notes(app, [_greeting(app, events[event]) for event in sorted(new)], sent)
    finally:
        unsent = {event for event in new if events[event].id not in sent}
        app.store.remove_notices(unsent)
    return [events[event] for event in sorted(unsent)]


def _greeting(app: App, reader: Reader) -> Note:
    link = app.reader_service.preferences_url(reader, app.clock.now())
    return Note("added", reader, link, schedule_words(reader.subscriber, app.default_schedule))


async def send_notes(app: App, notes: Sequence[Note], sent: set[int]) -> None:
    """Send notes over the connections of one run, and add the ids of who got theirs to ``sent``.

    One whose answer was lost counts as sent.

    Raises:
        TransportError: the server as a whole refuses us or is gone.
    """

    def letters() -> Iterator[Letter]:
        for note in notes:
            now = app.clock.now()
            envelope = build_reader_note(note, app.reader_service, app.notes, now)
            edition = Edition(Recipient(note.reader.id, envelope.recipient), sections=())
            yield Letter(Claim(0, note.reader.id, "note", edition, attempt=1), envelope)

    def settled(letter: Letter, outcome: Outcome) -> None:
        if isinstance(outcome, Accepted | Unknown):
            sent.add(letter.claim.reader)

    await send_unrecorded(app.transport(), letters(), settled)
