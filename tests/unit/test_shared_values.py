"""The values that all visitors of the pages share."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from newsletter.web import shared_values
from newsletter.web.shared_values import SharedValues
from tests.support.clocks import ManualClock

AGE = timedelta(minutes=1)
TIMEOUT = 30.0


class Loads:
    """Counts what it loads; it waits for ``gate`` first."""

    def __init__(self) -> None:
        self.count, self.gate, self.begun = 0, threading.Event(), threading.Event()
        self.gate.set()

    def __call__(self) -> str:
        self.begun.set()
        assert self.gate.wait(TIMEOUT)
        self.count += 1
        return f"value {self.count}"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def values(clock: ManualClock) -> Iterator[SharedValues]:
    opened = SharedValues(clock, patience=0)
    yield opened
    opened.close()


def let_it_renew(values: SharedValues) -> None:
    """Wait until the thread in the background has done all it was given."""
    done = threading.Event()
    values.renew_all(done.set)
    assert done.wait(TIMEOUT)


def test_value_is_renewed_as_last_asked_for(values: SharedValues, clock: ManualClock) -> None:
    assert values.get("page", lambda: "of paper 1", max_age=AGE) == "of paper 1"
    clock.time += AGE
    values.get("page", lambda: "of its revision", max_age=AGE)
    let_it_renew(values)
    assert values.get("page", lambda: "never", max_age=AGE) == "of its revision"


def test_value_is_made_once_for_all(values: SharedValues) -> None:
    load = Loads()
    load.gate.clear()
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(values.get, "page", load, max_age=AGE) for _ in range(4)]
        assert load.begun.wait(TIMEOUT)
        load.gate.set()
        assert {each.result(TIMEOUT) for each in waiting} == {"value 1"}


def test_nobody_waits_for_a_value_that_is_renewed(values: SharedValues, clock: ManualClock) -> None:
    load = Loads()
    assert values.get("page", load, max_age=AGE) == "value 1"
    clock.time += AGE
    load.gate.clear()
    assert values.get("page", load, max_age=AGE) == "value 1"
    load.gate.set()
    let_it_renew(values)
    assert values.get("page", load, max_age=AGE) == "value 2"
    assert load.count == 2


def test_new_version_is_renewed_with_its_parts(values: SharedValues) -> None:
    load, version = Loads(), ["first"]

    def get() -> str:
        return values.get("issue", load, max_age=AGE, version=lambda: version[0])

    def page() -> str:
        return values.get("page", get, max_age=AGE, version=lambda: version[0])

    assert page() == "value 1"
    version[0] = "second"
    values.renew_all(page)
    let_it_renew(values)
    assert (page(), get()) == ("value 2", "value 2")
    assert load.count == 2


def fail() -> str:
    raise ValueError("no page")


def test_a_failed_renewal_leaves_the_value(values: SharedValues, clock: ManualClock) -> None:
    loads: list[Callable[[], str]] = [fail, Loads()]

    def load() -> str:
        return loads.pop()()

    assert values.get("page", load, max_age=AGE) == "value 1"
    clock.time += AGE
    for _ in range(2):
        assert values.get("page", load, max_age=AGE) == "value 1"
    with pytest.raises(ValueError, match="no page"):
        values.get("another", fail, max_age=AGE)


def test_values_take_a_bounded_amount_of_memory(
    values: SharedValues, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_values, "MAX_BYTES", 30)
    load = Loads()

    def get(key: str) -> str:
        return values.get(key, load, max_age=AGE, size=lambda _: 10)

    found = [get(key) for key in ("a", "b", "c", "a", "d")]
    assert found == ["value 1", "value 2", "value 3", "value 1", "value 4"]
    assert [get("a"), get("b")] == ["value 1", "value 5"]  # b was asked for the longest ago
