"""The axes of a torture: each strikes the sender in one way and then repairs what it broke."""

import asyncio
import os
import random
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from tests.faults.command import fill_disk, step_clock
from tests.faults.databases import Database
from tests.faults.recorder import Fault, Recorder, pause

SETTLING = 0.05
"""Seconds until everything that a struck sender had written has arrived."""

CLAIM_OVER, MARK_OVER = 61.0, 721.0
"""Seconds after which the lease of a claim and the lease of a mark have expired."""

HOURS = 3600.0


class Sender(Protocol):
    """A running sender."""

    @property
    def pid(self) -> int:
        """The id of its process."""


class TortureScene(Protocol):
    """The parts of a torture that an axis may use."""

    draw: random.Random
    folder: Path
    database: Database
    recorder: Recorder

    async def rival(self, letters: int) -> None:
        """Run a second sender until it has sent this many letters, then stop it with SIGTERM."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One way to strike; this base class does nothing.

    Attributes:
        controls: those of :mod:`tests.faults.command`; None for the newsletter's own command.
        goes_on: whether the sender still runs after a strike and can be struck again.
    """

    controls: Mapping[str, Any] | None = None
    goes_on: bool = False

    def strike(self, sender: Sender) -> None:
        """Strike immediately, between two bytes."""

    async def aftermath(self, scenario: TortureScene, sender: Sender) -> None:
        """Finish the strike, for example continue a suspended sender."""


@dataclass(frozen=True, slots=True)
class Signalled(Axis):
    """The sender is ended by a signal."""

    number: signal.Signals = signal.SIGKILL

    def strike(self, sender: Sender) -> None:
        """Send the signal."""
        os.kill(sender.pid, self.number)


@dataclass(frozen=True, slots=True)
class Suspended(Axis):
    """The sender is suspended for a moment."""

    def strike(self, sender: Sender) -> None:
        """Stop it."""
        os.kill(sender.pid, signal.SIGSTOP)

    async def aftermath(self, scenario: TortureScene, sender: Sender) -> None:
        """Continue it."""
        await pause(scenario.draw.uniform(0.05, 0.5))
        os.kill(sender.pid, signal.SIGCONT)


@dataclass(frozen=True, slots=True)
class OutlivedLease(Suspended):
    """The sender is suspended until its leases are over and another sender has its letters."""

    async def aftermath(self, scenario: TortureScene, sender: Sender) -> None:
        """Let the leases run out and a rival work; then continue it."""
        await pause(SETTLING)
        step_clock(scenario.folder, scenario.draw.choice([CLAIM_OVER, CLAIM_OVER, MARK_OVER]))
        await scenario.rival(scenario.draw.randint(5, 25))
        os.kill(sender.pid, signal.SIGCONT)


@dataclass(frozen=True, slots=True)
class DatabaseLocked(Axis):
    """Another process locks the database, for less or for more time than the sender waits."""

    async def aftermath(self, scenario: TortureScene, sender: Sender) -> None:
        """Lock the database for a while.

        The recorder pauses first: a sender that writes all the time would keep the lock away.
        """
        del sender
        loop, attentive = asyncio.get_running_loop(), scenario.recorder.listening
        attentive.clear()
        seconds = scenario.draw.choice([0.3, 2.0])
        held = partial(loop.call_soon_threadsafe, attentive.set)
        await asyncio.to_thread(scenario.database.lock, seconds, held)


@dataclass(frozen=True, slots=True)
class DatabaseCut(Axis):
    """The connections to the database end, or its server restarts."""

    async def aftermath(self, scenario: TortureScene, sender: Sender) -> None:
        """Cut it off."""
        del sender
        await asyncio.to_thread(scenario.database.cut, scenario.draw)


@dataclass(frozen=True, slots=True)
class DiskFull(Axis):
    """The sender cannot write to any file from then on."""

    def strike(self, sender: Sender) -> None:
        """Fill it."""
        fill_disk(sender.pid)


@dataclass(frozen=True, slots=True)
class ClockStepped(Axis):
    """The sender's clock is set back or forward."""

    async def aftermath(self, scenario: TortureScene, sender: Sender) -> None:
        """Step it."""
        del sender
        step_clock(
            scenario.folder,
            scenario.draw.choice([-2 * HOURS, -90.0, 90.0, 0.5 * HOURS, 72 * HOURS]),
        )


@dataclass(frozen=True, slots=True)
class ServerFault(Axis):
    """The SMTP server drops the connection, defers or falls silent; the sender is not touched."""

    async def aftermath(self, scenario: TortureScene, sender: Sender) -> None:
        """Choose a fault for the next letter."""
        del sender
        scenario.recorder.fault = scenario.draw.choice(list(Fault))


AXES: Mapping[str, Axis] = {
    "kill": Signalled(),
    "term": Signalled(number=signal.SIGTERM),
    "stop": Suspended(goes_on=True),
    "lease": OutlivedLease(controls={"busy": 2.0}, goes_on=True),
    "locked": DatabaseLocked(controls={"busy": 1.0}, goes_on=True),
    "cut": DatabaseCut(controls={}, goes_on=True),
    "full": DiskFull(),
    "clock": ClockStepped(controls={}, goes_on=True),
    "faults": ServerFault(controls={"answer": 0.5}, goes_on=True),
}
"""Every axis by name."""
