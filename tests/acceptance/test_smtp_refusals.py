"""Refusals in our own session: a reader who is not there is blocked, and nobody else."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import pytest

from newsletter.errors import TransportError
from newsletter.model import Subscriber
from newsletter.publisher.fetching import gather
from newsletter.publisher.publisher import Publisher
from newsletter.publisher.publishing import freeze, publish, waiting
from newsletter.stores import open_store
from newsletter.transports.smtp import SmtpSettings, SmtpTransport
from tests.support.clocks import ManualClock
from tests.support.factories import DAY, NOON
from tests.support.publishers import KnownRuns, StubSource, publisher_over
from tests.support.smtp_servers import Reply, Stage, faulty_server

OK = "250 2.1.5 ok"
UNKNOWN = "550 5.1.1 no such user"
READERS = 100


@dataclass
class Season:
    """A hundred readers, an issue a day, a server that misbehaves as it is told each day."""

    publisher: Publisher
    clock: ManualClock
    day: date = DAY
    sent: dict[date, int] = field(default_factory=dict)

    def issue(self, script: Mapping[Stage, Sequence[Reply]], *, pipelining: bool = True) -> None:
        """Send the next day's issue into such a server."""
        titles = StubSource(f"Paper of {self.day}")
        asyncio.run(
            gather([titles], self.publisher.store, self.day, self.clock, lambda _report: None)
        )
        freeze(self.publisher, self.day, waiting(self.publisher, self.day), ())
        self.sent[self.day] = asyncio.run(self._send(script, pipelining))
        self.day += timedelta(days=1)
        self.clock.time += timedelta(days=1)

    async def _send(self, script: Mapping[Stage, Sequence[Reply]], pipelining: bool) -> int:  # noqa: FBT001 - handed on
        async with faulty_server(script, pipelining=pipelining) as server:
            settings = SmtpSettings(server.host, server.port, "none", connections=1)
            transport = SmtpTransport(settings, self.clock)
            run = KnownRuns(f"run{self.day:%d}")
            await publish(
                self.publisher, self.day, transport, run_lock=run, progress=lambda _counts: None
            )
            return sum(bool(one.content) for one in server.taken)

    @property
    def blocked(self) -> list[str]:
        return [one.email for one in self.publisher.store.suppressions()]


@pytest.fixture
def season(tmp_path: Path) -> Iterator[Season]:
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    listed_subscribers = [Subscriber(f"r{n:02}@example.org") for n in range(READERS)]
    store.sync_subscribers(listed_subscribers, now=NOON)
    clock = ManualClock()
    yield Season(publisher_over(store, clock=clock), clock)
    store.close()


def one(answer: str, place: int = 41) -> Mapping[Stage, Sequence[Reply]]:
    """A server that refuses one of a hundred readers at RCPT."""
    return {"RCPT": [*[OK] * place, answer]}


@pytest.mark.parametrize("pipelining", [True, False])
def test_unknown_user_on_three_days_blocks_that_reader(
    season: Season,
    pipelining: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    for _ in range(2):
        season.issue(one(UNKNOWN), pipelining=pipelining)
        assert season.blocked == []
    season.issue(one(UNKNOWN), pipelining=pipelining)
    assert season.blocked == ["r41@example.org"]
    (why,) = season.publisher.store.suppressions()
    assert why.why.startswith("hard bounces on 3 days")
    assert UNKNOWN in why.why
    season.issue({})
    assert [*season.sent.values()] == [99, 99, 99, 99]
    assert all(season.publisher.store.audit(day).ok for day in season.sent)


@pytest.mark.parametrize("answer", ["550 5.7.1 blocked by policy", "552 5.2.2 mailbox full"])
def test_other_refusals_never_block(season: Season, answer: str) -> None:
    for _ in range(4):
        season.issue(one(answer))
    assert season.blocked == []


def test_resumed_issue_counts_a_refusal_once(season: Season) -> None:
    for _ in range(3):
        season.issue(one(UNKNOWN))
        season.clock.time -= timedelta(days=1)
    assert season.blocked == [], "three issues on one day are one day"


def test_server_refusing_us_blames_nobody(season: Season) -> None:
    for _ in range(4):
        with pytest.raises(TransportError):
            season.issue({"MAIL": ["550 5.1.8 sender refused"] * READERS})
        season.day += timedelta(days=1)
        season.clock.time += timedelta(days=1)
    assert season.blocked == []


def test_server_knowing_nobody_blames_nobody(season: Season) -> None:
    few = season.publisher.store.readers()[5:]
    for reader in few:
        season.publisher.store.set_status(reader.subscriber.email, "unsubscribed", now=NOON)
    for _ in range(4):
        season.issue({"RCPT": [UNKNOWN] * 5})
    assert season.blocked == []
    assert [*season.sent.values()] == [0, 0, 0, 0]
