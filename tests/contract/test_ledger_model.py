"""Random plans, claims, kills and answers: each reader gets each paper once."""

import asyncio
import os
import random
import tempfile
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from newsletter.errors import SourceError
from newsletter.model import (
    Accepted,
    Cadence,
    Claim,
    Deferred,
    Edition,
    IssueState,
    NotSent,
    Outcome,
    PlannedEdition,
    ReaderHistory,
    Recipient,
    Refused,
    Section,
    Settlement,
    Unknown,
)
from newsletter.ports import Store
from newsletter.publisher.fetching import fetch_sources
from newsletter.publisher.publishing import freeze, publish, waiting_readers
from newsletter.stores import open_store
from tests.support.clocks import ManualClock
from tests.support.databases import new_sqlite_store, refuse_other_transitions, temporary_store
from tests.support.factories import DAY, NOON, subscriber
from tests.support.frozen_issues import LEASE, list_papers, make_wave, mark
from tests.support.outgoing import MemoryTransport
from tests.support.publishers import KnownRuns, StubSource, publisher_over

FULL = os.environ.get("NEWSLETTER_TESTS") == "full"
PEOPLE = ("ada", "bob", "cyd")
ANSWERS: tuple[Outcome, ...] = (
    Accepted("250 taken"),
    Accepted("250 taken"),
    Refused("550 no"),
    Deferred("450 later"),
    NotSent("cut off"),
    Unknown("no answer"),
)


class Delivery(RuleBasedStateMachine):
    """A store, runs that are killed, and the letters that really arrived."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        url = new_sqlite_store(Path(self.folder.name))
        refuse_other_transitions(url)
        self.store: Store = open_store(url)
        self.now, self.day, self.runs = NOON, DAY, 0
        self.claims: list[Claim] = []
        self.marked: list[Claim] = []
        self.arrived: Counter[tuple[date, int]] = Counter()
        self.left: set[int] = set()
        for name in PEOPLE:
            self.store.save_reader(subscriber(f"{name}@example.org"), status="confirmed", now=NOON)

    @rule(papers=st.integers(1, 3))
    def list(self, papers: int) -> None:
        start = self.store.cutoff()
        list_papers(self.store, *(f"arxiv:{start + n}" for n in range(papers)), now=self.now)

    @rule(wanted=st.integers(0, 7))
    def plan(self, wanted: int) -> None:
        """Freeze an issue for every reader without a delivery of the day."""
        papers = self.store.papers(after=0, since=NOON)
        planned = self.store.planned_readers(self.day)
        readers = [r for r in self.store.readers() if r.id not in planned]
        readers = [reader for reader in readers if reader.status == "confirmed"]
        found = self.store.reader_histories(readers, papers, day=self.day)
        wave = make_wave(papers, day=self.day, due=self.now)
        self.store.freeze(wave, [_cut(one, [p.number for p in papers], wanted) for one in found])

    @rule()
    def next_day(self) -> None:
        self.day += timedelta(days=1)
        self.now += timedelta(days=1)

    @rule(limit=st.integers(1, 3), back=st.integers(0, 2))
    def claim(self, limit: int, back: int) -> None:
        self.runs += 1
        day = self.day - timedelta(days=back)
        self.claims += self.store.claim(
            day, limit=limit, now=self.now, lease=LEASE, token=f"run{self.runs}"
        )

    @rule(which=st.integers(0, 5), reaches=st.booleans())
    def send(self, which: int, *, reaches: bool) -> None:
        """Mark a claimed letter and, if the mark is granted, send its final dot."""
        if not self.claims:
            return
        claim = self.claims.pop(which % len(self.claims))
        if mark(self.store, claim, now=self.now):
            assert claim.reader not in self.left
            day = next(
                d
                for d in self.store.issue_days()
                if any(w.id == claim.wave for w in self.store.waves(d))
            )
            self.arrived[day, claim.reader] += reaches
            self.marked.append(claim)

    @rule(which=st.integers(0, 5), answer=st.sampled_from(ANSWERS))
    def reply(self, which: int, answer: Outcome) -> None:
        """Settle a letter with the server's answer, however late."""
        if self.marked:
            claim = self.marked.pop(which % len(self.marked))
            later = self.now + timedelta(minutes=5)
            self.store.settle([Settlement(claim, answer, later)], now=self.now)

    @rule()
    def kill(self) -> None:
        """Kill every run; their claims are taken over."""
        self.claims, self.marked = [], []
        for day in self.store.issue_days():
            self.store.end_leases(day, self.store.claiming_runs(day), now=self.now)

    @rule(seconds=st.sampled_from([1, LEASE, 3600, 20 * 3600]))
    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(name=st.sampled_from(PEOPLE), back=st.booleans())
    def leave(self, name: str, *, back: bool) -> None:
        email = f"{name}@example.org"
        self.store.set_status(email, "confirmed" if back else "unsubscribed", now=self.now)
        (reader,) = self.store.readers(emails=[email])
        (self.left.discard if back else self.left.add)(reader.id)

    @rule(arrived=st.booleans())
    def resolve(self, *, arrived: bool) -> None:
        emails = [f"{name}@example.org" for name in PEOPLE]
        self.store.resolve(self.day, emails, arrived=arrived, now=self.now)

    @rule(cancelled=st.booleans())
    def stop(self, *, cancelled: bool) -> None:
        state: IssueState = "cancelled" if cancelled else "held"
        live: tuple[IssueState, ...] = ("frozen", "sending", "skipped")
        self.store.set_issue_state(self.day, state, reason="model", from_states=live)

    @rule()
    def release(self) -> None:
        self.store.set_issue_state(self.day, "frozen", reason="model", from_states={"held"})

    @rule()
    def finish(self) -> None:
        if self.day in self.store.issue_days():
            self.store.close_issue(self.day)

    @invariant()
    def every_invariant_is_proved(self) -> None:
        for day in self.store.issue_days():
            found = self.store.audit(day)
            assert found.ok, [(proof.id, proof.rows) for proof in found.proofs if proof.rows]

    @invariant()
    def nothing_arrives_more_than_twice(self) -> None:
        assert max(self.arrived.values(), default=0) <= 2

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()


