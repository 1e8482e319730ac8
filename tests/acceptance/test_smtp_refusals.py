"""Refusals during SMTP sessions: only a reader whose mailbox does not exist is blocked."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import pytest

from newsletter.errors import TransportError
from newsletter.model import Subscriber
from newsletter.publisher.fetching import fetch_sources
from newsletter.publisher.publisher import Publisher
from newsletter.publisher.publishing import freeze, publish, waiting_readers
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
class DailyIssues:
    """A hundred readers, an issue every day, and a server with a script of faults for each day."""

    publisher: Publisher
    clock: ManualClock
    day: date = DAY
    sent: dict[date, int] = field(default_factory=dict)

    def issue(self, script: Mapping[Stage, Sequence[Reply]], *, pipelining: bool = True) -> None:
        """Send the next day's issue to a server with this script."""
        titles = StubSource(f"Paper of {self.day}")
        asyncio.run(
            fetch_sources(
                [titles], self.publisher.store, self.day, self.clock, lambda _report: None
            )
        )
        freeze(self.publisher, self.day, waiting_readers(self.publisher, self.day), ())
        self.sent[self.day] = asyncio.run(self._send(script, pipelining))
        self.day += timedelta(days=1)
        self.clock.time += timedelta(days=1)

    async def _send(self, script: Mapping[Stage, Sequence[Reply]], pipelining: bool) -> int:  # noqa: FBT001 - passed on
        async with faulty_server(script, pipelining=pipelining) as server:
            settings = SmtpSettings(
                host=server.host, port=server.port, security="none", connections=1
            )
            transport = SmtpTransport(settings, self.clock)
            run = KnownRuns(f"run{self.day:%d}")
            await publish(
                self.publisher, self.day, transport, run_lock=run, progress=lambda _counts: None
            )
            return sum(bool(one.content) for one in server.received)

    @property
    def blocked(self) -> list[str]:
        return [one.email for one in self.publisher.store.suppressions()]


@pytest.fixture
def issues(tmp_path: Path) -> Iterator[DailyIssues]:
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    listed_subscribers = [Subscriber(f"r{n:02}@example.org") for n in range(READERS)]
    store.sync_subscribers(listed_subscribers, now=NOON)
    clock = ManualClock()
    yield DailyIssues(publisher_over(store, clock=clock), clock)
    store.close()


def refuse_one(answer: str, place: int = 41) -> Mapping[Stage, Sequence[Reply]]:
    """A server that refuses one of a hundred readers at RCPT."""
    return {"RCPT": [*[OK] * place, answer]}


@pytest.mark.slow
@pytest.mark.parametrize("pipelining", [True, False])
def test_unknown_user_on_three_days_blocks_that_reader(
    issues: DailyIssues,
    pipelining: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    for _ in range(2):
        issues.issue(refuse_one(UNKNOWN), pipelining=pipelining)
        assert issues.blocked == []
    issues.issue(refuse_one(UNKNOWN), pipelining=pipelining)
    assert issues.blocked == ["r41@example.org"]
    (why,) = issues.publisher.store.suppressions()
    assert why.why.startswith("hard bounces on 3 days")
    assert UNKNOWN in why.why
    issues.issue({})
    assert [*issues.sent.values()] == [99, 99, 99, 99]
    assert all(issues.publisher.store.audit(day).ok for day in issues.sent)


@pytest.mark.slow
@pytest.mark.parametrize("answer", ["550 5.7.1 blocked by policy", "552 5.2.2 mailbox full"])
def test_other_refusals_never_block(issues: DailyIssues, answer: str) -> None:
    for _ in range(4):
        issues.issue(refuse_one(answer))
    assert issues.blocked == []


@pytest.mark.slow
def test_resumed_issue_counts_a_refusal_once(issues: DailyIssues) -> None:
    for _ in range(3):
        issues.issue(refuse_one(UNKNOWN))
        issues.clock.time -= timedelta(days=1)
    assert issues.blocked == [], "three issues on one day are one day"


@pytest.mark.slow
def test_server_refusing_us_blames_nobody(issues: DailyIssues) -> None:
    for _ in range(4):
        with pytest.raises(TransportError):
            issues.issue({"MAIL": ["550 5.1.8 sender refused"] * READERS})
        issues.day += timedelta(days=1)
        issues.clock.time += timedelta(days=1)
    assert issues.blocked == []


@pytest.mark.slow
def test_server_knowing_nobody_blames_nobody(issues: DailyIssues) -> None:
    few = issues.publisher.store.readers()[5:]
    for reader in few:
        issues.publisher.store.set_status(reader.subscriber.email, "unsubscribed", now=NOON)
    for _ in range(4):
        issues.issue({"RCPT": [UNKNOWN] * 5})
    assert issues.blocked == []
    assert [*issues.sent.values()] == [0, 0, 0, 0]
