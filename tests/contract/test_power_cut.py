"""A power cut may lose what was not yet synced to the disk; the next run treats it as in doubt."""

import errno
import os
import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from newsletter.errors import StoreError
from newsletter.model import Accepted, NotSent
from newsletter.ports import Store
from newsletter.stores import open_journaled_store, open_store
from newsletter.stores.journal import SendJournal
from newsletter.stores.sql import engine, schema
from tests.support.factories import DAY, NOON
from tests.support.frozen_issues import LEASE, claim, freeze_one_issue, list_states, mark, settle

LEASE_OVER = NOON + timedelta(seconds=LEASE)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/newsletter.db"


def open_after_boot(url: str, boot: str | None, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The store as opened after this start (boot id) of the machine."""
    monkeypatch.setattr(engine, "boot_id", lambda: boot)
    return open_store(url)


@pytest.mark.parametrize("after", ["second", None])
def test_claims_before_a_power_cut_are_in_doubt(
    url: str, after: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = open_after_boot(url, "first", monkeypatch)
    freeze_one_issue(before, "ada")
    claim(before)
    before.close()
    store = open_after_boot(url, after, monkeypatch)
    (again,) = claim(store, now=LEASE_OVER)
    assert mark(store, again, now=LEASE_OVER) == {again.token}
    assert claim(store, now=LEASE_OVER + timedelta(seconds=LEASE)) == ()
    assert list_states(store) == [("ada", "held")]
    store.close()


@pytest.mark.slow
@pytest.mark.parametrize("lost", ["mark", "answer"])
def test_longer_journal_after_power_cut_does_not_block(
    tmp_path: Path, url: str, lost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = SendJournal(tmp_path / "journal", lambda email: (email,))
    monkeypatch.setattr(engine, "boot_id", lambda: "first")
    before = open_journaled_store(url, journal)
    freeze_one_issue(before, "ada", "bob")
    ada, bob = claim(before)
    mark(before, ada)
    settle(before, bob, outcome=NotSent("given back"))
    if lost == "answer":
        settle(before, ada, outcome=Accepted("250 ok"))
    before.close()
    state = "claimed" if lost == "mark" else "committing"
    _reset_delivery(url, state=state, token=ada.token, boot="first")
    monkeypatch.setattr(engine, "boot_id", lambda: "second")
    store = open_journaled_store(url, journal)
    assert [made.reader for made in claim(store, now=LEASE_OVER)] == [bob.reader, ada.reader]
    store.close()


def _reset_delivery(url: str, **values: object) -> None:
    """Put the first letter back into the state that had reached the disk."""
    database = engine.Database(url)
    with database.writing() as connection:
        row = schema.deliveries.update().where(schema.deliveries.c.reader == 1)
        connection.execute(row.values(lease_until=LEASE_OVER, **values))
    database.close()


@pytest.mark.slow
@pytest.mark.parametrize("boot", ["first", None])
def test_claims_since_boot_were_not_sent(
    url: str, boot: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = open_after_boot(url, boot, monkeypatch)
    freeze_one_issue(before, "ada")
    claim(before)
    before.close()
    store = open_after_boot(url, boot, monkeypatch)
    for hour in (1, 2, 3):
        assert len(claim(store, now=NOON + timedelta(hours=hour))) == 1
    store.close()


@pytest.fixture
def reaches() -> Iterator[list[str]]:
    """The synchronous mode of the commits from now on, one entry for each change."""
    said: list[str] = []

    def heard(statement: str) -> None:
        if statement.startswith("PRAGMA synchronous"):
            said.append(statement.rpartition(" ")[2])

    def listen(connection: sqlite3.Connection, _record: object) -> None:
        connection.set_trace_callback(heard)

    event.listen(Engine, "connect", listen)
    yield said
    event.remove(Engine, "connect", listen)


class Slow:
    """A disk that syncs only when the test allows it, and records what it synced."""

    def __init__(self) -> None:
        self.synced: list[int] = []
        self.asked, self.may = Event(), Event()
        self.failure: OSError | None = None

    def sync(self, descriptor: int) -> None:
        self.asked.set()
        assert self.may.wait(60)
        if self.failure is not None:
            raise self.failure
        self.synced.append(os.fstat(descriptor).st_ino)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    made = Slow()
    monkeypatch.setattr(os, "fsync", made.sync)
    return made


def test_marks_reach_the_disk_without_delaying_letters(
    tmp_path: Path, url: str, reaches: list[str], slow: Slow
) -> None:
    store = open_store(url)
    freeze_one_issue(store, "ada", "bob")
    ada, bob = claim(store)
    assert reaches == ["FULL"]
    assert mark(store, ada) == {ada.token}
    assert slow.asked.wait(60)
    assert mark(store, bob) == {bob.token}, "the disk is still busy with the first"
    settle(store, ada, outcome=Accepted("250 ok"))
    assert reaches == ["FULL", "NORMAL"]
    journal = (tmp_path / "newsletter.db-wal").stat().st_ino
    assert slow.synced == []
    slow.may.set()
    store.close_issue(DAY)
    assert reaches == ["FULL", "NORMAL", "FULL"]
    store.close()
    assert slow.synced[0] == journal
    assert len(slow.synced) > 1, "what came while it was busy follows too"


def test_failing_sync_of_marks_stops_sending(url: str, slow: Slow) -> None:
    slow.failure = OSError(errno.EIO, "Input/output error")
    slow.may.set()
    store = open_store(url)
    freeze_one_issue(store, "ada", "bob")
    ada, bob = claim(store)
    mark(store, ada)
    store.close()  # waits for the disk
    with pytest.raises(
        StoreError,
        match=r"newsletter.db-wal cannot be written to the disk.*output error.*start again",
    ):
        mark(store, bob)
    assert list_states(store) == [("ada", "committing"), ("bob", "claimed")]
    store.close()


def test_unknown_boot_time_makes_every_mark_wait(
    url: str, reaches: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_after_boot(url, None, monkeypatch)
    freeze_one_issue(store, "ada", "bob")
    for made in claim(store):
        mark(store, made)
    assert reaches == ["FULL"]
    store.close()
