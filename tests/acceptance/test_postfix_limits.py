"""A real Postfix with limits of its own; its minute is made three seconds long."""

import asyncio
from pathlib import Path

import pytest

from newsletter.app.clock import SystemClock
from newsletter.delivery.delivering import DeliveryRun
from newsletter.errors import TransportError
from newsletter.model import Counts
from newsletter.transports.smtp import SmtpSettings, SmtpTransport
from tests.support.factories import DAY
from tests.support.limited_relays import build_envelope, frozen_store
from tests.support.postfix import running_postfix

RELAY = {
    "default_transport": "discard:",
    "mydestination": "",
    "smtpd_client_event_limit_exceptions": "",
    "anvil_rate_time_unit": "3s",
}

LIMITS = {
    "smtpd_client_recipient_rate_limit": "20",
    "smtpd_client_message_rate_limit": "20",
    "smtpd_client_connection_rate_limit": "3",
    "smtpd_client_connection_count_limit": "2",
}


def deliver(port: int, letters: int, folder: Path) -> Counts:
    """Deliver an issue to so many readers, in real time."""
    settings = SmtpSettings(host="127.0.0.1", port=port, security="none")
    clock, store = SystemClock(), frozen_store(letters)
    transport = SmtpTransport(settings, clock, folder / "relay.json")
    run = DeliveryRun(store, transport, clock, DAY, build_envelope, run="run")
    counts = asyncio.run(run.deliver())
    assert store.audit(DAY).ok
    return counts


@pytest.mark.parametrize(
    "limit",
    [
        "smtpd_client_connection_count_limit",
        *(pytest.param(name, marks=pytest.mark.slow) for name in list(LIMITS)[:3]),
    ],
)
def test_postfix_accepts_all_within_its_limits(limit: str, tmp_path: Path) -> None:
    with running_postfix({}, **RELAY, **{limit: LIMITS[limit]}) as postfix:
        assert deliver(postfix.port, 60, tmp_path) == Counts(accepted=60)


@pytest.mark.slow
def test_postfix_refusing_the_sender_stops_the_issue(tmp_path: Path) -> None:
    settings = {
        "smtpd_reject_unlisted_sender": "yes",
        "mydestination": "example.org",
        "local_recipient_maps": "inline:{{nobody=nobody}}",
        "smtpd_reject_unlisted_recipient": "no",
    }
    with running_postfix({}, **settings) as postfix:  # noqa: SIM117 - one of them is ours
        with pytest.raises(TransportError, match=r"Sender address rejected.*bounces\.address"):
            deliver(postfix.port, 3, tmp_path)
