"""Email the operator about what paused, failed, was skipped or went stale."""

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence

from newsletter.delivery.delivering import send_single
from newsletter.errors import TransportError
from newsletter.letter.links import keyed_hash
from newsletter.letter.message import build_note
from newsletter.letter.rendering import LetterTemplates, render_note
from newsletter.model import Accepted, Envelope, NotSent
from newsletter.ports import Transport
from newsletter.publisher.fetching import Backoff
from newsletter.publisher.operator_events import capped, growth_line, list_events, recent_growth
from newsletter.publisher.publisher import Publisher
from newsletter.publisher.ticking import SchedulerState

_log = logging.getLogger(__name__)


async def mail_operator(
    publisher: Publisher,
    state: SchedulerState,
    transport: Transport,
    note_templates: Callable[[], LetterTemplates],
) -> None:
    """Email the operator what has happened and was not reported before; each event once a day.

    How many readers joined and left stands beside that; it is no reason for an email by itself.
    What a process was about to tell when it crashed is told by the next one.

    An email that cannot be sent is logged, and tried again after 1, 2, 4, 8, 15 minutes.

    Raises:
        StoreError: the store cannot be read or written.
    """
    operator, clock = publisher.publication.operator, publisher.clock
    if operator is None or not state.operator_backoff.may_try(clock.now()):
        return
    events = await asyncio.to_thread(lambda: list(list_events(publisher, state.paused)))
    claimed = await asyncio.to_thread(_claim, publisher, [event.key for event in events])
    if not claimed:
        return
    growth = await asyncio.to_thread(recent_growth, publisher)
    claimed_growth = await asyncio.to_thread(_claim, publisher, growth)
    lines = capped(event for event in events if event.key in claimed)
    if claimed_growth:
        lines.append(growth_line([growth[key] for key in growth if key in claimed_growth]))
    envelope = _build_report(publisher, operator, sorted(claimed), lines, note_templates())
    try:
        outcome = await send_single(transport, envelope)
    except TransportError as error:
        outcome = NotSent(str(error))
    told, store = claimed | claimed_growth, publisher.store
    if isinstance(outcome, Accepted):
        await asyncio.to_thread(store.record_notices, told, now=clock.now())
        state.operator_backoff = Backoff()
        _log.info("reported to %s: %s", operator, "; ".join(lines))
        return
    await asyncio.to_thread(store.remove_notices, told)
    state.operator_backoff.failed(clock.now())
    _log.warning("the report to %s was not sent: %s", operator, outcome)


def _claim(publisher: Publisher, keys: Collection[str]) -> frozenset[str]:
    return publisher.store.claim_notices(keys, now=publisher.clock.now())


def _build_report(
    publisher: Publisher,
    operator: str,
    keys: Sequence[str],
    lines: Sequence[str],
    templates: LetterTemplates,
) -> Envelope:
    more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
    name = keyed_hash("operator:" + "\n".join(keys), publisher.keyring)[:16]
    words = {"headline": f"{lines[0][:120]}{more}", "lines": "\n".join(lines)}
    return build_note(
        publisher.publication,
        render_note("report", templates, publisher.publication, words),
        operator,
        name=f"operator.{name}",
        at=publisher.clock.now(),
    )
