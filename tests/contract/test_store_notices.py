"""What the operator was told: once, unless nobody could be told."""

from newsletter.ports import Store
from tests.support.factories import NOON


def test_event_is_announced_once(store: Store) -> None:
    assert store.announce(["a", "b", "a"], now=NOON) == {"a", "b"}
    assert store.announce(["b", "c"], now=NOON) == {"c"}
    assert store.announce([], now=NOON) == frozenset()


def test_undelivered_event_is_announced_again(store: Store) -> None:
    store.announce(["a", "b"], now=NOON)
    store.retract(["a"])
    assert store.announce(["a", "b"], now=NOON) == {"a"}


def test_event_of_any_text_is_stored(store: Store) -> None:
    store.announce(["a\0\ud800"], now=NOON)
    assert len(store.announce(["a\0\ud800", "x" * 5000], now=NOON)) <= 2
