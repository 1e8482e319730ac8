"""Tell the operator, by a letter, what paused, failed or went stale: each once a day."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import timedelta
from zoneinfo import ZoneInfo

from newsletter.delivery.single import post
from newsletter.errors import TransportError
from newsletter.letter.links import keyed_hash
from newsletter.letter.message import build_note
from newsletter.letter.rendering import LetterTemplates
from newsletter.letter.rendering import render_note as rendering
from newsletter.model import Accepted, Envelope, NotSent
from newsletter.ports import Transport
from newsletter.publisher.fetch_schedule import Backoff
from newsletter.publisher.publisher import Publisher
from newsletter.publisher.reporting import IssueReport, report, so_far
from newsletter.publisher.ticking import NO_SOURCE, SchedulerState
from newsletter.text import clean

RECENT = timedelta(days=2)
"""Issues older than that are no news."""

_LONGEST = 500
"""Characters of an event that are told."""


async def tell_operator(
    publisher: Publisher,
    scheduler_state: SchedulerState,
    transport: Transport,
    stationery: Callable[[], LetterTemplates],
    told: Callable[[str], None],
) -> None:
    """Send the operator a letter of what happened and was not told yet, where there is one.

    A letter that cannot be sent is told in a line, and tried again after 1, 2, 4, 8, 15 minutes;
    it makes no event of its own.

    Raises:
        StoreError: the store cannot be read or written.
    """
    operator = publisher.publication.operator
    if operator is None or not scheduler_state.telling.may_try(publisher.clock.now()):
        return
    events = await asyncio.to_thread(lambda: dict(_events(publisher, scheduler_state)))
    new = await asyncio.to_thread(
        publisher.store.record_notices, events.keys(), now=publisher.clock.now()
    )
    if not new:
        return
    told_of = {event: words for event, words in events.items() if event in new}
    envelope = _envelope(publisher, operator, told_of, stationery())
    try:
        outcome = await post(transport, envelope)
    except TransportError as error:
        outcome = NotSent(str(error))
    if isinstance(outcome, Accepted):
        scheduler_state.telling = Backoff()
        told(f"told {operator}: {'; '.join(told_of.values())}")
        return
    await asyncio.to_thread(publisher.store.remove_notices, new)
    scheduler_state.telling.failed(publisher.clock.now())
    told(f"{operator} could not be told: {outcome}")


def _events(publisher: Publisher, scheduler_state: SchedulerState) -> Iterator[tuple[str, str]]:
    """What has happened, each under a name of its own that holds for a day."""
    for day, why in scheduler_state.paused.items():
        yield f"{day}: paused", f"{day}: delivery paused, and is tried again: {_short(why)}"
    now = publisher.clock.now()
    newest = next(so_far(publisher.store, now), None)
    if newest is None or newest < now.date() - RECENT:
        return
    found = report(publisher.store, newest)
    yield from _of_issue(found)
    zone = ZoneInfo(publisher.publication.timezone)
    for source in publisher.store.sources().values():
        asked_for_it = source.checked and source.checked.astimezone(zone).date() == found.day
        if asked_for_it and source.state in {"failed", "stale"}:
            detail = f": {_short(source.detail)}" if source.detail else ""
            name = _short(source.name)
            words = f"{found.day}: source {name} is {source.state}{detail}"
            yield f"{found.day}: source {name} {source.state}", words


def _of_issue(found: IssueReport) -> Iterator[tuple[str, str]]:
    counts, day = found.counts, found.day
    if found.state == "done_with_errors":
        ends = {"failed": counts.failed, "expired": counts.expired, "held in doubt": counts.held}
        told = ", ".join(f"{count} {end}" for end, count in ends.items() if count)
        words = f"{day}: of {counts.planned} letters {told}; newsletter status {day} names them"
        yield f"{day}: letters", words
    elif found.state == "held":
        yield f"{day}: held", f"{day}: held: {_short(found.reason)}"
    elif found.reason == NO_SOURCE:
        yield f"{day}: {NO_SOURCE}", f"{day}: {NO_SOURCE}; nothing is sent until one does"


def _short(words: str) -> str:
    return clean(words)[:_LONGEST]


def _envelope(
    publisher: Publisher, operator: str, events: dict[str, str], stationery: LetterTemplates
) -> Envelope:
    words = [*events.values()]
    more = f" (and {len(words) - 1} more)" if len(words) > 1 else ""
    named = keyed_hash("operator:" + "\n".join(sorted(events)), publisher.keyring)[:16]
    said = {"headline": f"{words[0][:120]}{more}", "lines": "\n".join(words)}
    return build_note(
        publisher.publication,
        rendering("report", stationery, publisher.publication, said),
        operator,
        name=f"operator.{named}",
        at=publisher.clock.now(),
    )
