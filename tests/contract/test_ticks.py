"""Days of a newsletter that stays awake, over every store: its clock is the test's to turn."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

import pytest

from newsletter.errors import SourceError, TransportError
from newsletter.model import Letter, Outcome, Subscriber
from newsletter.ports import Store
from newsletter.publisher.issue_control import cancel
from newsletter.publisher.publisher import Publisher
from newsletter.publisher.reporting import so_far
from newsletter.publisher.ticking import SchedulerState, freeze_due
from newsletter.readers.due import DefaultSchedule, Due
from tests.support.clocks import ManualClock
from tests.support.factories import DAY, subscriber
from tests.support.outgoing import MemoryTransport
from tests.support.publishers import KnownRuns, StubSource, publisher_over, tick

RHYTHM = DefaultSchedule("07:00", "Europe/Zurich", "daily")
SEVEN = datetime(2026, 8, 3, 5, 0, tzinfo=UTC)
"""Seven o'clock in Zurich on DAY."""
TICK = timedelta(seconds=30)
"""How often it looks; most tests look once a minute, at which all of their times are."""
MINUTE, HOUR, ONE_DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
DOWN = SourceError("Listed: no answer")


@dataclass
class Night:
    """A newsletter that ticks, its sources, and what it sent when."""

    store: Store
    listed: StubSource
    clock: ManualClock
    publisher: Publisher
    loop: asyncio.Runner
    scheduler_state: SchedulerState = field(default_factory=lambda: SchedulerState(RHYTHM))
    transport: MemoryTransport = field(default_factory=MemoryTransport)
    told: list[str] = field(default_factory=list)
    sent: list[tuple[datetime, str]] = field(default_factory=list)
    ticks: int = 0

    def subscribe(self, *subscribers: Subscriber) -> None:
        self.store.sync_subscribers(subscribers, now=self.clock.now())

    def tick(self, now: datetime) -> None:
        """Look at the clock, which shows this."""
        self.clock.time = now
        self.ticks += 1
        before = len(self.transport.letters)
        done = tick(
            self.publisher,
            self.scheduler_state,
            self.transport,
            run_lock=KnownRuns("run"),
            turn=str(self.ticks),
            told=self.told.append,
        )
        self.loop.run(done)
        for letter in self.transport.letters[before:]:
            self.sent.append((now, letter.envelope.recipient.partition("@")[0]))

    def awake(
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
        """Forget what only the process knew."""
        self.scheduler_state = SchedulerState(RHYTHM, seen=self.scheduler_state.seen)


@pytest.fixture
def night(store: Store) -> Iterator[Night]:
    clock = ManualClock(SEVEN - 2 * HOUR)
    listed = StubSource("One", "Two")
    with asyncio.Runner() as loop:
        made = Night(store, listed, clock, publisher_over(store, listed, clock=clock), loop)
        made.subscribe(subscriber())
        yield made


def test_letters_leave_when_due_after_an_hours_fetching(
    night: Night,
) -> None:
    asked: list[tuple[datetime, int]] = []
    night.awake(
        SEVEN - 61 * MINUTE,
        SEVEN + 10 * MINUTE,
        step=TICK,
        then=lambda: asked.append((night.clock.now(), night.listed.asked)),
    )
    assert next(at for at, times in asked if times) == SEVEN - HOUR
    assert night.listed.asked == 1
    assert night.sent == [(SEVEN, "ada")]
    assert night.store.waves(DAY)[0].due == SEVEN


def test_readers_get_one_date_at_their_own_times(night: Night) -> None:
    night.subscribe(
        subscriber("ada@example.org"),
        subscriber("bob@example.org", timezone="Pacific/Auckland"),
        subscriber("cy@example.org", at="07:15"),
        subscriber("dee@example.org", cadence="weekly", day=5),
        subscriber("eve@example.org", paused_until=DAY + ONE_DAY),
    )
    auckland = datetime(2026, 8, 2, 19, 0, tzinfo=UTC)
    night.awake(auckland - HOUR, SEVEN + HOUR, step=5 * MINUTE)
    assert night.sent == [(auckland, "bob"), (SEVEN, "ada"), (SEVEN + 15 * MINUTE, "cy")]
    assert [wave.due for wave in night.store.waves(DAY)] == [at for at, _ in night.sent]
    assert night.store.issue_state(DAY) == ("done", "")


def test_sends_on_waking_after_sleeping_through_due_time(night: Night) -> None:
    woke = SEVEN + 4 * HOUR
    night.awake(SEVEN - 2 * HOUR, SEVEN - 2 * HOUR + MINUTE)
    night.awake(woke, woke + HOUR, step=5 * MINUTE)
    assert night.sent == [(woke, "ada")]
    assert night.store.issue_days() == (DAY,)


def test_cancelled_future_days_do_not_block_today(night: Night) -> None:
    for ahead in range(1, 9):
        cancel(night.store, DAY + ahead * ONE_DAY)
    night.awake(SEVEN - HOUR, SEVEN)
    assert night.sent == [(SEVEN, "ada")]
    assert next(so_far(night.store, SEVEN)) == DAY
    assert next(so_far(night.store, SEVEN + ONE_DAY)) == DAY + ONE_DAY


def test_everything_missed_goes_in_one_wave_on_waking(night: Night) -> None:
    night.subscribe(*(subscriber(f"r{n}@example.org", at=f"0{5 + n}:30") for n in range(3)))
    woke = SEVEN + 4 * HOUR
    night.awake(woke, woke + MINUTE)
    assert night.sent == [(woke, "r0"), (woke, "r1"), (woke, "r2")]
    assert len(night.store.waves(DAY)) == 1


@pytest.mark.parametrize("restarted", [False, True])
def test_three_missed_days_make_one_merged_issue(night: Night, restarted: bool) -> None:  # noqa: FBT001 - a case
    night.awake(SEVEN, SEVEN + MINUTE)
    if restarted:
        night.restart()
    woke = SEVEN + 3 * ONE_DAY + 4 * HOUR
    night.listed.titles = ("Three", "Four")
    night.awake(woke, woke + HOUR, step=5 * MINUTE)
    assert night.sent == [(SEVEN, "ada"), (woke, "ada")]
    assert night.store.issue_days() == (DAY + 3 * ONE_DAY, DAY)


def test_missed_weekly_issue_waits_for_sources_and_goes(
    night: Night,
) -> None:
    night.subscribe(subscriber(cadence="weekly"))
    night.tick(SEVEN - 3 * HOUR)
    woke = SEVEN + 30 * HOUR
    night.listed.failing = DOWN
    night.awake(woke, woke + 2 * MINUTE)
    assert night.store.issue_state(DAY) == ("skipped", "no source answered")
    night.listed.failing = None
    night.awake(woke + 3 * MINUTE, woke + 5 * MINUTE)
    assert [name for _, name in night.sent] == ["ada"]
    assert night.store.issue_days() == (DAY,)


def test_missed_issue_is_caught_up_for_half_a_day(night: Night) -> None:
    night.tick(SEVEN - ONE_DAY)
    woke = SEVEN + ONE_DAY
    night.tick(woke)
    assert night.scheduler_state.asleep_since == SEVEN - ONE_DAY
    night.awake(woke, woke + 13 * HOUR, step=20 * MINUTE)
    assert night.scheduler_state.asleep_since is None


def test_readers_planned_by_another_process_are_left_alone(night: Night) -> None:
    readers = [reader.id for reader in night.store.readers()]
    night.tick(SEVEN)
    assert freeze_due(night.publisher, night.scheduler_state, [Due(DAY, SEVEN, readers)]) == ""
    assert len(night.store.waves(DAY)) == 1


def test_clock_set_back_or_forward_repeats_nothing(night: Night) -> None:
    night.awake(SEVEN - MINUTE, SEVEN + MINUTE)
    night.awake(SEVEN - 2 * HOUR, SEVEN + 5 * MINUTE, step=5 * MINUTE)
    assert len(night.sent) == 1
    ahead = SEVEN + 3 * ONE_DAY
    night.listed.titles = ("Three",)
    night.awake(ahead, ahead + MINUTE)
    assert len(night.sent) == 2
    night.listed.titles = ("Four",)
    night.awake(SEVEN + HOUR, SEVEN + ONE_DAY, step=30 * MINUTE)
    assert [at for at, _ in night.sent] == [SEVEN, ahead, SEVEN + ONE_DAY]


def test_clock_step_during_sending_repeats_nothing(night: Night) -> None:
    night.subscribe(*(subscriber(f"r{n}@example.org") for n in range(5)))

    class Stepping(MemoryTransport):
        async def send(self, letters, mark, settle) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
            async def settled(letter: Letter, outcome: Outcome) -> None:
                night.clock.time += timedelta(days=3) if letter.claim.reader % 2 else -2 * HOUR
                await settle(letter, outcome)

            await super().send(letters, mark, settled)

    night.transport = Stepping()
    night.tick(SEVEN)
    night.awake(SEVEN, SEVEN + 5 * MINUTE)
    assert Counter(name for _, name in night.sent) == {f"r{n}": 1 for n in range(5)}


@pytest.mark.parametrize(
    ("before", "after"),
    [("Pacific/Auckland", "America/Los_Angeles"), ("America/Los_Angeles", "Pacific/Auckland")],
)
def test_moving_reader_gets_one_letter_per_date(night: Night, before: str, after: str) -> None:
    def day_of(at: datetime) -> None:
        night.listed.titles = (f"Paper of {at:%d %H}",)

    start = SEVEN - 2 * ONE_DAY
    at = start
    while at < SEVEN + 2 * ONE_DAY:
        day_of(at)
        night.subscribe(subscriber(timezone=before if at < SEVEN else after))
        night.tick(at)
        at += HOUR
    rows = [row for day in night.store.issue_days() for row in night.store.deliveries(day)]
    assert len(rows) == len({row.day for row in rows}) == len(night.sent)
    assert {DAY - ONE_DAY, DAY, DAY + ONE_DAY} <= {row.day for row in rows}


def test_failed_source_is_retried_with_growing_waits(night: Night) -> None:
    night.listed.failing = DOWN
    other = StubSource("Other", name="Other")
    night.publisher = replace(night.publisher, sources=(night.listed, other))
    asked: list[float] = []

    def note() -> None:
        if night.listed.asked > len(asked):
            asked.append((night.clock.now() - (SEVEN - HOUR)) / MINUTE)

    night.awake(SEVEN - HOUR, SEVEN + 5 * MINUTE, then=note)
    night.awake(SEVEN + 10 * MINUTE, SEVEN + HOUR, step=10 * MINUTE, then=note)
    assert asked == [0, 1, 3, 7, 15, 30, 45, 59]
    assert other.asked == 1
    assert night.sent == [(SEVEN, "ada")]
    assert night.store.waves(DAY)[0].issue.missing == ("Listed",)
    night.listed.failing = None
    night.awake(SEVEN + 23 * HOUR, SEVEN + ONE_DAY, step=5 * MINUTE)
    assert night.sent[1:] == [(SEVEN + ONE_DAY, "ada")]
    (wave,) = night.store.waves(DAY + ONE_DAY)
    assert {paper.item.title for paper in wave.issue.in_question} == {"One", "Two"}


def test_empty_source_is_retried_until_it_has_papers(night: Night) -> None:
    night.listed.titles = ()
    night.awake(SEVEN - HOUR, SEVEN - 50 * MINUTE)
    quiet = night.listed.asked
    night.listed.titles = ("Late",)
    night.awake(SEVEN - 49 * MINUTE, SEVEN + HOUR, step=7 * MINUTE)
    assert (quiet, night.listed.asked) == (4, 5)
    assert night.sent == [(SEVEN, "ada")]


def test_stale_list_under_todays_date_is_fetched_again(night: Night) -> None:
    night.awake(SEVEN - HOUR, SEVEN, step=5 * MINUTE)
    night.awake(SEVEN + 23 * HOUR, SEVEN + ONE_DAY - 30 * MINUTE)
    assert night.store.sources()["Listed"].state == "stale"
    night.listed.titles = ("Three",)
    night.awake(SEVEN + ONE_DAY - 29 * MINUTE, SEVEN + ONE_DAY)
    assert [at for at, _ in night.sent] == [SEVEN, SEVEN + ONE_DAY]


def test_source_on_a_day_off_is_fetched_once(night: Night) -> None:
    saturday = SEVEN + 5 * ONE_DAY
    night.listed.titles = ()
    night.awake(saturday - HOUR, saturday + HOUR, step=5 * MINUTE)
    assert night.listed.asked == 1
    assert night.store.issue_state(DAY + 5 * ONE_DAY) == ("skipped", "no new papers")


def test_empty_day_is_reported_once_and_not_retried(night: Night) -> None:
    night.listed.titles = ()
    night.awake(SEVEN - MINUTE, SEVEN + 10 * MINUTE)
    night.awake(SEVEN + 15 * MINUTE, SEVEN + HOUR, step=5 * MINUTE)
    assert night.store.issue_state(DAY) == ("skipped", "no new papers")
    assert sum("nothing to send" in line for line in night.told) == 1
    assert night.sent == []


def test_nothing_is_sent_until_a_source_answers(night: Night) -> None:
    night.listed.failing = DOWN
    night.awake(SEVEN - HOUR, SEVEN + 10 * MINUTE)
    assert night.store.issue_state(DAY) == ("skipped", "no source answered")
    assert sum("nothing is sent" in line for line in night.told) == 1
    assert night.sent == []
    night.listed.failing = None
    night.awake(SEVEN + 10 * MINUTE, SEVEN + HOUR, step=5 * MINUTE)
    assert [name for _, name in night.sent] == ["ada"]


def test_late_joiner_gets_todays_letter_only_with_news(
    night: Night,
) -> None:
    night.awake(SEVEN, SEVEN + MINUTE)
    night.subscribe(subscriber("ada@example.org"), subscriber("bob@example.org"))
    night.awake(SEVEN + HOUR, SEVEN + 2 * HOUR, step=5 * MINUTE)
    assert night.sent == [(SEVEN, "ada")]
    states = {row.email: row.state for row in night.store.deliveries(DAY)}
    assert states.get("bob@example.org", "empty") == "empty"


class Sulking(MemoryTransport):
    """Refuses as a whole until it is told to work, and counts the attempts."""

    attempts = 0
    works = False

    async def send(self, letters, mark, settle) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
        self.attempts += 1
        if not self.works:
            raise TransportError("relay.example: nobody there")
        await super().send(letters, mark, settle)


def test_unreachable_server_is_retried_with_growing_waits(night: Night) -> None:
    night.transport = sulking = Sulking()
    night.awake(SEVEN, SEVEN + 10 * MINUTE)
    assert sulking.attempts == 4
    assert "2026-08-03: relay.example: nobody there" in night.told
    sulking.works = True
    night.awake(SEVEN + 10 * MINUTE, SEVEN + 20 * MINUTE)
    assert [name for _, name in night.sent] == ["ada"]


def test_process_ending_after_freeze_is_continued(night: Night) -> None:
    night.transport = Sulking()
    night.tick(SEVEN)
    night.restart()
    night.transport = MemoryTransport()
    night.tick(SEVEN + MINUTE)
    assert [name for _, name in night.sent] == ["ada"]


def test_a_weeks_papers_reach_a_reader_once(night: Night) -> None:
    day = date(2026, 8, 3)
    for n in range(7):
        night.listed.titles = (f"Paper {n}", f"Paper {n + 1}")
        seven = SEVEN + n * ONE_DAY
        night.awake(seven - HOUR, seven, step=10 * MINUTE)
    found = Counter(
        wave.issue.papers[place].item.title
        for n in range(7)
        for wave in night.store.waves(day + n * ONE_DAY)
        for place in (night.store.edition(day + n * ONE_DAY, "ada@example.org") or (0, None))[
            1
        ].papers  # type: ignore[union-attr]
    )
    assert found == {f"Paper {n}": 1 for n in range(8)}
