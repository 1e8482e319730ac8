"""When: a tick every half minute, the newsletter's sign of life, and how it is stopped.

The ticks are APScheduler's, plain intervals in UTC. What is due at a tick is not its business:
cron triggers skip and repeat around clock changes, so :mod:`newsletter.readers.due` works it out.
"""

import asyncio
import platform
import signal
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from apscheduler.job import Job
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from newsletter.app.app import App
from newsletter.bounces import result_line
from newsletter.errors import StoreError, UsageError
from newsletter.letter.rendering import LetterTemplates
from newsletter.model import Counts, Heartbeat
from newsletter.ports import Transport
from newsletter.publisher.operator_mail import tell_operator
from newsletter.publisher.publisher import Publisher
from newsletter.publisher.publishing import publish
from newsletter.publisher.ticking import Deliver, SchedulerState, deliver_open, look

TICK = timedelta(seconds=30)
"""Between two looks at the clock."""

Told = Callable[[str], None]
"""Told, in a line, what a person should know."""

Task = asyncio.Task[None]


@dataclass
class Scheduler:
    """A newsletter that stays awake.

    Looking at the clock and delivering go side by side: a long delivery keeps no later issue
    from its time.

    Attributes:
        publisher: the newsletter.
        scheduler_state: what it remembers between two ticks.
        deliver: delivers an issue.
        transport: the door letters to the operator leave by.
        refresh: called at each tick, in a thread: what takes in news from the operator and
            by mail.
        stationery: the templates of letters to the operator, compiled when asked for.
        told: told, in a line, what happens.
        name: whose sign of life this is.
    """

    publisher: Publisher
    scheduler_state: SchedulerState
    deliver: Deliver
    transport: Transport
    refresh: Sequence[Callable[[], None]]
    stationery: Callable[[], LetterTemplates]
    told: Told
    name: str
    _deliveries: int = 0
    _said: str = ""
    _looking: Task | None = None
    _delivering: Task | None = None

    def __post_init__(self) -> None:
        self._started = self.publisher.clock.now()

    async def keep(self, stopping: asyncio.Event) -> None:
        """Tick until told to stop; then let what is on the wire get its answer."""
        last = next(iter(await asyncio.to_thread(self.publisher.store.heartbeats)), None)
        self.scheduler_state.seen = None if last is None else last.seen
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
            while not await _set_within(stopping, TICK):
                call_back(job, self.publisher.clock.now())
        finally:
            scheduler.shutdown(wait=False)
            await self._end()

    async def tick(self) -> None:
        """Begin to look at the clock, unless the last look is not over."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())

    async def _look(self) -> None:
        self._said = ""
        for take_in in self.refresh:
            await self._guarded(asyncio.to_thread(take_in))
        await self._guarded(look(self.publisher, self.scheduler_state, self.told))
        if self._delivering is None or self._delivering.done():
            self._deliveries += 1
            self._delivering = asyncio.create_task(self._deliver(str(self._deliveries)))
        await self._guarded(self._beat())

    async def _deliver(self, turn: str) -> None:
        await self._guarded(
            deliver_open(
                self.publisher, self.scheduler_state, self.deliver, turn=turn, told=self.told
            )
        )
        await self._guarded(
            tell_operator(
                self.publisher, self.scheduler_state, self.transport, self.stationery, self.told
            )
        )

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        """Do it; what goes wrong is told, and the next tick tries again."""
        outcome = await asyncio.gather(work, return_exceptions=True)
        if isinstance(outcome[0], Exception):
            self._said = f"{type(outcome[0]).__name__}: {outcome[0]}"
            self.told(self._said)

    async def _beat(self) -> None:
        heartbeat = Heartbeat(self.name, self._started, self.publisher.clock.now(), self._said)
        await asyncio.to_thread(self.publisher.store.record_heartbeat, heartbeat)

    async def _end(self) -> None:
        """Stop both; a delivery takes up to half a minute to let its letters be answered."""
        working = [task for task in (self._looking, self._delivering) if task is not None]
        for task in working:
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
        self._said = "stopped"
        await self._guarded(self._beat())


async def _set_within(event: asyncio.Event, time: timedelta) -> bool:
    """Wait for an event at most so long; whether it has come."""
    try:
        await asyncio.wait_for(event.wait(), time.total_seconds())
    except TimeoutError:
        return False
    return True


def call_back(job: Job, now: datetime) -> None:
    """Bring near a tick that a clock set back has left far ahead."""
    if job.next_run_time - now > TICK:
        job.modify(next_run_time=now)


class SubscribersFileRefresh:
    """Takes the readers' file in again when it has changed; a mistake in it is told once."""

    def __init__(self, app: App) -> None:
        self._house = app
        self._last = self._stamp()

    def __call__(self) -> None:
        """Take it in, if it has changed since the last call.

        Raises:
            ConfigurationError: the file is wrong; the readers stay as they were.
            StoreError: the store cannot be read or written; the next call tries again.
        """
        before, self._last = self._last, self._stamp()
        if self._last == before:
            return
        try:
            self._house.sync_subscribers_file()
        except StoreError:
            self._last = before
            raise

    def _stamp(self) -> tuple[int, int] | None:
        path = self._house.subscribers_file
        if not path.exists():
            return None
        found = path.stat()
        return found.st_mtime_ns, found.st_size


class BouncesRefresh:
    """Takes in what came back by mail, where the settings name a Maildir.

    What was left there, and a Maildir that cannot be read, is told once.
    """

    def __init__(self, app: App, told: Told) -> None:
        self._house, self._told = app, told
        self._left: set[str] = set()
        self._failure = ""

    def __call__(self) -> None:
        """Take in what has come since the last call.

        Raises:
            StoreError: the store cannot be read or written; the mails stay where they are.
        """
        maildir = self._house.maildir
        if maildir is None:
            return
        failure = ""
        try:
            mails = maildir.mails(skip=self._left)
            for taking in self._house.bounce_processor().process_all(
                mails, self._house.clock.now()
            ):
                self._told(f"by mail: {result_line(taking)}")
                if taking.effect == "left":
                    self._left.add(taking.name)
        except UsageError as error:
            failure = str(error)
        if failure and failure != self._failure:
            self._told(failure)
        self._failure = failure


async def stay_awake(app: App, told: Told) -> None:
    """Run the newsletter until SIGTERM or SIGINT.

    Raises:
        StoreError: the store cannot be read or written at the start.
    """
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    listed_subscribers = SubscribersFileRefresh(
        app
    )  # first: a change while the desk is made is not missed
    with app.run_lock() as run_lock:
        publisher, transport = app.publisher, app.smtp()

        async def deliver(day: date, turn: str) -> Counts:
            return await publish(
                publisher,
                day,
                transport,
                run_lock=run_lock,
                turn=turn,
                progress=lambda _counts: None,
            )

        watch = Scheduler(
            publisher=publisher,
            scheduler_state=SchedulerState(app.default_schedule),
            deliver=deliver,
            transport=transport,
            refresh=(listed_subscribers, BouncesRefresh(app, told)),
            stationery=lambda: app.notes["report"],
            told=told,
            name=f"run on {platform.node()}",
        )
        await watch.keep(stopping)
