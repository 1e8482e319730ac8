"""``newsletter note``: each reader gets it once, by a real SMTP server."""

import os
from collections import Counter
from contextlib import closing
from pathlib import Path
from threading import Event

import pytest

from newsletter.stores import open_store
from tests.support.cli import Newsletter
from tests.support.daemons import running_daemon, wait_until
from tests.support.inbox import open_inbox
from tests.support.processes import running_command

READERS = [f"reader{n}@example.org" for n in range(6)]
SEND = ("note", "send", "note.md", "--subject", "The topics have changed")


@pytest.fixture
def newsletter(tmp_path: Path) -> Newsletter:
    made = Newsletter(tmp_path)
    made.configure(url="https://papers.example.org")
    made.subscribe(*({"email": email} for email in READERS))
    (tmp_path / "note.md").write_text("Choose **yours**.\n")
    return made


def connect(newsletter: Newsletter, port: int) -> None:
    smtp = {"host": "127.0.0.1", "port": port, "security": "none", "connections": 1}
    newsletter.configure(url="https://papers.example.org", smtp=smtp)


def accepted(newsletter: Newsletter) -> int:
    with closing(open_store(f"sqlite:///{newsletter.folder / 'newsletter.db'}")) as store:
        (report,) = store.broadcasts()
        return report.counts.accepted


@pytest.mark.slow
def test_note_is_shown_asked_about_and_sent_once(newsletter: Newsletter) -> None:
    with open_inbox() as inbox:
        connect(newsletter, inbox.port)
        shown = newsletter.json(*SEND, "--dry-run")
        assert (shown["readers"], shown["told"]) == (6, 0)
        html = (Path(shown["folder"]) / "note.html").read_text()
        assert "Choose <strong>yours</strong>." in html
        assert "to 6 readers. Send?" in newsletter.run(*SEND, code=2).stderr
        assert not inbox.arrivals
        assert newsletter.json(*SEND, "--yes")["accepted"] == 6
        assert newsletter.json(*SEND, "--yes")["told"] == 6
        assert sorted(each.recipient for each in inbox.arrivals) == READERS
    mail = inbox.arrivals[0].message
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert str(mail["List-Unsubscribe"]).startswith("<https://papers.example.org/unsubscribe/")
    assert "https://papers.example.org/preferences/" in inbox.arrivals[0].text
    assert newsletter.json("note", "status")[0]["accepted"] == 6
    with closing(open_store(f"sqlite:///{newsletter.folder / 'newsletter.db'}")) as store:
        (act,) = store.operator_acts(limit=9)
    assert act.detail == "The topics have changed: 6 readers"


@pytest.mark.slow
def test_preview_writes_both_parts(newsletter: Newsletter) -> None:
    newsletter.run("note", "preview", "note.md", "--subject", "News", "--out", "seen")
    names = sorted(file.name for file in (newsletter.folder / "seen").iterdir())
    assert names == ["note.eml", "note.html", "note.txt"]


@pytest.mark.slow
def test_deferred_email_is_tried_again(newsletter: Newsletter) -> None:
    with open_inbox(lambda to: "450 4.2.1 later" if to == READERS[0] else None) as inbox:
        connect(newsletter, inbox.port)
        assert "could not be sent yet" in newsletter.run(*SEND, "--yes", code=75).stderr
    assert newsletter.json("note", "status")[0]["deferred"] == 1
    assert len(inbox.arrivals) == 5


@pytest.mark.slow
def test_running_newsletter_goes_on_with_a_note(newsletter: Newsletter) -> None:
    newsletter.run(*SEND, "--yes", code=75)  # there is no server yet
    with open_inbox() as inbox:
        connect(newsletter, inbox.port)
        with running_daemon(newsletter) as running:
            wait_until(lambda: len(inbox.arrivals) == len(READERS), running)
    assert sorted(each.recipient for each in inbox.arrivals) == READERS


@pytest.mark.slow
def test_killed_and_doubled_commands_send_once(newsletter: Newsletter) -> None:
    """Killed while the third email is at the server; then two commands at the same time."""
    third, go_on = Event(), Event()

    def answer(_recipient: str) -> None:
        if len(inbox.arrivals) == 2 and not go_on.is_set():
            third.set()
            go_on.wait(60)

    with open_inbox(answer) as inbox:
        connect(newsletter, inbox.port)
        words, environment = (*SEND, "--yes"), {**os.environ, "NO_COLOR": "1"}
        with running_command(words, newsletter.folder, environment) as killed:
            assert third.wait(60), killed.stderr
            wait_until(lambda: accepted(newsletter) == 2)  # an answer is recorded a moment later
            killed.process.kill()
            killed.wait()
        go_on.set()
        with (
            running_command(words, newsletter.folder, environment) as one,
            running_command(words, newsletter.folder, environment) as other,
        ):
            assert {one.wait(), other.wait()} <= {0, 75}
        newsletter.run(*words)
    times = Counter(each.recipient for each in inbox.arrivals)
    assert sorted(times) == READERS
    assert set(times.values()) == {1}
    assert accepted(newsletter) == 6
