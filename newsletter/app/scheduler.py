"""The scheduler: a tick every half minute, a heartbeat in the store, and a clean end.

The ticks are APScheduler's, plain intervals in UTC. What is due at a tick is decided by
:mod:`newsletter.readers.due`: cron triggers skip and repeat times when clocks change.
"""

import asyncio
import itertools
import logging
import platform
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import partial

from apscheduler.job import Job
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from newsletter.app.event_loop import is_set_within, set_by_stop_signals
from newsletter.app.long_life import give_memory_back
from newsletter.app.mailboxes import mailboxes_of
from newsletter.app.ping import DailyPings, pings_of
from newsletter.app.refreshing import BouncesRefresh, SubscribersFileRefresh
from newsletter.app.reloading import Reloading, woken_by_hangup
from newsletter.app.wiring import App
from newsletter.delivery.store_wait import StoreWait
from newsletter.errors import (
    Isolated,
    NewsletterError,
    describe,
)
from newsletter.letter.rendering import LetterTemplates
from newsletter.model import Counts, Heartbeat
from newsletter.model.windows import TICK
from newsletter.ports import RunLock, Transport
from newsletter.publisher.broadcasting import send_due
from newsletter.publisher.lost_topics import DailyNotes
from newsletter.publisher.operator_mail import mail_operator
from newsletter.publisher.pruning import AutomaticPruning
from newsletter.publisher.publisher import Publisher
from newsletter.publisher.publishing import publish
from newsletter.publisher.reporting import line_of
from newsletter.publisher.ticking import Deliver, SchedulerState, deliver_open, fetch_and_freeze

_log = logging.getLogger(__name__)

MAX_NAMED = 5  # skipped readers whom a heartbeat names; of the others it gives the number

BOUNCES_WAIT = 5.0  # seconds that an issue waits for the mailboxes to be read

Task = asyncio.Task[None]


