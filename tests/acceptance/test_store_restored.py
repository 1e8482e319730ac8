"""A store restored from an older backup: letters that were sent are not sent again."""

import json
import re
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.test_cli_audit import a_paper
from tests.support.cli import Newsletter
from tests.support.daemons import (
    configure_due,
    daily_entries,
    not_at_midnight,
    running_daemon,
    stop_daemon,
    wait_until,
)
from tests.support.http_servers import daily_papers, serve
from tests.support.inbox import Inbox, open_inbox

FIRST, SECOND, THIRD = "2026-08-03", "2026-08-04", "2026-08-05"
READERS = ["ada@example.org", "bob@example.org", "cec@example.org", "dan@example.org"]


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with open_inbox() as opened:
        yield opened


@pytest.fixture
def newsletter(tmp_path: Path, inbox: Inbox) -> Iterator[Newsletter]:
    """A newsletter with one or two papers a day, whose first issue has been sent."""
    made = Newsletter(tmp_path, inbox.port)
    days = {FIRST: [a_paper(1), a_paper(2)], SECOND: [a_paper(3), a_paper(4)], THIRD: [a_paper(5)]}
    with serve(daily_papers(days)) as origin:
        source = {"kind": "huggingface", "url": origin, "allow_private_addresses": True}
        smtp = {"host": "127.0.0.1", "port": inbox.port, "security": "none", "connections": 1}
        made.configure(sources=[source], smtp=smtp)
        made.subscribe(*({"email": email} for email in READERS))
        made.send(FIRST)
        yield made


def restore(folder: Path) -> None:
    """Put the backup in the store's place, as an operator would."""
    for suffix in ("-wal", "-shm"):
        (folder / f"newsletter.db{suffix}").unlink(missing_ok=True)
    shutil.copy(folder / "backup.db", folder / "newsletter.db")


def letters(inbox: Inbox) -> dict[str, int]:
    return {email: len(inbox.to(email)) for email in READERS}


def each_has(count: int) -> dict[str, int]:
    return dict.fromkeys(READERS, count)


@pytest.mark.slow
def test_restored_store_sends_nothing_until_journal_is_read(
    newsletter: Newsletter, inbox: Inbox, tmp_path: Path
) -> None:
    newsletter.run("store", "copy", "backup.db")
    newsletter.send(SECOND)
    restore(tmp_path)
    for day in (FIRST, SECOND, THIRD):
        words = newsletter.run("send", "--date", day, "--yes", code=75 if day != FIRST else None)
        assert day == FIRST or "newsletter store restored" in words.stderr
    assert letters(inbox) == each_has(2)
    found = newsletter.json("store", "restored")
    assert found == {
        "issues": [SECOND],
        "accepted": 4,
        "failed": 0,
        "held": 0,
        "gone": 0,
        "left": [],
        "erased": [],
        "held_issues": [],
    }
    assert newsletter.send(SECOND)["accepted"] == 4
    assert letters(inbox) == each_has(2)
    assert newsletter.json("audit", SECOND)["ok"]
    newsletter.send(THIRD)
    assert [arrival.titles for arrival in inbox.arrivals[-4:]] == [["Paper 5"]] * 4
    assert newsletter.json("audit", THIRD)["ok"]
    assert newsletter.json("store", "restored")["accepted"] == 0


@pytest.mark.slow
def test_backup_during_sending_repeats_no_letter(
    newsletter: Newsletter, inbox: Inbox, tmp_path: Path
) -> None:
    """The backup is made while letters are being sent, and lacks their outcomes."""

    def copy_at_the_third(recipient: str) -> str | None:
        if recipient == READERS[2] and not (tmp_path / "backup.db").exists():
            newsletter.run("store", "copy", "backup.db")
        return None

    inbox.answer = copy_at_the_third
    newsletter.send(SECOND)
    assert letters(inbox) == each_has(2)
    restore(tmp_path)
    with sqlite3.connect(tmp_path / "newsletter.db") as ledger:
        states = {
            state for (state,) in ledger.execute("SELECT state FROM deliveries WHERE issue=2")
        }
    assert states - {"accepted"}, "the copy was made before all had their answers"
    newsletter.run("send", "--date", SECOND, "--yes", code=75)
    newsletter.json("store", "restored")
    assert newsletter.send(SECOND)["state"] == "done"
    assert letters(inbox) == each_has(2)
    assert newsletter.json("audit", SECOND)["ok"]


@pytest.mark.slow
def test_unsent_letters_go_and_doubts_are_held(
    newsletter: Newsletter, inbox: Inbox, tmp_path: Path
) -> None:
    newsletter.run("store", "copy", "backup.db")
    answers = {READERS[1]: "450 4.2.1 later", READERS[3]: "550 5.2.1 closed"}
    inbox.answer = answers.get
    newsletter.send(SECOND, code=None)
    cut(tmp_path, READERS[2])
    restore(tmp_path)
    found = newsletter.json("store", "restored", code=5)
    assert (found["accepted"], found["held"]) == (1, 1)
    assert newsletter.json("audit", SECOND, code=5)["in_doubt"] == [READERS[2]]
    inbox.answer = lambda _recipient: None
    newsletter.send(SECOND, code=5)
    assert letters(inbox) == {READERS[0]: 2, READERS[1]: 2, READERS[2]: 2, READERS[3]: 2}
    newsletter.json("issue", "resolve", SECOND, "--arrived")
    newsletter.send(THIRD)
    assert inbox.to(READERS[2])[-1].titles == ["Paper 5"]


