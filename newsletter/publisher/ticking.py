"""One tick of a newsletter that stays awake: fetch, freeze, deliver.

It polls the sources that are due, freezes the issues that are due, and delivers what is open.
Everything that must survive the process is in the store; :class:`SchedulerState` only spares the
sources and the mail server needless attempts.
"""

import asyncio
import logging
from array import array
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial
from itertools import chain, islice

from newsletter.errors import OldStoreError, TryAgainError, describe
from newsletter.model import OPEN_ISSUE, STOPPED_ISSUE, Counts, Reader, ReaderFault
from newsletter.model.windows import MAX_LATENESS, MIN_SLEEP, SEARCHED_ISSUES
from newsletter.model.zones import load_zone
from newsletter.publisher.drafting import usable_readers
from newsletter.publisher.fetching import Backoff, FetchSchedule, fetch_sources, log_report
from newsletter.publisher.publisher import Publisher
from newsletter.publisher.publishing import (
    NO_SOURCE,
    count_papers,
    free_readers,
    freeze,
    without_delivery,
)
from newsletter.publisher.reporting import fault_lines, is_in, known_health, reported_days
from newsletter.readers.due import DefaultSchedule, Due, earliest_instant, list_due

_log = logging.getLogger(__name__)

SKIPPED_KEPT = timedelta(days=2)  # how long a skipped reader is reported

Deliver = Callable[[date, str], Awaitable[Counts]]
"""Delivers the open letters of a day's issue; the text tells the deliveries of a process apart."""


@dataclass(slots=True)
class SchedulerState:
    """What a newsletter that stays awake remembers between two ticks.

    Attributes:
        default_schedule: when readers who chose nothing else get their letter.
        seen: the last tick, of this process or of the one before it.
        asleep_since: the last tick before the latest sleep, while its issues may still be sent.
        polls: when each source is polled next.
        nothing_to_send: the issues, by date and instant, that had nothing to send.
        server_backoff: deliveries that the mail server refused as a whole.
        paused: why delivery is paused, by date.
        operator_backoff: emails to the operator that could not be sent.
        skipped: readers whose edition raised an unexpected exception, by date and id.
        faults: the faults of readers at present, by date and id, as they are recorded.
    """

    default_schedule: DefaultSchedule
    seen: datetime | None = None
    asleep_since: datetime | None = None
    polls: FetchSchedule = field(default_factory=FetchSchedule)
    nothing_to_send: set[tuple[date, datetime]] = field(default_factory=set)
    server_backoff: Backoff = field(default_factory=Backoff)
    paused: dict[date, str] = field(default_factory=dict)
    operator_backoff: Backoff = field(default_factory=Backoff)
    skipped: dict[tuple[date, int], Backoff] = field(default_factory=dict)
    faults: dict[tuple[date, int], ReaderFault] = field(default_factory=dict)
    _woke: datetime | None = None

    def wake(self, now: datetime) -> None:
        """Record that it is awake now, and whether it slept before."""
        if self.seen is not None and now - self.seen > MIN_SLEEP:
            self.asleep_since, self._woke = self.seen, now
        elif self._woke is not None and now - self._woke > MAX_LATENESS:
            self.asleep_since = self._woke = None
        self.seen = now
        oldest = now.date() - SKIPPED_KEPT
        self.skipped = {key: kept for key, kept in self.skipped.items() if key[0] >= oldest}
        self.faults = {key: fault for key, fault in self.faults.items() if key[0] >= oldest}

    def take_in(self, schedule: DefaultSchedule) -> None:
        """Begin again with a changed configuration: what was put off may be possible now."""
        self.default_schedule = schedule
        self.polls, self.server_backoff = FetchSchedule(), Backoff()
        self.nothing_to_send.clear()

    def skip(self, day: date, reader: int, now: datetime) -> None:
        """Record that a reader was skipped; they are tried again after 1, 2, 4, 8, 15 minutes."""
        self.skipped.setdefault((day, reader), Backoff()).failed(now)

    def forget_skipped(self, day: date, reader: int) -> None:
        """Record that a reader's edition could be planned."""
        self.skipped.pop((day, reader), None)
        fault = self.faults.get((day, reader))
        if fault is not None and not fault.stored:
            del self.faults[day, reader]

    def may_try(self, day: date, reader: int, now: datetime) -> bool:
        """Whether a reader's edition may be planned now."""
        known = self.skipped.get((day, reader))
        return known is None or known.may_try(now)


async def fetch_and_freeze(publisher: Publisher, state: SchedulerState) -> None:
    """Poll the sources that are due, and freeze what is due.

    Two processes that do this at once freeze one wave: the store sees to that.

    Raises:
        StoreError: the store cannot be read or written; the next tick tries again.
    """
    now = publisher.clock.now()
    state.wake(now)
    dues = await asyncio.to_thread(_list_due, publisher, state, now)
    await _poll(publisher, state, min((due.instant for due in dues), default=None))
    for day in sorted({due.day for due in dues}):
        ripe = [due for due in dues if due.day == day and due.instant <= now]
        try:
            await asyncio.to_thread(freeze_due, publisher, state, ripe)
        except OldStoreError as error:
            if _pause(state, now, error):
                _log.warning("%s", error)


def _pause(state: SchedulerState, now: datetime, error: TryAgainError) -> bool:
    """Record why nothing is sent for now; returns whether the reason is a new one."""
    before, state.paused = state.paused, {now.date(): str(error)}
    return before != state.paused


