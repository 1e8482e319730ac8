"""A wave is planned while others write, and what they change is not overlooked."""

import threading
from array import array
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import pytest
from typing_extensions import override

from newsletter.model import (
    Accepted,
    Filter,
    Item,
    Matches,
    PlannedEdition,
    Reader,
    Subscriber,
    Term,
)
from newsletter.papers.filters import parse_rule
from newsletter.papers.matching import RulesMatcher
from newsletter.ports import Store
from newsletter.publisher.publishing import freeze as freeze_issue
from newsletter.publisher.ticking import SchedulerState, freeze_due
from newsletter.readers.due import DefaultSchedule, Due
from tests.support.clocks import ManualClock
from tests.support.factories import DAY, NOON, subscriber
from tests.support.frozen_issues import (
    claim,
    freeze,
    join,
    list_papers,
    make_wave,
    mark,
    plan_edition,
    settle,
)
from tests.support.publishers import publisher_over

TOMORROW, LATER = DAY + timedelta(days=1), NOON + timedelta(days=1)


@dataclass
class Plans:
    """Plans every reader, while another thread does something else."""

    readers: tuple[Reader, ...]
    meanwhile: Callable[[], object]
    failed: list[BaseException] = field(default_factory=list)

    def __iter__(self) -> Iterator[PlannedEdition]:
        other = threading.Thread(target=self._do)
        other.start()
        other.join()
        yield from (plan_edition(reader, 0) for reader in self.readers)

    def _do(self) -> None:
        try:
            self.meanwhile()
        except BaseException as error:  # noqa: BLE001 - shown by the test
            self.failed.append(error)


class Meanwhile(RulesMatcher):
    """Matches as always; the second time, when readers are planned, it does something else, too."""

    def __init__(self, work: Callable[[], object]) -> None:
        self.work, self.times = work, 0

    @override
    def match(self, items: Sequence[Item], terms: Collection[Term]) -> Matches:
        self.times += 1
        if self.times == 2:
            self.work()
        return super().match(items, terms)


def send_open(store: Store, day: date = DAY) -> None:
    """Send the open letters of a day."""
    claims = claim(store, day=day)
    mark(store, *claims)
    settle(store, *claims, outcome=Accepted("250 ok"))


def frozen_papers(store: Store, reader: Reader) -> tuple[int, ...]:
    """The places of the papers in a reader's frozen edition of tomorrow."""
    found = store.edition(TOMORROW, reader.subscriber.email)
    assert found is not None
    return found[1].papers


def test_others_write_while_a_wave_is_planned(store: Store) -> None:
    ada, bob = join(store, "ada", "bob")
    papers = list_papers(store, "arxiv:1", "arxiv:2")
    saved = subscriber("cleo@example.org")
    plans = Plans((ada, bob), lambda: store.save_reader(saved, status="confirmed", now=NOON))
    store.freeze(make_wave(papers, day=TOMORROW), plans)
    assert plans.failed == []
    assert store.planned_readers(TOMORROW) == {ada.id, bob.id}
    assert frozen_papers(store, ada) == (0,)


def test_reader_with_a_letter_decided_meanwhile_waits(store: Store) -> None:
    ada, bob = join(store, "ada", "bob")
    papers = list_papers(store, "arxiv:1", "arxiv:2")
    freeze(store, [ada], papers[:1])
    plans = Plans((ada, bob), lambda: send_open(store))
    wave = store.freeze(make_wave(papers, day=TOMORROW, due=LATER), plans)
    assert plans.failed == []
    assert store.planned_readers(TOMORROW) == {bob.id}
    again = store.freeze(make_wave(papers, day=TOMORROW, due=LATER), iter([plan_edition(ada, 1)]))
    assert again.id == wave.id
    assert frozen_papers(store, ada) == (1,)


def test_reader_of_another_wave_meanwhile_waits(store: Store) -> None:
    ada, bob = join(store, "ada", "bob")
    papers = list_papers(store, "arxiv:1", "arxiv:2")

    def send_another() -> None:
        freeze(store, [ada], papers[:1])
        send_open(store)

    store.freeze(
        make_wave(papers, day=TOMORROW, due=LATER), plans := Plans((ada, bob), send_another)
    )
    assert plans.failed == []
    assert store.planned_readers(TOMORROW) == {bob.id}


def test_nobody_with_a_letter_decided_meanwhile_is_missed(store: Store) -> None:
    wants = Filter(include=(parse_rule("about"),))
    names = ("ada@example.org", "bob@example.org")
    store.sync_subscribers([Subscriber(name, filter=wants) for name in names], now=NOON)
    ada, bob = store.readers()
    freeze(store, [ada], list_papers(store, "arxiv:1"))
    matcher = Meanwhile(lambda: send_open(store))
    publisher = replace(publisher_over(store, clock=ManualClock(LATER)), matcher=matcher)
    list_papers(store, "arxiv:2", now=LATER)
    assert freeze_issue(publisher, TOMORROW, [ada.id, bob.id], ())
    assert store.planned_readers(TOMORROW) == {ada.id, bob.id}
    assert [len(frozen_papers(store, each)) for each in (ada, bob)] == [1, 2]


def test_reader_erased_meanwhile_leaves_no_trace(store: Store) -> None:
    ada, bob = join(store, "ada", "bob")
    papers = list_papers(store, "arxiv:1")
    plans = Plans((ada, bob), lambda: store.erase(ada.id, "x@erased.invalid", now=NOON))
    store.freeze(make_wave(papers, day=TOMORROW), plans)
    assert plans.failed == []
    assert [row.email for row in store.deliveries(TOMORROW)] == ["bob@example.org"]
    assert [each.edition.to.email for each in claim(store, day=TOMORROW)] == ["bob@example.org"]


@pytest.mark.parametrize("marked", [False, True])
def test_letter_being_sent_delays_the_next_not_repeats(store: Store, *, marked: bool) -> None:
    wants = Filter(include=(parse_rule("about"),))
    names = ("ada@example.org", "bob@example.org")
    store.sync_subscribers([Subscriber(name, filter=wants) for name in names], now=NOON)
    ada, bob = store.readers()
    freeze(store, [ada], list_papers(store, "arxiv:1"))
    clock, state = ManualClock(LATER), SchedulerState(DefaultSchedule("12:00", "UTC", "daily"))
    publisher = publisher_over(store, clock=clock)
    due = Due(TOMORROW, LATER, array("q", [ada.id, bob.id]))
    claims = claim(store, now=LATER)
    if marked:
        mark(store, *claims, now=LATER)
    list_papers(store, "arxiv:2", now=LATER)
    freeze_due(publisher, state, [due])
    assert store.planned_readers(TOMORROW) == {bob.id}
    mark(store, *claims, now=LATER)
    settle(store, *claims, outcome=Accepted("250 ok"), now=LATER)
    clock.time += timedelta(seconds=30)
    freeze_due(publisher, state, [due])
    assert [len(frozen_papers(store, each)) for each in (ada, bob)] == [1, 2]
    send_open(store, TOMORROW)
    assert store.audit(DAY).ok


def test_letter_begun_while_planning_repeats_nothing(store: Store) -> None:
    ada, bob = join(store, "ada", "bob")
    papers = list_papers(store, "arxiv:1", "arxiv:2")
    freeze(store, [ada], papers[:1])
    plans = Plans((ada, bob), lambda: claim(store, now=LATER))
    store.freeze(make_wave(papers, day=TOMORROW, due=LATER), plans)
    assert store.planned_readers(TOMORROW) == {bob.id}
    assert plans.failed == []