def _cut(history: ReaderHistory, numbers: list[int], wanted: int) -> PlannedEdition:
    """An edition of the papers that a reader is owed and wants.

    Bit *i* of ``wanted`` says whether the reader wants papers whose number modulo 3 is *i*.
    """
    owed = [
        place
        for place, number in enumerate(numbers)
        if number > history.reader.decided and number not in history.sent
    ]
    chosen = [place for place in owed if wanted >> (numbers[place] % 3) & 1]
    because = ("every paper",) * len(chosen)
    sections = (Section("Other", tuple(chosen), because=because),) if chosen else ()
    to = Recipient.of(history.reader)
    return PlannedEdition(history, Edition(to, sections, left_out=len(owed) - len(chosen)))


Delivery.TestCase.settings = settings(
    max_examples=200 if FULL else 20,
    stateful_step_count=60 if FULL else 30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestDelivery = pytest.mark.slow(Delivery.TestCase)


# -- sixty days --------------------------------------------------------------------------------

CADENCES: tuple[Cadence, ...] = ("daily", "weekdays", "weekly")
DAYS, QUIET = 60, 8
"""The number of days, and of the last days without new papers and failures."""


class DaysMachine:
    """Sixty mornings of six readers, with sources, servers and runs that fail."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)  # noqa: S311 - repeatable
        self.clock, self.source = ManualClock(), StubSource()
        self.publisher = publisher_over(temporary_store(), self.source, clock=self.clock)
        self.people = [
            subscriber(f"reader{n}@example.org", cadence=CADENCES[n % 3]) for n in range(6)
        ]
        self.publisher.store.sync_subscribers(self.people, now=NOON)
        self.listed: set[str] = set()
        self.got: Counter[tuple[str, str]] = Counter()

    def morning(self, number: int) -> None:
        """List, freeze, deliver; some readers' letters are refused, deferred or cut off."""
        day, quiet = DAY + timedelta(days=number), number >= DAYS - QUIET
        self.clock.time = NOON + timedelta(days=number)
        count = 0 if quiet else self.draw.randrange(4)
        self.source.titles = tuple(f"Paper {number}.{each}" for each in range(count))
        outage = not quiet and self.draw.random() < 0.1
        self.source.error = SourceError("outage") if outage else None
        reports = asyncio.run(
            fetch_sources(
                self.publisher.sources, self.publisher.store, day, self.clock, lambda _report: None
            )
        )
        self.listed |= set() if outage else set(self.source.titles)
        if freeze(self.publisher, day, waiting_readers(self.publisher, day), reports):
            self.deliver(day, {} if quiet else self.troubles())

    def troubles(self) -> dict[str, Outcome]:
        """Today's failures by reader.

        Weekly readers have none: after two failures, their papers would be two weeks old and would
        rightly be left out.
        """
        answers = (Refused("550 no"), Deferred("450 later"), NotSent("cut off"))
        often = [one.email for one in self.people if one.cadence != "weekly"]
        unlucky = [email for email in often if self.draw.random() < 0.1]
        return {email: self.draw.choice(answers) for email in unlucky}

    def deliver(self, day: date, troubles: dict[str, Outcome]) -> None:
        """Deliver the day's issue in one run, and record what arrived."""
        transport = MemoryTransport(troubles)
        sending = publish(
            self.publisher,
            day,
            transport,
            run_lock=KnownRuns("season"),
            turn=f"{day:%m%d}",
            progress=lambda _counts: None,
        )
        asyncio.run(sending)
        waves = {wave.id: wave.issue.papers for wave in self.publisher.store.waves(day)}
        for letter in transport.letters:
            papers = waves[letter.claim.wave]
            for place in letter.claim.edition.papers:
                self.got[letter.envelope.recipient, papers[place].item.title] += 1


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100 if FULL else 4))
def test_sixty_days_miss_and_repeat_nothing(seed: int) -> None:
    season = DaysMachine(seed)
    for number in range(DAYS):
        season.morning(number)
    assert set(season.got.values()) == {1}, "a paper came twice"
    for reader in season.people:
        mine = {title for email, title in season.got if email == reader.email}
        assert season.listed <= mine, "a paper never came"
    assert all(season.publisher.store.audit(day).ok for day in season.publisher.store.issue_days())
