"""Preview and rehearse: the letters as they would go, nothing of them stored."""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from newsletter.errors import TransportError
from newsletter.model import Accepted, Claim, Edition, Envelope, Letter, Outcome, Reader, Rendering
from newsletter.ports import Transport
from newsletter.publisher.desk import Desk
from newsletter.publisher.drafting import draft, editions
from newsletter.publisher.pressroom import Pressroom, Printer


@dataclass(frozen=True, slots=True)
class Proof:
    """One reader's letter before it goes."""

    edition: Edition
    rendering: Rendering
    envelope: Envelope


def preview(desk: Desk, day: date, readers: Sequence[Reader]) -> Iterator[Proof]:
    """Each reader's letter: as it was frozen, where it was, else as it would be cut now."""
    pressroom = Pressroom(desk, day)
    rest = []
    for reader in readers:
        frozen = desk.store.edition(day, reader.subscriber.email)
        if frozen is None:
            rest.append(reader)
        else:
            yield Proof(frozen[1], *pressroom.letter(*frozen))
    if rest:
        made = draft(desk, day, rest, ())
        printer = Printer(made.sheet, desk.keyring)
        for edition in editions(desk, made, rest):
            yield Proof(edition, *printer.letter(edition))


async def rehearse(proofs: Iterable[Proof], transport: Transport) -> int:
    """Put letters through a door that keeps them here; how many there were.

    Raises:
        TransportError: one was not taken.
    """
    sent = 0

    async def letters() -> AsyncIterator[Letter]:
        for proof in proofs:
            claim = Claim(0, proof.edition.standing.reader.id, "rehearsal", proof.edition, 1)
            yield Letter(claim, proof.envelope)

    async def mark(_letter: Letter) -> bool:
        return True

    async def settle(letter: Letter, outcome: Outcome) -> None:
        nonlocal sent
        if not isinstance(outcome, Accepted):
            raise TransportError(f"{letter.envelope.recipient}: {outcome}")
        sent += 1

    await transport.send(letters(), mark, settle)
    return sent
