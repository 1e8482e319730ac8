"""The name for EHLO, at a real Postfix that takes only full names, as many relays do."""

import asyncio
import json
from pathlib import Path

import pytest

from newsletter.app.wiring import App
from newsletter.config import read_settings
from newsletter.errors import TransportError
from newsletter.model import Accepted, NotSent
from newsletter.transports.smtp import SmtpSettings, SmtpTransport
from newsletter.transports.smtp.settings import helo_name
from tests.support.clocks import SkippingClock
from tests.support.outgoing import DeliveryRecorder, letters
from tests.support.postfix import running_postfix
from tests.support.smtp_servers import Stage, faulty_server

CHECKS = {"smtpd_helo_required": "yes", "smtpd_helo_restrictions": "reject_non_fqdn_helo_hostname"}


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("mail.example.org", "example.net"), "mail.example.org"),
        (("localhost", "example.org"), "example.org"),
        (("3f2a9c01b7de", "example.org"), "example.org"),
        (("localhost.localdomain", "example.org"), "example.org"),
        (("host.local", "example.org"), "example.org"),
        (("1.0.0.127.in-addr.arpa", "example.org"), "example.org"),
        (("10.0.0.1", "example.org"), "example.org"),
        (("under_score.example.org", "example.org"), "example.org"),
        (("localhost", "localhost"), "[127.0.0.1]"),
    ],
)
def test_first_full_name_is_said(names: tuple[str, str], said: str) -> None:
    assert helo_name(*names) == said


def send(folder: Path, port: int, name: str | None, count: int = 2) -> DeliveryRecorder:
    """Send letters as a newsletter with this ``smtp.helo``."""
    smtp = {"host": "127.0.0.1", "port": port, "security": "none", "helo": name}
    file = json.dumps({"name": "N", "sender": "papers@example.org", "smtp": smtp})
    app = App(folder / "newsletter.yaml", read_settings(file.encode(), "", {}), {}, SkippingClock())
    recorder = DeliveryRecorder()
    sending = app.transport().send(recorder.stream(letters(count)), recorder.mark, recorder.settle)
    asyncio.run(sending)
    return recorder


@pytest.mark.slow
@pytest.mark.parametrize("delayed", ["yes", "no"])
def test_postfix_takes_only_a_full_name(tmp_path: Path, delayed: str) -> None:
    """Postfix refuses the name after RCPT, or at once."""
    with running_postfix(
        {}, **CHECKS, mydestination="example.org", smtpd_delay_reject=delayed
    ) as relay:
        for name in (None, "news.example.org", "[192.0.2.1]"):
            sent = send(tmp_path, relay.port, name)
            assert all(isinstance(outcome, Accepted) for _, outcome in sent.settled)
        for count in (1, 2):
            with pytest.raises(TransportError, match=r"Helo command rejected.*set smtp\.helo"):
                send(tmp_path, relay.port, "localhost", count)


@pytest.mark.parametrize("pipelining", [False, True])
@pytest.mark.parametrize(
    ("stage", "reply"),
    [
        ("EHLO", "501 5.5.4 Invalid domain name"),
        ("EHLO", "501 Syntactically invalid EHLO argument(s)"),
        ("EHLO", "421 4.7.0 Try again later, closing connection. (EHLO)"),
        ("MAIL", "550 5.7.1 Access denied - Invalid HELO name (See RFC2821 4.1.1.1)"),
        ("RCPT", "550 HELO should be a FQDN or address literal"),
        ("RCPT", "504 5.5.2 <localhost>: Helo command rejected: need fully-qualified hostname"),
    ],
)
def test_every_refusal_of_the_name_names_the_setting(
    stage: Stage, reply: str, *, pipelining: bool
) -> None:
    async def scenario() -> str:
        recorder = DeliveryRecorder()
        async with faulty_server({stage: [reply] * 20}, pipelining=pipelining) as server:
            settings = SmtpSettings(host="127.0.0.1", port=server.port, security="none")
            transport = SmtpTransport(settings, SkippingClock())
            with pytest.raises(TransportError) as caught:
                await transport.send(recorder.stream(letters(1)), recorder.mark, recorder.settle)
        assert isinstance(recorder.outcome("reader1@example.org"), NotSent), "nobody is blamed"
        return str(caught.value)

    message = asyncio.run(scenario())
    assert "set smtp.helo" in message
    assert "refuses the sender" not in message
