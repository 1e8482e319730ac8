"""Post: one letter that is in no issue."""

from collections.abc import AsyncGenerator

from newsletter.model import Claim, Edition, Envelope, Letter, NotSent, Outcome, Recipient
from newsletter.ports import Transport


async def post(transport: Transport, envelope: Envelope) -> Outcome:
    """Send one letter that is in no issue, and of which no ledger knows; what became of it.

    Raises:
        TransportError: the server as a whole refuses us or is gone.
    """
    edition = Edition(Recipient(0, envelope.recipient), sections=())
    claim = Claim(0, 0, "note", edition, attempt=1)
    outcomes: list[Outcome] = []

    async def letters() -> AsyncGenerator[Letter]:
        yield Letter(claim, envelope)

    async def mark(_letter: Letter) -> bool:
        return True

    async def settle(_letter: Letter, outcome: Outcome) -> None:
        outcomes.append(outcome)

    await transport.send(letters(), mark, settle)
    return outcomes[-1] if outcomes else NotSent("nothing was said of it")
