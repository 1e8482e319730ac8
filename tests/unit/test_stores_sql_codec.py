"""Domain values as JSON and back."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.model import (
    Edition,
    Filter,
    Issue,
    Item,
    ReaderHistory,
    Recipient,
    Section,
    Subscriber,
    Topic,
)
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


SUBSCRIBER = '{"email":"ada@example.org"}'
READER = f'{{"id":1,"subscriber":{SUBSCRIBER},"status":"confirmed","decided":0,"origin":"file"}}'
TOPIC = '{"name":"Vision"}'
PAPER = (
    '{"number":1,"key":"arxiv:1","item":{"title":"A paper"},'
    '"first_seen":"2026-08-03T12:00:00+00:00","group":1}'
)
ISSUE = (
    f'{{"day":"2026-08-03","papers":[{PAPER}],"topics":[{TOPIC}],"cutoff":1,'
    '"frozen_at":"2026-08-03T12:00:00+00:00"}'
)


@pytest.mark.parametrize(
    ("kind", "stored"),
    [
        (Item, '{"title":"A paper"}'),
        (Subscriber, SUBSCRIBER),
        (ReaderHistory, f'{{"reader":{READER}}}'),
        (
            Edition,
            '{"to":{"id":1,"email":"ada@example.org"},"sections":[{"name":"Other","cards":[0]}]}',
        ),
        (Issue, ISSUE),
    ],
)
def test_value_of_an_earlier_version_is_read(kind: type, stored: str) -> None:
    """A new field of what is stored needs a default, or a migration that writes it."""
    assert dump(load(kind, stored)) == stored


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
