"""The store's issues: waves, one delivery per reader and day, and the papers still owed."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from newsletter.errors import StoreError
from newsletter.model import (
    Accepted,
    Counts,
    Deferred,
    DeliveryState,
    Edition,
    Filter,
    IdentifiedItem,
    Issue,
    PlannedEdition,
    ReaderHistory,
    Recipient,
    Refused,
    Section,
    Subscriber,
    Topic,
    Wave,
)
from newsletter.papers.filters import parse_rule
from newsletter.ports import Store
from tests.support.factories import DAY, NOON, identity, item, reader
from tests.support.frozen_issues import (
    HEALTH,
    claim,
    decided_papers,
    freeze,
    freeze_one_issue,
    join,
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
TAKEN = Accepted("250 taken")


def test_frozen_wave_round_trips(store: Store) -> None:
    papers = list_papers(store, "arxiv:1", "arxiv:2")
    topics = (
        Topic(
            "Experts", any=(parse_rule("mixture of experts"), parse_rule("MoE or (a and not b)"))
        ),
        Topic("Speech", none=(parse_rule("title:music"),), categories=("eess.AS",), about="voices"),
    )
    issue = Issue(
        DAY, papers, topics, 2, NOON, ("bioRxiv",), (("arxiv:9", "a broken title"),), after=1
    )
    wave = Wave(0, issue, NOON, b"pieces \x00\xff")
    stored = store.freeze(wave, [])
    assert stored.id > 0
    assert store.waves(DAY) == (stored,)
    assert replace(stored, id=0) == wave
    assert store.waves(TOMORROW) == ()


def test_frozen_edition_round_trips(store: Store) -> None:
    (ada,) = join(store, "ada")
    wants = Filter(("Experts",), (parse_rule("LoRA"),), (parse_rule("speech"),), 5, 20)
    then = Subscriber(ada.subscriber.email, "Ada", wants, summary="full")
    history = ReaderHistory(replace(ada, subscriber=then, origin="store"), corrected=(0, 2))
    edition = Edition(
        to=Recipient(ada.id, ada.subscriber.email, "Ada", "full", ("Experts",)),
        sections=(
            Section(
                "Top three", (3, 1), because=("topic Experts: “MoE”", "include “LoRA”"), leads=True
            ),
            Section("Experts", (4,), (2,), ("topic Experts: “MoE”", "row")),
            Section("Other", ()),
        ),
        more=(5,),
        short=(7,),
        waiting=(0, 6),
        left_out=4,
        corrections=(0, 2),
    )
    papers = list_papers(store, *(f"arxiv:{number}" for number in range(8)))
    plan = PlannedEdition(history, edition)
    wave = store.freeze(make_wave(papers), [plan])
    assert store.edition(DAY, "ada@example.org") == (wave.id, edition)
    assert store.plans_at_freeze(wave, [77, ada.id]) == (plan,)
    assert store.edition(TOMORROW, "ada@example.org") is None
    assert store.plans_at_freeze(replace(wave, id=wave.id + 1), [ada.id]) == ()
    assert store.edition(DAY, "bob@example.org") is None
    (claimed,) = claim(store)
    assert (claimed.edition, claimed.wave, claimed.reader) == (edition, wave.id, ada.id)


def test_freeze_plans_one_delivery_per_reader(store: Store) -> None:
    freeze_one_issue(store, "ada", "bob")
    assert list_states(store) == [("ada", "pending"), ("bob", "pending")]
    assert store.planned_readers(DAY) == {1, 2}
    assert store.planned_readers(DAY, among=[2, 3]) == {2}
    assert store.planned_readers(TOMORROW) == store.planned_readers(DAY, among=[]) == frozenset()
    assert store.issue_state(DAY) == ("frozen", "")
    assert store.counts(DAY) == Counts(pending=2)


def test_deliveries_are_picked_by_the_beginning_of_their_reply(store: Store) -> None:
    freeze_one_issue(store, "ada", "bob", "cleo")
    for one, reply in zip(claim(store), ("451 not now", "not sent: %", "Not sent: %"), strict=True):
        settle(store, one, outcome=Deferred(reply), next_try=NOON)

    def emails(reply: str, states: frozenset[DeliveryState]) -> list[str]:
        return [row.email for row in store.deliveries(DAY, states=states, reply=reply)]

    deferred: frozenset[DeliveryState] = frozenset({"deferred"})
    assert emails("not sent: ", deferred) == ["bob@example.org"]
    assert emails("%", deferred) == emails("451", frozenset({"failed"})) == []
    assert len(emails("", deferred)) == 3


def test_empty_edition_is_decided_at_once(store: Store) -> None:
    ada, bob = join(store, "ada", "bob")
    papers = list_papers(store, "arxiv:1")
    store.freeze(make_wave(papers), [plan_edition(ada), plan_edition(bob, 0)])
    assert list_states(store) == [("ada", "empty"), ("bob", "pending")]
    assert [line.email for line in store.deliveries(DAY, states={"empty"})] == ["ada@example.org"]
    assert store.deliveries(DAY, states=()) == ()
    assert decided_papers(store) == [1, 0]
    assert store.lowest_decided([ada.id]) == 1
    assert store.lowest_decided([ada.id, bob.id, 4711]) == 0
    assert store.lowest_decided([4711]) is None


def test_issue_with_nothing_open_is_done(store: Store) -> None:
    (ada,) = join(store, "ada")
    store.freeze(make_wave(list_papers(store, "arxiv:1")), [plan_edition(ada)])
    assert store.issue_state(DAY) == ("done", "")
    assert store.edition(DAY, "ada@example.org") is not None


def test_freezing_twice_changes_nothing(store: Store) -> None:
    first = freeze_one_issue(store, "ada", "bob")
    papers = store.papers_by_number([1, 2])
    again = freeze(store, store.readers(), papers)
    assert again == first
    assert store.waves(DAY) == (first,)
    assert store.counts(DAY) == Counts(pending=2)


def test_known_wave_plans_readers_without_a_delivery(store: Store) -> None:
    first = freeze_one_issue(store, "ada")
    readers = join(store, "ada", "bob")
    assert freeze(store, readers, store.papers_by_number([1, 2])) == first
    assert list_states(store) == [("ada", "pending"), ("bob", "pending")]


def test_known_wave_keeps_its_stored_fragments(store: Store) -> None:
    first = freeze_one_issue(store, "ada")
    papers = store.papers_by_number([1, 2])
    stored = store.freeze(replace(make_wave(papers), pieces=b"others"), [])
    assert stored == first


def test_known_wave_rejects_editions_of_other_papers(store: Store) -> None:
    first = freeze_one_issue(store, "ada")
    readers = join(store, "ada", "bob")
    papers = list_papers(store, "arxiv:3")
    assert freeze(store, readers, papers[::-1]) == first
    assert list_states(store) == [("ada", "pending")]


def test_second_wave_takes_unplanned_readers(store: Store) -> None:
    first = freeze_one_issue(store, "ada")
    ada, bob = join(store, "ada", "bob")
    papers = store.papers_by_number([1, 2])
    second = store.freeze(
        make_wave(papers, due=LATER), [plan_edition(ada, 0), plan_edition(bob, 0)]
    )
    assert store.waves(DAY) == (first, second)
    assert list_states(store) == [("ada", "pending"), ("bob", "pending")]
    found = store.edition(DAY, "bob@example.org")
    assert found is not None
    assert found[0] == second.id


def test_two_editions_of_a_reader_make_one_delivery(store: Store) -> None:
    (ada,) = join(store, "ada")
    store.freeze(
        make_wave(list_papers(store, "arxiv:1")), [plan_edition(ada, 0), plan_edition(ada)]
    )
    assert list_states(store) == [("ada", "pending")]


def test_editions_may_be_read_from_the_freezing_store(store: Store) -> None:
    readers = join(store, "ada", "bob")
    papers = list_papers(store, "arxiv:1")

    def plans() -> Iterator[PlannedEdition]:
        for history in store.reader_histories(readers, papers, day=DAY):
            yield plan_edition(history.reader, 0)

    store.freeze(make_wave(papers), plans())
    assert store.counts(DAY) == Counts(pending=2)


@pytest.mark.slow
def test_many_readers_are_frozen_once_each(store: Store) -> None:
    readers = join(store, *(f"reader{n}" for n in range(1100)))
    papers = list_papers(store, "arxiv:1")
    store.freeze(make_wave(papers), (plan_edition(reader, 0) for reader in (*readers, *readers)))
    store.freeze(make_wave(papers), [plan_edition(reader, 0) for reader in readers[:600]])
    assert store.counts(DAY) == Counts(pending=1100)
    assert store.planned_readers(DAY, among=range(1, 1200)) == frozenset(range(1, 1101))


def test_failed_freeze_leaves_nothing(store: Store) -> None:
    (ada,) = join(store, "ada")
    papers = list_papers(store, "arxiv:1")

    def plans() -> Iterator[PlannedEdition]:
        yield plan_edition(ada, 0)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.freeze(make_wave(papers), plans())
    assert (store.issue_state(DAY), store.waves(DAY), store.planned_readers(DAY)) == (
        None,
        (),
        frozenset(),
    )


def test_new_reader_starts_after_the_last_freeze(store: Store) -> None:
    freeze_one_issue(store, "ada")
    join(store, "ada", "bob")
    store.save_reader(Subscriber("cyd@example.org"), status="confirmed", now=NOON)
    assert decided_papers(store) == [0, 2, 2]


def test_skipped_issue_keeps_reason_and_can_be_frozen(store: Store) -> None:
    assert store.issue_state(DAY) is None
    store.skip_issue(DAY, reason="no new papers", now=NOON)
    assert store.issue_state(DAY) == ("skipped", "no new papers")
    store.skip_issue(DAY, reason="still none", now=LATER)
    assert store.issue_state(DAY) == ("skipped", "still none")
    assert store.close_issue(DAY) == "skipped"
    freeze_one_issue(store, "ada")
    assert store.issue_state(DAY) == ("frozen", "")


def test_frozen_issue_cannot_be_skipped(store: Store) -> None:
    freeze_one_issue(store, "ada")
    store.skip_issue(DAY, reason="no new papers", now=NOON)
    assert store.issue_state(DAY) == ("frozen", "")


def test_days_lists_issues_newest_first(store: Store) -> None:
    assert store.issue_days() == ()
    store.skip_issue(DAY, reason="none", now=NOON)
    store.freeze(wave_on(make_wave(()), TOMORROW, LATER), [])
    assert store.issue_days() == (TOMORROW, DAY)


def test_day_without_issue_is_empty(store: Store) -> None:
    assert store.counts(DAY) == Counts()
    assert store.deliveries(DAY) == ()
    assert claim(store) == ()
    with pytest.raises(StoreError, match="there is no issue of 2026-08-03; `newsletter send`"):
        store.close_issue(DAY)


# -- readers' histories ----------------------------------------------------------------------------


def test_history_includes_accepted_papers(store: Store) -> None:
    ada, bob = join(store, "ada", "bob")
    papers = list_papers(store, "arxiv:1", "arxiv:2", "arxiv:3")
    store.freeze(make_wave(papers), [plan_edition(ada, 0, 2), plan_edition(bob, 1)])
    first, second = claim(store)
    settle(store, first, outcome=TAKEN)
    settle(store, second, outcome=Refused("550 no"))
    of_bob, of_ada = store.reader_histories([bob, ada], papers[:2], day=DAY)
    assert (of_ada.reader, of_ada.sent) == (ada, frozenset({1}))
    assert (of_bob.reader, of_bob.sent) == (bob, frozenset())
    assert store.reader_histories([], papers, day=DAY) == ()
    assert store.reader_histories([ada], [], day=DAY) == (ReaderHistory(ada),)


def test_sending_one_paper_counts_for_its_group(store: Store) -> None:
    (ada,) = join(store, "ada")
    papers = list_papers(store, "doi:10.1/a", "arxiv:2608.00002")
    store.freeze(make_wave(papers), [plan_edition(ada, 1)])
    settle(store, *claim(store), outcome=TAKEN)
    assert store.reader_histories([ada], papers, day=DAY)[0].sent == {2}
    _join_the_two(store)
    (history,) = store.reader_histories([ada], store.papers_by_number([1, 2]), day=DAY)
    assert history.sent == {1}


def _join_the_two(store: Store) -> None:
    both = IdentifiedItem(item("Both"), identity("arxiv:2608.00002", "doi:10.1/a"))
    store.ingest(DAY, HEALTH, [both], now=NOON)


def test_paper_below_minimum_upvotes_is_judged_again(store: Store) -> None:
    ada, bob, cyd = join(store, "ada", "bob", "cyd")
    papers = list_papers(store, "arxiv:1", "arxiv:2", "arxiv:3")
    editions = [
        plan_edition(ada, short=(1, 2)),
        plan_edition(bob, 0, short=(1,)),
        plan_edition(cyd, 0, short=(0,)),
    ]
    store.freeze(make_wave(papers), editions)
    settle(store, claim(store)[0], outcome=TAKEN)
    again = [s.again for s in store.reader_histories([ada, bob, cyd], papers, day=DAY)]
    assert again == [{2, 3}, {2}, frozenset()]
    assert set(store.papers_to_reconsider(day=DAY)) == {2, 3}


@pytest.mark.slow
def test_paper_without_room_is_owed_again(store: Store) -> None:
    (ada,) = join(store, "ada")
    papers = list_papers(store, "arxiv:1", "arxiv:2", "arxiv:3")
    store.freeze(make_wave(papers), [plan_edition(ada, 0, short=(1,), waiting=(2,))])
    assert set(store.papers_to_reconsider(day=DAY)) == set()
    settle(store, *claim(store), outcome=TAKEN)
    assert set(store.papers_to_reconsider(day=DAY)) == {2, 3}
    assert store.reader_histories([ada], papers, day=DAY)[0].again == {2, 3}


def test_judged_again_comes_with_the_fewest_upvotes_asked(store: Store) -> None:
    asked = {"ada": 30, "bob": 8, "cyd": 0}
    subscribers = [
        Subscriber(f"{name}@example.org", filter=Filter(min_upvotes=least))
        for name, least in asked.items()
    ]
    store.sync_subscribers(subscribers, now=NOON)
    ada, bob, cyd = store.readers(emails=[f"{name}@example.org" for name in asked])
    papers = list_papers(store, "arxiv:1", "arxiv:2", "arxiv:3")
    plans = [
        plan_edition(ada, short=(0, 1, 2)),
        plan_edition(bob, 0, short=(1,)),
        plan_edition(cyd, 1, waiting=(2,)),
    ]
    store.freeze(make_wave(papers), plans)
    for _ in plans:
        settle(store, *claim(store), outcome=TAKEN)
    assert store.papers_to_reconsider(day=DAY) == {1: 30, 2: 8, 3: 0}


def test_room_is_asked_for_in_last_decided_edition(store: Store) -> None:
    """Upvotes are asked for in every edition of the last days."""
    (ada,) = join(store, "ada")
    papers = list_papers(store, "arxiv:1", "arxiv:2", "arxiv:3")
    store.freeze(make_wave(papers), [plan_edition(ada, 2, short=(1,), waiting=(0,))])
    settle(store, *claim(store), outcome=TAKEN)
    late = DAY + timedelta(days=10)
    assert store.papers_to_reconsider(day=TOMORROW).keys() == {1, 2}
    assert store.papers_to_reconsider(day=late).keys() == {1}
    more = list_papers(store, "arxiv:4")
    store.freeze(make_wave(more, day=TOMORROW, due=LATER), [plan_edition(ada, 3)])
    assert store.papers_to_reconsider(day=late).keys() == {1}
    settle(store, *claim(store, day=TOMORROW), outcome=TAKEN)
    assert store.papers_to_reconsider(day=late).keys() == set()


@pytest.mark.slow
def test_papers_below_minimum_are_found_among_many(store: Store) -> None:
    *most, last = join(store, *(f"reader{n}" for n in range(700)))
    papers = list_papers(store, "arxiv:1", "arxiv:2")
    store.freeze(
        make_wave(papers),
        [*(plan_edition(reader) for reader in most), plan_edition(last, short=(1,))],
    )
    assert set(store.papers_to_reconsider(day=DAY)) == {2}


def test_only_undecided_papers_are_judged_again(store: Store) -> None:
    (ada,) = join(store, "ada")
    papers = list_papers(store, "arxiv:1", "arxiv:2")
    store.freeze(make_wave(papers), [plan_edition(ada, short=(0, 1))])
    (history,) = store.reader_histories([ada], papers[1:], day=DAY)
    assert history.again == {2}


def test_old_papers_below_minimum_are_dropped(store: Store) -> None:
    (ada,) = join(store, "ada")
    papers = list_papers(store, "arxiv:1")
    store.freeze(make_wave(papers), [plan_edition(ada, short=(0,))])
    for days, again in ((3, {1}), (4, set[int]())):
        later = DAY + timedelta(days=days)
        assert store.reader_histories([ada], papers, day=later)[0].again == again
        assert store.papers_to_reconsider(day=later).keys() == again


def test_corrections_are_told_once_to_those_sent(store: Store) -> None:
    ada, bob, cyd = join(store, "ada", "bob", "cyd")
    papers = list_papers(store, "arxiv:1", "arxiv:2")
    store.freeze(make_wave(papers), [plan_edition(ada, 0), plan_edition(bob, 0), plan_edition(cyd)])
    settle(store, *claim(store, limit=1), outcome=TAKEN)
    entry = IdentifiedItem(item("Gone", withdrawn=True), identity("arxiv:1"))
    store.ingest(DAY, HEALTH, [entry], now=LATER)
    ids, corrections = [ada.id, bob.id, cyd.id], store.corrections(since=LATER)
    assert store.corrections_due(ids, corrections) == {ada.id: (0,)}
    wave = make_wave(list_papers(store, "arxiv:3"), day=TOMORROW, due=LATER)
    wave = replace(wave, issue=replace(wave.issue, corrections=corrections))
    store.freeze(wave, [plan_edition(ada, 2)])
    assert store.corrections_due(ids, corrections) == {ada.id: (0,)}
    settle(store, *claim(store, day=TOMORROW), outcome=TAKEN)
    assert store.corrections_due(ids, corrections) == {}


def test_papers_sent_since_are_not_judged_again(store: Store) -> None:
    (ada,) = join(store, "ada")
    papers = list_papers(store, "arxiv:1", "arxiv:2")
    store.freeze(make_wave(papers), [plan_edition(ada, short=(0, 1))])
    store.freeze(make_wave(papers, day=TOMORROW, due=LATER), [plan_edition(ada, 0)])
    settle(store, *claim(store, day=TOMORROW), outcome=TAKEN)
    assert store.reader_histories([ada], papers, day=DAY)[0].again == {2}
    assert set(store.papers_to_reconsider(day=DAY)) == {2}


def test_new_reader_has_no_history(store: Store) -> None:
    papers = list_papers(store, "arxiv:1")
    stranger = reader(77, "stranger@example.org")
    assert store.reader_histories([stranger], papers, day=DAY) == (ReaderHistory(stranger),)


def test_undone_issue_has_never_been(store: Store) -> None:
    ada, bob = join(store, "ada", "bob")
    papers = list_papers(store, "arxiv:1")
    store.freeze(make_wave(papers), [plan_edition(ada, 0), plan_edition(bob)])
    assert store.readers()[1].decided == papers[0].number, "nothing was in it for Bob"
    assert store.undo_issue(DAY, now=NOON)
    assert (store.issue_state(DAY), store.issue_days()) == (None, ())
    assert store.readers() == (ada, bob)
    freeze_one_issue(store, "ada", "bob")
    assert [state for _, state in list_states(store)] == ["pending", "pending"]


def test_issue_in_use_is_not_undone(store: Store) -> None:
    assert not store.undo_issue(DAY, now=NOON), "there is none"
    freeze_one_issue(store, "ada", "bob")
    (ada,) = claim(store, limit=1)
    assert not store.undo_issue(DAY, now=NOON), "a run has it"
    mark(store, ada)
    settle(store, ada, outcome=Deferred("450 later"), next_try=NOON)
    assert store.undo_issue(DAY, now=NOON), "it was not sent"
    freeze_one_issue(store, "ada", "bob")
    (ada,) = claim(store, limit=1)
    mark(store, ada)
    settle(store, ada, outcome=Accepted("250 ok"))
    assert not store.undo_issue(DAY, now=NOON), "it was sent"


def test_issue_cancelled_in_advance_is_undone(store: Store) -> None:
    store.set_issue_state(DAY, "cancelled", reason="", from_states=(None,))
    assert store.undo_issue(DAY, now=NOON)
    assert store.issue_state(DAY) is None


def test_issue_sizes_compare_with_the_issue_before(store: Store) -> None:
    join(store, "a", "b")
    list_papers(store, "arxiv:1", "arxiv:2")
    freeze_one_issue(store)
    (size,) = store.issue_sizes(limit=5)
    assert (size.day, size.frozen, size.papers, size.empty) == (DAY, NOON, 2, 0)
    assert size.planned == store.counts(DAY).planned
    assert size.letter_size > 0
    assert store.issue_sizes(limit=0) == ()


def test_issue_is_cleared_once_for_all(store: Store) -> None:
    freeze_one_issue(store)
    assert not store.is_cleared(DAY)
    store.clear_issue(DAY)
    assert store.is_cleared(DAY)
    assert not store.is_cleared(TOMORROW)
