"""Removing the details of old issues: what goes, what stays, and that it can be broken off."""

import contextlib
import multiprocessing
import os
import random
import signal
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from newsletter.model import Accepted, Deferred, Paper, Reader, Unknown
from newsletter.ports import Store
from newsletter.publisher.pruning import AutomaticPruning, Pruned, find_prunable, prune
from newsletter.stores import open_store
from newsletter.stores.sql import pruning
from newsletter.stores.sql.engine import Database
from tests.support.clocks import ManualClock
from tests.support.databases import new_sqlite_store
from tests.support.factories import DAY, NOON, subscriber
from tests.support.frozen_issues import (
    claim,
    deliver,
    freeze_one_issue,
    join,
    list_papers,
    make_wave,
    mark,
    plan_edition,
    settle,
)
from tests.support.publishers import publisher_over

TODAY = DAY + timedelta(days=40)
NAMES = ("ada", "bob", "cec")


@pytest.fixture
def sent(store: Store) -> Store:
    """A store in which three readers got an issue; one of them a paper of it is judged again."""
    readers = join(store, *NAMES)
    papers = list_papers(store, "arxiv:1", "arxiv:2", "arxiv:3")
    plans = [plan_edition(reader, 0, 1, waiting=(2,)) for reader in readers]
    store.freeze(make_wave(papers), plans)
    deliver_open(store)
    return store


def deliver_open(store: Store, day: date = DAY) -> None:
    while claims := claim(store, day=day):
        mark(store, *claims)
        settle(store, *claims, outcome=Accepted("250 ok"))
    store.close_issue(day)


def prune_all(store: Store) -> None:
    assert prune(store, find_prunable(store, TODAY, 30))


def sent_papers(store: Store) -> list[tuple[Reader, frozenset[int]]]:
    """What each reader was sent of all papers."""
    papers: tuple[Paper, ...] = store.papers_by_number(range(10))
    found = store.reader_histories(store.readers(), papers, day=DAY)
    return [(history.reader, history.sent) for history in found]


def test_who_got_what_and_the_counts_stay(sent: Store) -> None:
    before = sent_papers(sent), sent.counts(DAY), sent.issue_state(DAY), sent.published_issues()
    prune_all(sent)
    assert before == (
        sent_papers(sent),
        sent.counts(DAY),
        sent.issue_state(DAY),
        sent.published_issues(),
    )
    assert sent.audit(DAY).ok
    assert [line.reply for line in sent.deliveries(DAY)] == ["removed"] * 3


def test_details_are_gone_and_known_to_be(sent: Store) -> None:
    (wave,) = sent.waves(DAY)
    assert not sent.has_no_details(DAY)
    prune_all(sent)
    assert sent.has_no_details(DAY)
    assert not sent.has_no_details(TODAY)
    assert sent.waves(DAY) == ()
    assert sent.plans_at_freeze(wave, [1, 2, 3]) == ()
    assert sent.edition(DAY, "ada@example.org") is None
    assert sent.size_of_details(DAY) == (0, 0)
    assert find_prunable(sent, TODAY, 30).days == ()


def test_repeated_paper_of_a_pruned_issue_is_found(sent: Store) -> None:
    prune_all(sent)
    later = replace(make_wave(sent.papers_by_number([1]), day=TODAY), due=NOON)
    sent.freeze(later, [plan_edition(reader, 0) for reader in sent.readers()])
    deliver_open(sent, TODAY)
    broken = {proof.id: len(proof.rows) for proof in sent.audit(TODAY).proofs if proof.rows}
    assert broken["I7"] == 3


def test_young_issues_stay_whole(sent: Store) -> None:
    assert find_prunable(sent, DAY + timedelta(days=30), 30).days == ()
    assert find_prunable(sent, DAY + timedelta(days=31), 30).days == (DAY,)


@pytest.mark.slow
def test_issues_with_open_or_doubtful_letters_stay_whole(store: Store) -> None:
    freeze_one_issue(store, *NAMES)
    ada, bob, cec = claim(store)
    mark(store, ada, bob)
    settle(store, ada, outcome=Accepted("250 ok"))
    settle(store, bob, outcome=Unknown("cut off"))
    settle(store, cec, outcome=Deferred("451 later"), next_try=NOON)
    assert find_prunable(store, TODAY, 30).days == ()
    assert not store.remove_details(DAY)
    assert store.edition(DAY, "ada@example.org") is not None


