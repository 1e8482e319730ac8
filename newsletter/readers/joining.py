"""Who may subscribe on the pages, and how many requests are taken."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from newsletter.model import RequestLimits

JoiningMode = Literal["open", "domains", "approval"]
"""Anybody; only addresses of some domains; anybody whom the operator approves."""


@dataclass(frozen=True, slots=True)
class Joining:
    """The operator's rules for new readers.

    Attributes:
        domains: as they are written: ``example.org``, or ``*.example.org`` for those below it.
            Their addresses alone may join, or, with ``approval``, join without waiting for it.
        per_client_hourly: requests taken from one network address, or one IPv6 network (/64).
        total_hourly: requests taken from everybody together.
    """

    mode: JoiningMode = "open"
    domains: tuple[str, ...] = ()
    per_client_hourly: int = 10
    total_hourly: int = 500

    def may_join(self, email: str) -> bool:
        """Whether this address may subscribe."""
        return self.mode != "domains" or self._is_named(email)

    def needs_approval(self, email: str) -> bool:
        """Whether somebody with this address waits for the operator's approval."""
        return self.mode == "approval" and not self._is_named(email)

    def _is_named(self, email: str) -> bool:
        domain = email.rpartition("@")[2].lower()
        return any(
            domain.endswith(named[1:]) if named.startswith("*.") else domain == named
            for named in self.domains
        )

    def limits(self, *, is_reader: bool) -> RequestLimits:
        """How many notes may be requested, for the address of a reader or of anybody.

        Nobody may flood an unconfirmed address. A reader may lose the link to the preferences now
        and then; and their farewells count too, which somebody else's copy of a link can cause.
        """
        limits = RequestLimits(1, 3, self.per_client_hourly, self.total_hourly)
        return replace(limits, per_address_total=50) if is_reader else limits


OPEN_TO_ALL = Joining()


@dataclass(frozen=True, slots=True)
class TooManyRequests:
    """A request that is not taken: when the next one is, and whether others have used it up."""

    until: datetime
    by_others: bool
