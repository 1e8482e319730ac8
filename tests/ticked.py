"""A look at the clock and what follows, all from one process."""

from datetime import date

from newsletter.model import Counts
from newsletter.ports import Owner, Transport
from newsletter.publisher.newsletter import Desk
from newsletter.publisher.publishing import publish
from newsletter.publisher.ticking import Rota, Told, deliver_open, look


async def tick(
    desk: Desk, rota: Rota, transport: Transport, *, owner: Owner, turn: str, told: Told
) -> None:
    """Do whatever the present instant asks for; see :func:`look` and :func:`deliver_open`."""

    async def deliver(day: date, turn: str) -> Counts:
        return await publish(
            desk, day, transport, owner=owner, turn=turn, progress=lambda _counts: None
        )

    await look(desk, rota, told)
    await deliver_open(desk, rota, deliver, turn=turn, told=told)
