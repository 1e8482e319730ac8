"""The SQL store agrees with a plain model after any sequence of operations."""

import tempfile
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from newsletter.model import (
    Accepted,
    Claim,
    Deferred,
    IdentifiedItem,
    NotSent,
    Outcome,
    Refused,
    Settlement,
    SourceHealth,
    Status,
    Unknown,
)
from newsletter.ports import Store
from newsletter.stores import open_store
from tests.support.databases import new_sqlite_store
from tests.support.factories import DAY, NOON, identity, item, subscriber
from tests.support.frozen_issues import LEASE, letter_of, make_wave, plan_edition
from tests.support.ledger_model import LedgerModel

NAMES = ["arxiv:2608.00001", "arxiv:2608.00002", "doi:10.1/a", "acl:1", "url:example.org/x"]
PEOPLE = ["ada", "bob", "cyd"]
DAYS = [DAY, DAY + timedelta(days=1)]
OUTCOMES: list[Outcome] = [
    Accepted("250"),
    Refused("550"),
    Deferred("450"),
    NotSent("cut off"),
    Unknown("no answer"),
]
STATUSES: list[Status] = ["confirmed", "unsubscribed", "blocked", "unconfirmed"]


class StoreMachine(RuleBasedStateMachine):
    """Does the same to both stores, and compares all their answers."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.stores: tuple[LedgerModel, Store] = (
            LedgerModel(),
            open_store(new_sqlite_store(Path(self.folder.name))),
        )
        self.now: datetime = NOON
        self.runs = 0
        self.claims: list[Claim] = []

    @rule(
        names=st.lists(st.lists(st.sampled_from(NAMES), min_size=1, max_size=2), max_size=3),
        source=st.sampled_from(["arXiv", "bioRxiv"]),
        past=st.booleans(),
        version=st.integers(1, 3),
        answered=st.booleans(),
    )
    def ingest(
        self,
        names: Sequence[Sequence[str]],
        source: str,
        *,
        past: bool,
        version: int,
        answered: bool,
    ) -> None:
        entries = [
            IdentifiedItem(item(version=version), identity(*keys), past=past) for keys in names
        ]
        health = SourceHealth(source, "ok", checked=self.now, last_ok=NOON if answered else None)
        one, other = (s.ingest(DAY, health, entries, now=self.now) for s in self.stores)
        assert one == other

    @rule(people=st.lists(st.sampled_from(PEOPLE), unique=True))
    def sync(self, people: list[str]) -> None:
        for store in self.stores:
            listed_subscribers = [subscriber(f"{name}@example.org") for name in people]
            store.sync_subscribers(listed_subscribers, now=self.now)

    @rule(name=st.sampled_from(PEOPLE), status=st.sampled_from(STATUSES), words=st.booleans())
    def change(self, name: str, status: Status, *, words: bool) -> None:
        email = f"{name}@example.org"
        for store in self.stores:
            if words:
                store.save_reader(subscriber(email, name="New"), status=status, now=self.now)
            else:
                store.set_status(email, status, now=self.now)

    @rule(day=st.sampled_from(DAYS), places=st.sets(st.integers(0, 2)), short=st.booleans())
    def freeze(self, day: date, places: set[int], *, short: bool) -> None:
        for store in self.stores:
            papers = store.papers(after=0, since=NOON)
            shown = [place for place in sorted(places) if place < len(papers)]
            fell = range(len(papers)) if short else ()
            editions = [plan_edition(reader, *shown, short=fell) for reader in store.readers()]
            store.freeze(make_wave(papers, day=day, due=self.now), editions)

    @rule(day=st.sampled_from(DAYS))
    def skip(self, day: date) -> None:
        for store in self.stores:
            store.skip_issue(day, reason="none", now=self.now)

    @rule(day=st.sampled_from(DAYS), limit=st.integers(1, 3))
    def claim(self, day: date, limit: int) -> None:
        self.runs += 1
        one, other = (
            s.claim(day, limit=limit, now=self.now, lease=LEASE, token=f"run{self.runs}")
            for s in self.stores
        )
        assert one == other
        self.claims += one

    @rule(which=st.sets(st.integers(0, 5)))
    def mark(self, which: set[int]) -> None:
        claims = [made for place, made in enumerate(reversed(self.claims)) if place in which]
        one, other = (
            s.mark([letter_of(each) for each in claims], now=self.now, lease=LEASE)
            for s in self.stores
        )
        assert one == other

    @rule(which=st.sets(st.integers(0, 5)), outcome=st.sampled_from(OUTCOMES))
    def settle(self, which: set[int], outcome: Outcome) -> None:
        claims = [made for place, made in enumerate(reversed(self.claims)) if place in which]
        next_try = self.now + timedelta(minutes=5)
        for store in self.stores:
            store.settle([Settlement(c, outcome, next_try) for c in claims], now=self.now)

    @rule(day=st.sampled_from(DAYS))
    def finish(self, day: date) -> None:
        if day in self.stores[0].issue_days():
            one, other = (store.close_issue(day) for store in self.stores)
            assert one == other

    @rule(seconds=st.sampled_from([1, LEASE, 300]))
    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    @invariant()
    def agree(self) -> None:
        one, other = self.stores
        papers, readers = one.papers(after=0, since=NOON), one.readers()
        assert papers == other.papers(after=0, since=NOON)
        assert readers == other.readers()
        assert one.sources() == other.sources()
        assert one.papers_listed(DAY) == other.papers_listed(DAY)
        for day in (DAY, DAY + timedelta(days=4)):
            assert one.papers_to_reconsider(day=day) == other.papers_to_reconsider(day=day)
            mine, theirs = (s.reader_histories(readers, papers, day=day) for s in self.stores)
            assert mine == theirs
        assert one.issue_days() == other.issue_days()
        for day in DAYS:
            assert one.issue_state(day) == other.issue_state(day)
            assert one.deliveries(day) == other.deliveries(day)
            assert one.waves(day) == other.waves(day)
            assert one.planned_readers(day) == other.planned_readers(day)
            assert one.counts(day).planned == len(one.deliveries(day))
            assert one.counts(day) == other.counts(day)

    def teardown(self) -> None:
        for store in self.stores:
            store.close()
        self.folder.cleanup()


StoreMachine.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestStoreAgainstModel = pytest.mark.slow(StoreMachine.TestCase)
