import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.app.files import load_engine
from newsletter.errors import FilterError
from newsletter.papers.advice import advise
from newsletter.papers.meanings import MeaningMatcher

EVERY = ("category", "keyword", "org")


@pytest.mark.parametrize(
    ("rule", "column", "remedy"),
    [
        ("diffus* model", 6, "write whole words"),
        ("di*sion", 2, "write whole words"),
        ("title:*former", 6, "such as “former”"),
        ("vision | audio", 7, "write “and” or “or”"),
        ("vision|audio", 0, "write “and” or “or”"),
        ("vision && audio", 7, "write “and” or “or”"),
        ("vision -survey", 7, "write “and not survey”"),
        ("!survey", 0, "write “not survey”"),
        ("vision; audio", 6, "write “or”"),
        ("paper no 1*", 10, "write whole words"),
    ],
)
def test_rule_that_cannot_find_what_it_asks(rule: str, column: int, remedy: str) -> None:
    (advice,) = advise(rule, EVERY)
    assert advice.certain
    assert advice.column == column
    assert remedy in advice.problem


@pytest.mark.parametrize(
    ("rule", "column", "remedy"),
    [
        ("mixture*", 7, "write “mixture”"),
        ("a or author:Mixtu*", 17, "write “Mixtu”"),
        ("agents, work", 6, "write “agents or work”"),
        ("title:agents, work and x", 12, "write “title:agents or title:work”"),
        ("author:A, B, C", 8, "“author:A or author:B or author:C”"),
        ("視覚、言語", 2, "“視覚 or 言語”"),
        ("vision + audio", 7, "write “and”"),
        ("Sehen ODER Sprache", 6, "write “or”"),
        ("x and about: y, title:z", 16, "put it first, “title:… and about: …”"),
    ],
)
def test_rule_that_is_read_otherwise_than_others_would(rule: str, column: int, remedy: str) -> None:
    (advice,) = advise(rule, EVERY)
    assert not advice.certain
    assert advice.column == column
    assert remedy in advice.problem


@pytest.mark.parametrize(
    "rule",
    [
        "A* search", "C*-algebras", "1,000 genomes", "author:Alpha, Ann", "org:Labs, Inc.", '"a*b"',
        "“a, b”", "about: vision, a*; - |x| und y", "AT&T", "pre-training", "C++", "agents,", "R&D",
    ],
)  # fmt: skip
def test_signs_with_a_meaning_are_left_alone(rule: str) -> None:
    assert advise(rule, EVERY) == []


@pytest.mark.parametrize(
    ("rule", "fields", "who"),
    [
        ("a or category:cs.CL", ["org"], "arXiv"),
        ("not org:Labs", ["category"], "Hugging Face"),
        ("keyword:LoRA", ["org"], "PubMed"),
    ],
)
def test_field_that_no_source_gives_is_named(rule: str, fields: list[str], who: str) -> None:
    (advice,) = advise(rule, fields)
    assert not advice.certain
    assert who in advice.problem
    assert advise(rule, EVERY) == []


@given(st.text('ab*,|&-+!()" :、', max_size=20) | st.text(max_size=20))
def test_advice_has_a_place_in_the_rule(text: str) -> None:
    try:
        found = advise(text, ())
    except FilterError:
        return
    assert all(0 <= advice.column <= len(text) for advice in found)


@pytest.mark.parametrize(
    ("wish", "said", "certain"),
    [
        ("protein folding", "", False),
        ("Sprachmodelle für medizinische Bildgebung", "try other words, in English", False),
        ("大语言模型", "only in English", True),
        ("the of and", "no words to look for", True),
    ],
)
def test_wish_that_is_not_understood(wish: str, said: str, *, certain: bool) -> None:
    found = advise(f"LoRA and about: {wish}", EVERY, MeaningMatcher(load_engine))
    assert [(said in each.problem, each.certain, each.column) for each in found] == [
        (True, certain, 16)
    ] * bool(said)


def test_rule_after_a_wish_in_brackets_is_judged() -> None:
    (star, foreign) = advise("(about: 大语言模型) and *former", EVERY, MeaningMatcher(load_engine))
    assert (star.column, foreign.column) == (19, 8)
