"""What a list of readers changes in the readers that are known."""

from dataclasses import replace

import pytest

from newsletter.letter.links import Keyring
from newsletter.model import (
    SUBSCRIBER_FIELDS,
    ListedReader,
    ListedStatus,
    Reader,
    Status,
    Subscriber,
    field_values,
)
from newsletter.readers.importing import Decision, plan_import
from tests.support.factories import EVERY_FIELD, subscriber

KEYS = Keyring(("a key of many letters",), "n@example.org")
FIELDS = [name for name in SUBSCRIBER_FIELDS if name != "email"]


def known(status: Status = "confirmed", fault: str = "") -> Reader:
    """Ada, with a value of her own in every field."""
    return Reader(1, EVERY_FIELD, status, 0, "store", fault)


def listed(
    *named: str, subscriber: Subscriber | None = None, status: ListedStatus = "confirmed"
) -> ListedReader:
    """Ada in a list that names these fields, each with the default."""
    entry = subscriber or Subscriber("ADA@example.org")
    return ListedReader(entry, status, named=frozenset(named))


def decide(
    each: ListedReader, before: Reader, *, again: bool = False, overwrite: bool = False
) -> Decision:
    (decision,) = plan_import([each], [before], KEYS, again=again, overwrite=overwrite)
    return decision


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("overwrite", [False, True])
def test_column_of_addresses_changes_nobody(*, again: bool, overwrite: bool) -> None:
    decision = decide(listed(), known(), again=again, overwrite=overwrite)
    assert (decision.kind, decision.listed.subscriber) == ("unchanged", EVERY_FIELD)


@pytest.mark.parametrize("field", FIELDS)
def test_each_field_that_differs_is_named_and_kept(field: str) -> None:
    decision = decide(listed("email", field), known())
    assert (decision.kind, decision.listed.subscriber) == ("differs", EVERY_FIELD)
    (difference,) = decision.differences
    assert difference.field == field
    assert decision.is_left_alone


@pytest.mark.parametrize("field", FIELDS)
def test_overwriting_changes_the_named_field_alone(field: str) -> None:
    decision = decide(listed(field), known(), overwrite=True)
    before, after = field_values(EVERY_FIELD), field_values(decision.listed.subscriber)
    assert decision.kind == "overwritten"
    assert [name for name in after if after[name] != before[name]] == [field]


@pytest.mark.parametrize("status", ["unsubscribed", "blocked"])
def test_somebody_who_left_comes_back_with_their_choices(status: Status) -> None:
    assert decide(listed("name"), known(status)).kind == "away"
    back = decide(listed("name"), known(status), again=True)
    assert (back.kind, back.listed.subscriber) == ("back", EVERY_FIELD)
    assert back.touches_a_choice
    assert back.is_left_alone


@pytest.mark.parametrize("status", ["waiting", "removed"])
def test_somebody_without_letters_joins_with_their_choices(status: Status) -> None:
    decision = decide(listed("at"), known(status))
    assert (decision.kind, decision.listed.subscriber) == ("new", EVERY_FIELD)


def test_what_strangers_typed_gives_way_to_a_list() -> None:
    decision = decide(listed("at"), known("unconfirmed"))
    wanted = replace(EVERY_FIELD, at=None)
    assert (decision.kind, decision.listed.subscriber) == ("new", wanted)


def test_unusable_settings_are_replaced_only_when_asked() -> None:
    fault = known(fault="stored settings cannot be used: day 9")
    assert decide(listed(), fault).kind == "differs"
    assert decide(listed(), fault, overwrite=True).kind == "overwritten"


@pytest.mark.parametrize(
    ("before", "kind", "touches"),
    [("confirmed", "leaves", True), ("waiting", "leaves", False), ("blocked", "gone", False)],
)
def test_departures_touch_those_who_get_letters(
    before: Status, kind: str, *, touches: bool
) -> None:
    decision = decide(listed(status="unsubscribed"), known(before))
    assert (decision.kind, decision.touches_a_choice) == (kind, touches)
    assert decision.email == "ada@example.org"


def test_unknown_readers_are_new() -> None:
    (decision,) = plan_import([listed(subscriber=subscriber("bob@example.org"))], [known()], KEYS)
    assert decision.kind == "new"
