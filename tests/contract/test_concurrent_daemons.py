"""Several senders over one database: two daemons and a ``send`` (R13), two ``send`` at once."""

import asyncio
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from newsletter.app.clock import SystemClock
from tests.faults.contenders import CONTENDERS, Call
from tests.faults.recorder import Phase, Recorder, pause, recording
from tests.faults.torture_run import Plan
from tests.support.cli import Newsletter
from tests.support.daemons import (
    configure_due,
    daily_entries,
    handles_sigterm,
    not_at_midnight,
    running_daemon,
    stop_daemon,
    wait_until,
)
from tests.support.http_servers import daily_papers, serve
from tests.support.inbox import open_inbox
from tests.support.processes import AwaitedCommand

FULL = os.environ.get("NEWSLETTER_TESTS") == "full"

pytestmark = not_at_midnight


@pytest.mark.slow
@pytest.mark.parametrize("round_", range(100 if FULL else 1))
def test_two_daemons_and_a_send_share_one_issue(tmp_path: Path, round_: int, url: str) -> None:
    readers = 20 + round_ % 7
    with open_inbox() as inbox, serve(daily_papers(daily_entries())) as origin:
        newsletter = Newsletter(tmp_path, inbox.port)
        configure_due(newsletter, origin, readers=readers, store=url)
        today = SystemClock().now().date().isoformat()
        with running_daemon(newsletter) as one, running_daemon(newsletter) as other:
            wait_until(lambda: handles_sigterm(one) and handles_sigterm(other), one, other)
            newsletter.run("send", "--yes", "--date", today)
            wait_until(lambda: len(inbox.arrivals) >= readers, one, other)
            wait_until(lambda: newsletter.json("status", today)["state"] == "done", one, other)
            stop_daemon(one)
            stop_daemon(other)
    arrived = Counter(arrival.recipient for arrival in inbox.arrivals)
    assert (len(arrived), set(arrived.values())) == (readers, {1})
    assert len({arrival.message["Message-ID"] for arrival in inbox.arrivals}) == readers


NEWSLETTER = CONTENDERS["newsletter"]
PLAN = Plan(kills=1, letters=300, connections=2)
"""More letters than one sender claims at once, so that both senders get some."""


def start(folder: Path, call: Call) -> AwaitedCommand:
    return AwaitedCommand(call.words, folder, call.controls)


async def succeeded(process: AwaitedCommand) -> None:
    _, errors = await process.communicate()
    assert (process.returncode, errors) == (0, "")


async def until_true(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await pause(0.01)


async def two_at_once(folder: Path, store: str, *, killed: bool) -> None:
    """Run two ``send`` that both have connections open before the server answers.

    A sender opens its others only once the first is let in, so the second one has one.
    """

    def go_deaf(phase: Phase, count: int) -> None:
        if phase == "MAIL" and count == 0:
            recorder.listening.clear()

    recorder = Recorder(go_deaf)
    async with recording(recorder):
        for call in NEWSLETTER.prepare(folder, recorder.port, PLAN, store):
            await succeeded(start(folder, call))
        first = start(folder, NEWSLETTER.send_command(None))
        await until_true(lambda: recorder.sessions == PLAN.connections)
        second = start(folder, NEWSLETTER.send_command(None))
        await until_true(lambda: recorder.sessions == PLAN.connections + 1)
        if killed:
            first.command.process.kill()
            await first.communicate()
        recorder.on_phase = lambda _phase, _count: None
        recorder.listening.set()
        await succeeded(second)
        await succeeded(start(folder, NEWSLETTER.send_command(None)) if killed else first)
    ledger = NEWSLETTER.ledger(store)
    assert not NEWSLETTER.broken(store)
    assert Counter(state for state, _ in ledger.values()) == {"accepted": PLAN.letters}
    doubtful = {email for email, (_, doubts) in ledger.items() if doubts}
    assert len(doubtful) <= PLAN.connections * killed
    assert len(recorder.by_recipient) == PLAN.letters
    assert {email for email, count in recorder.by_recipient.items() if count > 1} <= doubtful


@pytest.mark.slow
@pytest.mark.parametrize("killed", [False, True], ids=["both end", "one killed"])
def test_two_senders_share_an_issue(tmp_path: Path, url: str, *, killed: bool) -> None:
    asyncio.run(two_at_once(tmp_path, url, killed=killed))
