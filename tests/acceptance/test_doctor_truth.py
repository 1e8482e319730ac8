"""What the doctor says of a newsletter whose trouble no error message tells."""

import contextlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from newsletter.app.mailboxes import mailboxes_of
from newsletter.app.store_waiting import warn_of_the_store
from newsletter.app.wiring import App, open_app
from newsletter.doctor import checks, examine, files, issues, returned_mail
from newsletter.model import (
    Accepted,
    Coverage,
    Deferred,
    MailEvent,
    Outcome,
    Refused,
    SourceHealth,
)
from tests.support.cli import Newsletter
from tests.support.clocks import ManualClock
from tests.support.databases import new_sqlite_store
from tests.support.factories import DAY, NOON
from tests.support.frozen_issues import claim, freeze, list_papers, mark, settle
from tests.support.http_servers import Page, serve
from tests.support.logs import log_lines

ADA, BOB = "ada@example.org", "bob@example.org"


@contextlib.contextmanager
def opened(folder: Path, **settings: object) -> Iterator[App]:
    """A newsletter with two readers, on the clock of 3 August."""
    newsletter = Newsletter(folder)
    newsletter.configure(store=new_sqlite_store(folder), **settings)
    newsletter.subscribe({"email": ADA}, {"email": BOB})
    with open_app(folder / "newsletter.yaml") as app:
        later = replace(app, clock=ManualClock(NOON))
        later.sync_readers()
        yield later
        later.store.close()


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    with opened(tmp_path) as made:
        yield made


def send(app: App, *outcomes: Outcome, days: int = 0) -> None:
    """Send an issue, ``days`` after the first, with one outcome for each reader."""
    day, store = DAY + timedelta(days=days), app.store
    freeze(store, store.readers(), list_papers(store, f"arxiv:{days}"), day=day)
    for letter, outcome in zip(claim(store, day=day), outcomes, strict=True):
        mark(store, letter)
        settle(store, letter, outcome=outcome)
    store.close_issue(day)


def test_failed_letters_are_named_with_their_replies(app: App) -> None:
    send(app, Accepted("250 ok"), Refused("550 5.1.1 no such user"))
    found = issues.letters(app)
    assert (found.state, found.said) == (
        "wrong",
        f"{DAY}: {BOB} failed: 550 5.1.1 no such user",
    )
    assert f"newsletter status {DAY}" in found.fix


@pytest.mark.slow
def test_expired_letters_are_named_until_a_good_issue(app: App) -> None:
    freeze(app.store, app.store.readers(), list_papers(app.store, "arxiv:a"))
    for letter in claim(app.store):
        settle(app.store, letter, outcome=Deferred("451 4.3.0 later"), next_try=NOON)
    claim(app.store, now=NOON + timedelta(hours=21))
    app.store.close_issue(DAY)
    said = issues.letters(app).said
    assert said.startswith(f"{DAY}: {ADA} expired: 451 4.3.0 later; {DAY}: {BOB} expired")
    send(app, Accepted("250 ok"), Accepted("250 ok"), days=1)
    assert issues.letters(app).state == "ok"


def test_missing_issue_is_told_with_its_date(app: App) -> None:
    send(app, Accepted("250 ok"), Accepted("250 ok"))
    assert issues.last_issue(app).state == "ok"
    later = replace(app, clock=ManualClock(NOON + timedelta(days=2)))
    vars(later)["store"] = app.store
    found = issues.last_issue(later)
    assert found.state == "wrong"
    assert "one was due on 2026-08-05 at 07:00 UTC; waiting for it: 2" in found.said


def test_newly_blocked_readers_are_named_with_the_reason(app: App) -> None:
    event = MailEvent("x", "complaint", 1, DAY, "marked as spam")
    app.store.record_mail_event(event, now=NOON)
    said = issues.blocked(app).said
    assert said == f"1 in all; 1 in the last 7 days: {ADA}: complained on {DAY}: marked as spam"


@pytest.mark.parametrize(
    ("settings", "state"),
    [
        ({}, "wrong"),
        ({"reply_to": "editor@example.org"}, "not checked"),
        ({"url": "https://papers.example.org"}, "not checked"),
        ({"bounces": {"address": "bounce@example.org"}}, "ok"),
    ],
)
def test_unread_unsubscribe_address_is_told(
    tmp_path: Path, settings: dict[str, Any], state: str
) -> None:
    with opened(tmp_path, **settings) as app:
        found = returned_mail.unsubscribing(app)
    assert found.state == state
    if state == "wrong":
        assert "nothing reads papers@example.org" in found.said
        assert "`url:`" in found.fix


def test_unread_requests_are_warned_of_once(app: App) -> None:
    with log_lines() as logged:
        for _ in range(2):
            warn_of_the_store(app)
    assert sum("nothing reads papers@example.org" in line for line in logged) == 1


def test_mailbox_that_nobody_reads_is_told(tmp_path: Path) -> None:
    for name in ("new", "cur", "tmp"):
        (tmp_path / "bounces" / name).mkdir(parents=True)
    bounces = {"address": "bounce@example.org", "maildir": "bounces"}
    with opened(tmp_path, bounces=bounces) as app:
        (mailbox,) = mailboxes_of(app)
        app.store.record_mailbox_read(mailbox.name, now=NOON - timedelta(days=3))
        assert returned_mail.bounces(app, store_is_open=True).state == "ok"
        (tmp_path / "bounces" / "new" / "1").write_text("Subject: unsubscribe x\n\n")
        found = returned_mail.bounces(app, store_is_open=True)
    assert (found.state, "last read at 2026-07-31 12:00 UTC" in found.said) == ("wrong", True)
    assert "bounces read --quiet" in found.fix


