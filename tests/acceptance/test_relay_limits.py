"""Relays with limits: every letter is accepted, nearly as fast as the relay allows."""

import asyncio
import os
from datetime import timedelta
from pathlib import Path

import pytest

from newsletter.errors import TransportError
from newsletter.model import Counts
from newsletter.transports.smtp.relay import RelayFile
from tests.support.factories import DAY, NOON
from tests.support.limited_relays import (
    KINDS,
    Bucket,
    LimitedRelay,
    Quota,
    Window,
    deliver,
    frozen_store,
    limited_relay,
    pass_through,
    transport_to,
)
from tests.support.simulated_time import LoopClock, run_simulated

FULL = os.environ.get("NEWSLETTER_TESTS") == "full"

FEW = 60
LONGEST = "one try in 7"
DAILY = "550 5.1.90 You have reached your daily limit for message recipients"
SENDER = "550 5.1.0 <bounce@example.org>: Sender address rejected: User unknown"


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[pytest.mark.slow] * (kind == LONGEST)) for kind in KINDS]
)
def test_few_letters_pass_nearly_as_fast_as_allowed(kind: str) -> None:
    passage = pass_through(kind, FEW)
    assert passage.counts == Counts(accepted=FEW)
    assert len(set(passage.relay.recipients)) == passage.relay.accepted == FEW
    assert passage.ratio <= (2 if kind == LONGEST else 1.3)
    assert passage.relay.worst_second <= 3 * 8


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_many_letters_pass_nearly_as_fast_as_allowed(kind: str) -> None:
    letters = 500 if kind == LONGEST else 5_000 if FULL else 1_000
    passage = pass_through(kind, letters)
    assert passage.counts == Counts(accepted=letters)
    assert passage.relay.accepted == letters
    assert passage.ratio <= 1.3


@pytest.mark.parametrize("kind", ["10 a session, 452 at DATA", "20 recipients a minute, 450"])
def test_limits_are_kept_without_pipelining(kind: str) -> None:
    passage = pass_through(kind, FEW, pipelining=False)
    assert passage.counts == Counts(accepted=FEW)
    assert passage.ratio <= 1.4


@pytest.mark.slow
def test_next_run_keeps_to_the_learned_limit(tmp_path: Path) -> None:
    async def scenario() -> None:
        relay = LimitedRelay([Bucket(10, 5, "RCPT", "450 4.7.1 rate limit exceeded")], LoopClock())
        async with limited_relay(relay):
            await deliver(frozen_store(200), relay, "run", tmp_path / "relay.json")
            refused = len(relay.refusals)
            assert refused
            await relay.clock.sleep(60)
            relay.refusals.clear()
            await deliver(frozen_store(40), relay, "run", tmp_path / "relay.json")
            assert len(relay.refusals) < min(3, refused)

    run_simulated(scenario())


@pytest.mark.slow
def test_two_issues_at_once_share_what_is_learned() -> None:
    async def scenario() -> None:
        limit = Window(10, 60, "RCPT", "450 4.7.1 Error: too many recipients from 127.0.0.1")
        relay = LimitedRelay([limit], LoopClock())
        async with limited_relay(relay):
            transport = transport_to(relay)
            counts = await asyncio.gather(
                *(
                    deliver(frozen_store(30), relay, name, transport=transport)
                    for name in ("one", "two")
                )
            )
            assert counts == [Counts(accepted=30)] * 2
            assert relay.now < 1.4 * relay.seconds(60, 8)

    run_simulated(scenario())


@pytest.mark.slow
def test_faster_relay_is_used_after_some_days(tmp_path: Path) -> None:
    async def scenario() -> None:
        relay = LimitedRelay(
            [Window(5, 60, "MAIL", "450 4.7.1 Error: too much mail from 127.0.0.1")], LoopClock()
        )
        memory = tmp_path / "relay.json"
        async with limited_relay(relay):
            await deliver(frozen_store(20), relay, "run", memory)
            relay.limits = ()
            took = []
            for _ in range(3):
                await relay.clock.sleep(timedelta(days=5).total_seconds())
                start = relay.now
                await deliver(frozen_store(20), relay, "run", memory)
                took.append(relay.now - start)
            assert took[0] > took[1] > took[2]
            assert took[2] < 1

    run_simulated(scenario())


def test_daily_limit_defers_the_rest_and_blames_nobody(tmp_path: Path) -> None:
    async def scenario() -> None:
        store, memory = frozen_store(45), tmp_path / "relay.json"
        relay = LimitedRelay([Quota(30, "dot", DAILY)], LoopClock())
        async with limited_relay(relay):
            assert await deliver(store, relay, "one", memory) == Counts(accepted=30, deferred=15)
            refused, sessions = len(relay.refusals), relay.sessions
            await relay.clock.sleep(1800)
            assert (await deliver(store, relay, "two", memory)).deferred == 15
            assert (len(relay.refusals), relay.sessions) == (refused, sessions)
            known = RelayFile(memory).load(f"127.0.0.1:{relay.port}", relay.clock.now())
            assert DAILY in known.notice("relay", relay.clock.now())
            relay.limits = ()
            await relay.clock.sleep(4 * 3600)
            assert await deliver(store, relay, "three", memory) == Counts(accepted=45)
            assert known.notice("relay", relay.clock.now()) == ""
        assert store.issue_state(DAY) == ("done", "")
        assert store.audit(DAY).ok

    run_simulated(scenario())


@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "dot"])
def test_refused_sender_stops_the_issue_and_names_the_setting(stage: str) -> None:
    async def scenario() -> None:
        store = frozen_store(3)
        relay = LimitedRelay([Quota(0, stage, SENDER)], LoopClock())  # type: ignore[arg-type]
        async with limited_relay(relay):
            with pytest.raises(
                TransportError, match=r"refuses the sender papers@example.org.*bounces\.address"
            ):
                await deliver(store, relay, "run")
            assert store.counts(DAY).pending == 3
            relay.limits = ()
            assert await deliver(store, relay, "again") == Counts(accepted=3)

    run_simulated(scenario())


@pytest.mark.slow
def test_silent_limit_is_given_up_without_blame() -> None:
    async def scenario() -> None:
        store = frozen_store(FEW)
        relay = LimitedRelay([Quota(5, "RCPT", "450 4.7.1 rate limit exceeded")], LoopClock())
        async with limited_relay(relay):
            with pytest.raises(TransportError, match=r"takes no email.*450 4\.7\.1"):
                await deliver(store, relay, "run")
            counts = store.counts(DAY)
            assert counts.pending + counts.accepted == FEW
            assert len(relay.refusals) < 40
            assert relay.now > 300

    run_simulated(scenario())


def test_rest_ends_if_the_clock_is_set_back(tmp_path: Path) -> None:
    memory = tmp_path / "relay.json"
    known = RelayFile(memory)
    relay = known.load("relay:25", NOON)
    relay.rests_until, relay.changed = NOON + timedelta(hours=1), NOON
    known.save("relay:25", relay)
    assert RelayFile(memory).load("relay:25", NOON).rests(NOON)
    assert not RelayFile(memory).load("relay:25", NOON - timedelta(days=1)).rests(NOON)