@dataclass
class Scheduler:
    """A newsletter that stays awake.

    Fetching and freezing run beside deliveries, so that a long delivery does not delay the next
    issue.

    Attributes:
        transport: sends emails to the operator.
        refresh: called at each tick, in a thread: they take in the operator's changes.
        bounces: called at each tick, in a thread, unless it still runs: it takes in bounces.
        pings: tell a service outside how the day's issue goes.
        tell_readers: called after each delivery: it emails readers about their topics.
        note_templates: returns the templates of emails to the operator.
        name: the name of the heartbeat.
        store_wait: waits for the store; while it is away a tick, once begun, does not end.
        pruning: called after each delivery, in a thread: it removes old issues' details.
        take_in: called before each tick, in a thread: it may change the attributes above.
        configuration: returns a digest of the configuration, and what has changed in its files.
    """

    publisher: Publisher
    state: SchedulerState
    deliver: Deliver
    transport: Transport
    refresh: Sequence[Callable[[], None]]
    note_templates: Callable[[], LetterTemplates]
    name: str
    store_wait: StoreWait
    bounces: Callable[[], None] = lambda: None
    pruning: AutomaticPruning = field(default_factory=lambda: AutomaticPruning(None))
    take_in: Callable[[], None] = lambda: None
    configuration: Callable[[], tuple[str, str]] = lambda: ("", "")
    pings: DailyPings | None = None
    tell_readers: Callable[[], Awaitable[None]] | None = None
    _deliveries: int = 0
    _problem: str = ""
    _recalled: bool = False
    _ticking: Task | None = None
    _reading: Task | None = None
    _removing: Task | None = None
    _delivering: Task | None = None

    def __post_init__(self) -> None:
        self._started = self.publisher.clock.now()

    async def keep(self, stopping: asyncio.Event) -> None:
        """Tick until the event is set; then wait for the answers to letters on the wire."""
        scheduler = AsyncIOScheduler(timezone=UTC)
        job = scheduler.add_job(
            self.tick,
            "interval",
            seconds=TICK.total_seconds(),
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,
            next_run_time=self.publisher.clock.now(),
        )
        scheduler.start()
        try:
            while not await is_set_within(stopping, TICK):
                reschedule(job, self.publisher.clock.now())
        finally:
            scheduler.shutdown(wait=False)
            await self._end()

    async def tick(self) -> None:
        """Start a tick, unless the last one still runs."""
        if self._ticking is None or self._ticking.done():
            self._ticking = asyncio.create_task(self._tick())

    async def hurry(self) -> None:
        """Wait for the tick that runs, and make another one."""
        for _ in range(2):
            if self._ticking is not None:
                await asyncio.wait([self._ticking])
            await self.tick()

    async def _tick(self) -> None:
        self._problem = ""
        await self._guarded("configuration", partial(asyncio.to_thread, self.take_in))
        await self._guarded("start", self._recall)
        if not self._recalled:
            return  # without the last tick's time it would not know that it slept
        for refresh in self.refresh:
            await self._guarded("refresh", partial(asyncio.to_thread, refresh))
        await self._take_in_bounces()
        await self._guarded("tick", self._freeze)
        if self._delivering is None or self._delivering.done():
            self._deliveries += 1
            self._delivering = asyncio.create_task(self._deliver(str(self._deliveries)))
        await self._guarded("heartbeat", self._beat)
        await asyncio.to_thread(give_memory_back)

    async def _freeze(self) -> None:
        """Fetch and freeze what is due, between two pings."""
        if self.pings is None:
            await fetch_and_freeze(self.publisher, self.state)
            return
        self.pings.begin()
        try:
            await fetch_and_freeze(self.publisher, self.state)
        except NewsletterError as error:
            self.pings.frozen(str(error))
            raise
        self.pings.frozen("")

    async def _recall(self) -> None:
        """Read when the process before this one was last awake."""
        if not self._recalled:
            heartbeats = await asyncio.to_thread(self.publisher.store.heartbeats)
            runs = (each.seen for each in heartbeats if each.name.startswith("run"))
            self.state.seen = next(runs, None)
            self._recalled = True

    async def _take_in_bounces(self) -> None:
        """Read the mailboxes in a task of its own; letters wait for it, but not long."""
        if self._reading is None or self._reading.done():
            reading = self._guarded("bounces", partial(asyncio.to_thread, self.bounces))
            self._reading = asyncio.create_task(reading)
        await asyncio.wait([self._reading], timeout=BOUNCES_WAIT)

    async def _deliver(self, turn: str) -> None:
        turns = (f"{turn}-{again}" for again in itertools.count(1))
        await self._guarded(
            "delivery",
            lambda: deliver_open(self.publisher, self.state, self.deliver, turn=next(turns)),
        )
        await self._guarded(
            "report",
            lambda: mail_operator(self.publisher, self.state, self.transport, self.note_templates),
        )
        if self.tell_readers is not None:
            await self._guarded("notes", self.tell_readers)
        if (pings := self.pings) is not None:
            await self._guarded("ping", lambda: asyncio.to_thread(pings.look, self.state.paused))
        if self._removing is None or self._removing.done():
            work = partial(asyncio.to_thread, self.pruning, self.publisher)
            # In a task of its own: the next letters do not wait for it.
            self._removing = asyncio.create_task(self._guarded("pruning", work))

    async def _guarded(self, what: str, work: Callable[[], Awaitable[None]]) -> None:
        """Do it; an error is logged and shown in the heartbeat, and the next tick tries again.

        While the store is away, it waits and does it again.
        """
        with Isolated(what) as attempt:
            try:
                await self.store_wait.until_awaited(work)
            except NewsletterError as error:
                self._problem = f"{type(error).__name__}: {error}"
                _log.error("%s", self._problem)
        if attempt.error is not None:
            self._problem = describe(attempt.error)

    async def _beat(self) -> None:
        said = "; ".join(filter(None, [self._problem, *_name_skipped(self.state)]))
        now, about = self.publisher.clock.now(), await asyncio.to_thread(self.configuration)
        heartbeat = Heartbeat(self.name, self._started, now, said, *about)
        await asyncio.to_thread(self.publisher.store.record_heartbeat, heartbeat)

    async def _end(self) -> None:
        """Stop all tasks; a delivery takes up to half a minute to get the server's answers."""
        self.store_wait.stopping = self.pruning.stopping = True
        tasks = (self._ticking, self._reading, self._delivering, self._removing)
        working = [task for task in tasks if task is not None]
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
        self._problem = "stopped"
        await self._guarded("heartbeat", self._beat)


