"""Days of a running newsletter, on every store, with a clock that the test sets."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

import pytest

from newsletter.errors import SourceError, TransportError
from newsletter.model import Calendar, Letter, Outcome, Subscriber
from newsletter.ports import Store
from newsletter.publisher.publisher import Publisher
from newsletter.publisher.publishing import cancel
from newsletter.publisher.reporting import reported_days
from newsletter.publisher.ticking import SchedulerState, freeze_due
from newsletter.readers.due import DefaultSchedule, Due
from tests.support.clocks import ManualClock
from tests.support.factories import DAY, subscriber
from tests.support.logs import log_lines
from tests.support.outgoing import MemoryTransport
from tests.support.publishers import KnownRuns, StubSource, publisher_over, tick

SCHEDULE = DefaultSchedule("07:00", "Europe/Zurich", "daily")
SEVEN_OCLOCK = datetime(2026, 8, 3, 5, 0, tzinfo=UTC)
"""Seven o'clock in Zurich on DAY."""
TICK = timedelta(seconds=30)
"""The interval of the ticks, which most tests use: all their times are whole minutes."""
MINUTE, HOUR, ONE_DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NO_ANSWER = SourceError("Listed: no answer")


@dataclass
class Simulation:
    """A newsletter that ticks, its sources, and the times at which it sent letters."""

    store: Store
    listed: StubSource
    clock: ManualClock
    publisher: Publisher
    loop: asyncio.Runner
    log: list[str]
    scheduler_state: SchedulerState = field(default_factory=lambda: SchedulerState(SCHEDULE))
    transport: MemoryTransport = field(default_factory=MemoryTransport)
    sent: list[tuple[datetime, str]] = field(default_factory=list)
    ticks: int = 0

    def subscribe(self, *subscribers: Subscriber) -> None:
        self.store.sync_subscribers(subscribers, now=self.clock.now())

    def tick(self, now: datetime) -> None:
        """Run one tick at this time."""
        self.clock.time = now
        self.ticks += 1
        before = len(self.transport.letters)
        done = tick(
            self.publisher,
            self.scheduler_state,
            self.transport,
            run_lock=KnownRuns("run"),
            turn=str(self.ticks),
        )
        self.loop.run(done)
        for letter in self.transport.letters[before:]:
            self.sent.append((now, letter.envelope.recipient.partition("@")[0]))

    def run_between(
        self,
        since: datetime,
        until: datetime,
        *,
        step: timedelta = MINUTE,
        then: Callable[[], None] = lambda: None,
    ) -> None:
        """Tick from one instant to another."""
        while since <= until:
            self.tick(since)
            then()
            since += step

    def restart(self) -> None:
        """Forget what only the process knew, like a restart."""
        self.scheduler_state = SchedulerState(SCHEDULE, seen=self.scheduler_state.seen)


@pytest.fixture
def simulation(store: Store) -> Iterator[Simulation]:
    clock = ManualClock(SEVEN_OCLOCK - 2 * HOUR)
    listed = StubSource("One", "Two")
    with asyncio.Runner() as loop, log_lines() as log:
        made = Simulation(
            store, listed, clock, publisher_over(store, listed, clock=clock), loop, log
        )
        made.subscribe(subscriber())
        yield made


def test_letters_leave_when_due_after_an_hours_fetching(
    simulation: Simulation,
) -> None:
    asked: list[tuple[datetime, int]] = []
    simulation.run_between(
        SEVEN_OCLOCK - 61 * MINUTE,
        SEVEN_OCLOCK + 10 * MINUTE,
        step=TICK,
        then=lambda: asked.append((simulation.clock.now(), simulation.listed.fetches)),
    )
    changes = [asked[i][0] for i in range(1, len(asked)) if asked[i][1] > asked[i - 1][1]]
    assert asked[0][1] == 1  # at the start; then in the last hour and in the last minute
    assert changes == [SEVEN_OCLOCK - HOUR, SEVEN_OCLOCK - MINUTE]
    assert simulation.sent == [(SEVEN_OCLOCK, "ada")]
    assert simulation.store.waves(DAY)[0].due == SEVEN_OCLOCK


