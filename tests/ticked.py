"""A look at the clock and what follows, all from one process."""

from datetime import date

from newsletter.model import Counts
from newsletter.ports import RunLock, Transport
from newsletter.publisher.publisher import Publisher
from newsletter.publisher.publishing import publish
from newsletter.publisher.ticking import SchedulerState, Told, deliver_open, look


async def tick(
    publisher: Publisher,
    scheduler_state: SchedulerState,
    transport: Transport,
    *,
    run_lock: RunLock,
    turn: str,
    told: Told,
) -> None:
    """Do whatever the present instant asks for; see :func:`look` and :func:`deliver_open`."""

    async def deliver(day: date, turn: str) -> Counts:
        return await publish(
            publisher, day, transport, run_lock=run_lock, turn=turn, progress=lambda _counts: None
        )

    await look(publisher, scheduler_state, told)
    await deliver_open(publisher, scheduler_state, deliver, turn=turn, told=told)
