"""Send newcomers their first letter: the day's edition of the issue as it was frozen."""

import asyncio
import logging
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import count

from newsletter.errors import StoreError, TryAgainError
from newsletter.letter.fragments import IssueFragments
from newsletter.model import OPEN, OPEN_ISSUE, PlannedEdition, Reader
from newsletter.model.windows import RETRY_PERIOD
from newsletter.ports import RunLock, Transport
from newsletter.publisher.drafting import compose_late, load_histories
from newsletter.publisher.fetching import Backoff
from newsletter.publisher.publisher import Publisher
from newsletter.publisher.publishing import publish
from newsletter.publisher.reporting import is_in
from newsletter.readers.due import is_due

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FirstLetter:
    """A newcomer's letter that is planned in the ledger and waits for delivery."""

    day: date
    reader: int


def plan_first_letter(publisher: Publisher, reader: Reader) -> FirstLetter | None:
    """Plan a reader who has just confirmed into the newest issue, in its last wave.

    From then on it is a letter like any other: nothing sends it twice, and the day's issue does not
    come again at the reader's own hour. It contains what was new with that issue. If it cannot be
    delivered, none of its papers is owed afterwards. Returns None if there is no issue of the day
    yet, or nothing in it for this reader.
    """
    newest = next(iter(publisher.store.published_issues()), None)
    if not reader.is_served:
        return None
    if newest is None or publisher.store.planned_readers(newest.day, among=[reader.id]):
        return None
    head = publisher.store.wave_heads(newest.day)[-1]
    recent = timedelta() <= publisher.clock.now() - head.frozen_at < RETRY_PERIOD
    if not recent or not is_due(reader.subscriber, newest.day, publisher.cadence, everyone=True):
        return None
    wave = publisher.store.wave(head.id)
    newcomer = replace(reader, decided=newest.after)
    (history,) = load_histories(publisher, [newcomer], wave.issue)
    edition = compose_late(publisher, wave.issue, IssueFragments.load(wave.pieces), history)
    if not edition.papers:
        return None
    publisher.store.freeze(wave, [PlannedEdition(history, edition)])
    return FirstLetter(newest.day, reader.id)


def open_first_letters(publisher: Publisher) -> tuple[FirstLetter, ...]:
    """The newest issue's letters to newcomers that are still open, as after a restart.

    A newcomer is a reader who gave consent after the issue was frozen.
    """
    newest = next(iter(publisher.store.published_issues()), None)
    if newest is None or not is_in(publisher.store, newest.day, OPEN_ISSUE):
        return ()
    frozen = publisher.store.wave_heads(newest.day)[-1].frozen_at
    waiting = [row.email for row in publisher.store.deliveries(newest.day, states=OPEN)]
    return tuple(
        FirstLetter(newest.day, reader.id)
        for reader in publisher.store.readers(emails=waiting)
        if any(consent.at >= frozen for consent in publisher.store.consents(reader.id))
    )


async def deliver_first_letter(
    publisher: Publisher,
    letter: FirstLetter,
    transport: Transport,
    *,
    run_lock: RunLock,
    turn: str,
) -> None:
    """Deliver a newcomer's letter, and try again until the ledger gives it up.

    A deferred letter is tried again when the ledger says. If the server as a whole refuses us, or
    the store does not answer, it is tried again after 1, 2, 4, 8, 15 minutes. Another process that
    delivers the issue may take the letter meanwhile. It stops if the issue is held or cancelled.
    ``turn`` tells this delivery from the others of this process.
    """
    backoff = Backoff()
    for attempt in count(1):
        try:
            again = await _try(publisher, letter, transport, run_lock, f"{turn}.{attempt}")
        except (StoreError, TryAgainError) as error:
            backoff.failed(publisher.clock.now())
            _log.warning("a first email waits: %s", error)
            again = publisher.clock.now()
        else:
            backoff = Backoff()
        if again is None:
            return
        wait = max(again - publisher.clock.now(), backoff.wait)
        await publisher.clock.sleep(wait.total_seconds())


async def _try(
    publisher: Publisher, letter: FirstLetter, transport: Transport, run_lock: RunLock, turn: str
) -> datetime | None:
    """Deliver a letter if possible; returns when to try again, None when that is over."""
    readers = [letter.reader]
    await publish(publisher, letter.day, transport, run_lock=run_lock, turn=turn, readers=readers)
    rows = await asyncio.to_thread(publisher.store.deliveries_to, letter.reader)
    (row,) = (row for row in rows if row.day == letter.day)
    if row.state not in OPEN:
        return None
    open_ = await asyncio.to_thread(is_in, publisher.store, letter.day, OPEN_ISSUE)
    return (row.next_try or publisher.clock.now()) if open_ else None
