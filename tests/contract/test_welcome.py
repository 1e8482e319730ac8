"""A new reader's first letter, on every store: the day's edition, sent once through the ledger."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from newsletter.errors import TransportError
from newsletter.model import Consent, Deferred, Filter, Reader, Status, Subscriber
from newsletter.papers.filters import parse_rule
from newsletter.ports import Letters, Mark, Settle, Store
from newsletter.publisher.fetching import fetch_sources
from newsletter.publisher.publisher import Publisher
from newsletter.publisher.publishing import cancel, freeze, publish, waiting_readers
from newsletter.publisher.ticking import SchedulerState
from newsletter.publisher.welcoming import (
    FirstLetter,
    deliver_first_letter,
    open_first_letters,
    plan_first_letter,
)
from newsletter.readers.due import DefaultSchedule
from tests.support.clocks import ManualClock
from tests.support.factories import DAY, NOON, subscriber
from tests.support.logs import log_lines
from tests.support.outgoing import MemoryTransport
from tests.support.publishers import KnownRuns, StubSource, publisher_over, tick

HOUR, ONE_DAY = timedelta(hours=1), timedelta(days=1)
VISION = Filter(topics=("Vision",))
BOB = "bob@example.org"


@dataclass
class WelcomeScenario:
    """A newsletter that Ada reads and Bob joins."""

    store: Store
    listed: StubSource
    clock: ManualClock
    publisher: Publisher
    transport: MemoryTransport = field(default_factory=MemoryTransport)
    ticks: int = 0

    def issue(self) -> None:
        """Freeze and deliver the day's issue."""
        asyncio.run(self._issue())

    async def _issue(self) -> None:
        day = self.clock.now().date()
        reports = await fetch_sources([self.listed], self.store, day, self.clock, lambda _: None)
        freeze(self.publisher, day, waiting_readers(self.publisher, day), reports)
        await self._deliver("issue")

    async def _deliver(self, turn: str) -> None:
        day = self.clock.now().date()
        await publish(
            self.publisher,
            day,
            self.transport,
            run_lock=KnownRuns("run"),
            turn=f"{turn}{len(self.transport.letters)}",
            progress=lambda _: None,
        )

    def deliver(self) -> None:
        asyncio.run(self._deliver("first"))

    def deliver_first(self, letter: FirstLetter | None) -> list[str]:
        """Deliver a first letter to the end; return the lines logged meanwhile."""
        assert letter is not None
        delivering = deliver_first_letter(
            self.publisher, letter, self.transport, run_lock=KnownRuns("pages"), turn="first"
        )
        with log_lines() as lines:
            asyncio.run(delivering)
        return lines

    def state(self, reader: Reader) -> str:
        """The state of Bob's delivery of the day."""
        return self.store.deliveries_to(reader.id)[-1].state

    def confirm_bob(self, status: Status = "unconfirmed", **wants: object) -> Reader:
        """Bob confirms his subscription."""
        wanted: Subscriber = subscriber(BOB, **wants)
        bob = self.store.save_reader(wanted, status=status, now=self.clock.now())
        self.store.record_consent(bob.id, Consent(self.clock.now(), "by a link", "Yes."))
        found = self.store.reader_by_id(bob.id)
        assert found is not None
        return found

    def tick(self) -> None:
        """Run one tick of the scheduler."""
        self.ticks += 1
        scheduler_state = SchedulerState(DefaultSchedule("07:00", "UTC", "daily"))
        run_lock = KnownRuns("tick")
        done = tick(
            self.publisher,
            scheduler_state,
            self.transport,
            run_lock=run_lock,
            turn=str(self.ticks),
        )
        asyncio.run(done)

    @property
    def letters_to_bob(self) -> list[str]:
        """The subjects of the letters that Bob got."""
        letters = [letter.envelope for letter in self.transport.letters]
        return [
            next(line for line in b"".join(each.content).split(b"\r\n") if line[:8] == b"Subject:")[
                9:
            ].decode()
            for each in letters
            if each.recipient == BOB
        ]


