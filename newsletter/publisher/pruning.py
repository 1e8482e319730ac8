"""Remove the details of old issues: what nobody needs any more, and what takes most of the space.

Of each issue stay its counts, who got which paper (so that nothing is repeated), and the public
archive. Departures, consents and blocks are not touched.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from newsletter.ports import Store
from newsletter.publisher.publisher import Publisher
from newsletter.publisher.ticking import local_date

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was removed, or would be.

    Attributes:
        days: the issues.
        letters: how many letters' details.
        size: their bytes.
        kept: issues that are old enough and stay, with the reason.
    """

    days: tuple[date, ...]
    letters: int
    size: int
    kept: Mapping[date, str]


def find_prunable(store: Store, today: date, keep: int) -> Pruned:
    """The issues older than this many days, whose details may be removed.

    An issue that breaks an invariant of the audit stays: its details say why.
    """
    days, letters, size, kept = list[date](), 0, 0, dict[date, str]()
    for day in store.issues_with_details(before=today - timedelta(days=keep)):
        if not store.audit(day).ok:
            kept[day] = f"`newsletter audit {day}` finds something"
            continue
        count, bytes_ = store.size_of_details(day)
        days.append(day)
        letters, size = letters + count, size + bytes_
    return Pruned(tuple(days), letters, size, kept)


def prune(store: Store, found: Pruned, *, stopping: Callable[[], bool] = lambda: False) -> bool:
    """Remove the details of these issues, and give the space back; returns whether all is done.

    It works in small steps, between which letters leave and pages are shown; ``stopping`` is asked
    before each. Broken off, the next call goes on.
    """
    for day in found.days:
        while not stopping() and store.remove_details(day):
            pass
        if stopping():
            return False
        _log.debug("%s: details removed", day)
    if found.days:
        store.forget_settings()
    while not stopping() and store.give_back():
        pass
    return not stopping()


class AutomaticPruning:
    """Prunes once a day what is older than ``keep`` days; with None nothing ever.

    ``stopping`` ends it between two steps; it goes on another time.
    """

    def __init__(self, keep: int | None) -> None:
        self.keep, self.stopping = keep, False
        self._done: date | None = None

    def __call__(self, publisher: Publisher) -> None:
        """Prune, if it was not done today.

        Raises:
            StoreError: the store cannot be read or written; the next call goes on.
        """
        today = local_date(publisher, publisher.clock.now())
        if self.keep is None or self._done == today:
            return
        found = find_prunable(publisher.store, today, self.keep)
        if prune(publisher.store, found, stopping=lambda: self.stopping):
            self._done = today
        for day, why in found.kept.items():
            _log.warning("%s: its details stay, although they are old: %s", day, why)
        if found.days:
            _log.info("removed the details of %d issues up to %s", len(found.days), found.days[-1])