@pytest.mark.slow
def test_readers_get_one_date_at_their_own_times(simulation: Simulation) -> None:
    simulation.subscribe(
        subscriber("ada@example.org"),
        subscriber("bob@example.org", timezone="Pacific/Auckland"),
        subscriber("cy@example.org", at="07:15"),
        subscriber("dee@example.org", cadence="weekly", day=5),
        subscriber("eve@example.org", paused_until=DAY + ONE_DAY),
    )
    auckland = datetime(2026, 8, 2, 19, 0, tzinfo=UTC)
    simulation.run_between(auckland - HOUR, SEVEN_OCLOCK + HOUR, step=5 * MINUTE)
    assert simulation.sent == [
        (auckland, "bob"),
        (SEVEN_OCLOCK, "ada"),
        (SEVEN_OCLOCK + 15 * MINUTE, "cy"),
    ]
    assert [wave.due for wave in simulation.store.waves(DAY)] == [at for at, _ in simulation.sent]
    assert simulation.store.issue_state(DAY) == ("done", "")


def test_sends_on_waking_after_sleeping_through_due_time(simulation: Simulation) -> None:
    woke = SEVEN_OCLOCK + 4 * HOUR
    simulation.run_between(SEVEN_OCLOCK - 2 * HOUR, SEVEN_OCLOCK - 2 * HOUR + MINUTE)
    simulation.run_between(woke, woke + HOUR, step=5 * MINUTE)
    assert simulation.sent == [(woke, "ada")]
    assert simulation.store.issue_days() == (DAY,)


@pytest.mark.slow
def test_cancelled_future_days_do_not_block_today(simulation: Simulation) -> None:
    for ahead in range(1, 9):
        cancel(simulation.store, DAY + ahead * ONE_DAY)
    simulation.run_between(SEVEN_OCLOCK - HOUR, SEVEN_OCLOCK)
    assert simulation.sent == [(SEVEN_OCLOCK, "ada")]
    assert next(reported_days(simulation.store, SEVEN_OCLOCK)) == DAY
    assert next(reported_days(simulation.store, SEVEN_OCLOCK + ONE_DAY)) == DAY + ONE_DAY


def test_everything_missed_goes_in_one_wave_on_waking(simulation: Simulation) -> None:
    simulation.subscribe(*(subscriber(f"r{n}@example.org", at=f"0{5 + n}:30") for n in range(3)))
    woke = SEVEN_OCLOCK + 4 * HOUR
    simulation.run_between(woke, woke + MINUTE)
    assert simulation.sent == [(woke, "r0"), (woke, "r1"), (woke, "r2")]
    assert len(simulation.store.waves(DAY)) == 1


@pytest.mark.parametrize("restarted", [False, True])
def test_three_missed_days_make_one_merged_issue(simulation: Simulation, restarted: bool) -> None:  # noqa: FBT001 - a case
    simulation.run_between(SEVEN_OCLOCK, SEVEN_OCLOCK + MINUTE)
    if restarted:
        simulation.restart()
    woke = SEVEN_OCLOCK + 3 * ONE_DAY + 4 * HOUR
    simulation.listed.titles = ("Three", "Four")
    simulation.run_between(woke, woke + HOUR, step=5 * MINUTE)
    assert simulation.sent == [(SEVEN_OCLOCK, "ada"), (woke, "ada")]
    assert simulation.store.issue_days() == (DAY + 3 * ONE_DAY, DAY)


def test_missed_weekly_issue_waits_for_sources_and_goes(
    simulation: Simulation,
) -> None:
    simulation.subscribe(subscriber(cadence="weekly"))
    simulation.listed.error = NO_ANSWER
    simulation.tick(SEVEN_OCLOCK - 3 * HOUR)
    woke = SEVEN_OCLOCK + 30 * HOUR
    simulation.run_between(woke, woke + 2 * MINUTE)
    assert simulation.store.issue_state(DAY) == ("skipped", "no source answered")
    simulation.listed.error = None
    simulation.run_between(woke + 3 * MINUTE, woke + 10 * MINUTE)
    assert [name for _, name in simulation.sent] == ["ada"]
    assert simulation.store.issue_days() == (DAY,)


