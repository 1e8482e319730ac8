"""Tell readers by email, once, that the newsletter has no longer a topic that they follow.

The operator hears of it first (see :mod:`newsletter.publisher.operator_events`): a slip in
newsletter.yaml can be mended for a day before its readers are told.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta

from newsletter.delivery.delivering import send_single
from newsletter.errors import TransportError
from newsletter.letter.rendering import LetterTemplates
from newsletter.model import Accepted, NotSent, Refused
from newsletter.papers.topics import lost_topics
from newsletter.ports import Transport
from newsletter.publisher.mailing import build_reader_note
from newsletter.publisher.publisher import Publisher
from newsletter.publisher.ticking import local_date
from newsletter.readers.due import is_paused
from newsletter.readers.service import Note, ReaderService

_log = logging.getLogger(__name__)

AT_ONCE = 50  # emails of one call, so that an issue does not wait for many of them
GRACE, LATEST = timedelta(days=1), timedelta(days=7)
"""How long a topic has been lost, as it was recorded, when its readers are told."""


class DailyNotes:
    """Tells readers at each call, a few at a time, until everybody has been told for the day."""

    def __init__(self) -> None:
        self._done: date | None = None

    async def tell(
        self,
        publisher: Publisher,
        service: ReaderService,
        templates: Callable[[], Mapping[str, LetterTemplates]],
        transport: Transport,
    ) -> None:
        """Call :func:`tell_lost_topics` if somebody may be left today; it raises the same."""
        today = local_date(publisher, publisher.clock.now())
        if self._done != today and not await tell_lost_topics(
            publisher, service, templates, transport
        ):
            self._done = today


async def tell_lost_topics(
    publisher: Publisher,
    service: ReaderService,
    templates: Callable[[], Mapping[str, LetterTemplates]],
    transport: Transport,
) -> bool:
    """Email some of the readers who are to be told; returns whether to go on with the others.

    Nobody is told of the same topics twice, also after a crash. After an email that the server did
    not take it ends, and a later call tries that one again.

    Raises:
        StoreError: the store cannot be read or written.
    """
    now, untold = publisher.clock.now(), _untold(publisher, service)
    for _ in range(AT_ONCE):
        found = await asyncio.to_thread(next, untold, None)
        if found is None:
            return False
        key, note = found
        envelope = build_reader_note(note, service, templates(), now)
        try:
            outcome = await send_single(transport, envelope)
        except TransportError as error:
            outcome = NotSent(str(error))
        if not isinstance(outcome, Accepted | Refused):
            await asyncio.to_thread(publisher.store.remove_notices, [key])
            _log.warning("readers were not told of a lost topic: %s", outcome)
            return False
        _log.info("a reader was told of lost topics: %s", ", ".join(note.topics))
    return True


def _untold(publisher: Publisher, service: ReaderService) -> Iterator[tuple[str, Note]]:
    """Each note to send, recorded as sent under the key that comes with it."""
    now, store, known = publisher.clock.now(), publisher.store, publisher.known_topics
    today = local_date(publisher, now)
    for reader, _ in store.faulty_readers(today - LATEST, today - GRACE):
        lost = lost_topics(reader.subscriber.filter.topics, known)
        if lost and not is_paused(reader.subscriber, today):
            key = f"reader {reader.id}: lost topics {'; '.join(sorted(lost))}"
            if store.record_notices([key], now=now):
                yield key, Note("lost", reader, service.preferences_url(reader, now), topics=lost)
