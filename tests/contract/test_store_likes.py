"""What readers said of papers, as each store keeps it."""

from datetime import timedelta

import pytest

from newsletter.model import Like
from newsletter.ports import Store
from newsletter.stores.sql import likes
from tests.support.factories import NOON, subscriber
from tests.support.frozen_issues import join, list_papers

LATER = NOON + timedelta(hours=1)


def test_what_is_said_again_replaces_what_was_said(store: Store) -> None:
    ada, bob = join(store, "ada", "bob")
    one, two = (paper.number for paper in list_papers(store, "a", "b"))
    store.like(ada.id, one, more=True, now=NOON)
    store.like(ada.id, two, more=True, now=NOON)
    store.like(ada.id, two, more=True, now=NOON)
    assert store.likes([ada.id]) == {ada.id: (Like(two, True, NOON), Like(one, True, NOON))}
    store.like(ada.id, one, more=False, now=LATER)
    store.like(bob.id, one, more=True, now=NOON)
    assert store.likes([ada.id, bob.id, 77]) == {
        ada.id: (Like(one, False, LATER), Like(two, True, NOON)),
        bob.id: (Like(one, True, NOON),),
    }


def test_likes_are_removed_one_by_one_or_all(store: Store) -> None:
    ada, bob = join(store, "ada", "bob")
    numbers = [paper.number for paper in list_papers(store, "a", "b", "c")]
    for number in numbers:
        store.like(ada.id, number, more=True, now=NOON)
        store.like(bob.id, number, more=False, now=NOON)
    store.forget_likes(ada.id, numbers[1])
    assert [like.paper for like in store.likes([ada.id])[ada.id]] == [numbers[2], numbers[0]]
    store.forget_likes(ada.id)
    assert list(store.likes([ada.id, bob.id])) == [bob.id]


def test_only_the_newest_likes_are_kept(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(likes, "MAX_LIKES", 2)
    (ada,) = join(store, "ada")
    first, second, third = (paper.number for paper in list_papers(store, "a", "b", "c"))
    for hours, number in enumerate((third, first, second, first)):
        store.like(ada.id, number, more=True, now=NOON + timedelta(hours=hours))
    assert [like.paper for like in store.likes([ada.id])[ada.id]] == [first, second]


def test_likes_go_with_their_reader(store: Store) -> None:
    (ada,) = join(store, "ada")
    new = store.save_reader(subscriber("new@example.org"), status="unconfirmed", now=NOON)
    (number,) = (paper.number for paper in list_papers(store, "a"))
    for reader in (ada.id, new.id):
        store.like(reader, number, more=True, now=NOON)
    store.erase(ada.id, "x@erased.invalid", now=NOON)
    assert store.forget_unconfirmed(before=LATER) == 1
    assert store.likes([ada.id, new.id]) == {}
