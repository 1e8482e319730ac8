"""Greet: a newcomer's first letter is the day's edition, cut from the issue as it was frozen."""

from dataclasses import dataclass, replace
from datetime import date, timedelta

from newsletter.cadence import due
from newsletter.edition import Budget, Table, cut
from newsletter.model import Edition, Published, Reader, Wave
from newsletter.publisher.desk import Desk
from newsletter.publisher.drafting import JUDGED_AGAIN, match
from newsletter.render import Sheet

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
    if newest is None or reader.id in desk.store.planned(newest.day):
        return None
    wave = desk.store.waves(newest.day)[-1]
    young = timedelta() <= desk.clock.now() - wave.issue.frozen_at < OF_THE_DAY
    if not young or not due(reader.subscriber, newest.day, desk.cadence, everyone=True):
        return None
    edition = _first_edition(desk, reader, newest, wave)
    if not edition.papers:
        return None
    desk.store.freeze(wave, [edition])
    return FirstLetter(newest.day, reader.id)


def _first_edition(desk: Desk, reader: Reader, newest: Published, wave: Wave) -> Edition:
    """What is new with the issue, as far as the reader wants it."""
    issue = wave.issue
    newcomer = replace(reader, decided=newest.after)
    since = issue.frozen_at - JUDGED_AGAIN
    (standing,) = desk.store.standings([newcomer], issue.papers, since=since)
    budget = Budget(Sheet.load(wave.pieces).sizes, desk.max_items)
    return cut(Table(issue, match(desk, issue, [newcomer])), standing, budget)