def test_missed_issue_is_caught_up_for_half_a_day(simulation: Simulation) -> None:
    simulation.tick(SEVEN_OCLOCK - ONE_DAY)
    woke = SEVEN_OCLOCK + ONE_DAY
    simulation.tick(woke)
    assert simulation.scheduler_state.asleep_since == SEVEN_OCLOCK - ONE_DAY
    simulation.run_between(woke, woke + 13 * HOUR, step=20 * MINUTE)
    assert simulation.scheduler_state.asleep_since is None


def test_readers_planned_by_another_process_are_left_alone(simulation: Simulation) -> None:
    readers = [reader.id for reader in simulation.store.readers()]
    simulation.tick(SEVEN_OCLOCK)
    due = [Due(DAY, SEVEN_OCLOCK, readers)]
    freeze_due(simulation.publisher, simulation.scheduler_state, due)
    assert len(simulation.store.waves(DAY)) == 1


@pytest.mark.slow
def test_clock_set_back_or_forward_repeats_nothing(simulation: Simulation) -> None:
    simulation.run_between(SEVEN_OCLOCK - MINUTE, SEVEN_OCLOCK + MINUTE)
    simulation.run_between(SEVEN_OCLOCK - 2 * HOUR, SEVEN_OCLOCK + 5 * MINUTE, step=5 * MINUTE)
    assert len(simulation.sent) == 1
    ahead = SEVEN_OCLOCK + 3 * ONE_DAY
    simulation.listed.titles = ("Three",)
    simulation.run_between(ahead, ahead + MINUTE)
    assert len(simulation.sent) == 2
    simulation.listed.titles = ("Four",)
    simulation.run_between(SEVEN_OCLOCK + HOUR, SEVEN_OCLOCK + ONE_DAY, step=30 * MINUTE)
    assert [at for at, _ in simulation.sent] == [SEVEN_OCLOCK, ahead, SEVEN_OCLOCK + ONE_DAY]


def test_clock_step_during_sending_repeats_nothing(simulation: Simulation) -> None:
    simulation.subscribe(*(subscriber(f"r{n}@example.org") for n in range(5)))

    class Stepping(MemoryTransport):
        async def send(self, letters, mark, settle) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
            def settled(letter: Letter, outcome: Outcome) -> None:
                simulation.clock.time += timedelta(days=3) if letter.claim.reader % 2 else -2 * HOUR
                settle(letter, outcome)

            await super().send(letters, mark, settled)

    simulation.transport = Stepping()
    simulation.tick(SEVEN_OCLOCK)
    simulation.run_between(SEVEN_OCLOCK, SEVEN_OCLOCK + 5 * MINUTE)
    assert Counter(name for _, name in simulation.sent) == {f"r{n}": 1 for n in range(5)}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "after"),
    [("Pacific/Auckland", "America/Los_Angeles"), ("America/Los_Angeles", "Pacific/Auckland")],
)
def test_moving_reader_gets_one_letter_per_date(
    simulation: Simulation, before: str, after: str
) -> None:
    def day_of(at: datetime) -> None:
        simulation.listed.titles = (f"Paper of {at:%d %H}",)

    start = SEVEN_OCLOCK - 2 * ONE_DAY
    at = start
    while at < SEVEN_OCLOCK + 2 * ONE_DAY:
        day_of(at)
        simulation.subscribe(subscriber(timezone=before if at < SEVEN_OCLOCK else after))
        simulation.tick(at)
        at += HOUR
    rows = [
        row for day in simulation.store.issue_days() for row in simulation.store.deliveries(day)
    ]
    assert len(rows) == len({row.day for row in rows}) == len(simulation.sent)
    assert {DAY - ONE_DAY, DAY, DAY + ONE_DAY} <= {row.day for row in rows}