@pytest.mark.slow
def test_restored_store_is_told_with_its_remedy(app: App) -> None:
    backup = app.folder / "backup.db"
    app.copy_store(backup)
    send(app, Accepted("250 ok"), Accepted("250 ok"))
    app.store.close()
    for end in ("-wal", "-shm"):
        (app.folder / f"store.db{end}").unlink(missing_ok=True)
    shutil.copy(backup, app.folder / "store.db")
    found = {finding.name: finding for finding in examine(app.path, None)}["store"]
    assert (found.state, "`newsletter store restored`" in found.fix) == ("wrong", True)


@pytest.mark.slow
def test_lost_journal_is_told(app: App) -> None:
    send(app, Accepted("250 ok"), Accepted("250 ok"))
    shutil.rmtree(app.state_path / "witness")
    found = {finding.name: finding for finding in examine(app.path, None)}["store"]
    assert (found.state, "has no record of what was sent" in found.said) == ("wrong", True)


def test_gaps_are_told_since_when(tmp_path: Path) -> None:
    with opened(tmp_path, sources=[{"kind": "huggingface", "name": "HF"}]) as app:
        health = SourceHealth("HF", "ok", checked=NOON, last_ok=NOON)
        days = [DAY - timedelta(days=ago) for ago in (3, 4, 5)]
        gaps = [Coverage("HF", "", day, "missing", checked=NOON) for day in days]
        app.store.ingest(DAY, health, (), gaps, now=NOON)
        found = checks.sources(app)
    assert (found.state, found.said) == ("wrong", "HF: 3 lists missing since 2026-07-29")


def test_sources_asked_long_ago_are_told(tmp_path: Path) -> None:
    with opened(tmp_path, sources=[{"kind": "huggingface", "name": "HF"}]) as app:
        before = NOON - timedelta(days=20)
        app.store.ingest(
            DAY, SourceHealth("HF", "ok", checked=before, last_ok=before), (), now=NOON
        )
        found = checks.sources(app)
    assert (found.state, found.said) == ("wrong", "not asked since 2026-07-14")


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that every user may pass through; pytest's own is closed."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_files_open_to_everybody_are_named(reachable: Path) -> None:
    password = {"host": "127.0.0.1", "username": "ada", "password": "a password in the clear"}
    with opened(reachable, smtp=password) as app:
        _ = app.store, app.own_folder
        (app.own_folder / "letter.eml").write_text("To: ada")
        app.own_folder.chmod(0o755)
        for path in reachable.iterdir():
            path.chmod(0o755 if path.is_dir() else 0o644)
        found = files.modes(app)
        names = ("store.db", "newsletter.yaml", "subscribers.yaml", ".newsletter/letter.eml")
        assert all(str(reachable / name) in found.said for name in names)
        os.system(found.fix.partition(" (")[0])  # noqa: S605 - the remedy as the operator runs it
        assert files.modes(app).state == "ok"


def test_secret_by_a_variable_leaves_the_file_open(
    reachable: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PASSWORD", "not in the file")
    smtp = {"host": "127.0.0.1", "username": "ada", "password": "${PASSWORD}"}
    with opened(reachable, smtp=smtp) as app:
        app.path.chmod(0o644)
        assert str(app.path) not in files.modes(app).said


def test_disk_is_compared_with_the_next_issues(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    send(app, Accepted("250 ok"), Accepted("250 ok"))
    assert "the next issue, for 2 readers, takes about" in files.disk(app, store_is_open=True).said
    monkeypatch.setattr(files, "MIN_FREE_BYTES", 2**60)
    assert files.disk(app, store_is_open=True).state == "wrong"


def test_lack_of_inodes_is_told(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MIN_FREE_INODES", 2**60)
    assert "more files" in files.disk(app, store_is_open=True).said


@pytest.mark.slow
def test_store_that_breaks_on_the_way_ends_no_other_check(app: App) -> None:
    with closing(sqlite3.connect(app.folder / "store.db")) as database:
        database.execute("DROP TABLE coverage")
    found = [*examine(app.path, None)]
    assert (found[-1].name, found[-1].state) == ("store", "wrong")
    assert {"SMTP", "disk", "unsubscribe"} < {finding.name for finding in found}


def test_clock_before_a_recorded_answer_is_told(tmp_path: Path) -> None:
    with opened(tmp_path, sources=[{"kind": "huggingface", "name": "HF"}]) as app:
        health = SourceHealth("HF", "ok", checked=NOON + timedelta(hours=3))
        app.store.ingest(DAY, health, (), now=NOON)
        found = checks.clock(app, None, store_is_open=True)
    assert (found.state, "2026-08-03 15:00 UTC" in found.said) == ("wrong", True)


@pytest.mark.parametrize(("status", "state"), [(200, "ok"), (404, "wrong")])
def test_unsubscribe_link_is_tried(tmp_path: Path, status: int, state: str) -> None:
    def answer(path: str, _query: object) -> Page:
        return (status if path.startswith("/unsubscribe/") else 200), {}, b"a page"

    with serve(answer) as origin, opened(tmp_path, url=origin) as app:
        found, _ = checks.public_url(app, store_is_open=True)
    assert found.state == state
    assert ("a reader's unsubscribe link 404" in found.said) == (state == "wrong")
