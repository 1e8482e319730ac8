"""Which papers are the same by their texts, and whether a store would compare them at all."""

import html

import pytest

from newsletter.model import Item
from newsletter.papers.copies import Sketches, Wording, is_copy, sketch
from newsletter.papers.copies import _ratio as ratio
from tests.support.factories import item

TITLE = (
    "Sparse Experts: Efficient Routing for Large Language Models, with 1,024 Paths of "
    "\u03b1-Networks"
)
ABSTRACT = (
    "Mixtures of experts grow a model without growing the work for a word. Their routers send "
    "most words to a few experts, so that the others learn little. We propose a router that "
    "asks each expert how much it would learn from a word, which costs 5 % more time. On four "
    "tasks it needs half as many words for the same loss. Its experts divide the languages."
)
EDITED = (
    ABSTRACT.replace("propose", "present")
    .replace("%", "\\%")
    .replace("On four tasks it needs half as many words for the same loss. ", "")
    + " Code is available."
)
REWRITTEN = (
    "Mixtures of experts make models grow while the work stays. Yet routers prefer few experts, "
    "and the others hardly learn. Here each expert says how much it would learn, at little cost in "
    "time. We train on four tasks, with half the words for an equal loss; languages become divided "
    "among experts."
)
ANOTHER = (
    "How glaciers end in the sea decides how fast they flow. From satellite images of thirty years "
    "we measure the fronts of ninety glaciers, and find that warm water below them explains three "
    "quarters of the change, while the air above them explains next to nothing of what remains."
)

RETITLED = {
    "case": TITLE.upper(),
    "punctuation": TITLE.replace(":", " -").replace("-", " ").replace(",", ""),
    "unicode": TITLE.replace("-", "–").replace(" ", "\u00a0", 1).replace("ffi", "ﬃ"),  # noqa: RUF001
    "html": html.escape(TITLE.replace("\u03b1", "&alpha;")).replace("&amp;alpha;", "&alpha;"),
    "latex": TITLE.replace("\u03b1", r"$\alpha$").replace("Routing", r"\textbf{Routing}"),
    "suffix": f"{TITLE} (v2) [Technical Report]",
    "subtitle dropped": "Sparse Experts",
    "subtitle added": f"{TITLE}: A Comprehensive Study",
    "words changed": TITLE.replace("Large Language Models", "LLMs").replace("with", "via"),
    "reordered": "Efficient Routing for Large Language Models: Sparse Experts",
    "wholly new": "A Fresh Look at Who Learns What",
}


def wording(title: str, abstract: str = ABSTRACT, *names: str, **fields: object) -> Wording:
    return Wording(item(title, abstract=abstract, **fields), frozenset(names))


@pytest.mark.parametrize("kind", RETITLED)
def test_edited_copy_is_found(kind: str) -> None:
    """By comparing the texts, and among the papers that have a number of its sketch."""
    paper = wording(TITLE, ABSTRACT, "arxiv:2608.00001")
    copy = wording(RETITLED[kind], EDITED, "doi:10.1038/x")
    assert is_copy(copy, paper)
    assert is_copy(paper, copy)
    known = Sketches()
    known.add(7, sketch(paper))
    assert known.most_alike(sketch(copy)) == [7]


@pytest.mark.parametrize(
    ("title", "other"),
    [
        ("On the Stability of Slow Flows, Part I", "On the Stability of Slow Flows, Part II"),
        ("On the Stability of Slow Flows, Part A", "On the Stability of Slow Flows, Part B"),
        ("Nemotron 3 Nano: Open and Efficient", "Nemotron 3 Ultra: Open and Efficient"),
        ("Qwen2 Technical Report", "Qwen3 Technical Report"),
        (TITLE, f"Correction to: {TITLE}"),
        (TITLE, f"Author Correction: {TITLE}"),
        (TITLE, f"Erratum: {TITLE}"),
        (TITLE, f"WITHDRAWN: {TITLE}"),
        (TITLE, f"[Retracted] {TITLE}"),
        (f"Correction to: {TITLE}", f"Correction to: {TITLE}"),
        ("Editorial", "Editorial"),
        ("Book Review: The Sea", "Book Review: The Sea"),
    ],
)
def test_parts_versions_and_notices_stay_apart(title: str, other: str) -> None:
    """Even with the same abstract."""
    assert not is_copy(wording(title), wording(other))


