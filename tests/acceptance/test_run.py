"""The daemon itself: real processes, signals, servers."""

import contextlib
import signal
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from newsletter.app.refreshing import SubscribersFileRefresh
from newsletter.app.wiring import App, open_app
from newsletter.errors import ConfigurationError, StoreError
from tests.support.cli import Newsletter
from tests.support.daemons import (
    clock_time,
    configure_due,
    daily_entries,
    not_at_midnight,
    running_daemon,
    stop_daemon,
    wait_until,
)
from tests.support.http_servers import Page, daily_papers, serve
from tests.support.inbox import Inbox, open_inbox


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with open_inbox() as opened:
        yield opened


@pytest.fixture
def newsletter(tmp_path: Path, inbox: Inbox) -> Newsletter:
    return Newsletter(tmp_path, inbox.port)


pytestmark = not_at_midnight


@pytest.mark.slow
def test_sends_what_is_due_and_stops_cleanly(newsletter: Newsletter, inbox: Inbox) -> None:
    with serve(daily_papers(daily_entries())) as origin:
        configure_due(newsletter, origin, readers=3)
        with running_daemon(newsletter) as daemon:
            wait_until(lambda: len(inbox.arrivals) == 3, daemon)
            wait_until(lambda: newsletter.json("status")["state"] == "done", daemon)
            wait_until(lambda: newsletter.json("status")["awake"], daemon)
            (living,) = newsletter.json("status")["awake"]
            said = stop_daemon(daemon)
    assert "frozen for 3 readers" in said
    assert "3 of 3 accepted" in said
    assert living["said"] == ""
    after = newsletter.json("status")
    assert (after["accepted"], after["awake"][0]["said"]) == (3, "stopped")
    assert "last active" in newsletter.run("status").stdout


@pytest.mark.slow
def test_operator_gets_a_letter_about_failures(tmp_path: Path) -> None:
    def answer(recipient: str) -> str | None:
        return "550 5.1.1 no such user" if recipient == "r1@example.org" else None

    with open_inbox(answer) as inbox, serve(daily_papers(daily_entries())) as origin:
        newsletter = Newsletter(tmp_path, inbox.port)
        source = {"kind": "huggingface", "url": origin, "allow_private_addresses": True}
        configure_due(newsletter, origin, readers=3)
        newsletter.configure(
            sources=[source],
            schedule={"at": clock_time(0), "days": "daily"},
            operator="editor@example.org",
        )
        with running_daemon(newsletter) as daemon:
            wait_until(lambda: inbox.to("editor@example.org"), daemon)
            stop_daemon(daemon)
    (letter,) = inbox.to("editor@example.org")
    assert letter.message["From"] == "Daily Papers <papers@example.org>"
    assert letter.message["Auto-Submitted"] == "auto-generated"
    assert "of 3 emails 1 failed; newsletter status" in letter.text


@pytest.mark.slow
def test_fetches_and_waits_before_the_time(newsletter: Newsletter, inbox: Inbox) -> None:
    with serve(daily_papers(daily_entries())) as origin:
        configure_due(newsletter, origin, due=5)
        with running_daemon(newsletter) as daemon:
            wait_until(lambda: newsletter.json("status")["awake"], daemon)
            assert stop_daemon(daemon, signal.SIGINT)
    assert newsletter.json("status")["sources"][0]["state"] == "ok"
    assert not inbox.arrivals


@contextlib.contextmanager
def watched_newsletter(newsletter: Newsletter) -> Iterator[tuple[App, SubscribersFileRefresh]]:
    """A newsletter that has read its readers' file, and the check for changes of that file."""
    configure_due(newsletter, "http://127.0.0.1:8099")
    with open_app(newsletter.folder / "newsletter.yaml") as app:
        app.readers()
        yield app, SubscribersFileRefresh(app)


def test_changed_subscribers_apply_and_mistakes_are_reported_once(
    newsletter: Newsletter,
) -> None:
    with watched_newsletter(newsletter) as (app, refresh):
        newsletter.subscribe({"email": "new@example.org", "at": "06:10"})
        refresh()
        assert [(r.subscriber.email, r.status) for r in app.store.readers()] == [
            ("r0@example.org", "removed"),
            ("new@example.org", "confirmed"),
        ]
        (newsletter.folder / "subscribers.yaml").write_text("subscribers: [{email: no}]")
        with pytest.raises(ConfigurationError, match=r"subscribers\.yaml:1"):
            refresh()
        refresh()
        (newsletter.folder / "subscribers.yaml").unlink()
        with pytest.raises(ConfigurationError, match="no such file"):
            refresh()
        assert len(app.store.readers()) == 2


def test_subscribers_refused_by_store_are_retried(
    newsletter: Newsletter,
) -> None:
    with watched_newsletter(newsletter) as (app, refresh):
        newsletter.subscribe()
        with contextlib.closing(sqlite3.connect(newsletter.folder / "newsletter.db")) as beside:
            beside.execute("ALTER TABLE readers RENAME TO elsewhere")
            with pytest.raises(StoreError):
                refresh()
            beside.execute("ALTER TABLE elsewhere RENAME TO readers")
        refresh()
        assert [reader.status for reader in app.store.readers()] == ["removed"]


def test_hanging_source_does_not_delay_stopping(newsletter: Newsletter) -> None:
    asked, over = threading.Event(), threading.Event()

    def hang(_path: str, _query: object) -> Page:
        asked.set()
        over.wait(60)
        return 500, {}, b""

    with serve(hang) as origin:
        configure_due(newsletter, origin)
        with running_daemon(newsletter) as daemon:
            wait_until(asked.is_set, daemon)
            stop_daemon(daemon)
        over.set()


@pytest.mark.slow
def test_stop_during_sending_loses_and_repeats_nothing(tmp_path: Path) -> None:
    count = 300
    slowly = threading.Event()

    def answer(_recipient: str) -> None:
        slowly.wait(0.01)

    with open_inbox(answer) as inbox, serve(daily_papers(daily_entries())) as origin:
        newsletter = Newsletter(tmp_path, inbox.port)
        configure_due(newsletter, origin, readers=count)
        with running_daemon(newsletter) as daemon:
            wait_until(lambda: len(inbox.arrivals) > 20, daemon)
            stop_daemon(daemon)
        counts = newsletter.json("status")
        assert 20 < counts["accepted"] < count
        assert (counts["unknown"], counts["committing"], counts["claimed"]) == (0, 0, 0)
        with running_daemon(newsletter) as daemon:
            wait_until(lambda: len(inbox.arrivals) >= count, daemon)
            wait_until(lambda: newsletter.json("status")["state"] == "done", daemon)
            stop_daemon(daemon)
    arrived = Counter(arrival.recipient for arrival in inbox.arrivals)
    assert (len(arrived), set(arrived.values())) == (count, {1})
