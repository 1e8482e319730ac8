"""Tick: what the newsletter does whenever it looks at the clock.

It fetches for the issues that come due within the hour, freezes those whose time has come, and
delivers what is open. All that must outlast the process is in the store; what a
:class:`SchedulerState` remembers only spares the sources and the server.
"""

import asyncio
from array import array
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial
from itertools import chain, islice

from newsletter.errors import OldStoreError, TryAgainError
from newsletter.model import OPEN_ISSUE, Counts
from newsletter.publisher.fetch_schedule import Backoff, FetchSchedule
from newsletter.publisher.fetching import gather
from newsletter.publisher.publisher import Publisher
from newsletter.publisher.publishing import freeze, is_stopped, unplanned
from newsletter.publisher.reporting import so_far
from newsletter.readers.due import LATE, DefaultSchedule, Due, earliest_instant, list_due

ASLEEP = timedelta(minutes=30)
"""So long without a tick is a sleep, after which what was slept through is caught up."""

RECENT = 7
"""How many issues back open letters are looked for."""

NO_SOURCE = "no source answered"

Deliver = Callable[[date, str], Awaitable[Counts]]
"""Delivers what is open of a day's issue; which of the process's deliveries it is, by a name."""

Told = Callable[[str], None]
"""Told, in a line, what a person should know."""


@dataclass(slots=True)
class SchedulerState:
    """What a newsletter that stays awake remembers between two ticks.

    Attributes:
        default_schedule: what readers follow who chose nothing else.
        seen: the last tick, of this process or of the one before it.
        asleep_since: the last tick before the latest sleep, until what was slept through is old.
        answers: what the sources said.
        over: the issues, by date and instant, that had nothing to send.
        server: attempts to deliver that the server refused as a whole.
        paused: why, by date, delivery paused.
        telling: attempts to tell the operator that failed.
    """

    default_schedule: DefaultSchedule
    seen: datetime | None = None
    asleep_since: datetime | None = None
    answers: FetchSchedule = field(default_factory=FetchSchedule)
    over: set[tuple[date, datetime]] = field(default_factory=set)
    server: Backoff = field(default_factory=Backoff)
    paused: dict[date, str] = field(default_factory=dict)
    telling: Backoff = field(default_factory=Backoff)
    _woke: datetime | None = None

    def look_up(self, now: datetime) -> None:
        """Note that it is awake now, and whether it slept before."""
        if self.seen is not None and now - self.seen > ASLEEP:
            self.asleep_since, self._woke = self.seen, now
        elif self._woke is not None and now - self._woke > LATE:
            self.asleep_since = self._woke = None
        self.seen = now


async def look(publisher: Publisher, scheduler_state: SchedulerState, told: Told) -> None:
    """Fetch for what comes due within the hour, and freeze what is due.

    Two that look at once freeze one wave: the store sees to that.

    Raises:
        StoreError: the store cannot be read or written; the next tick tries again.
    """
    now = publisher.clock.now()
    scheduler_state.look_up(now)
    found = await asyncio.to_thread(_list_due, publisher, scheduler_state, now)
    for day in sorted({due.day for due in found}):
        dues = [due for due in found if due.day == day]
        await _fetch(publisher, scheduler_state, day, dues[0].instant, told)
        try:
            said = await asyncio.to_thread(freeze_due, publisher, scheduler_state, _ripe(dues, now))
        except OldStoreError as error:
            said = _pause(scheduler_state, now, error)
        if said:
            told(said)


def _pause(scheduler_state: SchedulerState, now: datetime, error: TryAgainError) -> str:
    """Note why nothing is sent for now; that reason, where it is a new one."""
    before, scheduler_state.paused = scheduler_state.paused, {now.date(): str(error)}
    return "" if before == scheduler_state.paused else str(error)


def _ripe(dues: Sequence[Due], now: datetime) -> list[Due]:
    return [due for due in dues if due.instant <= now]


