# ruff: noqa: RUF001 - characters that look alike are the subject here
import re
from collections.abc import Collection, Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

import newsletter.papers
from newsletter.model import Field, Item, Term
from newsletter.papers.matching import RulesMatcher
from newsletter.ports import Matcher
from newsletter.text import fold
from tests.support.adapters import implementations
from tests.support.factories import item

PAPER = item(
    "Pok\\'eChamp: LoRA in C++ and .NET",
    abstract="A chain‑of‑thought study of Mixtures. It notes clinical cases, MoE's too.",
    authors=("Noam Shazeer", "Bai Li"),
    organization="Example Labs, Inc.",
    categories=("cs.CL", "stat.ML"),
)


MATCHERS: tuple[Matcher, ...] = (RulesMatcher(),)
"""The matchers of whole words, which must find the same items."""


def masks(items: Sequence[Item], terms: Collection[Term]) -> Mapping[Term, int]:
    """The items in which the terms occur, on which all matchers must agree."""
    first, *others = (matcher.masks(items, terms) for matcher in MATCHERS)
    assert all(other == first for other in others)
    return first


def occurs(field: Field, text: str, where: Item = PAPER) -> bool:
    term = Term(field, text)
    return masks([where], [term]) == {term: 1}


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("text", "lora"),
        ("text", "LoRA"),
        ("text", "c++"),
        ("text", ".net"),
        ("text", "pokechamp"),
        ("text", "PokéChamp"),
        ("text", "chain-of-thought"),
        ("text", "moe"),
        ("title", "lora in c++"),
        ("author", "shazeer"),
        ("author", "noam shazeer"),
        ("org", "example labs"),
        ("category", "cs"),
        ("category", "CS.cl"),
        ("about", "clinical notes"),
        ("about", "clinical notes, cases and LoRA"),
    ],
)
def test_term_is_found_in_its_field(field: Field, text: str) -> None:
    assert occurs(field, text)


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("text", "lor"),
        ("text", "mixture"),
        ("text", "ora"),
        ("text", ".net a chain"),
        ("text", "shazeer"),
        ("text", "clinical notes"),
        ("title", "clinical"),
        ("author", "shaz"),
        ("author", "shazeer bai"),
        ("org", "labs inc"),
        ("category", "c"),
        ("category", "cs.c"),
        ("category", "ml"),
        ("about", "clinical trials"),
        ("about", "…"),
    ],
)
def test_term_matches_whole_words_of_its_field_only(field: Field, text: str) -> None:
    assert not occurs(field, text)


@pytest.mark.parametrize("kind", implementations(Matcher, newsletter.papers))
def test_every_matcher_gives_every_term_a_bit_per_item(kind: type[Matcher]) -> None:
    items = [item("LoRA"), item("speech"), item("LoRA and speech")]
    lora, speech, none = (Term("text", text) for text in ("lora", "speech", "none"))
    found = kind().masks(items, [lora, speech, none])
    assert found == {lora: 0b101, speech: 0b110, none: 0}
    assert kind().masks(items, []) == {}


@given(
    st.lists(st.text("ab+. ", min_size=1, max_size=12), max_size=5),
    st.lists(st.text("ab+.", min_size=1, max_size=4), max_size=6, unique=True),
)
def test_one_pass_finds_what_single_searches_find(titles: list[str], words: list[str]) -> None:
    terms = [Term("title", word) for word in words]
    found = masks([item(title) for title in titles], terms)
    for term in terms:
        start = r"(?<![ab])" if term.text[0] in "ab" else ""
        end = r"(?![ab])" if term.text[-1] in "ab" else ""
        pattern = re.compile(start + re.escape(term.text) + end)
        assert found[term] == sum(
            1 << place for place, title in enumerate(titles) if pattern.search(fold(title))
        )
