"""The doors for time, listings, matching and letters."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Protocol

from newsletter.model import Item, Letter, Listing, Outcome, Term


class Clock(Protocol):
    """The only reader of time, and the only waiting."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""

    async def sleep(self, seconds: float) -> None:
        """Wait that long, letting others run."""


class Source(Protocol):
    """A door for listings."""

    @property
    def name(self) -> str:
        """The name reports and letters call it by; unique in a configuration."""

    @property
    def daily(self) -> bool:
        """Whether it lists afresh every working day, so that the same list again is stale."""

    async def fetch(self, day: date) -> tuple[Listing, ...]:
        """Read the listings for the issue of ``day``, the current one and what lies behind it.

        A day without papers is an empty tuple or listings without items, never an error.

        Raises:
            SourceError: the source did not answer, or not with a listing; the message names the
                source's address and what came instead.
        """


class Matcher(Protocol):
    """What matches what."""

    def masks(self, items: Sequence[Item], terms: Collection[Term]) -> Mapping[Term, int]:
        """For each term the items it occurs in, as a bitmask: bit *i* stands for ``items[i]``.

        Every term asked for has an entry.
        """


Mark = Callable[[Letter], Awaitable[bool]]
"""Called when all but the final dot is on the wire; False: the letter must not be sent."""

Settle = Callable[[Letter, Outcome], Awaitable[None]]
"""Called once for every letter taken, with what became of it."""


class RunLock(Protocol):
    """A run's own name, and whether other runs are still alive."""

    @property
    def name(self) -> str:
        """The run's name, without a dot: the tokens of its claims begin with it."""

    def gone(self, runs: Collection[str]) -> frozenset[str]:
        """Those of these runs that are known to have ended; the others may be alive."""


class Transport(Protocol):
    """A door for letters."""

    async def send(self, letters: AsyncIterator[Letter], mark: Mark, settle: Settle) -> None:
        """Send every letter of the stream.

        For each letter: everything up to the final dot, then ``await mark(letter)``, then the
        dot if it said True (if not, the connection is dropped before the dot and nothing is
        settled: the claim was lost), then ``await settle(letter, outcome)``. A letter cut off
        before its dot settles as ``NotSent``; one cut off between dot and answer as
        ``Unknown``. A refusal that names one recipient or message is that letter's
        ``Refused`` or ``Deferred``.

        Raises:
            TransportError: the server as a whole refuses us or is gone. Letters already taken
                from the stream have been settled; no more are taken.
        """