def cut(folder: Path, email: str) -> None:
    """Remove a letter's outcome from the journal, as if the run had been killed at its dot."""
    (book,) = (folder / ".newsletter" / "witness").glob(f"*/{SECOND}.letters")
    with sqlite3.connect(folder / "newsletter.db") as ledger:
        ((reader,),) = ledger.execute("SELECT id FROM readers WHERE email = ?", (email,))
    lines = [json.loads(line) for line in book.read_text().splitlines() if line]
    for line in lines:
        line["settled"] = [one for one in line.get("settled", []) if one[1] != reader]
    book.write_text("".join(f"\n{json.dumps(line)}" for line in lines))


@pytest.mark.slow
@not_at_midnight
def test_daemon_with_restored_store_reports_and_sends_nothing(tmp_path: Path, inbox: Inbox) -> None:
    made = Newsletter(tmp_path, inbox.port)
    with serve(daily_papers(daily_entries())) as origin:
        configure_due(made, origin, readers=2)
        made.run("fetch")
        made.run("store", "copy", "backup.db")
        made.run("send", "--yes")
        restore(tmp_path)
        with running_daemon(made) as daemon:
            wait_until(lambda: made.json("status")["awake"], daemon)
            assert made.json("status")["state"] is None
            said = stop_daemon(daemon)
    assert said.count("newsletter store restored") == 1
    assert len(inbox.arrivals) == 2


@pytest.mark.slow
def test_missing_journal_holds_the_issue_for_the_operator(
    newsletter: Newsletter, inbox: Inbox, tmp_path: Path
) -> None:
    newsletter.run("store", "copy", "backup.db")
    restore(tmp_path)
    shutil.rmtree(tmp_path / ".newsletter" / "witness")
    found = newsletter.json("store", "restored", code=5)
    (today,) = found["held_issues"]
    assert "is held" in newsletter.run("send", "--yes", code=75).stderr
    newsletter.run("issue", "release", today)
    shutil.rmtree(tmp_path / ".newsletter" / "witness")
    words = newsletter.run("send", "--date", SECOND, "--yes").stderr
    assert "newsletter store restored" in words, "it warns, once there is nothing to go by"
    assert letters(inbox) == each_has(2)
    assert "restored" not in newsletter.run("send", "--date", THIRD, "--yes").stderr


@pytest.mark.slow
def test_unsubscribed_since_backup_stays_unsubscribed(
    newsletter: Newsletter, inbox: Inbox, tmp_path: Path
) -> None:
    newsletter.run("store", "copy", "backup.db")
    newsletter.run("subscribers", "remove", READERS[0])
    newsletter.run("subscribers", "remove", READERS[1])
    newsletter.run("subscribers", "add", READERS[1], "--again")
    newsletter.run("subscribers", "erase", READERS[2], "--yes")
    restore(tmp_path)
    found = newsletter.json("store", "restored")
    assert (found["left"], found["erased"]) == ([READERS[0], READERS[2]], [READERS[2]])
    newsletter.send(SECOND)
    assert [arrival.recipient for arrival in inbox.arrivals[4:]] == [READERS[1], READERS[3]]
    assert newsletter.json("store", "restored")["left"] == []


@pytest.mark.slow
def test_backup_is_complete_and_overwrites_nothing(newsletter: Newsletter, tmp_path: Path) -> None:
    newsletter.run("store", "copy", "backup.db")
    with sqlite3.connect(tmp_path / "backup.db") as copied:
        assert copied.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert copied.execute("SELECT count(*) FROM deliveries").fetchone() == (4,)
    assert "exists already" in newsletter.run("store", "copy", "backup.db", code=2).stderr
    words = newsletter.run("store", "copy", "nowhere/backup.db", code=1).stderr
    assert "nowhere/backup.db cannot be written" in words


def test_failing_backup_is_reported(tmp_path: Path) -> None:
    made = Newsletter(tmp_path)
    made.configure(store="postgresql://ada:s3cret@127.0.0.1:1/papers")
    made.subscribe({"email": "ada@example.org"})
    words = made.run("store", "copy", "backup.db", code=1).stderr
    assert "pg_dump --format=custom" in words
    assert "s3cret" not in words


@pytest.mark.slow
def test_journal_contains_no_addresses(newsletter: Newsletter, tmp_path: Path) -> None:
    newsletter.send(SECOND)
    books = [path for path in (tmp_path / ".newsletter" / "witness").rglob("*") if path.is_file()]
    assert {path.suffix for path in books} == {".letters", ".waves", ""}
    # Without the Message-IDs: their hex digits may contain "ada".
    named = re.compile(rf"\b({'|'.join(map(re.escape, READERS))})".encode())
    for path in books:
        assert not named.search(path.read_bytes())
        assert path.stat().st_mode & 0o077 == 0
