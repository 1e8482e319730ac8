"""A relay that refuses everything for an hour, or one reader in a hundred for good."""

import asyncio
import contextlib
import os
import re
from collections import Counter
from collections.abc import Mapping

import pytest

from newsletter.delivery.delivering import DeliveryRun
from newsletter.errors import TransportError
from newsletter.model import Claim, Counts, Envelope
from newsletter.ports import Store
from newsletter.transports.smtp import SmtpSettings, SmtpTransport
from tests.support.clocks import SkippingClock
from tests.support.databases import temporary_store
from tests.support.factories import DAY
from tests.support.frozen_issues import freeze_one_issue
from tests.support.outgoing import BODY
from tests.support.smtp_servers import FaultyServer, Reply, Stage, faulty_server

FULL = os.environ.get("NEWSLETTER_TESTS") == "full"

NEVER = 9999
"""More replies than any test needs."""

NOBODY = "550 5.1.1 nobody here"

Refusals = Mapping[Stage, str]

REFUSALS: list[Refusals] = [
    {"connect": "554 5.7.1 go away"},
    {"MAIL": "550 5.7.1 not with this sender"},
    {"MAIL": "550 sender refused"},
    {"RCPT": "550 5.7.1 relaying denied", "DATA": "503 no recipients"},
    {"RCPT": "550 refused", "DATA": "503 no recipients"},
    {"RCPT": "553 5.1.8 your domain is unknown", "DATA": "503 no recipients"},
    {"dot": "554 5.7.1 spam"},
    {"dot": "554 refused"},
]


def build_envelope(claim: Claim) -> Envelope:
    """The letter of a claim."""
    email = claim.edition.to.email
    return Envelope("papers@example.org", email, f"<{claim.reader}@example.org>", BODY)


async def run(
    store: Store, server: FaultyServer, clock: SkippingClock, name: str, *, connections: int = 4
) -> Counts:
    """Deliver the day's issue in one run."""
    settings = SmtpSettings(
        host=server.host, port=server.port, security="none", connections=connections
    )
    return await DeliveryRun(
        store, SmtpTransport(settings, clock), clock, DAY, build_envelope, run=name
    ).deliver()


def freeze_issue(readers: int) -> Store:
    """A store with an issue frozen for this many readers."""
    store = temporary_store()
    freeze_one_issue(store, *(f"reader{n}" for n in range(readers)))
    return store


@pytest.mark.parametrize(
    "pipelining",
    [
        pytest.param(False, id="lockstep", marks=pytest.mark.slow),
        pytest.param(True, id="pipelined"),
    ],
)
@pytest.mark.parametrize(
    "readers", [5, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 60))]
)
@pytest.mark.parametrize("refusals", REFUSALS, ids=lambda refusals: "".join(refusals.values())[:20])
def test_refusing_relay_blames_nobody_and_ends_no_issue(
    refusals: Refusals, readers: int, *, pipelining: bool
) -> None:
    async def scenario() -> None:
        store, clock = freeze_issue(readers), SkippingClock()
        script: dict[Stage, list[Reply]] = {
            stage: [answer] * NEVER for stage, answer in refusals.items()
        }
        words = re.escape(next(iter(refusals.values())))
        async with faulty_server(script, pipelining=pipelining) as server:
            for minute in range(0, 60, 5):
                before = store.counts(DAY).pending + _due(store, clock)
                if before > 1:
                    with pytest.raises(TransportError, match=words):
                        await run(store, server, clock, f"at{minute}")
                elif before:
                    with contextlib.suppress(TransportError):
                        await run(store, server, clock, f"at{minute}")
                assert store.counts(DAY).open == readers
                assert store.issue_state(DAY) in {("frozen", ""), ("sending", "")}
                await clock.sleep(300)
            server.script.clear()
            await clock.sleep(3600)
            assert await run(store, server, clock, "mended") == Counts(accepted=readers)
            assert Counter(one.recipient for one in server.received).most_common(1)[0][1] == 1
            assert len(server.received) == readers
        assert {reader.status for reader in store.readers()} == {"confirmed"}
        assert store.issue_state(DAY) == ("done", "")
        assert store.audit(DAY).ok

    asyncio.run(scenario())


@pytest.mark.slow
@pytest.mark.parametrize("pipelining", [False, True], ids=["lockstep", "pipelined"])
@pytest.mark.parametrize("connections", [1, 2, 8] if FULL else [1, 8])
@pytest.mark.parametrize("readers", [2, 21, 22, 33, 43, 64, 85] if FULL else [2, 22, 43])
@pytest.mark.parametrize("stage", ["RCPT", "dot"])
def test_nobody_is_blamed_even_with_few_left(
    stage: Stage, readers: int, connections: int, *, pipelining: bool
) -> None:
    """One or two letters may remain that are tried at another time than the others."""

    async def scenario(gap: int) -> None:
        store, clock = freeze_issue(readers), SkippingClock()
        script: dict[Stage, list[Reply]] = {stage: ["550 go away"] * NEVER}
        if stage == "RCPT":
            script["DATA"] = ["503 no recipients"] * NEVER
        async with faulty_server(script, pipelining=pipelining) as server:
            for minute in range(0, 60, gap):
                with contextlib.suppress(TransportError):
                    name = f"at{minute}"
                    await run(store, server, clock, name, connections=connections)
                assert store.counts(DAY).open == readers
                await clock.sleep(60 * gap)

    for gap in (1, 5, 7):
        asyncio.run(scenario(gap))


def _due(store: Store, clock: SkippingClock) -> int:
    """The number of deferred letters that are due now."""
    return sum(
        one.state == "deferred" and one.next_try is not None and one.next_try <= clock.now()
        for one in store.deliveries(DAY)
    )


@pytest.mark.slow
@pytest.mark.parametrize("pipelining", [False, True], ids=["lockstep", "pipelined"])
def test_one_percent_refusals_end_only_those_letters(*, pipelining: bool) -> None:
    async def scenario() -> None:
        store, clock = freeze_issue(400), SkippingClock()
        script: dict[Stage, list[Reply]] = {"RCPT": [*["250 ok"] * 99, NOBODY] * 4}
        if pipelining:
            script["DATA"] = [*["354 go on"] * 99, "503 no recipients"] * 4
        async with faulty_server(script, pipelining=pipelining) as server:
            counts = await run(store, server, clock, "run")
            assert counts == Counts(accepted=396, failed=4)
            assert await run(store, server, clock, "again") == counts
            got = Counter(one.recipient for one in server.received)
        failed = {one.email: one.reply for one in store.deliveries(DAY) if one.state == "failed"}
        assert set(failed.values()) == {NOBODY}
        assert set(got.values()) == {1}
        assert not failed.keys() & got.keys()
        assert {reader.status for reader in store.readers()} == {"confirmed"}
        assert store.issue_state(DAY) == ("done_with_errors", "")
        assert store.audit(DAY).ok

    asyncio.run(scenario())


def test_short_list_refusals_are_told_from_relay_refusals() -> None:
    async def scenario() -> None:
        store, clock = freeze_issue(3), SkippingClock()
        async with faulty_server({"RCPT": [NOBODY] * NEVER}) as server:
            assert await run(store, server, clock, "run") == Counts(failed=3)
        assert store.issue_state(DAY) == ("done_with_errors", "")

    asyncio.run(scenario())
