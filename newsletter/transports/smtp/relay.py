"""A server's limits: how its replies name them, and what is remembered of them between runs."""

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from newsletter.delivery.refusals import READER_GONE, Cause, cause
from newsletter.transports.smtp.pace import Pace

_log = logging.getLogger(__name__)

Limit = Literal["session", "connections", "rate", "many", "hour", "day", "unclear"]
"""Which limit a reply speaks of: letters over one connection, connections at a time, letters in a
short time, "too many" of something, letters in an hour, in a day; or it is a 4xx without a reason.
"""

REST: Mapping[Literal["hour", "day"], timedelta] = {
    "hour": timedelta(minutes=30),
    "day": timedelta(hours=4),
}
"""How long nothing is sent to a server after its limit for the hour or the day is reached."""

KEPT = timedelta(days=14)  # how long a limit that the server did not name again is remembered
_DAILY = 0.8  # how much less it counts after each day

_ONE_READER = re.compile(
    r"gr[ae]y-?list|post-?grey|mailbox|inbox|verif|call-?out|the user you"
    r"|\b(?:this|that|the) (?:user|recipient)\b|recipient(?:'s)? (?:domain|server)|destination",
    re.IGNORECASE,
)
"""A reply about one recipient or their domain."""

_NO_LIMIT: frozenset[Cause] = READER_GONE | {"mailbox full", "sender", "reputation", "content"}
"""Causes of which waiting changes nothing for the other letters."""

_SAYS_LIMIT = re.compile(
    r"limit|quota|exceed|maximum|\bmax\b|too many|reached|allow", re.IGNORECASE
)

_NAMED: tuple[tuple[Limit, re.Pattern[str]], ...] = (
    ("day", re.compile(r"\bdaily\b|\bday\b|\btoday\b|\b24.?h", re.IGNORECASE)),
    ("hour", re.compile(r"\bhourly\b|\bhour\b|\b1.?h\b|\b60.?min", re.IGNORECASE)),
    (
        "session",
        re.compile(
            r"(?:this|one|single|each|current|per|same)[ -](?:\w+ )?(?:session|connection)\b"
            r"|session limit",
            re.IGNORECASE,
        ),
    ),
    (
        "connections",
        re.compile(
            r"concurren|simultaneous|parallel|\bthreads?\b"
            r"|(?:too many|number of|limit (?:on|of)|max\w*) (?:\w+ ){0,2}"
            r"(?:connection|session)s?\b"
            r"|(?:connection|session)s? (?:\w+ )?(?:limit|count|exceed)",
            re.IGNORECASE,
        ),
    ),
    (
        "rate",
        re.compile(
            r"rate[ -]?(?:limit|control)|unusual rate|rate (?:is )?(?:too|exceed)"
            r"|(?:send|sending|mail|message|submission|delivery|max|maximum) rate|throttl"
            r"|(?:per|a) (?:second|minute)\b|too (?:fast|quickly|frequent|much mail)"
            r"|slow(?:er)? down",
            re.IGNORECASE,
        ),
    ),
)
"""How servers name their limits; the first that fits counts."""

_QUOTA = re.compile(r"(?:send\w*|message|mail|outgoing|smtp) (?:limit|quota)", re.IGNORECASE)
"""A quota without a time: taken for one of an hour if the server refuses for good."""

_MANY = re.compile(r"too many|too much|\bbusy\b|overload", re.IGNORECASE)


def limit_in(reply: str) -> Limit | None:
    """The limit that a refusing reply speaks of; None for a reply that is about one letter.

    A 5xx counts only if it names its limit: by its code it is about the letter.
    """
    if reply[:1] not in {"4", "5"} or _ONE_READER.search(reply):
        return None
    says_limit = bool(_SAYS_LIMIT.search(reply))
    for limit, words in _NAMED:
        if words.search(reply) and (says_limit or limit not in REST):
            return limit
    if reply.startswith("5"):
        return "hour" if says_limit and _QUOTA.search(reply) else None
    about = cause("", reply)
    if about in _NO_LIMIT:
        return None
    return "many" if about == "rate" or _MANY.search(reply) else "unclear"


