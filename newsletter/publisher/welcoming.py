"""Greet: a newcomer's first letter is the day's edition, cut from the issue as it was frozen."""

import asyncio
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import count

from newsletter.errors import StoreError, TryAgainError
from newsletter.issue.composing import IssueMasks
from newsletter.issue.editions import EditionLimits, compose_edition
from newsletter.letter.fragments import IssueFragments
from newsletter.model import OPEN, OPEN_ISSUE, PlannedEdition, PublishedIssue, Reader, Wave
from newsletter.ports import RunLock, Transport
from newsletter.publisher.drafting import JUDGED_AGAIN, match
from newsletter.publisher.fetch_schedule import Backoff
from newsletter.publisher.publisher import Publisher
from newsletter.publisher.publishing import publish
from newsletter.publisher.ticking import Told
from newsletter.readers.due import is_due

OF_THE_DAY = timedelta(hours=20)
"""How old an issue may be that a newcomer gets: as long as its deferred letters are tried again."""


@dataclass(frozen=True, slots=True)
class FirstLetter:
    """A newcomer's letter that is planned in the ledger, and waits to be delivered."""

    day: date
    reader: int


def greet(publisher: Publisher, reader: Reader) -> FirstLetter | None:
    """Plan a newcomer into the day's issue, in the wave the others had.

    From then on it is a letter like any other, so nothing sends it twice, and the day's issue
    does not come again at the reader's own hour. It brings what was new with that issue; nothing
    of it is owed afterwards, should it not get through.

    Args:
        publisher: the newsletter.
        reader: who has just confirmed.

    Returns:
        What to deliver; None where the day has no issue yet, or nothing in it for this reader.
    """
    newest = next(iter(publisher.store.published_issues()), None)
    if newest is None or publisher.store.planned_readers(newest.day, among=[reader.id]):
        return None
    wave = publisher.store.waves(newest.day)[-1]
    young = timedelta() <= publisher.clock.now() - wave.issue.frozen_at < OF_THE_DAY
    if not young or not is_due(reader.subscriber, newest.day, publisher.cadence, everyone=True):
        return None
    plan = _first_plan(publisher, reader, newest, wave)
    if not plan.edition.papers:
        return None
    publisher.store.freeze(wave, [plan])
    return FirstLetter(newest.day, reader.id)


def _first_plan(
    publisher: Publisher, reader: Reader, newest: PublishedIssue, wave: Wave
) -> PlannedEdition:
    """What is new with the issue, as far as the reader wants it."""
    issue = wave.issue
    newcomer = replace(reader, decided=newest.after)
    since = issue.frozen_at - JUDGED_AGAIN
    (history,) = publisher.store.reader_histories([newcomer], issue.papers, since=since)
    budget = EditionLimits(IssueFragments.load(wave.pieces).sizes, publisher.max_items)
    table = IssueMasks(issue, match(publisher, issue, [newcomer]))
    return PlannedEdition(history, compose_edition(table, history, budget))


def left_open(publisher: Publisher) -> tuple[FirstLetter, ...]:
    """The last issue's letters to newcomers that somebody who was stopped did not see through.

    A newcomer agreed after the issue was frozen.
    """
    newest = next(iter(publisher.store.published_issues()), None)
    if newest is None or not _is_open(publisher, newest.day):
        return ()
    frozen = publisher.store.waves(newest.day)[-1].issue.frozen_at
    waiting = [line.email for line in publisher.store.deliveries(newest.day, states=OPEN)]
    return tuple(
        FirstLetter(newest.day, reader.id)
        for reader in publisher.store.readers(emails=waiting)
        if any(consent.at >= frozen for consent in publisher.store.consents(reader.id))
    )


def _is_open(publisher: Publisher, day: date) -> bool:
    stands = publisher.store.issue_state(day)
    return stands is not None and stands[0] in OPEN_ISSUE


async def bring(
    publisher: Publisher,
    letter: FirstLetter,
    transport: Transport,
    *,
    run_lock: RunLock,
    turn: str,
    told: Told,
) -> None:
    """Deliver a newcomer's letter, and see it through as a newsletter that stays awake does.

    Deferred, it is tried again when the ledger says, until that gives it up; a server that refuses
    us as a whole, or a store that does not answer, after 1, 2, 4, 8, 15 minutes. Whoever else
    delivers the issue may take it meanwhile. Of an issue that is held or cancelled nothing is
    waited for.

    Args:
        publisher: the newsletter.
        letter: what :func:`greet` planned.
        transport: the door it leaves by.
        run_lock: this process; claims are made under its name.
        turn: which of its deliveries this is.
        told: told, in a line, what went wrong.
    """
    backoff = Backoff()
    for attempt in count(1):
        try:
            again = await _try(publisher, letter, transport, run_lock, f"{turn}.{attempt}")
        except (StoreError, TryAgainError) as error:
            backoff.failed(publisher.clock.now())
            told(f"a first letter waits: {error}")
            again = publisher.clock.now()
        else:
            backoff = Backoff()
        if again is None:
            return
        await publisher.clock.sleep(
            max(again - publisher.clock.now(), backoff.wait).total_seconds()
        )


async def _try(
    publisher: Publisher, letter: FirstLetter, transport: Transport, run_lock: RunLock, turn: str
) -> datetime | None:
    """Deliver a letter as far as that goes now; when to try again, None where it is at its end."""
    await publish(
        publisher,
        letter.day,
        transport,
        run_lock=run_lock,
        turn=turn,
        readers=[letter.reader],
        progress=lambda _counts: None,
    )
    lines = await asyncio.to_thread(publisher.store.deliveries_to, letter.reader)
    (line,) = (line for line in lines if line.day == letter.day)
    over = line.state not in OPEN or not await asyncio.to_thread(_is_open, publisher, letter.day)
    return None if over else line.next_try or publisher.clock.now()
