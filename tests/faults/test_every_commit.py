"""A run is killed, or its disk is full, at any of its commits; the next run finishes the issue."""

import json
import os
import sqlite3
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.faults.contenders import CONTENDERS, DAY, LISTING
from tests.faults.torture_run import MARKED
from tests.support.cli import Newsletter
from tests.support.databases import empty_store
from tests.support.inbox import open_inbox
from tests.support.processes import CONTROLS, run_command

READERS = 3
LINES = 2
STEP = 1 if os.environ.get("NEWSLETTER_TESTS") == "full" else 13


def count_survived_commits(folder: Path, what: str, url: str | None = None) -> int:
    """Strike a new run at each commit in turn; return how many commits there are."""
    at = 1
    while run_and_resume(folder / str(at), {"lost": what, "at": at}, url):
        if url is not None:
            empty_store(url)
        at += STEP
    return at


def run_and_resume(folder: Path, controls: Mapping[str, object], url: str | None) -> bool:
    """Run one sender under these controls, then another; True if the first was struck."""
    folder.mkdir()
    store = url or f"sqlite:///{folder}/newsletter.db"
    with open_inbox() as inbox:
        newsletter = Newsletter(folder, inbox.port)
        smtp = {"host": "127.0.0.1", "port": inbox.port, "security": "none", "connections": LINES}
        source = {"kind": "huggingface", "path": str(LISTING)}
        newsletter.configure(smtp=smtp, sources=[source], store=store)
        newsletter.subscribe(*({"email": f"reader{n}@example.org"} for n in range(READERS)))
        environment = {**os.environ, CONTROLS: json.dumps(controls)}
        done = run_command(["send", "--date", DAY, "--yes"], folder, environment)
        assert done.returncode in {0, 1 if controls["lost"] == "full" else -9}, done.stderr
        assert "Traceback" not in done.stderr
        received = Counter(arrival.recipient for arrival in inbox.arrivals)
        assert max(received.values(), default=1) == 1
        check_integrity(folder)
        assert not CONTENDERS["newsletter"].broken(store)
        if received:
            ledger = CONTENDERS["newsletter"].ledger(store)
            assert all(ledger[email][0] in MARKED for email in received)
        resume(newsletter, store)
        copies = Counter((one.recipient, one.content) for one in inbox.arrivals)
        assert len(copies) == READERS  # all copies have the same bytes
        ledger = CONTENDERS["newsletter"].ledger(store)
        twice = {email for (email, _), count in copies.items() if count > 1}
        doubted = {email for email, (_, doubts) in ledger.items() if doubts}
        assert twice <= doubted
        assert len(doubted) <= LINES
        assert max(copies.values()) <= 2
        assert not CONTENDERS["newsletter"].broken(store)
    return done.returncode != 0


def check_integrity(folder: Path) -> None:
    """Check that the SQLite file, if there is one, is intact."""
    path = folder / "newsletter.db"
    if path.exists():
        with sqlite3.connect(path) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        database.close()


def resume(newsletter: Newsletter, store: str) -> None:
    """Check that the same command finishes the issue."""
    result = newsletter.send(DAY)
    assert (result["state"], result["accepted"]) == ("done", READERS), (store, json.dumps(result))


@pytest.mark.slow
@pytest.mark.parametrize("what", ["before", "after"])
def test_sqlite_run_survives_kill_at_any_commit(tmp_path: Path, what: str) -> None:
    assert count_survived_commits(tmp_path, what) > 10


@pytest.mark.slow
@pytest.mark.parametrize("what", ["before", "after"])
def test_postgresql_run_survives_kill_at_any_commit(
    tmp_path: Path, empty_postgres: str, what: str
) -> None:
    assert count_survived_commits(tmp_path, what, empty_postgres) > 10


@pytest.mark.slow
def test_full_disk_lets_no_letter_leave_unmarked(tmp_path: Path) -> None:
    assert count_survived_commits(tmp_path, "full") > 10
