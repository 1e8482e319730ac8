"""What goes out: envelopes, claims, and what the server answered."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import blake2b
from operator import attrgetter
from typing import Self, get_args

from newsletter.model.closed_sets import complete
from newsletter.model.issues import Edition
from newsletter.model.states import DeliveryState


class WireLines(bytes):
    """Whole lines of a message, fit for the wire as they are, in whatever way they are joined.

    Each ends in CRLF and none begins with a dot, so that nothing in them ends the message early
    and there is nothing to stuff (RFC 5321, 4.5.2).

    Attributes:
        digest: what tells these bytes from all others: BLAKE2b (RFC 7693), 16 bytes of it.

    Raises:
        ValueError: a line ends otherwise, or begins with a dot.
    """

    digest: bytes

    def __new__(cls, data: bytes = b"") -> Self:
        """Look through the bytes once; what many letters share is not looked at again."""
        ends = data.count(b"\n")
        whole = ends == data.count(b"\r") == data.count(b"\r\n")
        if not whole or (data and not data.endswith(b"\n")):
            raise ValueError(f"not whole lines that end in CRLF: {data[-80:]!r}")
        if data.startswith(b".") or b"\n." in data:
            raise ValueError(f"a line begins with a dot: {data[:80]!r}")
        return cls.trusted(data)

    @classmethod
    def trusted(cls, data: bytes) -> Self:
        """Lines from one who made them so: they are not looked through."""
        lines = bytes.__new__(cls, data)
        lines.digest = blake2b(data, digest_size=16).digest()
        return lines


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message ready for the wire (RFC 5321); ``content`` joins into the message of RFC 5322."""

    sender: str
    recipient: str
    message_id: str
    content: tuple[WireLines, ...]

    @property
    def digest(self) -> str:
        """What tells these bytes from all others: BLAKE2b (RFC 7693) over the pieces' digests.

        Pieces are shared by many letters and digested once; a letter's own bytes are few.
        """
        return blake2b(b"".join(map(_digest, self.content)), digest_size=16).hexdigest()


_digest = attrgetter("digest")


@dataclass(frozen=True, slots=True)
class Letter:
    """An envelope under the claim it may be sent by."""

    claim: "Claim"
    envelope: Envelope


RECEIPT = "receipt: "
"""Begins the reply of an accepted letter if the receiver has no reply codes, as a folder has none.

What follows shows the delivery. The audit takes it in place of a 2xx reply (invariant I4).
"""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The receiver took the message; its reply begins with 2 or is a :data:`RECEIPT`."""

    reply: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The server refused this recipient or message for good (5xx)."""

    reply: str


@dataclass(frozen=True, slots=True)
class Deferred:
    """The server asks to try again later (4xx)."""

    reply: str


@dataclass(frozen=True, slots=True)
class NotSent:
    """Cut off before the dot: certainly not delivered."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Cut off between the dot and its answer: nobody knows."""

    reason: str


Outcome = Accepted | Refused | Deferred | NotSent | Unknown
"""What became of one letter."""

STATE_AFTER: Mapping[type[Outcome], DeliveryState] = complete(
    "STATE_AFTER",
    get_args(Outcome),
    {
        Accepted: "accepted",
        Refused: "failed",
        Deferred: "deferred",
        NotSent: "pending",
        Unknown: "unknown",
    },
)
"""The state each outcome leads to; an ``Unknown`` for the second time leads to ``held``."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right of one run to send one delivery, until the lease ends.

    ``token`` is unique to this claim; a mark or a settlement under another token is void.
    """

    wave: int
    reader: int
    token: str
    edition: Edition
    attempt: int


@dataclass(frozen=True, slots=True)
class Settlement:
    """The end of a claim. ``next_try`` is set where the outcome is :class:`Deferred`."""

    claim: Claim
    outcome: Outcome
    next_try: datetime | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One reader's line in an issue's ledger.

    ``attempts`` counts the tries: a claim given back before its mark was none.
    """

    day: date
    email: str
    state: DeliveryState
    attempts: int = 0
    reply: str = ""
    next_try: datetime | None = None


@dataclass(frozen=True, slots=True)
class InvariantCheck:
    """One invariant of docs/delivery.md, looked for in the ledger.

    ``rows`` says where it does not hold, a line each; without a row it is proved.
    """

    id: str
    law: str
    rows: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the invariant holds."""
        return not self.rows


@dataclass(frozen=True, slots=True)
class Audit:
    """What the ledger of one day's issue proves; ``in_doubt`` are readers, by address."""

    day: date
    proofs: tuple[InvariantCheck, ...]
    in_doubt: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether every invariant holds."""
        return all(proof.ok for proof in self.proofs)
