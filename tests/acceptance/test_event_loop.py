"""Letters are sent on either event loop: Python's own and uvloop's."""

import asyncio
import sys
from collections.abc import Coroutine
from pathlib import Path

import pytest
import uvloop

from newsletter.app import event_loop
from newsletter.config.fields import Security
from newsletter.model import Accepted
from newsletter.transports.smtp import SmtpSettings, SmtpTransport
from tests.acceptance.test_smtp_security import authority
from tests.support.cli import Newsletter
from tests.support.clocks import SkippingClock
from tests.support.inbox import open_inbox
from tests.support.outgoing import DeliveryRecorder, letter
from tests.support.smtp_servers import working_server

LARGE = tuple(f"{n:06} {'x' * 60}\r\n".encode() * 100 for n in range(300))
"""Two megabytes: more than the kernel takes at once, so that writing must wait for it."""


async def kind() -> str:
    return type(asyncio.get_running_loop()).__module__.partition(".")[0]


def run_on_loop(name: str, work: Coroutine[object, object, None]) -> None:
    factory = uvloop.new_event_loop if name == "uvloop" else None
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(work)


def test_uvloop_is_used_where_installed() -> None:
    assert event_loop.run(kind()) == "uvloop"
    assert event_loop.loop_name().startswith("uvloop ")


def test_asyncio_loop_is_used_without_uvloop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert event_loop.run(kind()) == "asyncio"
    assert "daily-papers-newsletter[fast]" in event_loop.loop_name()


@pytest.mark.slow
@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
@pytest.mark.parametrize("name", ["asyncio", "uvloop"])
def test_large_letters_arrive_whole_in_one_stream(
    name: str, security: Security, tmp_path: Path
) -> None:
    sent = [letter(f"reader{n}@example.org", *LARGE, number=n) for n in range(1, 5)]

    async def scenario() -> None:
        assert await kind() == name
        ours, counter = authority(tmp_path), DeliveryRecorder()
        starttls = ours.server if security == "starttls" else None
        tls = ours.server if security == "tls" else None
        async with working_server(starttls=starttls, tls=tls, pipelining=True) as server:
            settings = SmtpSettings(
                host="localhost",
                port=server.port,
                security=security,
                ca_file=ours.ca_file,
                connections=1,
                timeout=60,
            )
            transport = SmtpTransport(settings, SkippingClock())
            await transport.send(counter.stream(sent), counter.mark, counter.settle)
        assert [one.recipient for one in server.received] == [
            one.envelope.recipient for one in sent
        ]
        assert {one.content for one in server.received} == {b"".join(LARGE)}
        assert {type(outcome) for _, outcome in counter.settled} == {Accepted}

    run_on_loop(name, scenario())


@pytest.mark.slow
def test_doctor_names_the_event_loop(tmp_path: Path) -> None:
    with open_inbox() as inbox:
        newsletter = Newsletter(tmp_path, inbox.port)
        newsletter.configure()
        newsletter.subscribe({"email": "ada@example.org"})
        found = newsletter.json("doctor", code=None)
    (said,) = [check["said"] for check in found["checks"] if check["name"] == "event loop"]
    assert said == event_loop.loop_name()