def test_issue_that_fails_its_audit_stays_whole(sent: Store, url: str) -> None:
    database = Database(url)
    with database.writing() as connection:
        connection.exec_driver_sql("UPDATE deliveries SET digest = NULL WHERE reader = 1")
    database.close()
    found = find_prunable(sent, TODAY, 30)
    assert (found.days, list(found.kept)) == ((), [DAY])


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "SLICE", 1)


@pytest.mark.usefixtures("small_steps")
def test_broken_off_after_any_step_the_next_goes_on(sent: Store, url: str) -> None:
    before = sent_papers(sent)
    for _ in range(4):
        assert sent.audit(DAY).ok
        assert sent_papers(sent) == before
        assert find_prunable(sent, TODAY, 30).days == (DAY,)
        sent.remove_details(DAY)
        with contextlib.closing(open_store(url)) as again:
            again.audit(DAY)
    assert sent.has_no_details(DAY)
    assert sent.audit(DAY).ok


@pytest.mark.usefixtures("small_steps")
def test_stopping_ends_between_two_steps(sent: Store) -> None:
    asked = iter([False, False, True, True])
    found = find_prunable(sent, TODAY, 30)
    assert not prune(sent, found, stopping=lambda: next(asked))
    assert not sent.has_no_details(DAY)
    prune_all(sent)


def test_old_settings_are_forgotten_and_the_newest_kept(store: Store, url: str) -> None:
    for back, name in enumerate(("Ada", "Ada L.", "Ada Lovelace")):
        store.sync_subscribers([subscriber(name=name)], now=NOON)
        deliver(store, store.readers(), day=DAY + timedelta(days=back * 30))
        store.close_issue(DAY + timedelta(days=back * 30))
    prune(store, Pruned((DAY, DAY + timedelta(days=30)), 2, 0, {}))
    database = Database(url)
    with database.reading() as connection:
        rows = connection.exec_driver_sql("SELECT body FROM choices").scalars().all()
    database.close()
    assert len(rows) == 1
    assert "Lovelace" in rows[0]


def test_erased_reader_of_a_pruned_issue_leaves_nothing(tmp_path: Path) -> None:
    store = open_store(new_sqlite_store(tmp_path))
    freeze_one_issue(store, *NAMES)
    deliver_open(store)
    prune_all(store)
    store.erase(1, "x@erased.invalid", now=NOON)
    assert store.audit(DAY).ok
    store.close()
    assert all(b"ada@example.org" not in file.read_bytes() for file in tmp_path.rglob("*.db*"))


@pytest.mark.slow
def test_sqlite_file_shrinks_with_its_content(tmp_path: Path) -> None:
    url = new_sqlite_store(tmp_path)
    store = open_store(url)
    store.sync_subscribers([subscriber(f"r{n}@example.org") for n in range(2000)], now=NOON)
    deliver(store, store.readers())
    store.close_issue(DAY)
    store.close()
    size = sum(file.stat().st_size for file in tmp_path.rglob("*.db"))
    store = open_store(url)
    prune_all(store)
    assert not store.rewrite(), "no space is left that a rewrite would free"
    store.close()
    assert sum(file.stat().st_size for file in tmp_path.rglob("*.db")) < 0.8 * size


def test_automatic_pruning_works_once_a_day(sent: Store) -> None:
    publisher = publisher_over(sent, clock=ManualClock(NOON + timedelta(days=40)))
    AutomaticPruning(None)(publisher)
    assert not sent.has_no_details(DAY)
    pruning_daily = AutomaticPruning(30)
    pruning_daily(publisher)
    assert sent.has_no_details(DAY)


@pytest.mark.slow
def test_killed_at_random_the_store_still_audits(url: str) -> None:
    store = open_store(url)
    store.sync_subscribers([subscriber(f"r{n}@example.org") for n in range(3000)], now=NOON)
    deliver(store, store.readers())
    store.close_issue(DAY)
    before, counts = sent_papers(store), store.counts(DAY)
    draw, forks = random.Random(7), multiprocessing.get_context("spawn")  # noqa: S311
    while not store.has_no_details(DAY):
        process = forks.Process(target=_prune_slowly, args=[url])
        process.start()
        process.join(draw.uniform(0.8, 2.5))
        if process.is_alive():
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL)
        process.join()
        assert store.audit(DAY).ok
        assert (sent_papers(store), store.counts(DAY)) == (before, counts)
    store.close()


def _prune_slowly(url: str) -> None:
    pruning.SLICE = 50
    prune_all(open_store(url))
