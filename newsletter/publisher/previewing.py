"""Preview and rehearse: the letters as they would go, nothing of them stored."""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date

from newsletter.errors import TransportError
from newsletter.issue.editions import EditionLimits, compose_edition
from newsletter.letter.message import MessageBuilder
from newsletter.model import (
    Accepted,
    Claim,
    Edition,
    Envelope,
    Letter,
    Outcome,
    Reader,
    ReaderHistory,
    Rendering,
)
from newsletter.ports import Transport
from newsletter.publisher.drafting import Draft, draft, in_turn, plans, table_for, typeset
from newsletter.publisher.filter_preview import unsent
from newsletter.publisher.issue_mailer import IssueMailer
from newsletter.publisher.publisher import Publisher


@dataclass(frozen=True, slots=True)
class PreviewedLetter:
    """One reader's letter before it goes."""

    edition: Edition
    rendering: Rendering
    envelope: Envelope


def preview(
    publisher: Publisher, day: date, readers: Sequence[Reader], to: str | None = None
) -> Iterator[PreviewedLetter]:
    """Each reader's letter: as it was frozen, where it was, else as it would be cut now.

    Args:
        publisher: the newsletter.
        day: the issue's.
        readers: whose letters.
        to: the address each is made out to instead, as that of a reader who does not exist: its
            links change nothing.
    """
    mailer = IssueMailer(publisher.store, publisher.keyring, day)
    rest = []
    for reader in readers:
        frozen = publisher.store.edition(day, reader.subscriber.email)
        if frozen is None:
            rest.append(reader)
        else:
            wave, edition = frozen[0], _made_out(publisher, frozen[1], to)
            yield PreviewedLetter(edition, *mailer.letter(wave, edition))
    if rest:
        made = draft(publisher, day, min(reader.decided for reader in rest), ())
        found = plans(publisher, made, [rest])
        yield from _printed(
            publisher, made, (_made_out(publisher, plan.edition, to) for plan in found)
        )


def proofs(publisher: Publisher, day: date, readers: Sequence[int]) -> Iterator[PreviewedLetter]:
    """The letters of those, by id, who wait for the issue of ``day``, as they would be cut now.

    Few are in memory at a time, however many they are.
    """
    after = publisher.store.lowest_decided(readers)
    if after is not None:
        made = draft(publisher, day, after, ())
        found = plans(publisher, made, in_turn(publisher, readers))
        yield from _printed(publisher, made, (plan.edition for plan in found))


def anew(publisher: Publisher, day: date, reader: Reader, to: str | None = None) -> PreviewedLetter:
    """A letter of all papers read for a day as if nothing had ever been sent.

    It is set with the templates as they are, also where the day's issue was frozen before.
    ``to`` is as for :func:`preview`.
    """
    new = replace(reader, decided=0)
    made = typeset(publisher, unsent(publisher, day, publisher.store.papers_listed(day)))
    budget = EditionLimits(made.sheet.sizes, publisher.max_items)
    edition = compose_edition(table_for(publisher, made, [new]), ReaderHistory(new), budget)
    (proof,) = _printed(publisher, made, [_made_out(publisher, edition, to)])
    return proof


def _printed(
    publisher: Publisher, made: Draft, editions: Iterable[Edition]
) -> Iterator[PreviewedLetter]:
    builder = MessageBuilder(made.sheet, publisher.keyring)
    for edition in editions:
        yield PreviewedLetter(edition, builder.render(edition), builder.build(edition))


def _made_out(publisher: Publisher, edition: Edition, to: str | None) -> Edition:
    """The edition as somebody else's, under an id that no reader has and no other letter had.

    Mail programs show a letter once whose Message-ID they know, and that is made from the id.
    """
    if to is None:
        return edition
    stranger = replace(edition.to, id=-int(publisher.clock.now().timestamp()), email=to)
    return replace(edition, to=stranger)


async def rehearse(proofs: Iterable[PreviewedLetter], transport: Transport) -> int:
    """Put letters through a door that keeps them here; how many there were.

    Raises:
        TransportError: one was not taken.
    """
    sent = 0

    async def letters() -> AsyncIterator[Letter]:
        for proof in proofs:
            claim = Claim(0, proof.edition.to.id, "rehearsal", proof.edition, 1)
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
