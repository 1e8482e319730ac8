"""Notices to the operator: reported once, and again if the report could not be sent."""

from datetime import timedelta

from newsletter.ports import Store
from tests.support.factories import NOON


def test_event_is_announced_once(store: Store) -> None:
    assert store.record_notices(["a", "b", "a"], now=NOON) == {"a", "b"}
    assert store.record_notices(["b", "c"], now=NOON) == {"c"}
    assert store.record_notices([], now=NOON) == frozenset()


def test_undelivered_event_is_announced_again(store: Store) -> None:
    store.record_notices(["a", "b"], now=NOON)
    store.remove_notices(["a"])
    assert store.record_notices(["a", "b"], now=NOON) == {"a"}


def test_claimed_event_is_told_by_one(store: Store) -> None:
    assert store.claim_notices(["a"], now=NOON) == {"a"}
    assert store.claim_notices(["a", "b"], now=NOON + timedelta(minutes=5)) == {"b"}
    store.record_notices(["a"], now=NOON)
    later = NOON + timedelta(hours=1)
    assert store.claim_notices(["a", "b"], now=later) == {"b"}, "whose process has crashed"


def test_event_of_any_text_is_stored(store: Store) -> None:
    store.record_notices(["a\0\ud800"], now=NOON)
    assert len(store.record_notices(["a\0\ud800", "x" * 5000], now=NOON)) <= 2
