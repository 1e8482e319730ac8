# ruff: noqa: RUF001 - characters that look alike are the subject here
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import newsletter.papers
from newsletter.app.files import load_engine, make_matcher
from newsletter.config.models import Matching
from newsletter.model import Field, Item, Term
from newsletter.papers.matching import RulesMatcher
from newsletter.papers.meanings import MeaningMatcher
from newsletter.ports import Matcher
from newsletter.text import clean, phrases, word_text
from tests.support.adapters import implementations
from tests.support.factories import item

PAPER = item(
    "Pok\\'eChamp: LoRA in C++ and .NET",
    abstract="A chain‑of‑thought study of Mixtures. It notes clinical cases, MoE's too.",
    authors=("Noam Shazeer", "Bai Li"),
    organization="Example Labs, Inc.",
    categories=("cs.CL", "stat.ML"),
    keywords=("Mixture-of-Experts", "language agents", "D$^2$PO"),
)


MATCHERS: tuple[Matcher, ...] = (RulesMatcher(), MeaningMatcher(load_engine))
"""The matchers, which must find the same items for every term but a wish in plain words."""


def masks(items: Sequence[Item], terms: Collection[Term]) -> Mapping[Term, int]:
    """The items in which the terms occur, on which all matchers must agree but for wishes."""
    agreed = MATCHERS[:1] if any(term.field == "about" for term in terms) else MATCHERS
    first, *others = (matcher.match(items, terms).terms for matcher in agreed)
    assert all(other == first for other in others)
    return first


def occurs(field: Field, text: str, where: Item = PAPER, *, exact: bool = False) -> bool:
    term = Term(field, text, exact=exact)
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
        ("text", "chain of thought"),
        ("text", "mixture"),
        ("text", "moe"),
        ("title", "lora in c++"),
        ("author", "shazeer"),
        ("author", "noam shazeer"),
        ("org", "example labs"),
        ("category", "cs"),
        ("category", "CS.cl"),
        ("keyword", "mixtures of experts"),
        ("keyword", "agent"),
        ("keyword", "d2po"),
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
        ("keyword", "lora"),
        ("keyword", "experts language"),
        ("about", "clinical trials"),
        ("about", "clinical cases, not a study of mixtures"),
        ("about", "not clinical trials"),
        ("about", "…"),
    ],
)
def test_term_matches_whole_words_of_its_field_only(field: Field, text: str) -> None:
    assert not occurs(field, text)


MADE: Mapping[type[Matcher], Callable[[], Matcher]] = {
    RulesMatcher: RulesMatcher,
    MeaningMatcher: lambda: MeaningMatcher(load_engine),
}
"""How each kind of matcher is made."""


def test_setting_chooses_the_matcher() -> None:
    made = {matching: type(make_matcher(matching)) for matching in get_args(Matching)}
    assert made == {"meaning": MeaningMatcher, "rules": RulesMatcher}


@pytest.mark.parametrize("kind", implementations(Matcher, newsletter.papers))
def test_every_matcher_gives_every_term_a_bit_per_item(kind: type[Matcher]) -> None:
    items = [item("LoRA"), item("speech"), item("LoRA and speech")]
    lora, speech, none = (Term("text", text) for text in ("lora", "speech", "none"))
    found = MADE[kind]().match(items, [lora, speech, none]).terms
    assert found == {lora: 0b101, speech: 0b110, none: 0}
    assert MADE[kind]().match(items, []).terms == {}


PLAIN = st.lists(st.text("ab+.", min_size=1, max_size=4), max_size=4).map(" ".join)


@pytest.mark.slow
@given(st.lists(PLAIN, max_size=5), st.lists(PLAIN.filter(str.strip), max_size=6, unique=True))
def test_one_pass_finds_what_single_searches_find(titles: list[str], words: list[str]) -> None:
    terms = [Term("title", word) for word in words]
    found = masks([item(title) for title in titles], terms)
    for term in terms:
        for place, title in enumerate(titles):
            expected = any(phrase in word_text(title) for phrase in phrases(term.text))
            assert found[term] >> place & 1 == expected


WORDS = st.text("abs-'.,’é日ł ", max_size=24)


@given(WORDS, st.sampled_from("abséł日"), WORDS, st.integers(0, 8), st.integers(0, 8))
def test_quoted_never_finds_more_than_unquoted(
    before: str, letter: str, after: str, ahead: int, behind: int
) -> None:
    phrase = clean(before[len(before) - ahead :] + letter + after[:behind])
    exact, loose = Term("text", phrase, exact=True), Term("text", phrase)
    found = masks([item(before + letter + after)], [exact, loose])
    assert found[exact] <= found[loose]


@given(WORDS.map(clean).filter(lambda text: any(map(str.isalnum, text))))
@example("a---a")
def test_rule_of_a_texts_own_words_finds_it(text: str) -> None:
    quoted = Term("text", text, exact=True)
    assert masks([item(text)], [Term("text", text), quoted]) == {Term("text", text): 1, quoted: 1}


def test_quoted_is_found_as_written_only() -> None:
    for text in ("chain-of-thought", "MIXTURES", "chain‑of‑thought"):
        assert occurs("text", text, exact=True)
    for text in ("chain of thought", "mixture"):
        assert not occurs("text", text, exact=True)


# -- wishes in plain words -------------------------------------------------------------------------

MEANING = MATCHERS[1]
DAY = tuple(
    item(title, abstract=f"{title}. {abstract}")
    for title, abstract in (
        ("Evicting the KV Cache", "We compress the cache of transformers on a phone."),
        ("Sparse MoE Layers", "A router sends each token to two experts."),
        ("Speech Recognition on Phones", "We recognise spoken words with a small model."),
        ("A Census of Dwarf Galaxies", "We count faint satellites in a deep survey."),
        ("視覚と言語", "これは日本語の論文です。"),
        ("", ""),
    )
)
WISHES = tuple(
    Term("about", text)
    for text in (
        "KV cache compression",
        "mixture of experts, not speech",
        "small models on phones, galaxies; but no speech",
        "not speech",
        "语言",
        "C++",
        "cache " * 600,
        ", ".join(f"galaxies {number}" for number in range(400)),
    )
)
ALONE = {wish: MEANING.match(DAY, [wish]).wishes[wish] for wish in WISHES}


def test_wish_finds_what_it_asks_for() -> None:
    assert [ALONE[wish].likely for wish in WISHES[:3]] == [0b000001, 0b000010, 0b001000]


@given(st.permutations(WISHES), st.integers(1, len(WISHES)), st.lists(st.text(max_size=30)))
def test_wish_finds_the_same_beside_any_others(
    order: list[Term], count: int, texts: list[str]
) -> None:
    others = [Term("about", text) for text in texts]
    found = MeaningMatcher(load_engine).match(DAY, [*order[:count], *others]).wishes
    assert [found[wish] for wish in order[:count]] == [ALONE[wish] for wish in order[:count]]


@given(st.text(), st.text(), st.text())
@example("word " * 10_000, "", "word " * 10_000)
@example("graph, " * 10_000, "graph", "\0")
@example("not " * 10_000, "नमस्ते", "שלום")
def test_any_text_may_be_a_wish_or_a_paper(wish: str, title: str, abstract: str) -> None:
    term, items = Term("about", wish), [item(title, abstract=abstract)]
    for matcher in MATCHERS:
        assert matcher.match(items, [term]).terms[term] in {0, 1}
        matcher.evidence(items, 0, term)
        matcher.misunderstood(wish)