@pytest.mark.slow
def test_failed_source_is_retried_with_growing_waits(simulation: Simulation) -> None:
    simulation.listed.error = NO_ANSWER
    other = StubSource("Other", name="Other")
    simulation.publisher = replace(simulation.publisher, sources=(simulation.listed, other))
    asked: list[float] = []

    def note() -> None:
        if simulation.listed.fetches > len(asked):
            asked.append((simulation.clock.now() - (SEVEN_OCLOCK - HOUR)) / MINUTE)

    simulation.run_between(SEVEN_OCLOCK - HOUR, SEVEN_OCLOCK + 5 * MINUTE, then=note)
    simulation.run_between(
        SEVEN_OCLOCK + 10 * MINUTE, SEVEN_OCLOCK + HOUR, step=10 * MINUTE, then=note
    )
    assert asked == [0, 1, 3, 7, 15, 30, 45, 59, 80, 100]
    assert simulation.sent == [(SEVEN_OCLOCK, "ada")]
    assert simulation.store.waves(DAY)[0].issue.missing == ("Listed",)
    simulation.listed.error = None
    simulation.run_between(SEVEN_OCLOCK + 23 * HOUR, SEVEN_OCLOCK + ONE_DAY, step=5 * MINUTE)
    assert simulation.sent[1:] == [(SEVEN_OCLOCK + ONE_DAY, "ada")]
    (wave,) = simulation.store.waves(DAY + ONE_DAY)
    assert {paper.item.title for paper in wave.issue.in_question} == {"One", "Two"}


@pytest.mark.slow
def test_list_that_grows_is_asked_until_the_freeze(simulation: Simulation) -> None:
    simulation.listed.titles = ("Early",)
    simulation.run_between(SEVEN_OCLOCK - 2 * HOUR, SEVEN_OCLOCK - 5 * MINUTE)
    simulation.listed.titles = ("Early", "Late")
    simulation.run_between(SEVEN_OCLOCK - 4 * MINUTE, SEVEN_OCLOCK)
    (wave,) = simulation.store.waves(DAY)
    assert {paper.item.title for paper in wave.issue.in_question} == {"Early", "Late"}


@pytest.mark.slow
def test_weekly_letter_has_the_lists_of_all_days(simulation: Simulation) -> None:
    simulation.subscribe(subscriber(cadence="weekly"))
    monday = SEVEN_OCLOCK
    simulation.run_between(monday - MINUTE, monday)
    for ahead in range(1, 8):
        simulation.listed.titles = (f"Paper of day {ahead}",)
        simulation.run_between(
            monday + ahead * ONE_DAY - 5 * HOUR, monday + ahead * ONE_DAY, step=30 * MINUTE
        )
    (wave,) = simulation.store.waves(DAY + 7 * ONE_DAY)
    assert len(wave.issue.in_question) == 7


@pytest.mark.slow
def test_stale_list_under_todays_date_is_fetched_again(simulation: Simulation) -> None:
    simulation.run_between(SEVEN_OCLOCK - HOUR, SEVEN_OCLOCK, step=5 * MINUTE)
    simulation.run_between(SEVEN_OCLOCK + 23 * HOUR, SEVEN_OCLOCK + ONE_DAY - 30 * MINUTE)
    assert simulation.store.sources()["Listed"].state == "stale"
    simulation.listed.titles = ("Three",)
    simulation.run_between(SEVEN_OCLOCK + ONE_DAY - 29 * MINUTE, SEVEN_OCLOCK + ONE_DAY)
    assert [at for at, _ in simulation.sent] == [SEVEN_OCLOCK, SEVEN_OCLOCK + ONE_DAY]


def test_source_on_a_day_off_is_not_asked(simulation: Simulation) -> None:
    saturday = SEVEN_OCLOCK + 5 * ONE_DAY
    simulation.listed.calendar = Calendar(weekdays=frozenset(range(5)), settles=-ONE_DAY)
    simulation.run_between(saturday - HOUR, saturday + HOUR, step=5 * MINUTE)
    assert simulation.listed.fetches == 0
    assert simulation.store.sources()["Listed"].state == "holiday"
    assert simulation.store.issue_state(DAY + 5 * ONE_DAY) == ("skipped", "no new papers")