def test_words_that_look_like_numbers_tell_no_parts() -> None:
    title = "From Part to Whole: a 3D Model"
    assert is_copy(wording(title), wording("A Fresh Look at Part Whole and 3D-Models", EDITED))


def test_withdrawn_papers_stay_apart() -> None:
    gone = "This article has been withdrawn at the request of the authors. " * 4
    assert not is_copy(wording(TITLE, gone), wording("Another Withdrawn One", gone))
    assert not is_copy(wording(TITLE), wording(TITLE, withdrawn=True))


@pytest.mark.parametrize("title", ["Reply", "Book reviews in brief", "In this issue"])
def test_short_title_alone_joins_nothing(title: str) -> None:
    assert not is_copy(wording(title, ""), wording(title, ""))
    assert not is_copy(wording(title), wording(title, ANOTHER))


def test_answer_is_not_the_paper_it_quotes() -> None:
    quoted = f"{ABSTRACT[:260]} {ANOTHER}"
    assert is_copy(wording(TITLE), wording("Who Learns What", quoted))
    assert not is_copy(wording(TITLE), wording(f"Comment on “{TITLE}”", quoted))


def test_arxiv_ids_join_only_under_one_title() -> None:
    one = wording(TITLE, ABSTRACT, "arxiv:2608.00001")
    assert is_copy(wording(TITLE.upper(), EDITED, "arxiv:2608.00002"), one)
    assert not is_copy(wording(f"{TITLE} again", ABSTRACT, "arxiv:2608.00002"), one)
    assert not is_copy(wording(TITLE, ANOTHER, "arxiv:2608.00002"), one)


def test_journals_article_may_have_a_rewritten_abstract() -> None:
    """If an author is the same; two articles with DOIs are two."""
    people = {"authors": ("Ada B. Lovelace",)}
    preprint = wording(TITLE, ABSTRACT, "arxiv:2608.00001", **people)
    article = wording(TITLE, REWRITTEN, "doi:10.1038/x", authors=("Lovelace, A.",))
    assert is_copy(article, preprint)
    assert not is_copy(article, wording(TITLE, ABSTRACT, "doi:10.1101/y", **people))
    assert not is_copy(wording(TITLE, REWRITTEN, "doi:10.1038/x"), preprint)


SAME_AUTHOR = {"authors": ("Ada B. Lovelace",)}
REPORT = f"In 2025 the committee met twice. {ABSTRACT}"
SEQUEL = f"{ABSTRACT[:260]} {ANOTHER}"
GENOME = (
    "We present a genome assembly from an individual male {} (the {}; Arthropoda; Insecta). The "
    "genome sequence is 500 megabases in span. Most of the assembly is scaffolded into fifteen "
    "chromosomal pseudomolecules, including the sex chromosome. The mitochondrial genome has "
    "also been assembled."
)


