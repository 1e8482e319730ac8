"""A sender is suspended after a commit until its leases are over, and then continued (R14)."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from newsletter.app.clock import SystemClock
from tests.faults.axes import MARK_OVER
from tests.faults.command import step_clock
from tests.faults.contenders import CONTENDERS, Call
from tests.faults.torture_run import Plan
from tests.support.processes import AwaitedCommand
from tests.support.smtp_servers import FaultyServer, faulty_server

READERS = 3
STEP = 1 if os.environ.get("NEWSLETTER_TESTS") == "full" else 7

NEWSLETTER = CONTENDERS["newsletter"]


def start(folder: Path, call: Call) -> AwaitedCommand:
    """Start one of our commands in a folder."""
    return AwaitedCommand(call.words, folder, call.controls)


async def wait_for(process: AwaitedCommand) -> None:
    """Wait until the process ends without a traceback."""
    _, said = await process.communicate()
    assert "Traceback" not in said, said


async def becomes_suspended(process: AwaitedCommand) -> bool:
    """Wait until the process is suspended (True) or ends (False)."""
    while process.command.exit_code is None:
        if process_state(process.command.pid) == "T":
            return True
        await SystemClock().sleep(0.02)
    return False


def process_state(pid: int) -> str:
    """A process's state as in proc(5); X (dead) if the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(") ")[2][:1]
    except (FileNotFoundError, ProcessLookupError):
        return "X"


async def suspend_past_leases(
    folder: Path, server: FaultyServer, controls: Mapping[str, object]
) -> bool:
    """Suspend a sender, let another send all, continue the first; True if it was suspended."""
    store = f"sqlite:///{folder}/newsletter.db"
    plan = Plan(kills=1, letters=READERS, connections=1)
    for call in NEWSLETTER.prepare(folder, server.port, plan, store):
        await wait_for(start(folder, call))
    sender = start(folder, NEWSLETTER.send_command(controls))
    if stopped := await becomes_suspended(sender):
        step_clock(folder, MARK_OVER)
        rival = start(folder, NEWSLETTER.send_command({}))
        await wait_for(rival)
        assert rival.returncode == 0
        os.kill(sender.command.pid, signal.SIGCONT)
    await wait_for(sender)
    copies = Counter(one.recipient for one in server.received)
    assert len(copies) == READERS, controls
    ledger = NEWSLETTER.ledger(store)
    assert {state for state, _ in ledger.values()} == {"accepted"}
    # While the next letters are claimed, one may be under way: that one is in doubt.
    doubtful = {email for email, (_, doubts) in ledger.items() if doubts}
    assert len(doubtful) <= plan.connections, controls
    assert {email for email, count in copies.items() if count > 1} <= doubtful, controls
    assert not NEWSLETTER.broken(store)
    return stopped


@pytest.mark.slow
@pytest.mark.parametrize("pipelining", [False, True], ids=["lockstep", "pipelined"])
def test_sender_suspended_past_its_leases_repeats_nothing(
    tmp_path: Path, *, pipelining: bool
) -> None:
    async def scenario(at: int) -> bool:
        async with faulty_server({}, pipelining=pipelining) as server:
            (folder := tmp_path / str(at)).mkdir()
            return await suspend_past_leases(folder, server, {"lost": "stopped", "at": at})

    at = 1
    while asyncio.run(scenario(at)):
        at += STEP
    assert at > READERS * 3
