"""A whole issue over real SMTP: each letter arrives once, whatever the server does."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from newsletter.app.clock import SystemClock
from newsletter.delivery.delivering import DeliveryRun
from newsletter.errors import TransportError
from newsletter.model import (
    Claim,
    Counts,
    Edition,
    Envelope,
    Issue,
    PlannedEdition,
    ReaderHistory,
    Recipient,
    Section,
    Wave,
)
from newsletter.ports import Clock, Store
from newsletter.transports.folder import FolderTransport
from newsletter.transports.smtp import SmtpSettings, SmtpTransport
from tests.support.clocks import SkippingClock
from tests.support.databases import temporary_store
from tests.support.factories import DAY, NOON, paper, subscriber
from tests.support.outgoing import BODY
from tests.support.smtp_servers import Fault, FaultyServer, Reply, Stage, faulty_server


def freeze_issue(count: int) -> Store:
    """A store with an issue frozen for this many readers."""
    store = temporary_store()
    readers = [
        store.save_reader(subscriber(f"reader{n}@example.org"), status="confirmed", now=NOON)
        for n in range(count)
    ]
    issue = Issue(DAY, papers=(paper(),), topics=(), cutoff=1, frozen_at=NOON)
    section = Section("Other", cards=(0,), because=("every paper",))
    plans = [
        PlannedEdition(ReaderHistory(one), Edition(Recipient.of(one), (section,)))
        for one in readers
    ]
    store.freeze(Wave(0, issue, due=NOON, pieces=b""), plans)
    return store


def build_envelope(claim: Claim) -> Envelope:
    """The letter of a claim."""
    email = claim.edition.to.email
    return Envelope("papers@example.org", email, f"<{claim.reader}@example.org>", BODY)


async def run(store: Store, server: FaultyServer, clock: Clock, name: str) -> Counts:
    """Deliver the day's issue in one run over four connections."""
    patience = server.timeout
    settings = SmtpSettings(
        host=server.host,
        port=server.port,
        security="none",
        connections=4,
        timeout=patience,
        answer_timeout=patience,
    )
    return await DeliveryRun(
        store, SmtpTransport(settings, clock), clock, DAY, build_envelope, run=name
    ).deliver()


@pytest.mark.parametrize(
    "script",
    [
        {},
        {"connect": ["220 hello", "421 too many", "220 hello", Fault.EOF]},
        {"MAIL": ["250 ok"] * 9 + [Fault.EOF, "451 4.3.0 later", Fault.RESET]},
        {"RCPT": ["250 ok"] * 9 + [Fault.EOF, "421 4.3.0 closing"]},
        {"DATA": ["354 go"] * 9 + [Fault.RESET, "xyz"]},
    ],
)
def test_every_reader_gets_one_letter(script: Mapping[Stage, Sequence[Reply]]) -> None:
    async def scenario() -> None:
        store, clock = freeze_issue(60), SkippingClock()
        async with faulty_server(script) as server:
            assert await run(store, server, clock, "first") == Counts(accepted=60)
            assert await run(store, server, clock, "second") == Counts(accepted=60)
            assert Counter(Counter(one.recipient for one in server.received).values()) == {1: 60}
        assert store.issue_state(DAY) == ("done", "")

    asyncio.run(scenario())


def test_one_readers_failure_affects_only_that_reader() -> None:
    async def scenario() -> None:
        store, clock = freeze_issue(60), SkippingClock()
        script: Mapping[Stage, Sequence[Reply]] = {
            "RCPT": ["250 ok"] * 5 + ["550 5.1.1 nobody", "450 4.2.0 greylisted"],
            "dot": ["250 ok"] * 5 + ["554 5.6.0 no", "452 4.3.1 full", Fault.RESET],
        }
        async with faulty_server(script) as server:
            first = await run(store, server, clock, "first")
            assert first == Counts(accepted=56, failed=2, deferred=2)
            await clock.sleep(300)
            second = await run(store, server, clock, "second")
            assert second == Counts(accepted=58, failed=2)
            copies = Counter(one.recipient for one in server.received)
            assert sorted(copies.values())[-2:] in ([1, 1], [1, 2])

    asyncio.run(scenario())


