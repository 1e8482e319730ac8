"""The ways to strike a sender: what is done at the point drawn, and what is mended afterwards."""

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
"""Seconds for what a struck sender had put on the wire to arrive."""

CLAIM_OVER, MARK_OVER = 61.0, 721.0
"""Seconds after which the lease of a claim, of a mark, has run out."""

HOURS = 3600.0


class Sender(Protocol):
    """A sender at work."""

    @property
    def pid(self) -> int:
        """Its process."""


class TortureScene(Protocol):
    """What an axis may touch."""

    draw: random.Random
    folder: Path
    database: Database
    recorder: Recorder

    async def rival(self, letters: int) -> None:
        """Let a second sender send so many letters, and tell it to stop."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One way to strike. As it stands it does nothing, and its sender goes on.

    Attributes:
        hands: the controls of :mod:`tests.faults.command`; None for the newsletter's own command.
        goes_on: whether the sender is at work after it, and can be struck again.
    """

    hands: Mapping[str, Any] | None = None
    goes_on: bool = False

    def strike(self, sender: Sender) -> None:
        """Strike at once, between two bytes."""

    async def aftermath(self, scenario: TortureScene, sender: Sender) -> None:
        """What follows while the sender goes on, or would."""


@dataclass(frozen=True, slots=True)
class Signalled(Axis):
    """A signal that ends it."""

    number: signal.Signals = signal.SIGKILL

    def strike(self, sender: Sender) -> None:
        """Send the signal."""
        os.kill(sender.pid, self.number)


@dataclass(frozen=True, slots=True)
class Suspended(Axis):
    """Stopped for a moment, and continued."""

    def strike(self, sender: Sender) -> None:
        """Stop it."""
        os.kill(sender.pid, signal.SIGSTOP)

    async def aftermath(self, scenario: TortureScene, sender: Sender) -> None:
        """Continue it."""
        await pause(scenario.draw.uniform(0.05, 0.5))
        os.kill(sender.pid, signal.SIGCONT)


@dataclass(frozen=True, slots=True)
class OutlivedLease(Suspended):
    """Stopped until its leases are over and another has its letters, and then continued."""

    async def aftermath(self, scenario: TortureScene, sender: Sender) -> None:
        """Let the leases run out and a rival work; then continue it."""
        await pause(SETTLING)
        step_clock(scenario.folder, scenario.draw.choice([CLAIM_OVER, CLAIM_OVER, MARK_OVER]))
        await scenario.rival(scenario.draw.randint(5, 25))
        os.kill(sender.pid, signal.SIGCONT)


@dataclass(frozen=True, slots=True)
class DatabaseLocked(Axis):
    """Another process holds its database, for less time than it waits, or for more."""

    async def aftermath(self, scenario: TortureScene, sender: Sender) -> None:
        """Hold it, and let it go. Who writes without a pause is made to pause: it must be had."""
        del sender
        loop, attentive = asyncio.get_running_loop(), scenario.recorder.listening
        attentive.clear()
        seconds = scenario.draw.choice([0.3, 2.0])
        held = partial(loop.call_soon_threadsafe, attentive.set)
        await asyncio.to_thread(scenario.database.lock, seconds, held)


@dataclass(frozen=True, slots=True)
class DatabaseCut(Axis):
    """Its database's connections end, or the server itself does and comes back."""

    async def aftermath(self, scenario: TortureScene, sender: Sender) -> None:
        """Cut it off."""
        del sender
        await asyncio.to_thread(scenario.database.cut, scenario.draw)


@dataclass(frozen=True, slots=True)
class DiskFull(Axis):
    """Its disk is full from then on."""

    def strike(self, sender: Sender) -> None:
        """Fill it."""
        fill_disk(sender.pid)


@dataclass(frozen=True, slots=True)
class ClockStepped(Axis):
    """Its clock is put back or forward."""

    async def aftermath(self, scenario: TortureScene, sender: Sender) -> None:
        """Step it."""
        del sender
        step_clock(
            scenario.folder,
            scenario.draw.choice([-2 * HOURS, -90.0, 90.0, 0.5 * HOURS, 72 * HOURS]),
        )


@dataclass(frozen=True, slots=True)
class ServerFault(Axis):
    """The server drops, defers or is silent; the sender itself is left alone."""

    async def aftermath(self, scenario: TortureScene, sender: Sender) -> None:
        """Do it to the next letter."""
        del sender
        scenario.recorder.fault = scenario.draw.choice(list(Fault))


AXES: Mapping[str, Axis] = {
    "kill": Signalled(),
    "term": Signalled(number=signal.SIGTERM),
    "stop": Suspended(goes_on=True),
    "lease": OutlivedLease(hands={"busy": 2.0}, goes_on=True),
    "locked": DatabaseLocked(hands={"busy": 1.0}, goes_on=True),
    "cut": DatabaseCut(hands={}, goes_on=True),
    "full": DiskFull(),
    "clock": ClockStepped(hands={}, goes_on=True),
    "faults": ServerFault(hands={"answer": 0.5}, goes_on=True),
}
"""Every way to strike, by its name."""