def _list_due(publisher: Publisher, state: SchedulerState, now: datetime) -> list[Due]:
    today, faults = local_date(publisher, now), list[ReaderFault]()

    def skip(reader: Reader, error: Exception) -> None:
        fault = ReaderFault(reader.id, reader.subscriber.email, describe(error))
        _log.error("reader %s: %s", fault.email, fault.words, exc_info=error)
        state.skip(today, reader.id, now)
        faults.append(fault)

    readers: Iterable[Reader] = publisher.store.each_reader()
    if state.skipped:
        readers = (reader for reader in readers if state.may_try(today, reader.id, now))
    dues = list_due(
        usable_readers(publisher, readers, faults.append),
        state.default_schedule,
        partial(without_delivery, publisher.store),
        now=now,
        since=earliest_instant(now, asleep_since=state.asleep_since),
        on_error=skip,
    )
    found = {(today, fault.id) for fault in faults}
    state.faults = {
        key: known for key, known in state.faults.items() if key in found or not known.stored
    }
    _record(publisher, state, today, faults)
    return [due for due in dues if (due.day, due.instant) not in state.nothing_to_send]


def local_date(publisher: Publisher, now: datetime) -> date:
    """The date in the newsletter's time zone."""
    return now.astimezone(load_zone(publisher.publication.timezone)).date()


def _record(
    publisher: Publisher, state: SchedulerState, day: date, faults: Iterable[ReaderFault]
) -> None:
    """Record the faults that are not recorded yet, and log those found in what is stored."""
    new = [fault for fault in faults if state.faults.get((day, fault.id)) != fault]
    if not new:
        return
    publisher.store.record_faults(day, new)
    state.faults.update({(day, fault.id): fault for fault in new})
    for line in fault_lines(fault for fault in new if fault.stored):
        _log.warning("%s: %s", day, line)


async def _poll(publisher: Publisher, state: SchedulerState, due: datetime | None) -> None:
    """Poll the sources that are due; ``due`` is the time of the next issue."""
    clock, store = publisher.clock, publisher.store
    now = clock.now()
    sources = state.polls.sources_to_poll(publisher.sources, store, now, due)
    if not sources:
        return
    day = local_date(publisher, now)
    for report in await fetch_sources(sources, store, day, clock):
        log_report(day, report)
    state.polls.plan(sources, store, clock.now())


def freeze_due(publisher: Publisher, state: SchedulerState, dues: Sequence[Due]) -> None:
    """Freeze the due issue of one date for the readers who have no delivery of it.

    Several instants at once, as after a sleep, become one wave under the last of them.
    """
    if not dues:
        return
    day, instant, now = dues[-1].day, dues[-1].instant, publisher.clock.now()
    listed = array("q", sorted(chain.from_iterable(due.readers for due in dues)))
    readers = free_readers(publisher, day, listed)  # the others at a later tick
    if state.skipped:
        readers = array("q", (reader for reader in readers if state.may_try(day, reader, now)))
    if not readers or is_in(publisher.store, day, STOPPED_ISSUE):
        return
    if all_failed(publisher) and not count_papers(publisher, day, readers):
        _wait_for_sources(publisher, day)
        return
    faults: list[ReaderFault] = []
    frozen = freeze(publisher, day, readers, (), due=instant, on_fault=faults.append)
    skipped = {fault.id for fault in faults}
    for reader in skipped:
        state.skip(day, reader, now)
    _record(publisher, state, day, faults)
    if state.skipped:
        for reader in set(readers) - skipped:
            state.forget_skipped(day, reader)
    count = len(readers) - len(skipped)
    if frozen:
        _log.info("%s: frozen for %d readers, due %s UTC", day, count, f"{instant:%Y-%m-%d %H:%M}")
    elif not skipped:
        state.nothing_to_send.update((day, due.instant) for due in dues)
        _log.info("%s: nothing to send to %d readers", day, count)


def all_failed(publisher: Publisher) -> bool:
    """Whether sources were polled, and none of their lists could be read."""
    known = known_health(publisher)
    return bool(known) and all(source.state == "failed" for source in known)


def _wait_for_sources(publisher: Publisher, day: date) -> None:
    if publisher.store.issue_state(day) != ("skipped", NO_SOURCE):
        publisher.store.skip_issue(day, reason=NO_SOURCE, now=publisher.clock.now())
        _log.warning("%s: %s; nothing is sent until one does", day, NO_SOURCE)


async def deliver_open(
    publisher: Publisher, state: SchedulerState, deliver: Deliver, *, turn: str
) -> None:
    """Deliver the open letters of the last issues, including deferred ones that are due.

    If the server as a whole refuses us, it is tried again after 1, 2, 4, 8, 15 minutes. ``turn``
    tells this delivery from the others of this process.

    Raises:
        StoreError: the store cannot be read or written; the next tick tries again.
    """
    if not state.server_backoff.may_try(publisher.clock.now()):
        return
    for day in await asyncio.to_thread(_open_days, publisher):
        before = publisher.store.counts(day)
        try:
            after = await deliver(day, f"{turn}.{day:%m%d}")
        except TryAgainError as error:
            state.server_backoff.failed(publisher.clock.now())
            _pause(state, publisher.clock.now(), error)
            _log.warning("%s: %s", day, error)
            return
        state.server_backoff = Backoff()
        if after != before:
            _log.info("%s: %s", day, _in_words(after))


def _open_days(publisher: Publisher) -> list[date]:
    """The issues that have letters to deliver, oldest first."""
    recent = islice(reported_days(publisher.store, publisher.clock.now()), SEARCHED_ISSUES)
    return sorted(day for day in recent if is_in(publisher.store, day, OPEN_ISSUE))


def _in_words(counts: Counts) -> str:
    others = {
        "failed": counts.failed,
        "deferred": counts.deferred,
        "in doubt": counts.unknown + counts.held,
        "empty": counts.empty,
    }
    listed = (f"{count} {name}" for name, count in others.items() if count)
    return ", ".join((f"{counts.accepted} of {counts.planned} accepted", *listed))
