"""Domain values as JSON and back."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.model import Edition, Filter, Issue, Item, ReaderHistory, Recipient, Section, Topic
from newsletter.papers.filters import parse_rule
from newsletter.stores.sql.codec import dump, load, pack, unpack
from tests.support.factories import DAY, NOON, paper, reader

ANY_TEXT = st.text(st.characters(exclude_categories=()))


@given(title=ANY_TEXT, authors=st.tuples(ANY_TEXT, ANY_TEXT), published=st.none() | st.dates())
def test_any_text_round_trips_as_ascii(
    title: str, authors: tuple[str, str], published: None
) -> None:
    item = Item(title, authors=authors, published=published)
    stored = dump(item)
    assert load(Item, stored) == item
    assert stored.isascii()
    assert "\0" not in stored


def test_defaults_are_omitted() -> None:
    assert json.loads(dump(Item("A paper", upvotes=0))) == {"title": "A paper", "upvotes": 0}


def test_unknown_keys_are_ignored() -> None:
    assert load(Item, '{"title": "A paper", "colour": "red"}') == Item("A paper")


def test_rule_is_stored_as_its_text() -> None:
    wants = Filter(include=(parse_rule('author:Ada and not "big data"'),))
    assert json.loads(dump(wants)) == {"include": ['author:Ada and not "big data"']}
    assert load(Filter, dump(wants)) == wants


@pytest.mark.parametrize(
    "value",
    [
        Topic("Experts", any=(parse_rule("MoE or (a and b)"),), none=(parse_rule("title:x"),)),
        Issue(DAY, (paper(1), paper(2)), (), 2, NOON, ("a",), (("k", "why"), ("l", "so"))),
        Edition(
            Recipient.of(reader()),
            (Section("Other", (0,), (1,), ("because", "row")),),
            more=(2,),
        ),
        ReaderHistory(reader(), frozenset({3, 1}), frozenset({2})),
    ],
    ids=["topic", "issue", "edition", "standing"],
)
def test_whole_value_round_trips(value: object) -> None:
    assert load(type(value), dump(value)) == value
    assert unpack(type(value), pack(value)) == value
