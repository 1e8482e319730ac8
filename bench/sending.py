"""One sender in its own process, so that its CPU time is separate from the server's.

``python -m bench.sending newsletter|newsletter-uvloop|obvious FOLDER PORT CONNECTIONS LETTERS``

*newsletter* is the product from its ledger to the connection: claims, letters, marks, settlements,
and the send journal, as users run it, on asyncio's event loop or on uvloop's. *obvious* renders
Jinja, MJML and an ``EmailMessage`` for each reader, sends it with aiosmtplib's ``send_message`` and
commits a row. Each prints its letters, seconds and CPU seconds as JSON, and the CPU seconds of its
start and imports.
"""

import asyncio
import json
import os
import resource
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import aiosmtplib

from bench.compose import KEYS, PUBLICATION, editions_of, obvious_letters
from bench.resident import resident
from bench.workload import DAY, Morning, histories, morning
from newsletter.app.clock import SystemClock
from newsletter.delivery.delivering import DeliveryRun
from newsletter.issue.composing import IssueMasks
from newsletter.issue.editions import EditionLimits, compose_edition
from newsletter.letter.fragments import IssueFragments
from newsletter.letter.links import keyed_hash
from newsletter.letter.message import MessageBuilder
from newsletter.letter.rendering import render_issue
from newsletter.letter.views import paper_view
from newsletter.model import PlannedEdition, Reader, Wave
from newsletter.papers import topics
from newsletter.papers.matching import RulesMatcher
from newsletter.stores import SendJournal, open_journaled_store, open_store
from newsletter.templates import load_templates
from newsletter.transports.smtp import SmtpSettings, SmtpTransport

ASYNCIO, UVLOOP, OBVIOUS = "newsletter", "newsletter-uvloop", "obvious"
"""The names of the contenders."""

PAPERS = 200
HTML = 42_000
"""The maximum of HTML bytes per letter, with which letters have 48 KB on average."""

STORE = "newsletter.db"
JOURNAL = "journal"


def prepare(folder: Path, letters: int) -> None:
    """Freeze an issue in a store for this many readers, each with their own edition."""
    day = morning(PAPERS, letters)
    store = open_store(f"sqlite:///{folder / STORE}")
    store.sync_subscribers([reader.subscriber for reader in day.readers], now=day.issue.frozen_at)
    fragments, plans = composed(day, store.readers())
    store.freeze(Wave(0, day.issue, day.issue.frozen_at, fragments.dump()), plans)
    store.close()


def composed(
    day: Morning, readers: Sequence[Reader]
) -> tuple[IssueFragments, Iterator[PlannedEdition]]:
    """The compiled issue, and an edition for each of these readers, in their order."""
    fragments, _ = render_issue(day.issue, PUBLICATION, load_templates())
    filters = [reader.subscriber.filter for reader in readers]
    masks = IssueMasks(day.issue, topics.match_issue(day.issue, filters, RulesMatcher()))
    limits = EditionLimits(fragments.sizes, max_items=60, max_html=HTML)
    at = histories(readers)
    return fragments, (
        PlannedEdition(history, compose_edition(masks, history, limits)) for history in at
    )


async def newsletter(folder: Path, port: int, connections: int) -> int:
    """Deliver the frozen issue; return the number of accepted letters."""
    journal = SendJournal(folder / JOURNAL, lambda email: (keyed_hash(email, KEYS)[:32],))
    store, clock = open_journaled_store(f"sqlite:///{folder / STORE}", journal), SystemClock()
    transport = SmtpTransport(
        SmtpSettings(host="127.0.0.1", port=port, security="none", connections=connections), clock
    )
    (wave,) = store.waves(DAY)
    builder = MessageBuilder(IssueFragments.load(wave.pieces), KEYS)
    counts = await DeliveryRun(
        store,
        transport,
        clock,
        DAY,
        lambda claim: builder.build(claim.edition),
        run=f"bench{os.getpid()}",
    ).deliver()
    store.close()
    return counts.accepted


async def obvious(folder: Path, port: int, letters: int) -> int:
    """Send this many letters the obvious way."""
    day = morning(PAPERS, 2 * letters)
    editions = list(editions_of(day, load_templates()))[:letters]
    views = [paper_view(paper.item) for paper in day.issue.papers]
    ledger = sqlite3.connect(folder / "obvious.db")
    ledger.execute("CREATE TABLE IF NOT EXISTS sent (email TEXT)")
    async with aiosmtplib.SMTP(
        hostname="127.0.0.1", port=port, use_tls=False, start_tls=False
    ) as client:
        for message in obvious_letters(editions, views):
            await client.send_message(message)
            ledger.execute("INSERT INTO sent VALUES (?)", [message["To"]])
            ledger.commit()
    ledger.close()
    return letters


def _factory(kind: str) -> Callable[[], asyncio.AbstractEventLoop] | None:
    if kind != UVLOOP:
        return None
    import uvloop  # noqa: PLC0415 - an extra, which the other contenders do without

    return uvloop.new_event_loop


async def sent(kind: str, folder: Path, port: int, connections: int, letters: int) -> int:
    """Let one contender send; return how many letters left."""
    if kind == OBVIOUS:
        return await obvious(folder, port, letters)
    return await newsletter(folder, port, connections)


def used() -> float:
    """The CPU time of this process in seconds."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    """Send, and print what it took as JSON."""
    kind, folder, *numbers = sys.argv[1:]
    before, start = used(), time.perf_counter()
    with asyncio.Runner(loop_factory=_factory(kind)) as runner:
        done = runner.run(sent(kind, Path(folder), *map(int, numbers)))
    seconds, cpu = time.perf_counter() - start, used() - before
    memory = resident()
    peak = memory.peak if memory else 0.0
    found = {"letters": done, "seconds": seconds, "cpu": cpu, "peak_mb": peak, "start": before}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