def _name_skipped(state: SchedulerState) -> list[str]:
    """The readers who are skipped at present, in words; if there are many, some and the number."""
    skipped = [
        f"{day}: {line_of(fault)}"
        for (day, _), fault in sorted(state.faults.items())
        if not fault.served
    ]
    more = len(skipped) - MAX_NAMED
    return skipped if more <= 0 else [*skipped[:MAX_NAMED], f"and {more} more readers"]


def reschedule(job: Job, now: datetime) -> None:
    """Run a job now whose next time is far away because the clock was set.

    Of a time that lies long ago APScheduler would list every run that was missed since.
    """
    if abs(job.next_run_time - now) > TICK:
        job.modify(next_run_time=now)


async def stay_awake(reloading: Reloading) -> None:
    """Run the newsletter until SIGTERM or SIGINT; SIGHUP takes in a changed configuration.

    Raises:
        StoreError: the store cannot be read or written at the start.
    """
    stopping = set_by_stop_signals()
    with reloading.app.run_lock("run") as run_lock:
        newsletter = _Newsletter(reloading, run_lock)
        with woken_by_hangup(reloading, stopping, newsletter.scheduler.hurry):
            try:
                await newsletter.scheduler.keep(stopping)
            finally:
                newsletter.bounces.stopping.set()


class _Newsletter:
    """A scheduler over the configuration that was last taken in."""

    def __init__(self, reloading: Reloading, run_lock: RunLock) -> None:
        self._run_lock, self._wait = run_lock, StoreWait(reloading.app.clock)
        self._app = app = reloading.app
        self._daily, self._turns = DailyNotes(), itertools.count(1)
        self._pings = DailyPings(pings_of(app), app.store, app.default_schedule, app.clock)
        # Before the publisher, which reads the file: a change in between is not missed.
        subscribers_file = SubscribersFileRefresh(app)
        self.bounces = BouncesRefresh(app)
        self.scheduler = Scheduler(
            publisher=app.publisher,
            state=SchedulerState(app.default_schedule),
            deliver=self._deliver,
            transport=app.transport(),
            refresh=(subscribers_file,),
            bounces=self.bounces,
            pings=self._pings,
            tell_readers=self._tell_readers,
            pruning=AutomaticPruning(app.settings.keep.editions),
            note_templates=lambda: self._app.notes["report"],
            name=f"run on {platform.node()}",
            store_wait=self._wait,
            take_in=reloading.take_in,
            configuration=lambda: (reloading.configuration, reloading.changed()),
        )
        reloading.parts.append(self._prepare)

    async def _deliver(self, day: date, turn: str) -> Counts:
        publisher, transport = self.scheduler.publisher, self.scheduler.transport
        return await publish(
            publisher, day, transport, run_lock=self._run_lock, turn=turn, wait=self._wait
        )

    async def _tell_readers(self) -> None:
        app, publisher, transport = self._app, self.scheduler.publisher, self.scheduler.transport
        await self._daily.tell(publisher, app.reader_service, lambda: app.notes, transport)
        turn = str(next(self._turns))
        await send_due(publisher, transport, run_lock=self._run_lock, turn=turn)

    def _prepare(self, app: App) -> Callable[[], None]:
        """Build what a changed configuration needs; a delivery that has begun keeps the old."""
        bounces, transport, _ = BouncesRefresh(app), app.transport(), app.notes
        _ = app.templates  # compiled now: broken ones are refused
        _ = [*mailboxes_of(app)]
        subscribers_file, publisher = SubscribersFileRefresh(app), app.publisher

        def commit() -> None:
            scheduler, self._app = self.scheduler, app
            self.bounces.stopping.set()
            self.bounces = bounces
            scheduler.publisher, scheduler.transport = publisher, transport
            scheduler.pruning.keep = app.settings.keep.editions
            scheduler.refresh, scheduler.bounces = (subscribers_file,), bounces
            scheduler.state.take_in(app.default_schedule)
            self._pings.take_in(pings_of(app), app.default_schedule)

        return commit
