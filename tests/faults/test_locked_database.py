"""A database that another process holds, for longer than a sender waits and for less (R16)."""

import asyncio
import os
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from newsletter.stores.sql.engine import BUSY_SECONDS
from tests.faults.contenders import CONTENDERS, Call
from tests.faults.databases import Kind, database
from tests.faults.recorder import Phase, Recorder, recording
from tests.faults.torture_run import MARKED, Plan
from tests.support.processes import AwaitedCommand

PLAN = Plan(kills=1, letters=60, connections=4)
NEWSLETTER = CONTENDERS["newsletter"]
FULL = os.environ.get("NEWSLETTER_TESTS") == "full"


@dataclass(frozen=True, slots=True)
class Result:
    """The exit code of a command, and what it wrote to standard error."""

    code: int | None
    said: str


async def run_call(folder: Path, call: Call) -> Result:
    """Run one of our commands until it ends."""
    child = AwaitedCommand(call.words, folder, call.controls)
    _, said = await child.communicate()
    return Result(child.returncode, said)


async def send_with_locked_database(folder: Path, kind: Kind, seconds: float) -> Result:
    """Lock a sender's database after ten letters, then run a second sender.

    Returns:
        The result of the first sender.
    """
    reached = asyncio.Event()

    def tenth(phase: Phase, count: int) -> None:
        if (phase, count) == ("MAIL", 10) and not reached.is_set():
            recorder.listening.clear()
            reached.set()

    async with recording(recorder := Recorder(tenth)):
        with database(kind, folder) as store:
            for call in NEWSLETTER.prepare(folder, recorder.port, PLAN, store.url):
                assert (await run_call(folder, call)).code == 0
            sending = asyncio.create_task(run_call(folder, NEWSLETTER.send_command(None)))
            await reached.wait()
            go_on = partial(asyncio.get_running_loop().call_soon_threadsafe, recorder.listening.set)
            await asyncio.to_thread(store.lock, seconds, go_on)
            first = await sending
            ledger = NEWSLETTER.ledger(store.url)
            assert all(ledger[email][0] in MARKED for email in recorder.by_recipient)
            assert not NEWSLETTER.broken(store.url)
            assert (await run_call(folder, NEWSLETTER.send_command(None))).code == 0
            assert not NEWSLETTER.broken(store.url)
            doubts = {e for e, (_, doubts) in NEWSLETTER.ledger(store.url).items() if doubts}
    assert not doubts  # outcomes that could not be recorded were kept
    assert Counter(recorder.by_recipient.values()) == {1: PLAN.letters}
    return first


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "postgres"] if FULL else ["sqlite"])
def test_long_database_lock_stops_sending_before_next_dot(tmp_path: Path, kind: Kind) -> None:
    first = asyncio.run(send_with_locked_database(tmp_path, kind, 2 * BUSY_SECONDS + 5))
    assert first.code == 1
    assert f"for {BUSY_SECONDS} seconds. Let it finish, or stop it, and try again." in first.said


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_short_database_lock_is_waited_for(tmp_path: Path, kind: Kind) -> None:
    assert asyncio.run(send_with_locked_database(tmp_path, kind, 5)) == Result(0, "")
