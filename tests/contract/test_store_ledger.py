"""The store's ledger: deliveries are claimed, marked before the dot, settled by the answer."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier

import pytest

from newsletter.model import (
    Accepted,
    Claim,
    Counts,
    Deferred,
    IdentifiedItem,
    NotSent,
    Outcome,
    Refused,
    Status,
    Unknown,
    Wave,
)
from newsletter.ports import Store
from newsletter.stores import open_store
from tests.support.factories import DAY, NOON, identity, item
from tests.support.frozen_issues import (
    HEALTH,
    LEASE,
    claim,
    decided_papers,
    freeze,
    freeze_one_issue,
    join,
    letter_of,
    list_deliveries,
    list_papers,
    list_states,
    make_wave,
    mark,
    plan_edition,
    settle,
    wave_on,
)

LATER = NOON + timedelta(hours=1)
TOMORROW = DAY + timedelta(days=1)
LEASE_OVER = NOON + timedelta(seconds=LEASE)
TAKEN = Accepted("250 taken")


def test_claim_takes_pending_letters_up_to_its_limit(store: Store) -> None:
    freeze_one_issue(store, "ada", "bob", "cyd")
    assert [c.reader for c in claim(store, limit=2, run="one")] == [1, 2]
    assert [c.reader for c in claim(store, limit=2, run="two")] == [3]
    assert claim(store, run="three") == ()
    assert store.counts(DAY) == Counts(claimed=3)
    assert store.issue_state(DAY) == ("sending", "")


def test_hold_policy_keeps_doubts_until_a_late_answer(
    store: Store,
) -> None:
    freeze_one_issue(store, "ada", "bob", "cyd")
    ada, bob, cyd = claim(store, run="one")
    mark(store, ada, bob)
    settle(store, ada, outcome=Unknown("cut off"))
    later = LEASE_OVER
    taken = store.claim(DAY, limit=9, now=later, lease=LEASE, token="two", resend=False)
    assert [one.reader for one in taken] == [cyd.reader]
    assert list_states(store) == [("ada", "held"), ("bob", "held"), ("cyd", "claimed")]
    settle(store, bob, outcome=TAKEN, now=later)
    assert list_states(store)[1] == ("bob", "accepted")
    assert store.claim(DAY, limit=9, now=later, lease=LEASE, token="three") == ()


def test_every_claim_has_its_own_token(store: Store) -> None:
    freeze_one_issue(store, "ada", "bob")
    tokens = {made.token for made in claim(store, run="run-7")}
    assert len(tokens) == 2
    assert all("run-7" in token for token in tokens)


def test_claim_can_be_restricted_to_readers(store: Store) -> None:
    freeze_one_issue(store, "ada", "bob", "cyd")
    asked = store.claim(DAY, limit=9, now=NOON, lease=LEASE, token="run", readers=[2, 99])
    assert [made.reader for made in asked] == [2]
    assert store.claim(DAY, limit=9, now=NOON, lease=LEASE, token="run", readers=[]) == ()
    assert list_states(store) == [("ada", "pending"), ("bob", "claimed"), ("cyd", "pending")]


def test_claim_covers_one_day(store: Store) -> None:
    freeze_one_issue(store, "ada")
    wave = make_wave(store.papers_by_number([1, 2]))
    assert len(claim(store)) == 1
    store.freeze(wave_on(wave, TOMORROW, LATER), [plan_edition(store.readers()[0], 0)])
    assert claim(store) == ()
    assert len(claim(store, day=TOMORROW)) == 1


@pytest.mark.parametrize("status", ["unsubscribed", "blocked", "removed", "unconfirmed"])
def test_departed_reader_is_suppressed(store: Store, status: Status) -> None:
    freeze_one_issue(store, "ada", "bob")
    store.set_status("ada@example.org", status, now=NOON)
    assert [made.reader for made in claim(store, limit=1)] == [2]
    assert list_states(store) == [("ada", "suppressed"), ("bob", "claimed")]
    assert decided_papers(store) == [0, 0]


def test_attempts_are_counted(store: Store) -> None:
    freeze_one_issue(store, "ada")
    (first,) = claim(store)
    mark(store, first)
    settle(store, first, outcome=NotSent("cut off"))
    (second,) = claim(store, run="again")
    assert (first.attempt, second.attempt) == (1, 2)
    assert list_deliveries(store)[0].attempts == 2


def test_unmarked_claim_given_back_is_no_attempt(store: Store) -> None:
    freeze_one_issue(store, "ada")
    (first,) = claim(store)
    settle(store, first, outcome=NotSent("given back"))
    assert list_deliveries(store)[0].attempts == 0
    (left,) = claim(store, run="left", now=NOON)
    (second,) = claim(store, run="again", now=LATER)
    assert (first.attempt, left.attempt, second.attempt) == (1, 1, 1)
    mark(store, second, now=LATER)
    settle(store, second, outcome=Deferred("451 later"), next_try=LATER)
    assert list_deliveries(store)[0].attempts == 1


@pytest.mark.slow
def test_expired_claim_is_pending_again(store: Store) -> None:
    freeze_one_issue(store, "ada")
    (lost,) = claim(store)
    assert claim(store, now=LEASE_OVER - timedelta(microseconds=1), run="two") == ()
    (found,) = claim(store, now=LEASE_OVER, run="three")
    assert mark(store, lost, now=LEASE_OVER) == frozenset()
    settle(store, lost, outcome=TAKEN, now=LEASE_OVER)
    assert list_states(store) == [("ada", "claimed")]
    assert mark(store, found, now=LEASE_OVER) == {found.token}


@pytest.mark.slow
def test_expired_mark_is_in_doubt_and_retried_once(store: Store) -> None:
    freeze_one_issue(store, "ada")
    (lost,) = claim(store)
    mark(store, lost)
    (again,) = claim(store, now=LEASE_OVER, run="two")
    assert (again.edition, again.attempt) == (lost.edition, 2)
    assert mark(store, lost, now=LEASE_OVER) == frozenset()
    mark(store, again, now=LEASE_OVER)
    assert claim(store, now=LEASE_OVER + timedelta(seconds=LEASE), run="three") == ()
    assert list_states(store) == [("ada", "held")]
    assert store.close_issue(DAY) == "done_with_errors"


@pytest.mark.slow
def test_second_missing_answer_is_held(store: Store) -> None:
    freeze_one_issue(store, "ada")
    for run, state in (("one", "unknown"), ("two", "held")):
        (claimed,) = claim(store, run=run)
        mark(store, claimed)
        settle(store, claimed, outcome=Unknown("no answer"))
        assert list_states(store) == [("ada", state)]
    assert claim(store, run="three") == ()


def test_claims_of_a_dead_run_are_taken_over(store: Store) -> None:
    freeze_one_issue(store, "ada", "bob", "cyd")
    ada, _bob = claim(store, limit=2, run="gone")
    (cyd,) = claim(store, run="alive")
    mark(store, ada)
    assert store.claiming_runs(DAY) == {"gone", "alive"}
    store.end_leases(DAY, ["gone", "never"], now=NOON)
    taken_over = claim(store, run="next")
    assert [one.reader for one in taken_over] == [2, 1], "what is in doubt comes last"
    assert mark(store, cyd) == {cyd.token}
    assert store.claiming_runs(DAY) == {"next", "alive"}


def test_letter_deferred_for_twenty_hours_expires(store: Store) -> None:
    freeze_one_issue(store, "ada")
    (late,) = claim(store)
    settle(store, late, outcome=Deferred("450 later"), next_try=LATER)
    almost, over = timedelta(hours=20) - timedelta(microseconds=1), timedelta(hours=20)
    (late,) = claim(store, now=NOON + almost, run="two")
    settle(store, late, outcome=Deferred("450 later"), next_try=NOON + over)
    assert claim(store, now=NOON + over, run="three") == ()
    assert list_states(store) == [("ada", "expired")]
    assert decided_papers(store) == [0]


def test_late_answer_ends_the_doubt(store: Store) -> None:
    freeze_one_issue(store, "ada")
    (late,) = claim(store)
    mark(store, late)
    claim(store, limit=0, now=LATER, run="two")
    settle(store, late, outcome=TAKEN, now=LATER)
    assert list_states(store) == [("ada", "accepted")]
    assert decided_papers(store) == [2]


def test_mark_is_granted_while_the_claim_holds(store: Store) -> None:
    freeze_one_issue(store, "ada", "bob")
    ada, bob = claim(store)
    assert mark(store, ada) == {ada.token}
    assert list_states(store) == [("ada", "committing"), ("bob", "claimed")]
    assert mark(store, ada) == frozenset()
    assert mark(store, bob, now=LEASE_OVER) == frozenset()
    assert mark(store) == frozenset()


@pytest.mark.slow
def test_run_renews_only_its_own_live_leases(store: Store) -> None:
    freeze_one_issue(store, "ada", "bob", "cyd", "dan")
    (ada,) = claim(store, limit=1, run="one.1")
    (bob,) = claim(store, limit=1, run="one.2", now=NOON - timedelta(seconds=50))
    (cyd,) = claim(store, limit=1, run="two.1")
    (dan,) = claim(store, limit=1, run="one.3")
    store.mark([letter_of(dan)], now=NOON, lease=720)
    soon = NOON + timedelta(seconds=40)
    store.renew_leases(DAY, "one", now=soon, lease=LEASE)
    after = LEASE_OVER + timedelta(seconds=1)
    taken = claim(store, now=after, run="three.1")
    assert [one.reader for one in taken] == [bob.reader, cyd.reader], "too late, and another's"
    assert mark(store, ada, now=after) == {ada.token}
    store.renew_leases(DAY, "one", now=after, lease=LEASE)
    settle(store, dan, outcome=TAKEN, now=after + timedelta(seconds=500))
    assert dict(list_states(store))["dan"] == "accepted", "its longer lease stays"


def test_mark_renews_the_lease(store: Store) -> None:
    freeze_one_issue(store, "ada")
    (ada,) = claim(store)
    store.mark([letter_of(ada)], now=NOON, lease=660.0)
    claim(store, now=LEASE_OVER, run="two")
    assert list_states(store) == [("ada", "committing")]


@pytest.mark.parametrize("status", ["unsubscribed", "blocked", "removed"])
def test_no_mark_after_unsubscribing(store: Store, status: Status) -> None:
    freeze_one_issue(store, "ada", "bob")
    ada, bob = claim(store)
    store.set_status("ada@example.org", status, now=NOON)
    assert mark(store, ada, bob) == {bob.token}
    assert list_states(store) == [("ada", "claimed"), ("bob", "committing")]


def void(held: Claim) -> list[Claim]:
    """Claims that differ from this one in one respect."""
    return [
        replace(held, token="other"),
        replace(held, reader=held.reader + 1),
        replace(held, wave=held.wave + 1),
    ]


def test_void_tokens_change_nothing(store: Store) -> None:
    freeze_one_issue(store, "ada", "bob")
    ada, _bob = claim(store)
    assert mark(store, *void(ada)) == frozenset()
    settle(store, *void(ada), outcome=TAKEN)
    assert store.counts(DAY) == Counts(claimed=2)
    assert decided_papers(store) == [0, 0]


def test_settled_claim_is_void(store: Store) -> None:
    freeze_one_issue(store, "ada")
    (ada,) = claim(store)
    settle(store, ada, outcome=TAKEN)
    settle(store, ada, outcome=Refused("550 no"))
    assert (list_deliveries(store)[0].state, list_deliveries(store)[0].reply) == (
        "accepted",
        "250 taken",
    )
    assert mark(store, ada) == frozenset()


def test_acceptance_records_papers_and_decides_the_freeze(store: Store) -> None:
    ada, bob = join(store, "ada", "bob")
    papers = list_papers(store, "arxiv:1", "arxiv:2", "arxiv:3")
    plan = plan_edition(ada, 2, 0)
    more = replace(plan, edition=replace(plan.edition, more=(1,)))
    store.freeze(make_wave(papers), [more, plan_edition(bob, 0)])
    first, second = claim(store)
    mark(store, first, second)
    settle(store, first, outcome=TAKEN)
    assert [s.sent for s in store.reader_histories([ada, bob], papers, day=DAY)] == [
        {1, 2, 3},
        frozenset(),
    ]
    assert decided_papers(store) == [3, 0]


@pytest.mark.slow
def test_late_acceptance_of_older_issue_takes_nothing_back(store: Store) -> None:
    (ada,) = join(store, "ada")
    papers = list_papers(store, "arxiv:1", "arxiv:2")
    store.freeze(make_wave(papers, cutoff=1), [plan_edition(ada, 0)])
    in_hand = claim(store)
    store.freeze(make_wave(papers, day=TOMORROW, due=LATER, cutoff=2), [plan_edition(ada, 0, 1)])
    settle(store, *claim(store, day=TOMORROW), outcome=TAKEN)
    settle(store, *in_hand, outcome=TAKEN)
    assert decided_papers(store) == [2]
    assert store.reader_histories([ada], papers, day=DAY)[0].sent == {1, 2}


@pytest.mark.parametrize(
    ("outcome", "state", "reply"),
    [
        (Refused("550 no such user"), "failed", "550 no such user"),
        (Deferred("450 later"), "deferred", "450 later"),
        (NotSent("cut off"), "pending", "cut off"),
        (Unknown("no\0 answer"), "unknown", "no\ufffd answer"),
    ],
)
def test_other_outcomes_leave_papers_owed(
    store: Store, outcome: Outcome, state: str, reply: str
) -> None:
    freeze_one_issue(store, "ada")
    (ada,) = claim(store)
    mark(store, ada)
    settle(store, ada, outcome=outcome, next_try=LATER)
    (row,) = list_deliveries(store)
    assert (row.state, row.reply) == (state, reply)
    assert row.next_try == (LATER if state == "deferred" else None)
    assert decided_papers(store) == [0]
    papers = store.papers_by_number([1, 2])
    assert store.reader_histories(store.readers(), papers, day=DAY)[0].sent == frozenset()


def test_deferred_delivery_waits_for_its_next_try(store: Store) -> None:
    freeze_one_issue(store, "ada")
    settle(store, *claim(store), outcome=Deferred("450 later"), next_try=LATER)
    assert claim(store, now=LATER - timedelta(microseconds=1), run="two") == ()
    (again,) = claim(store, now=LATER, run="three")
    assert again.attempt == 2
    assert list_deliveries(store)[0].next_try is None


def test_finished_deliveries_are_not_claimed_again(store: Store) -> None:
    freeze_one_issue(store, "ada", "bob")
    ada, bob = claim(store)
    settle(store, ada, outcome=TAKEN)
    settle(store, bob, outcome=Refused("550 no"))
    assert claim(store, now=LATER + timedelta(days=2), run="two") == ()


def test_issue_closes_when_nothing_is_open(store: Store) -> None:
    freeze_one_issue(store, "ada", "bob")
    ada, bob = claim(store)
    settle(store, ada, outcome=TAKEN)
    assert store.close_issue(DAY) == "sending"
    settle(store, bob, outcome=TAKEN)
    assert store.close_issue(DAY) == "done"
    assert store.issue_state(DAY) == ("done", "")


def test_issue_with_failures_closes_with_errors(store: Store) -> None:
    freeze_one_issue(store, "ada", "bob")
    ada, bob = claim(store)
    settle(store, ada, outcome=TAKEN)
    settle(store, bob, outcome=Refused("550 no"))
    assert store.close_issue(DAY) == "done_with_errors"


def test_later_wave_reopens_a_closed_issue(store: Store) -> None:
    freeze_one_issue(store, "ada")
    settle(store, *claim(store), outcome=TAKEN)
    store.close_issue(DAY)
    readers = join(store, "ada", "bob")
    papers = store.papers_by_number([1, 2])
    store.freeze(make_wave(papers, due=LATER), [plan_edition(readers[1], 0)])
    assert store.issue_state(DAY) == ("frozen", "")
    settle(store, *claim(store, run="two"), outcome=TAKEN)
    assert store.close_issue(DAY) == "done"


@pytest.mark.slow
def test_wave_frozen_during_sending_keeps_issue_sending(store: Store) -> None:
    freeze_one_issue(store, "ada")
    claim(store)
    readers = join(store, "ada", "bob")
    papers = store.papers_by_number([1, 2])
    store.freeze(make_wave(papers, due=LATER), [plan_edition(readers[1], 0)])
    assert store.issue_state(DAY) == ("sending", "")


def test_ledger_lists_addresses_and_counts_add_up(store: Store) -> None:
    readers = join(store, "dee", "ada", "Bob", "cyd", "eve")
    papers = list_papers(store, "arxiv:1")
    editions = [plan_edition(reader, 0) for reader in readers[:-1]]
    store.freeze(make_wave(papers), [*editions, plan_edition(readers[-1])])
    dee, ada, bob = claim(store, limit=3)
    settle(store, dee, outcome=TAKEN)
    settle(store, ada, outcome=Deferred("450 later"), next_try=LATER)
    mark(store, bob)
    assert list_states(store) == [
        ("Bob", "committing"),
        ("ada", "deferred"),
        ("cyd", "pending"),
        ("dee", "accepted"),
        ("eve", "empty"),
    ]
    counts = store.counts(DAY)
    assert (counts.planned, counts.open) == (5, 3)


# -- concurrent runs ---------------------------------------------------------------------------


@pytest.mark.slow
def test_eight_threads_claim_each_delivery_once(store: Store) -> None:
    freeze_one_issue(store, *(f"reader{n}" for n in range(1000)))
    start = Barrier(8)

    def work(run: int) -> list[int]:
        start.wait()
        mine: list[int] = []
        while taken := claim(store, limit=50, run=f"run{run}-{len(mine)}"):
            assert mark(store, *taken) == {made.token for made in taken}
            settle(store, *taken, outcome=TAKEN)
            mine += [made.reader for made in taken]
        return mine

    with ThreadPoolExecutor(8) as pool:
        done = [reader for mine in pool.map(work, range(8)) for reader in mine]
    assert sorted(done) == list(range(1, 1001))
    assert store.counts(DAY) == Counts(accepted=1000)
    assert store.close_issue(DAY) == "done"


def test_concurrent_freezes_make_one_delivery_per_reader(url: str, store: Store) -> None:
    readers = join(store, *(f"reader{n}" for n in range(50)))
    papers = list_papers(store, "arxiv:1")
    others = open_store(url)
    start = Barrier(4)

    def work(which: int) -> Wave:
        start.wait()
        return freeze((store, others)[which % 2], readers, papers)

    with ThreadPoolExecutor(4) as pool:
        waves = list(pool.map(work, range(4)))
    others.close()
    assert len({wave.id for wave in waves}) == 1
    assert store.counts(DAY) == Counts(pending=50)


def test_concurrent_ingests_number_papers_without_gaps(store: Store) -> None:
    def work(run: int) -> int:
        mine = [IdentifiedItem(item(), identity(f"arxiv:{n}")) for n in range(run, run + 40)]
        return store.ingest(DAY, replace(HEALTH, name=f"source{run}"), mine, now=NOON).new

    with ThreadPoolExecutor(8) as pool:
        new = sum(pool.map(work, range(0, 160, 20)))
    assert (new, store.cutoff()) == (180, 180)
    assert len(store.papers(after=0, since=NOON)) == 180


def test_concurrent_unsubscribe_and_marks_agree(store: Store) -> None:
    freeze_one_issue(store, *(f"reader{n}" for n in range(40)))
    claims = claim(store)
    start = Barrier(2)

    def leave() -> None:
        start.wait()
        for made in claims:
            store.set_status(made.edition.to.email, "unsubscribed", now=NOON)

    def commit() -> frozenset[str]:
        start.wait()
        return frozenset().union(*(mark(store, made) for made in claims))

    with ThreadPoolExecutor(2) as pool:
        left, marked = pool.submit(leave), pool.submit(commit)
        left.result()
        granted = len(marked.result())
    assert store.counts(DAY) == Counts(committing=granted, claimed=40 - granted)
    assert mark(store, *claims) == frozenset()
