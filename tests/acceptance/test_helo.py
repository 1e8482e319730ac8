"""The name for EHLO, at a real Postfix that takes only full names, as many relays do."""

import asyncio
import json
from pathlib import Path

import pytest

from newsletter.app.wiring import App
from newsletter.config import read_settings
from newsletter.errors import TransportError
from newsletter.model import Accepted
from newsletter.transports.smtp.settings import helo_name
from tests.support.clocks import SkippingClock
from tests.support.outgoing import DeliveryRecorder, letters
from tests.support.postfix import running_postfix

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


def send(folder: Path, port: int, name: str | None) -> DeliveryRecorder:
    """Send two letters as a newsletter with this ``smtp.helo``."""
    smtp = {"host": "127.0.0.1", "port": port, "security": "none", "helo": name}
    file = json.dumps({"name": "N", "sender": "papers@example.org", "smtp": smtp})
    app = App(folder / "newsletter.yaml", read_settings(file.encode(), "", {}), {}, SkippingClock())
    recorder = DeliveryRecorder()
    sending = app.transport().send(recorder.stream(letters(2)), recorder.mark, recorder.settle)
    asyncio.run(sending)
    return recorder


@pytest.mark.parametrize("delayed", ["yes", "no"])
def test_postfix_takes_only_a_full_name(tmp_path: Path, delayed: str) -> None:
    """Postfix refuses the name after RCPT, or at once."""
    with running_postfix(
        {}, **CHECKS, mydestination="example.org", smtpd_delay_reject=delayed
    ) as relay:
        for name in (None, "news.example.org", "[192.0.2.1]"):
            sent = send(tmp_path, relay.port, name)
            assert all(isinstance(outcome, Accepted) for _, outcome in sent.settled)
        with pytest.raises(TransportError, match=r"Helo command rejected.*set smtp\.helo"):
            send(tmp_path, relay.port, "localhost")
