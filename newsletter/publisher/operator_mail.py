"""Email the operator about what paused, failed, was skipped or went stale."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta

from newsletter.delivery.delivering import send_single
from newsletter.errors import TransportError
from newsletter.letter.links import keyed_hash
from newsletter.letter.message import build_note
from newsletter.letter.rendering import LetterTemplates, render_note
from newsletter.model import Accepted, Envelope, NotSent, ReaderFault
from newsletter.model.zones import load_zone
from newsletter.ports import Transport
from newsletter.publisher.fetching import Backoff
from newsletter.publisher.publisher import Publisher
from newsletter.publisher.publishing import NO_SOURCE
from newsletter.publisher.reporting import (
    ERROR_WORDS,
    IssueReport,
    find_reader_faults,
    known_health,
    mass_words,
    report,
    reported_days,
)
from newsletter.publisher.ticking import SchedulerState, local_date
from newsletter.text import clean

_log = logging.getLogger(__name__)

NEWS_FOR = timedelta(days=2)  # the operator gets no email about older issues

_MAX_EVENT = 500  # characters of an event that the email quotes


async def mail_operator(
    publisher: Publisher,
    state: SchedulerState,
    transport: Transport,
    note_templates: Callable[[], LetterTemplates],
) -> None:
    """Email the operator what has happened and was not reported before; each event once a day.

    An email that cannot be sent is logged, and tried again after 1, 2, 4, 8, 15 minutes.

    Raises:
        StoreError: the store cannot be read or written.
    """
    operator, clock = publisher.publication.operator, publisher.clock
    if operator is None or not state.operator_backoff.may_try(clock.now()):
        return
    events = await asyncio.to_thread(lambda: dict(_list_events(publisher, state)))
    new = await asyncio.to_thread(publisher.store.record_notices, events.keys(), now=clock.now())
    if not new:
        return
    reported = {event: words for event, words in events.items() if event in new}
    envelope = _build_report(publisher, operator, reported, note_templates())
    try:
        outcome = await send_single(transport, envelope)
    except TransportError as error:
        outcome = NotSent(str(error))
    if isinstance(outcome, Accepted):
        state.operator_backoff = Backoff()
        _log.info("reported to %s: %s", operator, "; ".join(reported.values()))
        return
    await asyncio.to_thread(publisher.store.remove_notices, new)
    state.operator_backoff.failed(clock.now())
    _log.warning("the report to %s was not sent: %s", operator, outcome)


def _list_events(publisher: Publisher, state: SchedulerState) -> Iterator[tuple[str, str]]:
    """What has happened, each with a key under which it is reported once."""
    for day, why in state.paused.items():
        yield f"{day}: paused", f"{day}: delivery is paused and will be tried again: {_short(why)}"
    now = publisher.clock.now()
    for found in publisher.store.mass_reports(since=now.date() - NEWS_FOR):
        yield f"{found.letter}: mass reports", mass_words(found)
    newest = next(reported_days(publisher.store, now), None)
    if newest is None or newest < now.date() - NEWS_FOR:
        today = local_date(publisher, now)
        yield from _reader_events(today, find_reader_faults(publisher, today))
        return
    current = report(publisher, newest)
    yield from _issue_events(current)
    yield from _reader_events(newest, current.reader_faults)
    zone = load_zone(publisher.publication.timezone)
    for source in known_health(publisher):
        for_this_issue = source.checked and source.checked.astimezone(zone).date() == newest
        if for_this_issue and source.state in {"failed", "partial", "stale"}:
            detail = f": {_short(source.detail)}" if source.detail else ""
            name = _short(source.name)
            words = f"{newest}: source {name} is {source.state}{detail}"
            yield f"{newest}: source {name} {source.state}", words


def _issue_events(report: IssueReport) -> Iterator[tuple[str, str]]:
    counts, day = report.counts, report.day
    if report.state == "done_with_errors":
        errors = {word: counts.of({state}) for state, word in ERROR_WORDS.items()}
        listed = ", ".join(f"{count} {error}" for error, count in errors.items() if count)
        words = f"{day}: of {counts.planned} letters {listed}; newsletter status {day} names them"
        yield f"{day}: letters", words
    elif report.state == "held":
        yield f"{day}: held", f"{day}: held: {_short(report.reason)}"
    elif report.reason == NO_SOURCE:
        yield f"{day}: {NO_SOURCE}", f"{day}: {NO_SOURCE}; nothing is sent until one does"
    for fault in report.faults:
        yield f"{day}: {fault.partition(': ')[0]}", f"{day}: {_short(fault)}"


def _reader_events(day: date, faults: Sequence[ReaderFault]) -> Iterator[tuple[str, str]]:
    """What is reported of readers: once a day of one who is skipped, once of one who is served."""
    for fault in faults:
        said = _short(fault.words)
        if fault.served:
            yield f"reader {fault.id}: {said}", f"reader {fault.email}: {said}"
        else:
            words = f"{day}: reader {fault.email} was skipped: {said}; tried again until it works"
            yield f"{day}: reader {fault.id}", words


def _short(words: str) -> str:
    return clean(words)[:_MAX_EVENT]


def _build_report(
    publisher: Publisher, operator: str, events: dict[str, str], templates: LetterTemplates
) -> Envelope:
    first, *others = events.values()
    more = f" (and {len(others)} more)" if others else ""
    name = keyed_hash("operator:" + "\n".join(sorted(events)), publisher.keyring)[:16]
    words = {"headline": f"{first[:120]}{more}", "lines": "\n".join((first, *others))}
    return build_note(
        publisher.publication,
        render_note("report", templates, publisher.publication, words),
        operator,
        name=f"operator.{name}",
        at=publisher.clock.now(),
    )
