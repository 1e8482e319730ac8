"""What the operator does about single readers by command."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from newsletter.model import Consent
from newsletter.stores import open_store
from tests.support.cli import Newsletter
from tests.support.factories import NOON, subscriber
from tests.support.inbox import Inbox, open_inbox

ADA = "ada@example.org"


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with open_inbox() as opened:
        yield opened


@pytest.fixture
def newsletter(tmp_path: Path, inbox: Inbox) -> Newsletter:
    made = Newsletter(tmp_path, inbox.port)
    made.configure(topics=["Reasoning"], reply_to="editor@example.org")
    made.subscribe()
    return made


@pytest.mark.slow
def test_settings_are_changed_one_by_one_and_shown(newsletter: Newsletter) -> None:
    newsletter.run("subscribers", "add", ADA, "--topics", "Reasoning", "--cadence", "weekly")
    assert "topics: Reasoning\n" in newsletter.run("subscribers", "show", ADA).stdout
    words = ("subscribers", "set", ADA, "--at", "08:00", "--clear", "topics")
    asked = newsletter.run(*words, code=2)
    assert "topics: Reasoning → not set" in asked.stderr
    assert "Change these settings of ada@example.org? Not a terminal." in asked.stderr
    changed = newsletter.json(*words, "--yes")
    assert changed == {"email": ADA, "cadence": "weekly", "day": "Monday", "at": "08:00"}
    assert (
        "--clear nope: write one of name, topics"
        in newsletter.run("subscribers", "set", ADA, "--clear", "nope", code=2).stderr
    )
    newsletter.run("subscribers", "pause", ADA, "--until", "2999-01-01")
    newsletter.run("subscribers", "block", ADA, "--why", "asked by phone")
    shown = newsletter.json("subscribers", "show", ADA)
    assert (shown["status"], shown["why_blocked"]) == ("blocked", "blocked by the operator")
    assert (shown["reader"]["paused_until"], shown["next"]) == ("2999-01-01", None)
    said = [(act["what"], act["detail"]) for act in shown["acts"]]
    assert said == [
        ("blocked", "asked by phone"),
        ("paused", "until 2999-01-01"),
        ("changed choices", "topics: Reasoning → not set; at: not set → 08:00"),
        ("added", ""),
    ]
    assert (
        "command line: blocked (asked by phone)"
        in newsletter.run("subscribers", "show", ADA).stdout
    )


@pytest.mark.slow
def test_added_readers_are_welcomed_once_when_asked(newsletter: Newsletter, inbox: Inbox) -> None:
    newsletter.run("subscribers", "add", "bob@example.org")
    newsletter.run("subscribers", "add", ADA, "--welcome", "--cadence", "weekly", "--at", "08:00")
    (note,) = inbox.arrivals
    assert note.recipient == ADA
    assert "every Monday at 08:00 (UTC)" in note.text
    assert "editor@example.org" in note.text
    again = newsletter.json("subscribers", "welcome", ADA, "bob@example.org")
    assert again == {"welcomed": [ADA, "bob@example.org"]}
    assert [each.recipient for each in inbox.arrivals] == [ADA, "bob@example.org"]


@pytest.mark.slow
def test_welcome_that_could_not_be_sent_is_named(newsletter: Newsletter, inbox: Inbox) -> None:
    newsletter.smtp_port, port = 1, newsletter.smtp_port
    newsletter.configure()
    done = newsletter.run("subscribers", "add", ADA, "--welcome")
    assert "ada@example.org: not welcomed; newsletter subscribers welcome" in done.stderr
    newsletter.smtp_port = port
    newsletter.configure()
    newsletter.run("subscribers", "welcome", ADA)
    assert [each.recipient for each in inbox.arrivals] == [ADA]


@pytest.mark.slow
def test_who_waits_is_approved_or_declined(newsletter: Newsletter, inbox: Inbox) -> None:
    newsletter.configure(joining={"mode": "approval"}, url="https://n.example.org")
    with closing(open_store(f"sqlite:///{newsletter.folder}/newsletter.db")) as store:
        for email in (ADA, "bob@example.org"):
            reader = store.save_reader(subscriber(email), status="unconfirmed", now=NOON)
            consent = Consent(NOON, "by a link", "I want it")
            store.record_consent(reader.id, consent, status="waiting")
    listed = newsletter.json("subscribers", "list")
    assert [each["status"] for each in listed] == ["waiting", "waiting"]
    newsletter.run("subscribers", "approve", ADA)
    newsletter.run("subscribers", "decline", "bob@example.org")
    (welcome,) = inbox.arrivals
    assert (welcome.recipient, welcome.message["Subject"]) == (ADA, "Welcome to Daily Papers")
    listed = newsletter.json("subscribers", "list")
    assert [each["status"] for each in listed] == ["confirmed", "unsubscribed"]
    assert "waits" not in newsletter.run("subscribers", "approve", ADA, code=2).stderr


@pytest.mark.slow
def test_large_file_is_read_only_when_it_changed(newsletter: Newsletter) -> None:
    file, long = newsletter.folder / "subscribers.yaml", "#" * 100_000
    file.write_text(f"subscribers:\n  - email: ada@example.org\n{long}")
    newsletter.run("status")
    with closing(open_store(f"sqlite:///{newsletter.folder}/newsletter.db")) as store:
        store.set_status(ADA, "unconfirmed", now=NOON)  # reading it would confirm her
        newsletter.run("status")
        assert [reader.status for reader in store.readers()] == ["unconfirmed"]
        file.write_text(f"subscribers:\n  - email: ada@example.org\n{long}#")
        newsletter.run("status")
        assert [reader.status for reader in store.readers()] == ["confirmed"]