@dataclass
class Relay:
    """What was learned about a server's limits.

    Attributes:
        pace: how fast it takes letters.
        per_session: how many letters it takes over one connection; None: no limit is known.
        connections: how many connections it takes at a time; None: no limit is known.
        rests_until: until when nothing is sent, because its limit of an hour or day is reached.
        said: its reply that told so.
        changed: when any of this was learned.
    """

    pace: Pace = field(default_factory=Pace)
    per_session: int | None = None
    connections: int | None = None
    rests_until: datetime | None = None
    said: str = ""
    changed: datetime | None = None

    def rests(self, now: datetime) -> bool:
        """Whether nothing is sent now; never longer than the longest rest, if the clock is set."""
        until = self.rests_until
        return until is not None and now < until <= now + max(REST.values())

    def notice(self, address: str, now: datetime) -> str:
        """That it rests, until when, and why; empty if it does not."""
        if self.rests_until is None or not self.rests(now):
            return ""
        until = f"{self.rests_until:%Y-%m-%d %H:%M} UTC"
        return f"{address}: its limit is reached; nothing is sent before {until}: {self.said}"

    def aged(self, now: datetime) -> "Relay":
        """The limits as they count now: a little less each day, so that a faster server is used."""
        if self.changed is None or not timedelta() <= (age := now - self.changed) <= KEPT:
            return Relay()
        less: float = _DAILY**age.days
        pace, session = self.pace, self.per_session
        return Relay(
            Pace(pace.count, pace.span * less, pace.too_short * less),
            None if session is None else int(session / less),
            None if self.connections is None else self.connections + age.days,
            self.rests_until,
            self.said,
            self.changed,
        )


class RelayFile:
    """The file that remembers the limits of servers, by their address."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._kept: dict[str, Relay] = {}  # what cannot be written there

    def load(self, address: str, now: datetime) -> Relay:
        """What is known about a server; nothing if the file is missing or unreadable."""
        try:
            relay = self._kept.get(address) or _relay(self._read()[address])
        except (KeyError, TypeError, ValueError, OverflowError):
            relay = Relay()
        return relay.aged(now)

    def save(self, address: str, relay: Relay) -> None:
        """Remember what is known about a server; in this process only, if there is no file."""
        if self._path is None:
            self._kept[address] = relay
            return
        text = json.dumps({**self._read(), address: _document(relay)}, indent=1)
        new = self._path.with_suffix(".new")
        try:
            new.write_text(text, encoding="utf-8")
            new.replace(self._path)
        except OSError as error:
            self._kept[address] = relay
            _log.debug("%s: %s; the server's limits are not remembered", self._path, error)

    def _read(self) -> dict[str, Any]:
        try:
            document = json.loads(self._path.read_text(encoding="utf-8")) if self._path else {}
        except (OSError, ValueError):
            return {}
        return document if isinstance(document, dict) else {}


def _document(relay: Relay) -> dict[str, Any]:
    until, changed = relay.rests_until, relay.changed
    return {
        "letters": relay.pace.count,
        "seconds": relay.pace.span,
        "too_short": relay.pace.too_short,
        "per_session": relay.per_session,
        "connections": relay.connections,
        "rests_until": None if until is None else until.timestamp(),
        "said": relay.said,
        "changed": None if changed is None else changed.timestamp(),
    }


def _relay(document: Mapping[str, Any]) -> Relay:
    """What :func:`_document` wrote; raises if something else did."""
    until, changed = document["rests_until"], document["changed"]
    session, connections = document["per_session"], document["connections"]
    count = document["letters"]
    return Relay(
        Pace(
            None if count is None else max(1, int(count)),
            float(document["seconds"]),
            float(document["too_short"]),
        ),
        None if session is None else max(1, int(session)),
        None if connections is None else max(1, int(connections)),
        None if until is None else datetime.fromtimestamp(until, UTC),
        str(document["said"]),
        None if changed is None else datetime.fromtimestamp(changed, UTC),
    )