def test_server_dying_midway_leaves_rest_to_next_run() -> None:
    async def scenario() -> None:
        store, clock = freeze_issue(60), SkippingClock()
        script: Mapping[Stage, Sequence[Reply]] = {"MAIL": ["250 ok"] * 20 + [Fault.EOF] * 99}
        async with faulty_server(script) as server:
            with pytest.raises(TransportError, match="again and again"):
                await run(store, server, clock, "first")
            counts = store.counts(DAY)
            assert counts.accepted == len(server.received) == 20
            assert counts.pending + counts.deferred == 40
            server.script.clear()
            await clock.sleep(300)
            assert await run(store, server, clock, "second") == Counts(accepted=60)
            assert Counter(Counter(one.recipient for one in server.received).values()) == {1: 60}

    asyncio.run(scenario())


async def minutes_until_done(
    store: Store, server: FaultyServer, script: Mapping[Stage, Sequence[Reply]], until: int
) -> int:
    """Run every minute while the server misbehaves until this one; return the minutes it took."""
    clock, bad = SkippingClock(), {stage: list(answers) for stage, answers in script.items()}
    for minute in range(240):
        server.script = {stage: list(answers) for stage, answers in bad.items()}
        if minute >= until:
            server.script = {}
        with contextlib.suppress(TransportError):
            await run(store, server, clock, f"run{minute}")
        counts = store.counts(DAY)
        assert (counts.failed, counts.held, counts.unknown, counts.suppressed) == (0, 0, 0, 0)
        if not counts.open:
            return minute
        assert store.issue_state(DAY) == ("sending", "")
        clock.instant = NOON + timedelta(minutes=minute + 1)
    raise AssertionError(store.counts(DAY))


@pytest.mark.slow
def test_greylisted_letters_arrive_within_half_an_hour() -> None:
    async def scenario() -> None:
        store = freeze_issue(5)
        async with faulty_server({}) as server:
            greylisting: Mapping[Stage, Sequence[Reply]] = {"RCPT": ["450 4.7.1 greylisted"] * 9}
            minutes = await minutes_until_done(store, server, greylisting, until=15)
            assert minutes <= 30
            assert len(server.received) == 5
        assert store.counts(DAY) == Counts(accepted=5)

    asyncio.run(scenario())


@pytest.mark.slow
@pytest.mark.parametrize(
    "script",
    [
        {"connect": ["421 4.3.2 too busy"] * 99},
        {"MAIL": ["421 4.3.2 too busy"] * 99},
        {"MAIL": ["454 4.7.0 not now"] * 99},
        {"dot": ["421 4.3.2 too busy"] * 99},
        {"dot": ["454 4.7.0 not now"] * 99},
    ],
)
def test_hour_of_deferrals_fails_nobody(
    script: Mapping[Stage, Sequence[Reply]],
) -> None:
    async def scenario() -> None:
        store = freeze_issue(5)
        async with faulty_server({}) as server:
            minutes = await minutes_until_done(store, server, script, until=60)
            assert 60 <= minutes <= 120
            assert len(server.received) == len({one.recipient for one in server.received}) == 5
        assert store.counts(DAY) == Counts(accepted=5)
        assert store.issue_state(DAY) == ("done", "")

    asyncio.run(scenario())


@pytest.mark.slow
def test_cancelled_and_rerun_sends_no_letter_twice() -> None:
    async def scenario() -> None:
        store, clock = freeze_issue(200), SystemClock()
        async with faulty_server({}) as server:
            for n in range(5):
                running = asyncio.create_task(run(store, server, clock, f"run{n}"))
                while len(server.received) < 30 * (n + 1):
                    await clock.sleep(0)
                running.cancel()
                await asyncio.wait({running})
                counts = store.counts(DAY)
                assert counts.claimed + counts.committing == 0
            assert (await run(store, server, clock, "last")).open == 0
            assert max(Counter(one.recipient for one in server.received).values()) == 1
            assert len(server.received) == 200

    asyncio.run(scenario())


def test_unwritable_folder_gives_the_letters_back(tmp_path: Path) -> None:
    async def scenario() -> None:
        store, clock = freeze_issue(3), SkippingClock()
        (tmp_path / "file").write_text("in the way", encoding="utf-8")
        transport = FolderTransport(tmp_path / "file" / "out")
        with pytest.raises(TransportError, match="choose a folder that can be written"):
            await DeliveryRun(store, transport, clock, DAY, build_envelope, run="first").deliver()
        assert store.counts(DAY) == Counts(pending=3)

    asyncio.run(scenario())
