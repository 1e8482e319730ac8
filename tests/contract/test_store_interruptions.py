"""The database fails during a run: at each statement, commits included."""

import asyncio
import contextlib
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from newsletter.app.clock import SystemClock
from newsletter.delivery.delivering import DeliveryRun
from newsletter.errors import StoreError
from newsletter.model import Claim, Counts, Envelope
from newsletter.ports import Store
from newsletter.stores import open_store
from newsletter.stores.sql import SqlStore
from newsletter.transports.smtp import SmtpSettings, SmtpTransport
from tests.faults.contenders import CONTENDERS
from tests.faults.torture_run import MARKED
from tests.support.databases import empty_store
from tests.support.factories import DAY
from tests.support.failing_databases import Interruption, interrupt_sqlite, interrupted_postgres
from tests.support.frozen_issues import freeze_one_issue
from tests.support.outgoing import BODY
from tests.support.smtp_servers import FaultyServer, faulty_server

NAMES = ("ada", "bob", "cyd", "dan", "eve")
LINES = 2
STEP = 1 if os.environ.get("NEWSLETTER_TESTS") == "full" else 15


def build_envelope(claim: Claim) -> Envelope:
    """The letter of a claim."""
    email = claim.edition.to.email
    return Envelope("papers@example.org", email, f"<{claim.reader}@example.org>", BODY)


def freeze_if_needed(store: Store) -> None:
    """Freeze the issue, unless it is frozen already."""
    if not store.waves(DAY):
        freeze_one_issue(store, *NAMES)


async def freeze_and_deliver(store: Store, server: FaultyServer, run: str) -> Counts:
    """Freeze the issue, unless it is frozen already, and deliver what is open."""
    freeze_if_needed(store)
    settings = SmtpSettings(host=server.host, port=server.port, security="none", connections=LINES)
    clock = SystemClock()
    return await DeliveryRun(
        store, SmtpTransport(settings, clock), clock, DAY, build_envelope, run=run
    ).deliver()


@contextlib.contextmanager
def interrupted_store(url: str, cut: Interruption) -> Iterator[Store]:
    """A store whose database fails at this interruption."""
    if url.startswith("sqlite"):
        with contextlib.closing(SqlStore(url)) as opened:
            interrupt_sqlite(opened, cut)
            yield opened
        return
    with interrupted_postgres(url, cut) as proxied, contextlib.closing(SqlStore(proxied)) as opened:
        yield opened


async def interrupt_and_resume(url: str, cut: Interruption) -> None:
    """Interrupt a run, check what must hold then, and finish the issue in a second run."""
    async with faulty_server({}) as server:
        with contextlib.suppress(StoreError), interrupted_store(url, cut) as store:
            await freeze_and_deliver(store, server, "first")
        received = Counter(one.recipient for one in server.received)
        assert max(received.values(), default=1) == 1
        ledger = CONTENDERS["newsletter"].ledger(url)
        assert len(ledger) in {0, len(NAMES)}  # the whole issue is frozen, or nothing
        accepted = {email for email, (state, _) in ledger.items() if state == "accepted"}
        assert accepted <= set(received)
        assert all(ledger[email][0] in MARKED for email in received)
        check_invariants(url)
        await resume(url, server)


async def resume(url: str, server: FaultyServer) -> None:
    """Check that the next run brings the letter to every reader."""
    store = open_store(url)
    store.end_leases(DAY, store.claiming_runs(DAY), now=SystemClock().now())
    counts = await freeze_and_deliver(store, server, "second")
    store.close()
    assert counts == Counts(accepted=len(NAMES))
    ledger = CONTENDERS["newsletter"].ledger(url)
    received = Counter(one.recipient for one in server.received)
    assert set(received) == set(ledger)
    in_doubt = {email: doubts for email, (_, doubts) in ledger.items() if doubts}
    assert {email for email, copies in received.items() if copies > 1} <= set(in_doubt)
    assert len(in_doubt) <= LINES
    assert max(received.values()) <= 2
    check_invariants(url)


def check_invariants(url: str) -> None:
    """Check that the issue, if it was frozen, keeps every invariant."""
    with contextlib.closing(open_store(url)) as store:
        assert not store.waves(DAY) or store.audit(DAY).ok


def interrupt_each_statement(url: str, *, done: bool, for_good: bool) -> int:
    """Interrupt a run at each statement in turn; return the number of statements."""
    at = 1
    while True:
        cut = Interruption(at, done, for_good)
        asyncio.run(interrupt_and_resume(url, cut))
        if not cut.happened:
            return cut.statements
        _delete_store(url)
        at += STEP


def _delete_store(url: str) -> None:
    if url.startswith("sqlite"):
        for path in Path(url.removeprefix("sqlite:///")).parent.glob("store.db*"):
            path.unlink()
        return
    empty_store(url)


@pytest.mark.slow
@pytest.mark.parametrize("for_good", [False, True], ids=["for a moment", "for good"])
def test_sqlite_interrupted_at_any_statement_goes_on(tmp_path: Path, *, for_good: bool) -> None:
    assert (
        interrupt_each_statement(f"sqlite:///{tmp_path}/store.db", done=False, for_good=for_good)
        > 50
    )


@pytest.mark.slow
@pytest.mark.parametrize("for_good", [False, True], ids=["for a moment", "for good"])
@pytest.mark.parametrize("done", [False, True], ids=["before it is done", "before it is answered"])
def test_postgresql_cut_at_any_statement_goes_on(
    empty_postgres: str, *, done: bool, for_good: bool
) -> None:
    assert interrupt_each_statement(empty_postgres, done=done, for_good=for_good) > 50
