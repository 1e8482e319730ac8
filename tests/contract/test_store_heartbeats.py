"""What every store remembers of those who stay awake."""

from dataclasses import replace
from datetime import timedelta

from newsletter.model import Heartbeat
from newsletter.ports import Store
from tests.support.factories import NOON

FIRST = Heartbeat("run on one", started=NOON, seen=NOON, said="")


def test_nobody_was_ever_awake(store: Store) -> None:
    assert store.heartbeats() == ()


def test_a_sign_of_life_takes_the_place_of_the_last_one(store: Store) -> None:
    later = replace(FIRST, seen=NOON + timedelta(seconds=30), said="no \N{SNOWMAN} in the store")
    store.beat(FIRST)
    store.beat(later)
    assert store.heartbeats() == (later,)


def test_each_has_its_own_and_the_latest_comes_first(store: Store) -> None:
    other = replace(FIRST, name="run on two", seen=NOON + timedelta(seconds=1))
    store.beat(other)
    store.beat(FIRST)
    assert store.heartbeats() == (other, FIRST)
