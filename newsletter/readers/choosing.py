"""Choose, pause, and see all that is kept."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from newsletter.model import Consent, Delivery, MailEvent, Reader, Subscriber
from newsletter.readers.service import ReaderService

KEPT_FAREWELLS = 100
"""Of one reader, those that are exported."""


@dataclass(frozen=True, slots=True)
class Record:
    """All that is kept of a reader."""

    reader: Reader
    consents: tuple[Consent, ...]
    letters: tuple[Delivery, ...]
    farewells: tuple[MailEvent, ...]


def follow(here: ReaderService, reader: Reader, wanted: Subscriber, now: datetime) -> Reader:
    """A reader wants something else from now on; address, name and status stay."""
    subscriber = reader.subscriber
    changed = replace(wanted, email=subscriber.email, name=subscriber.name)
    return here.store.save_reader(changed, status=reader.status, now=now)


def choose(here: ReaderService, reader: Reader, wanted: Subscriber, now: datetime) -> Reader:
    """A reader chose anew; a pause that has an end goes on, topics keep the reader's order."""
    before = reader.subscriber
    had, chosen = before.filter.topics, wanted.filter.topics
    kept = tuple(topic for topic in had if topic in chosen)
    topics = (*kept, *(topic for topic in chosen if topic not in had))
    wants = replace(wanted.filter, topics=topics)
    return follow(
        here, reader, replace(wanted, filter=wants, paused_until=before.paused_until), now
    )


def pause(here: ReaderService, reader: Reader, until: date | None, now: datetime) -> Reader:
    """A reader wants nothing until a day, or (None) wants letters again."""
    subscriber = replace(reader.subscriber, paused_until=until)
    if until is None and subscriber.cadence == "paused":
        subscriber = replace(subscriber, cadence=None)
    return follow(here, reader, subscriber, now)


def weeks_from(today: date, weeks: int) -> date:
    """The day on which a pause of so many weeks ends."""
    return today + timedelta(weeks=weeks)


def export(here: ReaderService, reader: Reader) -> Record:
    """All that is kept of a reader."""
    store = here.store
    return Record(
        reader,
        store.consents(reader.id),
        store.letters(reader.id),
        store.farewells(limit=KEPT_FAREWELLS, reader=reader.id),
    )
