"""The demo's inbox takes real mail and keeps it as files."""

import asyncio
from pathlib import Path

from newsletter.cli.demo import Inbox
from newsletter.model import Accepted
from newsletter.transports.smtp import SmtpSettings, SmtpTransport
from tests.support.clocks import SkippingClock
from tests.support.outgoing import DeliveryRecorder, letter, letters


def test_every_letter_becomes_a_file(tmp_path: Path) -> None:
    async def scenario() -> None:
        counter, sent = DeliveryRecorder(), letters(12)
        async with Inbox(tmp_path / "inbox") as inbox:
            transport = SmtpTransport(
                SmtpSettings(host=inbox.host, port=inbox.port, security="none"), SkippingClock()
            )
            await transport.send(counter.stream(sent), counter.mark, counter.settle)
        files = {path.name.partition("-")[2]: path.read_bytes() for path in inbox.folder.iterdir()}
        assert files == {
            f"{one.envelope.recipient}.eml": b"".join(one.envelope.content) for one in sent
        }
        assert all(isinstance(outcome, Accepted) for _, outcome in counter.settled)

    asyncio.run(scenario())


def test_hostile_recipient_stays_in_the_folder(tmp_path: Path) -> None:
    async def scenario() -> None:
        counter = DeliveryRecorder()
        async with Inbox(tmp_path / "inbox") as inbox:
            transport = SmtpTransport(
                SmtpSettings(host=inbox.host, port=inbox.port, security="none"), SkippingClock()
            )
            hostile = [letter("../../x/../y@example.org")]
            await transport.send(counter.stream(hostile), counter.mark, counter.settle)

    asyncio.run(scenario())
    (path,) = tmp_path.rglob("*.eml")
    assert path.parent == tmp_path / "inbox"