@pytest.fixture
def scenario(store: Store) -> WelcomeScenario:
    clock = ManualClock(NOON)
    listed = StubSource("Vision anew", "Of other things")
    store.sync_subscribers([subscriber()], now=NOON)
    return WelcomeScenario(store, listed, clock, publisher_over(store, listed, clock=clock))


@pytest.mark.slow
def test_newcomer_gets_the_days_edition_once(
    scenario: WelcomeScenario,
) -> None:
    scenario.issue()
    waves = scenario.store.waves(DAY)
    scenario.clock.time += 3 * HOUR
    bob = scenario.confirm_bob(filter=VISION)
    letter = plan_first_letter(scenario.publisher, bob)
    assert letter is not None
    assert (letter.day, letter.reader) == (DAY, bob.id)
    assert plan_first_letter(scenario.publisher, bob) is None
    assert scenario.store.waves(DAY) == waves
    scenario.deliver()
    assert scenario.letters_to_bob == ["Vision anew"]
    assert [line.state for line in scenario.store.deliveries_to(bob.id)] == ["accepted"]
    assert scenario.store.issue_state(DAY) == ("done", "")
    assert scenario.store.audit(DAY).ok
    for _ in range(3):
        scenario.tick()
        scenario.clock.time += 2 * HOUR
    assert scenario.letters_to_bob == ["Vision anew"]
    scenario.clock.time = NOON + ONE_DAY
    scenario.listed.titles = ("Vision anew", "Vision of today")
    scenario.tick()
    assert scenario.letters_to_bob == ["Vision anew", "Vision of today"]
    assert scenario.store.audit(DAY + ONE_DAY).ok


def test_first_edition_has_only_the_issues_new_papers(scenario: WelcomeScenario) -> None:
    scenario.issue()
    scenario.clock.time += ONE_DAY
    scenario.listed.titles = ("Of other things", "Of today")
    scenario.issue()
    assert plan_first_letter(scenario.publisher, scenario.confirm_bob()) is not None
    scenario.deliver()
    assert scenario.letters_to_bob == ["Of today"]
    assert scenario.store.audit(DAY + ONE_DAY).ok


def test_returning_reader_gets_nothing_twice(scenario: WelcomeScenario) -> None:
    scenario.confirm_bob(filter=VISION)
    scenario.issue()
    assert scenario.letters_to_bob == ["Vision anew"]
    scenario.store.set_status(BOB, "unsubscribed", now=scenario.clock.now())
    assert plan_first_letter(scenario.publisher, scenario.confirm_bob("unsubscribed")) is None
    scenario.clock.time += ONE_DAY
    scenario.listed.titles = ("Vision anew", "Of today")
    scenario.store.set_status(BOB, "unsubscribed", now=scenario.clock.now())
    scenario.issue()
    assert plan_first_letter(scenario.publisher, scenario.confirm_bob("unsubscribed")) is not None
    scenario.deliver()
    assert scenario.letters_to_bob == ["Vision anew", "Of today"]


def test_newcomer_without_matching_papers_is_not_planned(scenario: WelcomeScenario) -> None:
    assert plan_first_letter(scenario.publisher, scenario.confirm_bob()) is None
    scenario.store.set_status(BOB, "unsubscribed", now=NOON)
    scenario.issue()
    planned = scenario.store.planned_readers(DAY)
    absent = (
        Filter(include=(parse_rule("salad"),)),
        Filter(topics=("Vision",), exclude=(parse_rule("anew"),)),
    )
    for wants in absent:
        assert (
            plan_first_letter(
                scenario.publisher, scenario.confirm_bob("unsubscribed", filter=wants)
            )
            is None
        )
    away = scenario.confirm_bob("unsubscribed", paused_until=DAY + ONE_DAY)
    assert plan_first_letter(scenario.publisher, away) is None
    scenario.clock.time += 20 * HOUR
    assert plan_first_letter(scenario.publisher, scenario.confirm_bob("unsubscribed")) is None
    assert scenario.store.planned_readers(DAY) == planned


