"""The audit finds everything that breaks an invariant, and nothing in a correct ledger."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from newsletter.errors import StoreError
from newsletter.model import Accepted, Audit, Deferred, Refused, Unknown
from newsletter.ports import Store
from newsletter.stores import open_store
from newsletter.stores.sql import SqlStore, schema
from newsletter.stores.sql.audit import INVARIANTS
from newsletter.stores.sql.engine import Database
from tests.support.factories import DAY, NOON
from tests.support.frozen_issues import (
    LEASE,
    claim,
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
)

LATER = NOON + timedelta(hours=1)
TOMORROW = DAY + timedelta(days=1)
TAKEN = Accepted("250 taken")


def deliver_all(store: Store, run: str = "run") -> None:
    """Claim, mark and accept all deliveries of the day, and close the issue."""
    taken = claim(store, run=run)
    mark(store, *taken)
    settle(store, *taken, outcome=TAKEN)
    store.close_issue(DAY)


def broken_invariants(audit: Audit) -> dict[str, tuple[str, ...]]:
    """The broken invariants, with the rows that break them."""
    return {proof.id: proof.rows for proof in audit.proofs if not proof.ok}


def test_delivered_issue_passes_all_invariants(store: Store) -> None:
    freeze_one_issue(store, "ada", "bob", "cyd", "dee")
    ada, bob, cyd, dee = claim(store)
    mark(store, ada, bob, cyd, dee)
    settle(store, ada, outcome=TAKEN)
    settle(store, bob, outcome=Refused("550 no"))
    settle(store, cyd, outcome=Deferred("450 later"), next_try=LATER)
    settle(store, dee, outcome=Unknown("no answer"))
    found = store.audit(DAY)
    assert [proof.id for proof in found.proofs] == list(INVARIANTS)
    assert (broken_invariants(found), found.ok) == ({}, True)
    assert found.in_doubt == ("dee@example.org",)


def test_day_without_issue_cannot_be_audited(store: Store) -> None:
    with pytest.raises(StoreError, match="there is no issue of 2026-08-03"):
        store.audit(DAY)


def test_acceptance_without_mark_or_reply_is_found(store: Store) -> None:
    freeze_one_issue(store, "ada", "bob")
    ada, bob = claim(store)
    mark(store, bob)
    settle(store, ada, outcome=TAKEN)
    settle(store, bob, outcome=Accepted("looks fine"))
    assert broken_invariants(store.audit(DAY)) == {
        "I3": ("ada@example.org",),
        "I4": ("bob@example.org: looks fine",),
    }


def test_paper_accepted_twice_is_found(store: Store) -> None:
    (ada,) = join(store, "ada")
    papers = list_papers(store, "arxiv:1", "arxiv:2")
    store.freeze(make_wave(papers), [plan_edition(ada, 0, 1)])
    deliver_all(store)
    store.freeze(make_wave(papers, day=TOMORROW, due=LATER), [plan_edition(ada, 1)])
    again = store.claim(TOMORROW, limit=9, now=NOON, lease=LEASE, token="two")
    mark(store, *again)
    settle(store, *again, outcome=TAKEN)
    assert broken_invariants(store.audit(TOMORROW))["I7"] == ("ada@example.org: arxiv:2",)


def test_forgotten_paper_is_found(store: Store) -> None:
    ada, bob = join(store, "ada", "bob")
    papers = list_papers(store, "arxiv:1", "arxiv:2")
    store.freeze(make_wave(papers), [plan_edition(ada, 0), plan_edition(bob, 0, 1)])
    rows = ("ada@example.org: 2 owed, 1 accounted for",)
    assert broken_invariants(store.audit(DAY)) == {"I8": rows}


def test_message_id_used_twice_is_found(store: Store) -> None:
    freeze_one_issue(store, "ada", "bob")
    ada, bob = claim(store)
    other = letter_of(bob)
    namesake = type(other)(bob, letter_of(ada).envelope)
    store.mark([letter_of(ada), namesake], now=NOON, lease=LEASE)
    settle(store, ada, bob, outcome=TAKEN)
    assert broken_invariants(store.audit(DAY)) == {
        "I6": ("ada@example.org", "bob@example.org"),
        "I10": ("bob@example.org: to ada@example.org",),
    }


def test_letter_in_doubt_keeps_its_bytes(store: Store) -> None:
    freeze_one_issue(store, "ada")
    (ada,) = claim(store)
    mark(store, ada)
    settle(store, ada, outcome=Unknown("no answer"))
    (again,) = claim(store, run="two")
    assert store.mark([letter_of(again, b"Another.\r\n")], now=NOON, lease=LEASE) == frozenset()
    assert list_states(store) == [("ada", "held")]
    assert "bytes" in list_deliveries(store)[0].reply
    settle(store, again, outcome=TAKEN)
    assert list_states(store) == [("ada", "held")]
    assert store.audit(DAY).in_doubt == ("ada@example.org",)


def test_unsent_letter_may_be_rendered_again(store: Store) -> None:
    freeze_one_issue(store, "ada")
    (ada,) = claim(store)
    mark(store, ada)
    settle(store, ada, outcome=Deferred("450 later"), next_try=NOON)
    (again,) = claim(store, run="two")
    letter = letter_of(again, b"Another.\r\n")
    assert store.mark([letter], now=NOON, lease=LEASE) == {again.token}


# -- the operator's decisions ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arrived", "state", "decided"), [(True, "accepted", 2), (False, "failed", 0)]
)
def test_operator_resolves_a_doubt(
    store: Store, *, arrived: bool, state: str, decided: int
) -> None:
    freeze_one_issue(store, "ada", "bob")
    for run in ("one", "two"):
        ada, *_ = claim(store, limit=1, run=run) if run == "one" else claim(store, run=run)[-1:]
        mark(store, ada)
        settle(store, ada, outcome=Unknown("no answer"))
    assert ("ada", "held") in list_states(store)
    asked = ["ada@example.org", "bob@example.org"]
    assert store.resolve(DAY, asked, arrived=arrived, now=LATER) == {"ada@example.org"}
    assert ("ada", state) in list_states(store)
    assert store.readers()[0].decided == decided
    assert store.audit(DAY).in_doubt == ()
    assert store.audit(DAY).ok


@pytest.mark.slow
def test_issue_is_held_released_and_cancelled(store: Store) -> None:
    freeze_one_issue(store, "ada", "bob")
    (ada,) = claim(store, limit=1)
    assert store.set_issue_state(DAY, "held", reason="asked", from_states=("frozen", "sending"))
    assert store.issue_state(DAY) == ("held", "asked")
    assert mark(store, ada) == frozenset()
    assert claim(store, run="two") == ()
    assert not store.set_issue_state(DAY, "held", reason="again", from_states={"frozen"})
    assert store.set_issue_state(DAY, "frozen", reason="", from_states={"held"})
    assert mark(store, ada) == {ada.token}
    assert len(claim(store, run="three")) == 1
    assert store.set_issue_state(DAY, "cancelled", reason="enough", from_states={"sending"})
    assert store.close_issue(DAY) == "cancelled"
    counts = store.counts(DAY)
    assert (counts.planned, counts.open) == (2, 2)


def test_day_without_issue_can_be_cancelled(store: Store) -> None:
    assert not store.set_issue_state(DAY, "cancelled", reason="strike", from_states={"frozen"})
    assert store.issue_state(DAY) is None
    assert store.set_issue_state(DAY, "cancelled", reason="strike", from_states=("frozen", None))
    assert store.issue_state(DAY) == ("cancelled", "strike")
    assert not store.set_issue_state(DAY, "held", reason="too late", from_states=("frozen", None))
    assert store.set_issue_state(DAY, "held", reason="after all", from_states=("cancelled", None))
    assert store.issue_state(DAY) == ("held", "after all")


# -- changes that only SQL by hand can make --------------------------------------------------------


@pytest.fixture
def sent(url: str) -> Iterator[SqlStore]:
    """A database with one issue sent to Ada and Bob."""
    opened = open_store(url)
    assert isinstance(opened, SqlStore)
    freeze_one_issue(opened, "ada", "bob")
    deliver_all(opened)
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("table", "values", "law", "row"),
    [
        ("deliveries", {"state": "pending"}, "I5", "ada@example.org: pending"),
        ("deliveries", {"marked": None}, "I3", "ada@example.org"),
        ("deliveries", {"digest": None}, "I6", "ada@example.org"),
        ("deliveries", {"recipient": "eve@x.org"}, "I10", "ada@example.org: to eve@x.org"),
        ("editions", {"papers": b"\x00"}, "I8", "ada@example.org: 2 owed, 1 accounted for"),
    ],
)
def test_changed_row_is_found(
    url: str, sent: SqlStore, table: str, values: dict[str, Any], law: str, row: str
) -> None:
    _change(url, table, values)
    assert broken_invariants(sent.audit(DAY)) == {law: (row,)}


def _change(url: str, table: str, values: dict[str, Any]) -> None:
    """Change Ada's row with SQL."""
    database = Database(url)
    changed = schema.metadata.tables[table]
    with database.writing() as connection:
        connection.execute(update(changed).where(changed.c.reader == 1).values(values))
    database.close()


def test_vanished_delivery_is_found(url: str, sent: SqlStore) -> None:
    database = Database(url)
    with database.writing() as connection:
        connection.execute(schema.deliveries.delete().where(schema.deliveries.c.reader == 1))
    database.close()
    assert broken_invariants(sent.audit(DAY)) == {"I1": ("ada@example.org",)}


def test_mark_after_unsubscribing_is_found(url: str, sent: SqlStore) -> None:
    sent.set_status("ada@example.org", "unsubscribed", now=NOON)
    assert sent.audit(DAY).ok
    _change(url, "deliveries", {"marked": LATER})
    assert broken_invariants(sent.audit(DAY)) == {"I9": ("ada@example.org",)}


def test_mailbox_under_two_spellings_is_found(url: str) -> None:
    store = open_store(url)
    readers = join(store, "ada", "Ada")
    freeze(store, readers, list_papers(store, "arxiv:1"))
    deliver_all(store)
    assert broken_invariants(store.audit(DAY)) == {"I2": ("ada@example.org",)}
    store.close()
