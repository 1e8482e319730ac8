"""The scheduler's ticks, with a clock that the test sets."""

import asyncio
from collections.abc import Callable
from datetime import UTC, date, timedelta

import pytest
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from newsletter.app.scheduler import Scheduler, reschedule
from newsletter.delivery.store_wait import StoreWait
from newsletter.errors import StoreError
from newsletter.model import Counts
from newsletter.model.windows import TICK
from newsletter.ports import Store
from newsletter.publisher.publishing import publish
from newsletter.publisher.ticking import SchedulerState
from newsletter.readers.due import DefaultSchedule
from newsletter.templates import load_note_templates
from tests.support.clocks import ManualClock
from tests.support.databases import temporary_store
from tests.support.factories import NOON, subscriber
from tests.support.logs import log_lines, log_tracebacks
from tests.support.outgoing import MemoryTransport
from tests.support.publishers import KnownRuns, StubSource, publisher_over


@pytest.fixture
def store() -> Store:
    opened = temporary_store()
    opened.sync_subscribers([subscriber()], now=NOON)
    return opened


def watch_over(
    store: Store, refresh: Callable[[], None] = lambda: None
) -> tuple[Scheduler, MemoryTransport]:
    transport = MemoryTransport()
    publisher = publisher_over(store, StubSource("One"))

    async def deliver(day: date, turn: str) -> Counts:
        return await publish(
            publisher,
            day,
            transport,
            run_lock=KnownRuns("here"),
            turn=turn,
            progress=lambda _counts: None,
        )

    watch = Scheduler(
        publisher=publisher,
        state=SchedulerState(DefaultSchedule("12:00", "UTC", "daily")),
        deliver=deliver,
        transport=transport,
        refresh=(refresh,),
        note_templates=lambda: load_note_templates("report"),
        name="run here",
        store_wait=StoreWait(publisher.clock),
    )
    return watch, transport


def kept(watch: Scheduler, condition: Callable[[], object]) -> None:
    """Run the scheduler until something is true, then stop it."""

    async def main() -> None:
        stopping = asyncio.Event()
        keeping = asyncio.create_task(watch.keep(stopping))
        while not condition():
            await watch.publisher.clock.sleep(0)
            await asyncio.wait({keeping}, timeout=0.005)
        stopping.set()
        await keeping

    asyncio.run(main())


@pytest.mark.slow
def test_sends_heartbeats_letters_and_reports_stopping(store: Store) -> None:
    watch, transport = watch_over(store)
    with log_lines() as logged:
        kept(watch, lambda: "2026-08-03: 1 of 1 accepted" in logged)
    assert len(transport.letters) == 1
    (last,) = store.heartbeats()
    assert (last.name, last.started, last.seen, last.said) == ("run here", NOON, NOON, "stopped")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("failure", "words"),
    [
        (StoreError("locked"), "StoreError: locked"),
        (ValueError("a mistake of ours"), "unexpected ValueError: a mistake of ours"),
    ],
)
def test_failing_tick_is_logged_and_others_continue(
    store: Store, failure: Exception, words: str
) -> None:
    said: list[str] = []

    def refresh() -> None:
        raise failure

    watch, transport = watch_over(store, refresh)

    def heard() -> bool:
        said.extend(heartbeat.said for heartbeat in store.heartbeats())
        return bool(said and transport.letters)

    with log_lines() as logged, log_tracebacks() as tracebacks:
        kept(watch, heard)
    assert any(words in line for line in logged)
    assert words in said
    assert bool(tracebacks) == isinstance(failure, ValueError)


def test_ticks_do_not_overlap(store: Store) -> None:
    watch, _ = watch_over(store)

    async def main() -> None:
        await asyncio.gather(*(watch.tick() for _ in range(5)))
        await asyncio.wait({task for task in asyncio.all_tasks() if task != asyncio.current_task()})

    with log_lines() as logged:
        asyncio.run(main())
    assert sum("frozen" in line for line in logged) == 1


def test_tick_far_away_after_clock_step_is_rescheduled() -> None:
    async def main() -> None:
        clock = ManualClock()
        scheduler = AsyncIOScheduler(timezone=UTC)
        scheduler.start(paused=True)
        job = scheduler.add_job(main, "interval", seconds=30, next_run_time=NOON + TICK)
        reschedule(job, clock.now())
        assert job.next_run_time == NOON + TICK
        for step in (timedelta(hours=-2), timedelta(days=9)):
            clock.time += step
            reschedule(job, clock.now())
            assert job.next_run_time == clock.now()
        scheduler.shutdown(wait=False)

    asyncio.run(main())
