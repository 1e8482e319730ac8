"""What is sent: envelopes, the claims they are sent under, and the outcome."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import blake2b
from typing import NewType, get_args

from newsletter.model.closed_sets import complete
from newsletter.model.issues import Edition, Publication
from newsletter.model.states import Counts, DeliveryState
from newsletter.model.windows import MAX_SILENCE

WireLines = NewType("WireLines", bytes)
"""Complete lines of a message that can be sent as they are, in any order.

Each line ends in CRLF and none begins with a dot. So nothing in them ends the message early, and
dot-stuffing (RFC 5321, 4.5.2) is not needed. :func:`wire_lines` checks it.
"""


def wire_lines(data: bytes) -> WireLines:
    """These bytes, if they are :data:`WireLines`.

    Raises:
        ValueError: a line ends differently, or begins with a dot.
    """
    ends = data.count(b"\n")
    whole = ends == data.count(b"\r") == data.count(b"\r\n")
    if not whole or (data and not data.endswith(b"\n")):
        raise ValueError(f"not whole lines that end in CRLF: {data[-80:]!r}")
    if data.startswith(b".") or b"\n." in data:
        raise ValueError(f"a line begins with a dot: {data[:80]!r}")
    return WireLines(data)


def piece_digest(piece: bytes) -> bytes:
    """A hash of a piece of a message: 16 bytes of BLAKE2b (RFC 7693)."""
    return blake2b(piece, digest_size=16).digest()


def digest_of(digests: Iterable[bytes]) -> str:
    """A hash of a message by the digests of its pieces, most of which many letters share."""
    return blake2b(b"".join(digests), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message ready for the wire (RFC 5321); ``content`` joins into the message of RFC 5322.

    ``digest`` is a hash of the content, and the same for the same letter of an issue: the one of
    its pieces' digests, where the builder knows no shorter way.
    """

    sender: str
    recipient: str
    message_id: str
    content: tuple[WireLines, ...]
    digest: str = ""

    def __post_init__(self) -> None:
        """Fill the digest in."""
        if not self.digest:
            object.__setattr__(self, "digest", digest_of(map(piece_digest, self.content)))


@dataclass(frozen=True, slots=True)
class Letter:
    """An envelope and the claim that allows sending it."""

    claim: "Claim"
    envelope: Envelope


RECEIPT = "receipt: "
"""Begins the reply of an accepted letter if the receiver has no reply codes, as a folder has none.

What follows shows the delivery. The audit accepts it instead of a 2xx reply (invariant I4).
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
    """The server asks to try again later (4xx).

    Attributes:
        until: when, if the server takes nothing before; None: after the usual wait.
    """

    reply: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class NotSent:
    """The letter was certainly not delivered: the connection ended before the final dot.

    Attributes:
        limited: whether the server refused it only because of its own limits (connections, rate);
            it may be sent again at once, as the transport keeps to them.
    """

    reason: str
    limited: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """The connection ended between the final dot and its answer: it may have been delivered."""

    reason: str


Outcome = Accepted | Refused | Deferred | NotSent | Unknown
"""The outcome of sending one letter."""

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
    """The right of one run to send one delivery until its lease ends.

    ``token`` is unique to this claim; a mark or a settlement with another token has no effect.
    """

    wave: int
    reader: int
    token: str
    edition: Edition
    attempt: int


@dataclass(frozen=True, slots=True)
class Settlement:
    """The end of a claim; ``next_try`` is set if the outcome is :class:`Deferred`."""

    claim: Claim
    outcome: Outcome
    next_try: datetime | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One reader's delivery of an issue.

    ``attempts`` counts tries; a claim that was given back before its mark does not count.
    """

    day: date
    email: str
    state: DeliveryState
    attempts: int = 0
    reply: str = ""
    next_try: datetime | None = None


@dataclass(frozen=True, slots=True)
class InvariantCheck:
    """The check of one invariant of docs/delivery.md.

    ``rows`` has a line for each violation; without one the invariant holds.
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
    """The audit of one day's issue; ``in_doubt`` has the addresses of doubtful letters."""

    day: date
    proofs: tuple[InvariantCheck, ...]
    in_doubt: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether every invariant holds."""
        return all(proof.ok for proof in self.proofs)


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The last sign of life of a process that keeps running.

    Attributes:
        name: the process, for example ``run on host``.
        started: when it started (UTC).
        seen: when it last looked at the clock (UTC).
        said: its last message, for example an error.
        configuration: a digest of the configuration that it works with.
        changed: what has changed in the files of the configuration since it read them, in words.
    """

    name: str
    started: datetime
    seen: datetime
    said: str = ""
    configuration: str = ""
    changed: str = ""

    def is_live(self, now: datetime) -> bool:
        """Whether the process seems to be alive."""
        return not self.said.startswith("stopped") and now - self.seen < MAX_SILENCE


@dataclass(frozen=True, slots=True)
class Broadcast:
    """A note to all readers, rendered once, so that every email of it can be built again.

    Placeholders in both parts stand for the reader's own links.

    Attributes:
        key: what the note is known by; the same for the same words.
        publication: the newsletter, as it was named when the note was first sent.
        signed_by: the fingerprint of the key that signs the links.
        at: when it was first sent, in UTC: the Date of every email.
    """

    key: str
    subject: str
    html: str
    text: str
    publication: Publication
    signed_by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class BroadcastReport:
    """How far a note to all readers is; ``id`` is its number in the store."""

    id: int
    subject: str
    at: datetime
    counts: Counts
