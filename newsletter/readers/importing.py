"""What a list of readers changes in the readers that the store knows, before anything is stored.

Readers of the list whom nobody knows are added. A known reader keeps every field that the list does
not name, and, unless the operator overwrites it, also a field that the list has otherwise.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from newsletter.letter.links import Keyring
from newsletter.model import (
    LEFT,
    SUBSCRIBER_FIELDS,
    FieldChange,
    ListedReader,
    Reader,
    field_changes,
)
from newsletter.readers.erasing import without_erased
from newsletter.readers.service import keep_fields

Kind = Literal["new", "back", "unchanged", "differs", "overwritten", "away", "leaves", "gone"]
"""What becomes of a listed reader.

``new``: gets letters from now on, and did not before. ``back``: the same, and had left.
``differs``: is left alone. ``away``: had left, and stays away. ``leaves``: unsubscribes or is
blocked by the list, and ``gone``: had left already.
"""

STORED: frozenset[Kind] = frozenset({"new", "back", "overwritten", "leaves"})
"""The kinds that change the store."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of one listed reader.

    Attributes:
        listed: the reader with their own spelling of the address, and the choices to be stored.
        before: the reader as the store knows them; None if it does not.
        differences: where the list says something else than is stored.
        overwritten: whether the list's values take the place of theirs.
    """

    kind: Kind
    listed: ListedReader
    before: Reader | None = None
    differences: tuple[FieldChange, ...] = ()
    overwritten: bool = False

    @property
    def is_left_alone(self) -> bool:
        """Whether something stays as it is that the list has otherwise."""
        return not self.overwritten and (self.kind == "differs" or bool(self.differences))

    @property
    def email(self) -> str:
        """The reader's address."""
        return self.listed.subscriber.email

    @property
    def touches_a_choice(self) -> bool:
        """Whether this changes what somebody chose: their settings, to leave, or to stay."""
        stays = self.before is not None and self.before.status == "confirmed"
        return self.kind in {"back", "overwritten"} or (self.kind == "leaves" and stays)


def plan_import(
    listed: Sequence[ListedReader],
    readers: Sequence[Reader],
    keys: Keyring,
    *,
    again: bool = False,
    overwrite: bool = False,
) -> tuple[Decision, ...]:
    """Decide about each listed reader.

    Args:
        listed: the readers of the list.
        readers: those whom the store knows.
        keys: the keys by which erased readers are recognised.
        again: whether readers who left or were erased come back.
        overwrite: whether the list replaces what known readers chose in the fields that it names.
    """
    known = {reader.subscriber.email.casefold(): reader for reader in readers}
    kept = listed if again else _not_erased(listed, readers, keys)
    away = {id(each) for each in listed}.difference(map(id, kept))

    def decide(each: ListedReader) -> Decision:
        before = known.get(each.subscriber.email.casefold())
        if each.status != "confirmed":
            left = before is not None and before.status in LEFT
            return Decision("gone" if left else "leaves", _spelled(each, before), before)
        if id(each) in away or (before and before.status in LEFT and not again):
            return Decision("away", each, before)
        if before is None:
            return Decision("new", each)
        return _about_known(each, before, overwrite=overwrite)

    return tuple(map(decide, listed))


def _not_erased(
    listed: Sequence[ListedReader], readers: Sequence[Reader], keys: Keyring
) -> list[ListedReader]:
    emails = [reader.subscriber.email for reader in readers]
    present = {id(each) for each in without_erased([r.subscriber for r in listed], emails, keys)}
    return [each for each in listed if id(each.subscriber) in present]


def _about_known(each: ListedReader, before: Reader, *, overwrite: bool) -> Decision:
    """The decision about a known reader who gets letters by the list."""
    # What somebody wrote into the form of the page, and never confirmed, binds nobody.
    overwrite = overwrite or before.status == "unconfirmed"
    every = frozenset(SUBSCRIBER_FIELDS)
    wanted = keep_fields(before.subscriber, each.subscriber, every - each.named | {"email"})
    differences = field_changes(before.subscriber, wanted)
    named = (every if before.fault else each.named) if overwrite else frozenset[str]()
    stored = replace(each, subscriber=wanted if overwrite else before.subscriber, named=named)
    kind: Kind
    if before.status == "confirmed":
        changed = bool(differences or before.fault)
        kind = ("overwritten" if overwrite else "differs") if changed else "unchanged"
    else:
        kind = "back" if before.status in LEFT else "new"
    return Decision(kind, stored, before, differences, overwrite)


def _spelled(each: ListedReader, before: Reader | None) -> ListedReader:
    email = each.subscriber.email if before is None else before.subscriber.email
    return replace(each, subscriber=replace(each.subscriber, email=email))


def count(decisions: Iterable[Decision], *kinds: Kind) -> int:
    """How many decisions are of these kinds."""
    return sum(decision.kind in kinds for decision in decisions)
