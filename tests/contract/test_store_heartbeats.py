"""Heartbeats of running processes."""

from dataclasses import replace
from datetime import timedelta

from newsletter.model import Heartbeat
from newsletter.ports import Store
from tests.support.factories import NOON

FIRST = Heartbeat("run on one", started=NOON, seen=NOON, said="")


def test_store_without_heartbeats_lists_none(store: Store) -> None:
    assert store.heartbeats() == ()


def test_heartbeat_replaces_the_previous_one(store: Store) -> None:
    later = replace(FIRST, seen=NOON + timedelta(seconds=30), said="no \N{SNOWMAN} in the store")
    store.record_heartbeat(FIRST)
    store.record_heartbeat(later)
    assert store.heartbeats() == (later,)


def test_each_process_has_a_heartbeat_latest_first(store: Store) -> None:
    other = replace(FIRST, name="run on two", seen=NOON + timedelta(seconds=1))
    store.record_heartbeat(other)
    store.record_heartbeat(FIRST)
    assert store.heartbeats() == (other, FIRST)