def test_empty_day_is_reported_once_and_not_retried(simulation: Simulation) -> None:
    simulation.listed.titles = ()
    simulation.run_between(SEVEN_OCLOCK - MINUTE, SEVEN_OCLOCK + 10 * MINUTE)
    simulation.run_between(SEVEN_OCLOCK + 15 * MINUTE, SEVEN_OCLOCK + HOUR, step=5 * MINUTE)
    assert simulation.store.issue_state(DAY) == ("skipped", "no new papers")
    assert sum("nothing to send" in line for line in simulation.log) == 1
    assert simulation.sent == []


@pytest.mark.slow
def test_nothing_is_sent_until_a_source_answers(simulation: Simulation) -> None:
    simulation.listed.error = NO_ANSWER
    simulation.run_between(SEVEN_OCLOCK - HOUR, SEVEN_OCLOCK + 10 * MINUTE)
    assert simulation.store.issue_state(DAY) == ("skipped", "no source answered")
    assert sum("nothing is sent" in line for line in simulation.log) == 1
    assert simulation.sent == []
    simulation.listed.error = None
    simulation.run_between(SEVEN_OCLOCK + 10 * MINUTE, SEVEN_OCLOCK + HOUR, step=5 * MINUTE)
    assert [name for _, name in simulation.sent] == ["ada"]


def test_late_joiner_gets_todays_letter_only_with_news(
    simulation: Simulation,
) -> None:
    simulation.run_between(SEVEN_OCLOCK, SEVEN_OCLOCK + MINUTE)
    simulation.subscribe(subscriber("ada@example.org"), subscriber("bob@example.org"))
    simulation.run_between(SEVEN_OCLOCK + HOUR, SEVEN_OCLOCK + 2 * HOUR, step=5 * MINUTE)
    assert simulation.sent == [(SEVEN_OCLOCK, "ada")]
    states = {row.email: row.state for row in simulation.store.deliveries(DAY)}
    assert states.get("bob@example.org", "empty") == "empty"


class FailingTransport(MemoryTransport):
    """Fails as a whole until the test lets it work, and counts the attempts."""

    attempts = 0
    works = False

    async def send(self, letters, mark, settle) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
        self.attempts += 1
        if not self.works:
            raise TransportError("relay.example: nobody there")
        await super().send(letters, mark, settle)


def test_unreachable_server_is_retried_with_growing_waits(simulation: Simulation) -> None:
    simulation.transport = sulking = FailingTransport()
    simulation.run_between(SEVEN_OCLOCK, SEVEN_OCLOCK + 10 * MINUTE)
    assert sulking.attempts == 4
    assert "2026-08-03: relay.example: nobody there" in simulation.log
    sulking.works = True
    simulation.run_between(SEVEN_OCLOCK + 10 * MINUTE, SEVEN_OCLOCK + 20 * MINUTE)
    assert [name for _, name in simulation.sent] == ["ada"]


def test_process_ending_after_freeze_is_continued(simulation: Simulation) -> None:
    simulation.transport = FailingTransport()
    simulation.tick(SEVEN_OCLOCK)
    simulation.restart()
    simulation.transport = MemoryTransport()
    simulation.tick(SEVEN_OCLOCK + MINUTE)
    assert [name for _, name in simulation.sent] == ["ada"]


@pytest.mark.slow
def test_a_weeks_papers_reach_a_reader_once(simulation: Simulation) -> None:
    day = date(2026, 8, 3)
    for n in range(7):
        simulation.listed.titles = (f"Paper {n}", f"Paper {n + 1}")
        seven = SEVEN_OCLOCK + n * ONE_DAY
        simulation.run_between(seven - HOUR, seven, step=10 * MINUTE)
    found = Counter(
        wave.issue.papers[place].item.title
        for n in range(7)
        for wave in simulation.store.waves(day + n * ONE_DAY)
        for place in (simulation.store.edition(day + n * ONE_DAY, "ada@example.org") or (0, None))[
            1
        ].papers  # type: ignore[union-attr]
    )
    assert found == {f"Paper {n}": 1 for n in range(8)}
