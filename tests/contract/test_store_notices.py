"""Notices to the operator: reported once, and again if the report could not be sent."""

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


def test_event_of_any_text_is_stored(store: Store) -> None:
    store.record_notices(["a\0\ud800"], now=NOON)
    assert len(store.record_notices(["a\0\ud800", "x" * 5000], now=NOON)) <= 2