def test_cancelled_issue_is_not_sent_to_newcomers(scenario: WelcomeScenario) -> None:
    scenario.listed.titles = ("Vision anew",)
    asyncio.run(
        fetch_sources([scenario.listed], scenario.store, DAY, scenario.clock, lambda _: None)
    )
    freeze(scenario.publisher, DAY, waiting_readers(scenario.publisher, DAY), ())
    cancel(scenario.store, DAY)
    assert plan_first_letter(scenario.publisher, scenario.confirm_bob()) is None


class DeferringTransport(MemoryTransport):
    """Defers Bob's letter until an instant, and records the times of the attempts."""

    def __init__(self, clock: ManualClock, until: datetime) -> None:
        super().__init__()
        self._clock, self._until = clock, until
        self.tried_at: list[datetime] = []

    async def send(self, letters: Letters, mark: Mark, settle: Settle) -> None:
        self.tried_at.append(self._clock.now())
        waits = self._clock.now() < self._until
        self.answers = {BOB: Deferred("451 4.7.1 greylisted")} if waits else {}
        await super().send(letters, mark, settle)


def minutes(asked: list[datetime]) -> list[int]:
    return [(at - asked[0]) // timedelta(minutes=1) for at in asked]


@pytest.mark.slow
def test_deferred_first_letter_is_retried(scenario: WelcomeScenario) -> None:
    scenario.issue()
    bob = scenario.confirm_bob()
    letter = plan_first_letter(scenario.publisher, bob)
    scenario.transport = patient = DeferringTransport(
        scenario.clock, scenario.clock.now() + 2 * HOUR
    )
    assert scenario.deliver_first(letter) == []
    assert minutes(patient.tried_at) == [0, 5, 15, 35, 75, 135]
    assert scenario.state(bob) == "accepted"
    assert scenario.store.issue_state(DAY) == ("done", "")
    assert scenario.store.audit(DAY).ok
    assert open_first_letters(scenario.publisher) == ()


@pytest.mark.slow
def test_first_letter_is_given_up_like_any_other(scenario: WelcomeScenario) -> None:
    scenario.issue()
    bob = scenario.confirm_bob()
    letter = plan_first_letter(scenario.publisher, bob)
    scenario.transport = patient = DeferringTransport(
        scenario.clock, scenario.clock.now() + 9 * ONE_DAY
    )
    scenario.deliver_first(letter)
    assert scenario.state(bob) == "expired"
    assert minutes(patient.tried_at)[-1] in range(19 * 60, 20 * 60)


def test_first_letter_waits_for_an_unreachable_server(scenario: WelcomeScenario) -> None:
    class Gone(DeferringTransport):
        async def send(self, letters: Letters, mark: Mark, settle: Settle) -> None:
            if len(self.tried_at) < 6:
                self.tried_at.append(self._clock.now())
                raise TransportError("relay.example: nobody there")
            await super().send(letters, mark, settle)

    scenario.issue()
    bob = scenario.confirm_bob()
    letter = plan_first_letter(scenario.publisher, bob)
    scenario.transport = gone = Gone(scenario.clock, NOON)
    lines = scenario.deliver_first(letter)
    assert lines == ["a first email waits: relay.example: nobody there"] * 6
    assert minutes(gone.tried_at) == [0, 1, 3, 7, 15, 30, 45]
    assert scenario.state(bob) == "accepted"


def test_cancelled_issue_ends_the_waiting(scenario: WelcomeScenario) -> None:
    scenario.issue()
    letter = plan_first_letter(scenario.publisher, scenario.confirm_bob())
    cancel(scenario.store, DAY)
    before = scenario.clock.now()
    scenario.deliver_first(letter)
    assert scenario.letters_to_bob == []
    assert scenario.clock.now() == before


def test_first_letter_of_a_stopped_process_is_resumed(scenario: WelcomeScenario) -> None:
    scenario.transport = MemoryTransport({"ada@example.org": Deferred("450 busy")})
    scenario.issue()
    assert open_first_letters(scenario.publisher) == ()
    scenario.clock.time += HOUR
    bob = scenario.confirm_bob()
    letter = plan_first_letter(scenario.publisher, bob)
    assert open_first_letters(scenario.publisher) == (letter,)
    scenario.deliver_first(letter)
    assert scenario.state(bob) == "accepted"
    assert open_first_letters(scenario.publisher) == ()
