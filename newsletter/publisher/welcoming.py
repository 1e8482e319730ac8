"""Greet: a newcomer's first letter is the day's edition, cut from the issue as it was frozen."""

import asyncio
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import count

from newsletter.errors import StoreError, TryAgainError
from newsletter.issue.cutting import Budget, cut
from newsletter.issue.table import Table
from newsletter.letter.fragments import Sheet
from newsletter.model import OPEN, OPEN_ISSUE, Planned, Published, Reader, Wave
from newsletter.ports import Owner, Transport
from newsletter.publisher.drafting import JUDGED_AGAIN, match
from newsletter.publisher.fetch_schedule import Vain
from newsletter.publisher.newsletter import Desk
from newsletter.publisher.publishing import publish
from newsletter.publisher.ticking import Told
from newsletter.readers.cadence import due

OF_THE_DAY = timedelta(hours=20)
"""How old an issue may be that a newcomer gets: as long as its deferred letters are tried again."""


@dataclass(frozen=True, slots=True)
class FirstLetter:
    """A newcomer's letter that is planned in the ledger, and waits to be delivered."""

    day: date
    reader: int


def greet(desk: Desk, reader: Reader) -> FirstLetter | None:
    """Plan a newcomer into the day's issue, in the wave the others had.

    From then on it is a letter like any other, so nothing sends it twice, and the day's issue
    does not come again at the reader's own hour. It brings what was new with that issue; nothing
    of it is owed afterwards, should it not get through.

    Args:
        desk: the newsletter.
        reader: who has just confirmed.

    Returns:
        What to deliver; None where the day has no issue yet, or nothing in it for this reader.
    """
    newest = next(iter(desk.store.published()), None)
    if newest is None or desk.store.planned(newest.day, among=[reader.id]):
        return None
    wave = desk.store.waves(newest.day)[-1]
    young = timedelta() <= desk.clock.now() - wave.issue.frozen_at < OF_THE_DAY
    if not young or not due(reader.subscriber, newest.day, desk.cadence, everyone=True):
        return None
    plan = _first_plan(desk, reader, newest, wave)
    if not plan.edition.papers:
        return None
    desk.store.freeze(wave, [plan])
    return FirstLetter(newest.day, reader.id)


def _first_plan(desk: Desk, reader: Reader, newest: Published, wave: Wave) -> Planned:
    """What is new with the issue, as far as the reader wants it."""
    issue = wave.issue
    newcomer = replace(reader, decided=newest.after)
    since = issue.frozen_at - JUDGED_AGAIN
    (standing,) = desk.store.standings([newcomer], issue.papers, since=since)
    budget = Budget(Sheet.load(wave.pieces).sizes, desk.max_items)
    table = Table(issue, match(desk, issue, [newcomer]))
    return Planned(standing, cut(table, standing, budget))


def left_open(desk: Desk) -> tuple[FirstLetter, ...]:
    """The last issue's letters to newcomers that somebody who was stopped did not see through.

    A newcomer agreed after the issue was frozen.
    """
    newest = next(iter(desk.store.published()), None)
    if newest is None or not _is_open(desk, newest.day):
        return ()
    frozen = desk.store.waves(newest.day)[-1].issue.frozen_at
    waiting = [line.email for line in desk.store.deliveries(newest.day, states=OPEN)]
    return tuple(
        FirstLetter(newest.day, reader.id)
        for reader in desk.store.readers(emails=waiting)
        if any(consent.at >= frozen for consent in desk.store.consents(reader.id))
    )


def _is_open(desk: Desk, day: date) -> bool:
    stands = desk.store.issue_state(day)
    return stands is not None and stands[0] in OPEN_ISSUE


async def bring(
    desk: Desk, letter: FirstLetter, transport: Transport, *, owner: Owner, turn: str, told: Told
) -> None:
    """Deliver a newcomer's letter, and see it through as a newsletter that stays awake does.

    Deferred, it is tried again when the ledger says, until that gives it up; a server that refuses
    us as a whole, or a store that does not answer, after 1, 2, 4, 8, 15 minutes. Whoever else
    delivers the issue may take it meanwhile. Of an issue that is held or cancelled nothing is
    waited for.

    Args:
        desk: the newsletter.
        letter: what :func:`greet` planned.
        transport: the door it leaves by.
        owner: this process; claims are made under its name.
        turn: which of its deliveries this is.
        told: told, in a line, what went wrong.
    """
    vain = Vain()
    for attempt in count(1):
        try:
            again = await _try(desk, letter, transport, owner, f"{turn}.{attempt}")
        except (StoreError, TryAgainError) as error:
            vain.failed(desk.clock.now())
            told(f"a first letter waits: {error}")
            again = desk.clock.now()
        else:
            vain = Vain()
        if again is None:
            return
        await desk.clock.sleep(max(again - desk.clock.now(), vain.wait).total_seconds())


async def _try(
    desk: Desk, letter: FirstLetter, transport: Transport, owner: Owner, turn: str
) -> datetime | None:
    """Deliver a letter as far as that goes now; when to try again, None where it is at its end."""
    await publish(
        desk,
        letter.day,
        transport,
        owner=owner,
        turn=turn,
        readers=[letter.reader],
        progress=lambda _counts: None,
    )
    lines = await asyncio.to_thread(desk.store.letters, letter.reader)
    (line,) = (line for line in lines if line.day == letter.day)
    over = line.state not in OPEN or not await asyncio.to_thread(_is_open, desk, letter.day)
    return None if over else line.next_try or desk.clock.now()
