import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import FilterError
from newsletter.model import All, AnyOf, Expression, Not, Term
from newsletter.papers.filters import (
    MAX_DEPTH,
    MAX_LENGTH,
    evaluate,
    iter_terms,
    parse_rule,
)

A, B, C = (Term("text", word) for word in "abc")
FILTER_LIKE = st.lists(
    st.sampled_from(["and", "or", "not", "(", ")", '"', "title:", "autor:", "a", "B-c", "!", " "]),
    max_size=30,
).map(" ".join)
EXPRESSIONS: st.SearchStrategy[Expression] = st.recursive(
    st.sampled_from([A, B, C]),
    lambda inner: (
        st.builds(Not, inner)
        | st.builds(All, st.lists(inner, min_size=1, max_size=3).map(tuple))
        | st.builds(AnyOf, st.lists(inner, min_size=1, max_size=3).map(tuple))
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("LoRA", Term("text", "LoRA")),
        ("clinical  notes", Term("text", "clinical notes")),
        ('"search and rescue"', Term("text", "search and rescue", exact=True)),
        ("author:Shazeer", Term("author", "Shazeer")),
        ("AUTHOR: Noam Shazeer", Term("author", "Noam Shazeer")),
        ('title:"Attention (is)"', Term("title", "Attention (is)", exact=True)),
        ("about: clinical notes", Term("about", "clinical notes")),
        ("about: privacy and security of models", Term("about", "privacy and security of models")),
        ("about: imaging, not speech", Term("about", "imaging, not speech")),
        (
            'ABOUT\uff1a5" wafers (thin; new), title:x',
            Term("about", '5" wafers (thin; new), title:x'),
        ),
        ("(a or b) and about: c or d", All((AnyOf((A, B)), Term("about", "c or d")))),
        ("not about: a and not b", Not(Term("about", "a and not b"))),
        ('"about: b" or a', AnyOf((Term("text", "about: b", exact=True), A))),
        ("category:eess.AS", Term("category", "eess.AS")),
        ("org:Example Labs", Term("org", "Example Labs")),
        ("Keyword: LoRA", Term("keyword", "LoRA")),
        ("C++", Term("text", "C++")),
        ("https://x.org", Term("text", "https://x.org")),
        ("a AND b", All((A, B))),
        ("a or b and not c", AnyOf((A, All((B, Not(C)))))),
        ("(a or b) and c", All((AnyOf((A, B)), C))),
        ("not not a", Not(Not(A))),
        ("((a))", A),
        ("“mixture of experts”", Term("text", "mixture of experts", exact=True)),
        (
            "„a b“ or «a-b»",
            AnyOf((Term("text", "a b", exact=True), Term("text", "a-b", exact=True))),
        ),
        ("「日本」", Term("text", "日本", exact=True)),
        ("a, b", AnyOf((A, B))),
        ("not a, b and c", All((Not(AnyOf((A, B))), C))),
        ("author:Alpha, Ann", Term("author", "Alpha, Ann")),
        ("1,000 genomes", Term("text", "1,000 genomes")),
        (".NET", Term("text", ".NET", exact=True)),
    ],
)
def test_filter_is_parsed(text: str, expression: Expression) -> None:
    assert parse_rule(text).expression == expression


def test_filter_keeps_its_source_text() -> None:
    assert parse_rule(" title: LoRA  or\tMoE ").text == "title: LoRA or MoE"


@pytest.mark.parametrize(
    ("text", "column", "hint"),
    [
        ("", 0, "empty"),
        ("   ", 0, "empty"),
        ("a and", 5, "missing at the end"),
        ("and a", 0, "put it in quotes"),
        ("a or or b", 5, "put it in quotes"),
        ("title:", 6, "missing at the end"),
        ("title:(a)", 6, "write “title:” within the brackets"),
        ("a NOT b", 2, "write “and not”"),
        ("au:x", 0, "did you mean “author:”"),
        ("abs:x", 0, "looks into title and abstract"),
        ("title:author:a", 6, "missing before"),
        ("(a or b", 0, "never closed"),
        ("(a b", 0, "never closed"),
        ("(a (b)", 0, "never closed"),
        ("a) or b", 1, "no bracket is open"),
        ('a "b"', 2, "write “and” or “or”"),
        ("a title:b", 2, "write “and” or “or”"),
        ('a or "b', 5, "never closed"),
        ("autor:x", 0, "did you mean “author:”"),
        ("zzz:x", 0, "the prefixes are title:, author:"),
        ('""', 0, "no letter or digit"),
        ("about:", 6, "missing at the end"),
        ("about: …", 7, "no letter or digit"),
        ("a and (about: b or c", 6, "never closed"),
        ("a about: b", 2, "write “and” or “or”"),
        ("a or --", 5, "no letter or digit"),
    ],
)
def test_error_points_at_the_place_with_advice(text: str, column: int, hint: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse_rule(text)
    assert caught.value.column == column
    assert hint in caught.value.reason
    assert str(caught.value).splitlines()[-1] == " " * (4 + column) + "^"


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("(about: x (y)) and a", All((Term("about", "x (y)"), A))),
        ("a and (b or (about: x or y))", All((A, AnyOf((B, Term("about", "x or y")))))),
        ("about: x and not y", Term("about", "x and not y")),
    ],
)
def test_wish_in_brackets_ends_with_them(text: str, expression: Expression) -> None:
    """Such rules were written before a wish was the rest of its line."""
    assert parse_rule(text).expression == expression


def test_filter_size_is_limited() -> None:
    assert len(list(iter_terms(parse_rule(" or ".join(["x"] * 800)).expression))) == 800
    for join in (" or ", "about: "):
        with pytest.raises(
            FilterError, match=rf"characters; {MAX_LENGTH} is the most\. Shorten it"
        ):
            parse_rule(join.join(["x"] * 10_000))
    with pytest.raises(FilterError, match=f"deeper than {MAX_DEPTH}"):
        parse_rule("(" * 60 + "a" + ")" * 60)
    with pytest.raises(FilterError, match=f"deeper than {MAX_DEPTH}"):
        parse_rule("not " * 60 + "a")


@given(st.text() | FILTER_LIKE)
def test_any_text_parses_or_gives_a_filter_error(text: str) -> None:
    try:
        rule = parse_rule(text)
    except FilterError as error:
        assert 0 <= error.column <= len(error.text)  # noqa: PT017 - a parsed rule is fine too
    else:
        assert list(iter_terms(rule.expression))
        assert parse_rule(rule.text) == rule


def test_terms_are_ordered_left_to_right() -> None:
    assert list(iter_terms(parse_rule("a and (b or not c)").expression)) == [A, B, C]


@pytest.mark.slow
@given(EXPRESSIONS, st.tuples(*[st.integers(0, 15)] * 3))
def test_masks_agree_with_evaluating_each_paper(
    expression: Expression, occurring: tuple[int, int, int]
) -> None:
    occurs = dict(zip((A, B, C), occurring, strict=True))

    def holds(part: Expression, place: int) -> bool:
        match part:
            case Term():
                return bool(occurs[part] >> place & 1)
            case Not(of=inner):
                return not holds(inner, place)
            case All(of=parts):
                return all(holds(inner, place) for inner in parts)
            case AnyOf(of=parts):
                return any(holds(inner, place) for inner in parts)

    expected = sum(1 << place for place in range(4) if holds(expression, place))
    assert evaluate(expression, occurs, 0b1111) == expected