@pytest.mark.parametrize(
    ("title", "abstract", "other_title", "other_abstract", "fields"),
    [
        ("Sparse Experts in Theory and Practice", ABSTRACT, "", ANOTHER, SAME_AUTHOR),
        ("The Week in Sparse Expert Research", "", "", "", SAME_AUTHOR),
        ("Papers on Experts for Slow Readers", "", "", "", {"sources": ("Blog",), **SAME_AUTHOR}),
        ("Report of the Committee on Experts", REPORT, "", REPORT.replace("25", "26"), SAME_AUTHOR),
        ("Introduction to the Special Issue on Experts", ABSTRACT, "", REWRITTEN, SAME_AUTHOR),
        ("Comment on “Sparse Experts of the Sea”", "", "", "", {}),
        ("Sparse Experts at Sea", ABSTRACT, "Sparse Experts at Sea II", SEQUEL, SAME_AUTHOR),
        (
            "The Genome Sequence of the Copper, Lycaena phlaeas",
            GENOME.format("Lycaena phlaeas", "copper"),
            "The Genome Sequence of the Ringlet, Aphantopus hyperantus",
            GENOME.format("Aphantopus hyperantus", "ringlet"),
            SAME_AUTHOR,
        ),
    ],
)
def test_titles_and_texts_that_are_used_again(
    title: str, abstract: str, other_title: str, other_abstract: str, fields: dict[str, object]
) -> None:
    """Another paper: nobody would get it if it were taken for a copy."""
    one = wording(title, abstract, "url:a.example/1", **fields)
    other = wording(other_title or title, other_abstract, "url:b.example/2", **fields)
    assert not is_copy(other, one)
    assert not is_copy(one, other)


def test_namesakes_alone_make_no_copy() -> None:
    title = "Sparse Experts in Theory and Practice"
    one = wording(title, "", "url:a.example/1", authors=("David Smith",))
    assert not is_copy(wording(title, "", "url:b.example/1", authors=("David Jones",)), one)
    assert is_copy(wording(title, "", "url:b.example/1", authors=("Smith, D.",)), one)


def test_title_is_enough_where_an_abstract_is_missing() -> None:
    feed = "Nature, Published online: 03 August 2026; doi:10.1038/s41586-026-00001-x"
    assert is_copy(wording(TITLE), wording(TITLE, feed))
    assert not is_copy(wording(TITLE, feed), wording("Glaciers That End in the Sea", feed))


def test_other_authors_or_one_publisher_mean_two_papers() -> None:
    one = wording(TITLE, ABSTRACT, "doi:10.1234/a", authors=("Ada Lovelace",))
    assert not is_copy(one, wording(TITLE, authors=("Émilie du Châtelet",)))
    assert not is_copy(one, wording(TITLE, ABSTRACT, "doi:10.1234/b"))


def test_introduction_of_a_source_joins_nothing() -> None:
    one, other = (
        wording(title, f"{ABSTRACT} {title}.", sources=("Blog",))
        for title in ("Sparse Experts", "Glaciers That End in the Sea")
    )
    assert not is_copy(one, other)


def test_other_scripts_are_compared_by_character() -> None:
    abstract = "数学是研究数量结构变化以及空间等概念的一门学科而我们只研究其中最小的一部分内容"
    assert is_copy(wording("数学的应用", abstract), wording("数学的应用", abstract[3:]))
    assert not is_copy(wording("数学的基础与应用研究", ""), wording("大语言模型的路由方法研究", ""))
    assert not is_copy(wording("", ""), wording("", ""))


def test_nearly_equal_titles_need_some_common_text() -> None:
    half = f"{ABSTRACT[:160]} {ANOTHER}"
    one = wording("Modelling the behaviour of sparse experts")
    assert is_copy(one, wording("Modeling the behavior of sparse experts", half))
    assert not is_copy(one, wording("Modelling the behaviour of large experts", half))
    assert not is_copy(one, wording("Modeling the behavior of sparse experts", ANOTHER))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("sparse experts learn", "learn sparse experts", 100.0),
        ("modelling the behaviour", "modeling the behavior", 95.4545),
        ("nemotron 3 nano", "nemotron 3 ultra", 64.5161),
    ],
)
def test_titles_are_compared_as_rapidfuzz_does(one: str, other: str, expected: float) -> None:
    assert ratio(one.split(), other.split()) == pytest.approx(expected, abs=1e-3)


def test_sketch_is_the_same_everywhere() -> None:
    assert sorted(
        sketch(Wording(Item(title=TITLE, abstract="one two three four five six seven eight")))
    ) == [-375953093, 1141021256]


def test_most_alike_paper_comes_first() -> None:
    known = Sketches([(number, paper) for paper in range(1, 10) for number in range(paper)])
    assert known.most_alike(frozenset(range(9))) == [9, 8, 7, 6, 5]
