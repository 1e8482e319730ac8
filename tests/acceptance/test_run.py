"""The daemon itself: real processes, signals, servers; several at once."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from newsletter.clock import SystemClock
from newsletter.errors import ConfigurationError
from newsletter.scheduler import Roster
from newsletter.wiring import open_house
from tests.morning import Inbox, Newsletter, daily_papers, open_inbox, serve

FULL = os.environ.get("NEWSLETTER_TESTS") == "full"
PATIENCE = 60.0


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with open_inbox() as opened:
        yield opened


@pytest.fixture
def newsletter(tmp_path: Path, inbox: Inbox) -> Newsletter:
    return Newsletter(tmp_path, inbox.port)


def at(minutes: float) -> str:
    """A wall time in UTC, so many minutes from now."""
    return f"{SystemClock().now() + timedelta(minutes=minutes):%H:%M}"


def papers() -> dict[str, list[Any]]:
    """Three papers for the days around now."""
    entries = [
        {"paper": {"id": f"2608.0000{n}", "title": f"Paper {n}", "summary": "A text."}}
        for n in range(1, 4)
    ]
    today = SystemClock().now().date()
    return {(today + timedelta(days=n)).isoformat(): entries for n in (-1, 0, 1)}


@contextlib.contextmanager
def awake(newsletter: Newsletter) -> Iterator[subprocess.Popen[str]]:
    """A daemon in a process of its own; killed if the test did not end it."""
    daemon = subprocess.Popen(
        [sys.executable, "-m", "newsletter", "run"],
        cwd=newsletter.folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield daemon
    finally:
        if daemon.poll() is None:
            daemon.kill()
        daemon.communicate()


def stop(daemon: subprocess.Popen[str], number: int = signal.SIGTERM) -> str:
    """Ask it to end, see that it ends well; what it said."""
    daemon.send_signal(number)
    _, said = daemon.communicate(timeout=PATIENCE)
    assert daemon.returncode == 0, said
    return said


def until(condition: Any, *daemons: subprocess.Popen[str]) -> None:  # noqa: ANN401 - any callable
    """Wait for something to be true, while these processes live."""
    turn = threading.Event()
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        for daemon in daemons:
            assert daemon.poll() is None, daemon.communicate()
        turn.wait(0.05)


def set_up(newsletter: Newsletter, origin: str, *, readers: int = 1, due: float = 0) -> None:
    newsletter.configure(
        sources=[{"kind": "huggingface", "url": origin, "allow_private_addresses": True}],
        schedule={"at": at(due), "days": "daily"},
    )
    newsletter.subscribe(*({"email": f"r{n}@example.org"} for n in range(readers)))


def close_to_midnight() -> bool:
    """Whether a due time a few minutes off would fall on another day."""
    now = SystemClock().now()
    return (now + timedelta(minutes=10)).date() != (now - timedelta(minutes=10)).date()


pytestmark = pytest.mark.skipif(close_to_midnight(), reason="the day changes in these minutes")


def test_it_sends_what_is_due_lives_on_and_ends_well_when_asked(
    newsletter: Newsletter, inbox: Inbox
) -> None:
    with serve(daily_papers(papers())) as origin:
        set_up(newsletter, origin, readers=3)
        with awake(newsletter) as daemon:
            until(lambda: len(inbox.arrivals) == 3, daemon)
            until(lambda: newsletter.json("status")["state"] == "done", daemon)
            (living,) = newsletter.json("status")["awake"]
            said = stop(daemon)
    assert "frozen for 3 readers" in said
    assert "3 of 3 accepted" in said
    assert living["said"] == ""
    after = newsletter.json("status")
    assert (after["accepted"], after["awake"][0]["said"]) == (3, "stopped")
    assert "last awake" in newsletter.run("status").stdout


def test_before_the_time_it_fetches_and_waits(newsletter: Newsletter, inbox: Inbox) -> None:
    with serve(daily_papers(papers())) as origin:
        set_up(newsletter, origin, due=5)
        with awake(newsletter) as daemon:
            until(lambda: newsletter.json("status")["awake"], daemon)
            assert stop(daemon, signal.SIGINT)
    assert newsletter.json("status")["sources"][0]["state"] == "ok"
    assert not inbox.arrivals


def test_a_changed_readers_file_is_taken_in_and_a_mistake_in_it_is_told_once(
    newsletter: Newsletter,
) -> None:
    set_up(newsletter, "http://127.0.0.1:8099")
    with open_house(newsletter.folder / "newsletter.yaml") as house:
        house.readers()
        refresh = Roster(house)
        newsletter.subscribe({"email": "new@example.org", "at": "06:10"})
        refresh()
        assert [(r.subscriber.email, r.status) for r in house.store.readers()] == [
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
        assert len(house.store.readers()) == 2


def test_stopped_while_sending_nothing_is_lost_or_sent_twice(tmp_path: Path) -> None:
    count = 300
    slowly = threading.Event()

    def answer(_recipient: str) -> None:
        slowly.wait(0.01)

    with open_inbox(answer) as inbox, serve(daily_papers(papers())) as origin:
        newsletter = Newsletter(tmp_path, inbox.port)
        set_up(newsletter, origin, readers=count)
        with awake(newsletter) as daemon:
            until(lambda: len(inbox.arrivals) > 20, daemon)
            stop(daemon)
        counts = newsletter.json("status")
        assert 20 < counts["accepted"] < count
        assert (counts["unknown"], counts["committing"], counts["claimed"]) == (0, 0, 0)
        with awake(newsletter) as daemon:
            until(lambda: len(inbox.arrivals) >= count, daemon)
            until(lambda: newsletter.json("status")["state"] == "done", daemon)
            stop(daemon)
    arrived = Counter(arrival.recipient for arrival in inbox.arrivals)
    assert (len(arrived), set(arrived.values())) == (count, {1})


@pytest.mark.slow
@pytest.mark.parametrize("round_", range(100 if FULL else 2))
def test_two_daemons_and_a_send_at_once_are_one_issue_and_one_letter_each(
    newsletter: Newsletter, inbox: Inbox, round_: int
) -> None:
    readers = 20 + round_ % 7
    with serve(daily_papers(papers())) as origin:
        set_up(newsletter, origin, readers=readers)
        today = SystemClock().now().date().isoformat()
        with awake(newsletter) as one, awake(newsletter) as other:
            newsletter.run("send", "--yes", "--date", today)
            until(lambda: len(inbox.arrivals) >= readers, one, other)
            until(lambda: newsletter.json("status", today)["state"] == "done", one, other)
            stop(one)
            stop(other)
    arrived = Counter(arrival.recipient for arrival in inbox.arrivals)
    assert (len(arrived), set(arrived.values())) == (readers, {1})
    assert len({arrival.message["Message-ID"] for arrival in inbox.arrivals}) == readers