def _list_due(publisher: Publisher, scheduler_state: SchedulerState, now: datetime) -> list[Due]:
    since = earliest_instant(now, asleep_since=scheduler_state.asleep_since)
    ledger = partial(unplanned, publisher.store)
    found = list_due(
        publisher.store.each_reader(),
        scheduler_state.default_schedule,
        ledger,
        now=now,
        since=since,
    )
    return [due for due in found if (due.day, due.instant) not in scheduler_state.over]


async def _fetch(
    publisher: Publisher, scheduler_state: SchedulerState, day: date, due: datetime, told: Told
) -> None:
    asked = scheduler_state.answers.to_ask(publisher.sources, day, due, publisher.clock.now())
    if not asked:
        return
    for report in await gather(asked, publisher.store, day, publisher.clock, lambda _report: None):
        scheduler_state.answers.note(day, report, publisher.clock.now())
        detail = f": {report.detail}" if report.detail else ""
        told(f"{day}: {report.name} is {report.state}, {report.new} new papers{detail}")


def freeze_due(publisher: Publisher, scheduler_state: SchedulerState, dues: Sequence[Due]) -> str:
    """Freeze what is due of one date for those without a delivery; in a line, what that changed.

    Several instants at once, as after a sleep, become one wave under the last of them.
    """
    if not dues:
        return ""
    day, instant = dues[-1].day, dues[-1].instant
    late = array("q", sorted(chain.from_iterable(due.readers for due in dues)))
    readers = unplanned(publisher.store, day, late)
    if not readers:
        return ""
    if is_stopped(publisher, day):
        return ""
    if scheduler_state.answers.none_up(publisher.sources, day):
        return _wait_for_sources(publisher, day)
    reports = scheduler_state.answers.reports(publisher.sources, day)
    if freeze(publisher, day, readers, reports, due=instant):
        return f"{day}: frozen for {len(readers)} readers, due {instant:%Y-%m-%d %H:%M} UTC"
    scheduler_state.over.update((day, due.instant) for due in dues)
    return f"{day}: nothing to send to {len(readers)} readers"


def _wait_for_sources(publisher: Publisher, day: date) -> str:
    if publisher.store.issue_state(day) == ("skipped", NO_SOURCE):
        return ""
    publisher.store.skip_issue(day, reason=NO_SOURCE, now=publisher.clock.now())
    return f"{day}: {NO_SOURCE}; nothing is sent until one does"


async def deliver_open(
    publisher: Publisher,
    scheduler_state: SchedulerState,
    deliver: Deliver,
    *,
    turn: str,
    told: Told,
) -> None:
    """Deliver what is open of the last issues, deferred letters that are due included.

    A server that refuses us as a whole is tried again after 1, 2, 4, 8, 15 minutes.

    Args:
        publisher: the newsletter.
        scheduler_state: what it remembers.
        deliver: delivers an issue.
        turn: which of this process's deliveries this is.
        told: told what came of it, where something did.

    Raises:
        StoreError: the store cannot be read or written; the next tick tries again.
    """
    if not scheduler_state.server.may_try(publisher.clock.now()):
        return
    for day in await asyncio.to_thread(_open_days, publisher):
        before = publisher.store.counts(day)
        try:
            after = await deliver(day, f"{turn}.{day:%m%d}")
        except TryAgainError as error:
            scheduler_state.server.failed(publisher.clock.now())
            _pause(scheduler_state, publisher.clock.now(), error)
            told(f"{day}: {error}")
            return
        scheduler_state.server = Backoff()
        if after != before:
            told(f"{day}: {_in_words(after)}")


def _open_days(publisher: Publisher) -> list[date]:
    """The issues that have letters to deliver, oldest first."""
    recent = islice(so_far(publisher.store, publisher.clock.now()), RECENT)
    states = ((day, publisher.store.issue_state(day)) for day in recent)
    return sorted(day for day, state in states if state is not None and state[0] in OPEN_ISSUE)


def _in_words(counts: Counts) -> str:
    troubled = {
        "failed": counts.failed,
        "deferred": counts.deferred,
        "in doubt": counts.unknown + counts.held,
        "empty": counts.empty,
    }
    told = [f"{counts.accepted} of {counts.planned} accepted"]
    return ", ".join((*told, *(f"{count} {state}" for state, count in troubled.items() if count)))
