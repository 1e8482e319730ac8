"""An SMTP server with limits as relays have them, and how long each limit takes for letters."""

import asyncio
import contextlib
import math
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from newsletter.delivery.delivering import DeliveryRun
from newsletter.model import Claim, Counts, Envelope
from newsletter.ports import Clock, Store
from newsletter.transports.smtp import SmtpSettings, SmtpTransport
from tests.support.databases import temporary_store
from tests.support.factories import DAY
from tests.support.frozen_issues import freeze_one_issue
from tests.support.outgoing import BODY
from tests.support.simulated_time import LoopClock, run_simulated
from tests.support.smtp_servers import Stage


@dataclass
class Talk:
    """One client's session: its number, from 1, and how many letters it has sent."""

    number: int
    accepted: int = 0


class Limit(Protocol):
    """Decides what a relay accepts."""

    def refusal(self, stage: Stage, talk: Talk, relay: "LimitedRelay") -> str:
        """The reply that refuses a command; empty if it is not refused."""

    def seconds(self, letters: int) -> float:
        """How long so many letters take at least."""


@dataclass
class PerSession:
    """So many letters over one connection."""

    most: int
    stage: Stage
    reply: str

    def refusal(self, stage: Stage, talk: Talk, relay: "LimitedRelay") -> str:
        del relay
        return self.reply if stage == self.stage and talk.accepted >= self.most else ""

    def seconds(self, letters: int) -> float:
        del letters
        return 0.0


@dataclass
class Connections:
    """So many connections at a time: further ones are refused, or letters while there are more."""

    most: int
    stage: Stage
    reply: str
    latency: float = 0.0
    for_good: bool = False  # whether only the first ones are ever let in

    def refusal(self, stage: Stage, talk: Talk, relay: "LimitedRelay") -> str:
        counted = talk.number if self.for_good else relay.open
        return self.reply if stage == self.stage and counted > self.most else ""

    def seconds(self, letters: int) -> float:
        return math.ceil(letters / self.most) * self.latency


@dataclass
class Window:
    """So many in any span of seconds, or in each span of the clock if it is ``aligned``."""

    most: int
    span: float
    stage: Stage
    reply: str
    aligned: bool = False
    sliding: bool = False
    letters: int = 1  # for each of them
    _times: deque[float] = field(default_factory=deque)

    def refusal(self, stage: Stage, talk: Talk, relay: "LimitedRelay") -> str:
        del talk
        if stage != self.stage:
            return ""
        now = relay.now
        if self._times and not self.sliding:
            start = self._times[0] // self.span * self.span if self.aligned else self._times[0]
            if now >= start + self.span:
                self._times.clear()
        while self.sliding and self._times and now >= self._times[0] + self.span:
            self._times.popleft()
        if len(self._times) >= self.most:
            return self.reply
        self._times.append(now)
        return ""

    def seconds(self, letters: int) -> float:
        return (math.ceil(letters / self.letters) - 1) // self.most * self.span


@dataclass
class Bucket:
    """A token bucket: ``burst`` at once, then so many a second."""

    burst: int
    rate: float
    stage: Stage
    reply: str
    _tokens: float = math.inf
    _at: float = 0.0

    def refusal(self, stage: Stage, talk: Talk, relay: "LimitedRelay") -> str:
        del talk
        if stage != self.stage:
            return ""
        now = relay.now
        self._tokens = min(self.burst, self._tokens + (now - self._at) * self.rate)
        self._at = now
        if self._tokens < 1:
            return self.reply
        self._tokens -= 1
        return ""

    def seconds(self, letters: int) -> float:
        return max(0, letters - self.burst) / self.rate


@dataclass
class Share:
    """Only one try in so many is accepted, however slowly they come."""

    of: int
    stage: Stage
    reply: str
    _tries: int = 0

    def refusal(self, stage: Stage, talk: Talk, relay: "LimitedRelay") -> str:
        del talk, relay
        self._tries += stage == self.stage
        return self.reply if stage == self.stage and self._tries % self.of else ""

    def seconds(self, letters: int) -> float:
        return letters * self.of / 2.0  # two tries a second


@dataclass
class Away:
    """Nothing is accepted for so many seconds."""

    until: float
    stage: Stage
    reply: str

    def refusal(self, stage: Stage, talk: Talk, relay: "LimitedRelay") -> str:
        del talk
        return self.reply if stage == self.stage and relay.now < self.until else ""

    def seconds(self, letters: int) -> float:
        del letters
        return self.until


@dataclass
class Quota:
    """So many letters, and then none."""

    most: int
    stage: Stage
    reply: str

    def refusal(self, stage: Stage, talk: Talk, relay: "LimitedRelay") -> str:
        del talk
        return self.reply if stage == self.stage and relay.accepted >= self.most else ""

    def seconds(self, letters: int) -> float:
        del letters
        return 0.0


