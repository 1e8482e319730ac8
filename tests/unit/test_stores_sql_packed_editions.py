"""Editions as bytes and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.model import Edition, Filter, Reader, Recipient, Section, Subscriber
from newsletter.stores.sql.codec import dump
from newsletter.stores.sql.packed_editions import (
    StoredEdition,
    WaveWords,
    count_places,
    pack_numbers,
    pack_places,
    unpack_numbers,
    unpack_places,
)

PAPERS = 3000
WANTS = Filter(topics=("A", "B"))
ADA = Subscriber("ada@example.org", "Ada", WANTS, cadence="weekly", day=2, summary="full")
TO = Recipient.of(Reader(7, ADA, "confirmed", 0, "store"))
SETTINGS = dump(ADA)

places = st.lists(st.integers(0, PAPERS - 1), unique=True, max_size=40).map(tuple)
OWN = ["include “LoRA”", "include “a, “b””", "include “about: a (b)”"]
SAID = "include “about: a (b)” (“a”: in the title)"
reasons = st.sampled_from(["every paper", "topic A: “a”", *OWN, SAID, ""])


@st.composite
def sections(draw: st.DrawFn) -> Section:
    cards, rows = draw(places), draw(places)
    rows = tuple(place for place in rows if place not in cards)
    because = tuple(draw(reasons) for _ in cards + rows)
    name = draw(st.sampled_from(["Top three", "A", "Your filters"]))
    return Section(name, cards, rows, because, draw(st.booleans()), draw(st.integers(0, 2000)))


@st.composite
def editions(draw: st.DrawFn) -> Edition:
    waiting = draw(places)
    short = tuple(sorted(set(draw(places)) - {*waiting}))
    counts = st.integers(0, 500)
    made = tuple(draw(st.lists(sections(), max_size=4)))
    corrections = tuple(draw(st.lists(counts, max_size=3)))
    popular = () if made else draw(places)
    return Edition(TO, made, draw(places), short, waiting, draw(counts), corrections, popular)


def stored(words: WaveWords, edition: Edition) -> StoredEdition:
    """The row of an edition."""
    body, own = words.pack(edition)
    again = pack_places((*edition.short, *edition.waiting)) or None
    left_out = edition.left_out + len(edition.waiting)
    return StoredEdition(edition.to.id, body, own, again, left_out, SETTINGS)


@pytest.mark.slow
@given(st.lists(editions(), max_size=4))
def test_editions_come_back_as_they_were(some: list[Edition]) -> None:
    words = WaveWords(PAPERS)
    rows = [stored(words, edition) for edition in some]
    read_again = WaveWords(PAPERS, words.dump())
    assert [read_again.unpack(row) for row in rows] == some
    more = [stored(read_again, edition) for edition in some]
    assert [WaveWords(PAPERS, read_again.dump()).unpack(row) for row in more] == some


def test_readers_own_rules_are_in_no_shared_words() -> None:
    words = WaveWords(2)
    row = stored(words, Edition(TO, (Section("A", (0,), (1,), ("include “Ada”", "topic A: “a”")),)))
    assert words.words == ["A", "topic A: “a”"]
    assert row.own is not None


def test_a_rule_is_stored_once_with_the_names_it_found() -> None:
    reasons = tuple(f"include “author:Ito” (as “{name} Ito”)" for name in ("Ada", "Jun", "Noor"))
    words = WaveWords(3)
    edition = Edition(TO, (Section("A", (0, 1, 2), (), reasons),))
    row = stored(words, edition)
    assert (row.own or "").count("author:Ito") == 1
    assert words.unpack(row) == edition


@given(st.lists(st.integers(0, 1_000_000)))
def test_numbers_come_back(numbers: list[int]) -> None:
    assert unpack_numbers(pack_numbers(numbers)) == numbers


@given(places)
def test_places_come_back_sorted(some: tuple[int, ...]) -> None:
    packed = pack_places(some)
    assert unpack_places(packed) == sorted(some)
    assert count_places(packed) == len(some)


def test_damaged_places_are_read_as_far_as_possible() -> None:
    assert unpack_places(b"\x01\xff\x02") == [1, 3]
    assert unpack_places(None) == []