_ANSWERS: dict[str, str] = {
    "connect": "220 relay ESMTP",
    "EHLO": "250-relay\r\n250-PIPELINING\r\n250 8BITMIME",
    "MAIL": "250 2.1.0 ok",
    "RCPT": "250 2.1.5 ok",
    "DATA": "354 go on",
    "dot": "250 2.0.0 taken",
    "RSET": "250 2.0.0 ok",
    "QUIT": "221 2.0.0 bye",
}


@dataclass
class LimitedRelay:
    """A relay with limits. Each letter takes ``latency`` seconds of the clock.

    Attributes:
        recipients: of the letters it accepted, in order.
        refusals: when it refused something, and with which reply.
        most_open: how many connections it had at a time.
        sessions: how many connections were opened.
    """

    limits: Sequence[Limit]
    clock: Clock
    latency: float = 0.05
    pipelining: bool = True
    recipients: list[str] = field(default_factory=list)
    refusals: list[tuple[float, str]] = field(default_factory=list)
    sessions: int = 0
    open: int = 0
    most_open: int = 0
    port: int = 0
    host: str = "127.0.0.1"
    _start: float = 0.0

    def __post_init__(self) -> None:
        self._start = self.clock.now().timestamp()

    @property
    def now(self) -> float:
        """Seconds since it was started."""
        return self.clock.now().timestamp() - self._start

    @property
    def accepted(self) -> int:
        """How many letters it accepted."""
        return len(self.recipients)

    def seconds(self, letters: int, connections: int) -> float:
        """How long so many letters take at least over so many connections."""
        limited = max((limit.seconds(letters) for limit in self.limits), default=0.0)
        unlimited = math.ceil(letters / connections) * self.latency
        away = any(isinstance(limit, Away) for limit in self.limits)
        return limited + unlimited if away else max(limited, unlimited)

    @property
    def worst_second(self) -> int:
        """The most refusals within one second."""
        times, worst = [at for at, _ in self.refusals], 0
        for first, at in enumerate(times):
            worst = max(worst, sum(at <= other < at + 1 for other in times[first : first + 99]))
        return worst

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client."""
        self.sessions += 1
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        talk = Talk(self.sessions)
        try:
            if self._answer("connect", talk, writer) == "220":
                await self._commands(talk, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open -= 1
            writer.close()

    async def _commands(
        self, talk: Talk, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        recipient, given = "", {"MAIL": "", "RCPT": ""}
        while line := (await reader.readline()).decode().strip():
            verb = line.partition(" ")[0].upper()
            needed = {"RCPT": "MAIL", "DATA": "RCPT"}.get(verb, "")
            if needed and given[needed] != "250":
                writer.write(b"503 5.5.1 bad sequence\r\n")
                continue
            code = self._answer(_stage(verb), talk, writer)
            if verb in given:
                given[verb] = code
            if verb == "RCPT":
                recipient = line[len("RCPT TO:<") : -1]
            if verb == "RSET":
                given = {"MAIL": "", "RCPT": ""}
            if verb == "DATA" and code == "354":
                await reader.readuntil(b"\r\n.\r\n")
                given = {"MAIL": "", "RCPT": ""}
                if self.latency:
                    await self.clock.sleep(self.latency)
                code = self._answer("dot", talk, writer)
                if code == "250":
                    talk.accepted += 1
                    self.recipients.append(recipient)
            if code == "421" or verb == "QUIT":
                return

    def _answer(self, stage: Stage, talk: Talk, writer: asyncio.StreamWriter) -> str:
        refusal = next(filter(None, (one.refusal(stage, talk, self) for one in self.limits)), "")
        if refusal:
            self.refusals.append((self.now, refusal))
        reply = refusal or _ANSWERS[stage]
        if stage == "EHLO" and not self.pipelining:
            reply = "250-relay\r\n250 8BITMIME"
        writer.write(reply.encode() + b"\r\n")
        return reply[:3]


def _stage(verb: str) -> Stage:
    stages: Sequence[Stage] = ("EHLO", "MAIL", "RCPT", "DATA", "RSET", "QUIT")
    return next(stage for stage in stages if stage == verb)


@contextlib.asynccontextmanager
async def limited_relay(relay: LimitedRelay) -> AsyncIterator[LimitedRelay]:
    """Run a relay on a port of its own."""
    server = await asyncio.start_server(relay.serve, relay.host, 0)
    relay.port = server.sockets[0].getsockname()[1]
    try:
        yield relay
    finally:
        server.close()


KINDS: dict[str, Callable[[], list[Limit]]] = {
    "10 a session, 452 at DATA": lambda: [
        PerSession(10, "DATA", "452 4.4.5 Maximum number of messages per session exceeded")
    ],
    "20 a session, 421 at MAIL": lambda: [PerSession(20, "MAIL", "421 4.7.0 closing now")],
    "5 a session, 452 at RCPT": lambda: [
        PerSession(5, "RCPT", "452 4.5.3 Too many recipients received this session")
    ],
    "15 a session, 421 at the dot": lambda: [PerSession(15, "dot", "421 4.3.2 try again later")],
    "3 at a time, 432 at the dot": lambda: [
        Connections(
            3,
            "dot",
            "432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded",
            latency=0.05,
        )
    ],
    "2 connections, 421 at the banner": lambda: [
        Connections(2, "connect", "421 4.7.0 Error: too many connections", latency=0.05)
    ],
    "the first 2 connections alone": lambda: [
        Connections(2, "connect", "421 4.7.0 too many connections", latency=0.05, for_good=True)
    ],
    "5 connections a minute, 10 a session": lambda: [
        Window(
            5, 60, "connect", "421 4.7.0 Error: too many connections from 127.0.0.1", letters=10
        ),
        PerSession(10, "MAIL", "421 4.7.0 too many messages in this connection"),
    ],
    "20 recipients a minute, 450": lambda: [
        Window(20, 60, "RCPT", "450 4.7.1 Error: too many recipients from 127.0.0.1")
    ],
    "30 letters a minute, 450 at MAIL": lambda: [
        Window(30, 60, "MAIL", "450 4.7.1 Error: too much mail from 127.0.0.1")
    ],
    "100 in 5 minutes, sliding, 451": lambda: [
        Window(100, 300, "dot", "451 4.7.1 sending rate limit exceeded", sliding=True)
    ],
    "60 a minute of the clock, 452": lambda: [
        Window(60, 60, "MAIL", "452 4.3.1 too many messages, slow down", aligned=True)
    ],
    "14 a second, 454 at the dot": lambda: [
        Bucket(14, 14, "dot", "454 Throttling failure: Maximum sending rate exceeded.")
    ],
    "one in 2 seconds, 421": lambda: [
        Bucket(1, 0.5, "RCPT", "421 4.7.0 too fast, try again later")
    ],
    "200 at once, then 2 a second": lambda: [
        Bucket(200, 2, "DATA", "450 4.7.1 rate limit exceeded, try again later")
    ],
    "nothing for 2 minutes, 451": lambda: [Away(120, "RCPT", "451 4.3.0 Try again later")],
    "one try in 7": lambda: [
        Share(7, "dot", "454 Throttling failure: Maximum sending rate exceeded.")
    ],
}
"""Kinds of limits, each with the words of a server that has it."""


CONNECTIONS = 8


@dataclass
class Passage:
    """How the letters of an issue went through a relay.

    Attributes:
        seconds: how long it took, in simulated time.
        least: how long the relay's limits take at least.
    """

    relay: LimitedRelay
    counts: Counts
    seconds: float
    least: float

    @property
    def ratio(self) -> float:
        """The time it took, relative to the least."""
        return self.seconds / self.least


def build_envelope(claim: Claim) -> Envelope:
    """The letter of a claim."""
    email = claim.edition.to.email
    return Envelope("papers@example.org", email, f"<{claim.reader}@example.org>", BODY)


def transport_to(relay: LimitedRelay, memory: Path | None = None) -> SmtpTransport:
    """A transport to a relay that listens."""
    settings = SmtpSettings(
        host=relay.host, port=relay.port, security="none", connections=CONNECTIONS
    )
    return SmtpTransport(settings, relay.clock, memory)


async def deliver(
    store: Store,
    relay: LimitedRelay,
    run: str,
    memory: Path | None = None,
    transport: SmtpTransport | None = None,
) -> Counts:
    """Deliver the open letters of a store to a relay that listens."""
    transport = transport or transport_to(relay, memory)
    return await DeliveryRun(store, transport, relay.clock, DAY, build_envelope, run=run).deliver()


def frozen_store(letters: int) -> Store:
    """A store with an issue frozen for so many readers."""
    store = temporary_store()
    freeze_one_issue(store, *(f"reader{n}" for n in range(letters)))
    return store


def pass_through(kind: str, letters: int, *, pipelining: bool = True) -> Passage:
    """Send an issue to so many readers through a relay with this kind of limit."""

    async def scenario() -> Passage:
        store = frozen_store(letters)
        relay = LimitedRelay(KINDS[kind](), LoopClock(), pipelining=pipelining)
        async with limited_relay(relay):
            start = relay.now
            counts = await deliver(store, relay, "run")
            return Passage(relay, counts, relay.now - start, relay.seconds(letters, CONNECTIONS))

    return run_simulated(scenario())
