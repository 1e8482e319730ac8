"""Wishes in plain words, with the vector table that the package has."""

import io

import numpy as np
import pytest

from newsletter.app.files import load_engine
from newsletter.errors import FilterError
from newsletter.meaning import PaperSignals, PaperText, VectorTable, Wish, parse_wish, score
from newsletter.meaning.stems import stem

PAPERS = (
    PaperText(
        "Evicting the KV Cache of Long Contexts",
        "We compress the key-value cache of transformers by evicting entries. Memory halves.",
    ),
    PaperText(
        "Sparse MoE Layers with Balanced Routers",
        "A router sends each token to two experts. We balance the load of MoE layers in training.",
    ),
    PaperText(
        "Streaming Speech Recognition on Phones",
        "We recognise spoken words on a phone with a small acoustic model.",
    ),
    PaperText(
        "A Census of Dwarf Galaxies",
        "We count faint satellites of the Milky Way in a deep survey of the southern sky.",
    ),
)


@pytest.fixture(scope="module")
def signals() -> PaperSignals:
    return load_engine().read(PAPERS)


def test_table_with_objects_is_refused() -> None:
    """Reading them would run code."""
    file = io.BytesIO()
    np.savez(file, format=np.array([object()]))
    with pytest.raises(ValueError, match="allow_pickle"):
        VectorTable.load(file.getvalue())


def best(signals: PaperSignals, wish: str) -> int:
    """The paper that comes first for a wish."""
    return int(score(signals, [load_engine().prepare(wish)])[0].argmax())


@pytest.mark.parametrize(
    ("wish", "paper"),
    [
        ("KV cache compression", 0),
        ("mixture-of-experts routing", 1),
        ("automatic transcription of audio", 2),
        ("small galaxies near our own", 3),
    ],
)
def test_wish_finds_paper_in_other_words(signals: PaperSignals, wish: str, paper: int) -> None:
    assert best(signals, wish) == paper


def test_unwanted_paper_is_not_found(signals: PaperSignals) -> None:
    wish = "models on phones, speech recognition"
    (masks, without) = load_engine().find(signals, [wish, "models on phones, not speech"])
    assert masks.found("broad") >> 2 & 1
    assert not without.found("broad") >> 2 & 1


def test_wish_is_the_same_beside_others(signals: PaperSignals) -> None:
    engine = load_engine()
    others = [f"KV cache {number}" for number in range(50)]
    alone = engine.find(signals, ["MoE routers, not galaxies"])
    assert engine.find(signals, [*others, "MoE routers, not galaxies"])[-1:] == alone


def test_each_mode_finds_what_a_narrower_one_finds() -> None:
    """Of many papers that are surely right, strict takes five, broad thirty and all likely ones."""
    copies = [PaperText(f"{title} {n}", abstract) for n in range(40) for title, abstract in PAPERS]
    (masks,) = load_engine().find(load_engine().read(copies), ["KV cache compression"])
    assert masks.found("strict").bit_count() == 5
    assert (
        masks.found("strict") & ~masks.found("normal")
        == masks.found("normal") & ~masks.found("broad")
        == 0
    )


def test_evidence_names_the_other_form(signals: PaperSignals) -> None:
    said = load_engine().evidence(signals, 1, "mixture of experts")
    assert said == "“mixture of experts”: the paper says “MoE”"


def test_evidence_names_the_title(signals: PaperSignals) -> None:
    assert load_engine().evidence(signals, 0, "KV cache") == "“KV cache”: in the title"


@pytest.mark.parametrize(
    ("text", "wanted", "unwanted"),
    [
        ("medical imaging, not speech", ("medical imaging",), ("speech",)),
        ("routing but not quantization", ("routing",), ("quantization",)),
        ("I work on KV caches. No vision!", ("KV caches",), ("vision",)),
        ("learning without labels", ("learning without labels",), ()),
        ("robots, without cameras", ("robots",), ("cameras",)),
        ("not speech; imaging and no video", ("imaging",), ("speech", "video")),
        ("imaging not speech", ("imaging",), ("speech",)),
        ("imaging \u2014 not speech", ("imaging",), ("speech",)),
        ("imaging. I don't want speech.", ("imaging",), ("speech",)),
        ("imaging, also not speech", ("imaging",), ("speech",)),
        ("imaging, I'm not interested in speech", ("imaging",), ("speech",)),
        ("imaging instead of speech", ("imaging",), ("speech",)),
        (
            "no-regret learning, not only of graphs",
            ("no-regret learning", "not only of graphs"),
            (),
        ),
        ("nothing but methods that do not scale", ("nothing but methods that do not scale",), ()),
        ("U.S. elections vs. polls. Graphs", ("U.S. elections vs. polls", "Graphs"), ()),
        ("Please send me new papers about birds", ("birds",), ()),
        ("my research is on graphs\nand trees", ("graphs", "and trees"), ()),
    ],
)
def test_wish_is_taken_apart(text: str, wanted: tuple[str, ...], unwanted: tuple[str, ...]) -> None:
    assert parse_wish(text) == Wish(text, wanted, unwanted)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no words to look for"),
        ("the of", "no words to look for"),
        ("anything, please", "no words to look for"),
        ("not speech, no video", "only what you do not want"),
        ("机器学习", "only in English"),
    ],
)
def test_wish_without_words_is_refused(text: str, why: str) -> None:
    with pytest.raises(FilterError, match=why):
        parse_wish(text)


@pytest.mark.parametrize("text", [" " * 4000, "i" + " " * 4000 + "x", "not " * 1000, "a." * 2000])
def test_parts_are_found_in_linear_time(text: str) -> None:
    """A pattern that tries every split of these would take minutes."""
    parse_wish(f"{text}, graphs")


@pytest.mark.parametrize(
    "words",
    [
        ("routing", "routed", "routings"),
        ("study", "studies"),
        ("classes", "class"),
        ("quantization", "quantize", "quantizations"),
        ("planning", "planned", "plans"),
        ("caches", "cache", "caching"),
    ],
)
def test_forms_of_a_word_have_one_stem(words: tuple[str, ...]) -> None:
    assert len({stem(word) for word in words}) == 1


def test_different_words_keep_their_stems() -> None:
    words = ["bias", "analysis", "virus", "ring", "bed", "species", "gas"]
    assert len({stem(word) for word in words}) == len(words)


@pytest.mark.parametrize(
    ("paper", "wish", "said"),
    [
        (0, "evicting caches", "“evicting caches”: in the title"),
        (0, "entries of memory", "“entries of memory”: in the abstract"),
        (0, "cache of transformers", "“cache of transformers”: in the title and abstract"),
        (2, "speech on a telephone", "close to “speech on a telephone”, has “speech”"),
        (3, "astronomical catalogues", "close to “astronomical catalogues”, none of its words"),
    ],
)
def test_evidence_says_where_the_words_are(
    signals: PaperSignals, paper: int, wish: str, said: str
) -> None:
    assert load_engine().evidence(signals, paper, wish) == said


def test_paper_touching_an_unwanted_part_is_left_out() -> None:
    paper = PaperText(
        "A LoRA-MoE Architecture for Voices",
        "A mixture of experts in each layer recognises speech.",
    )
    wish = "mixture-of-experts layers, not speech"
    (masks,) = load_engine().find(load_engine().read([paper]), [wish])
    assert not masks.remote


def test_unwanted_kind_spares_the_rest_of_a_wish() -> None:
    paper = PaperText(
        "Nash Equilibria of Repeated Games",
        "We prove that equilibria exist in the game theory of players who compete for prices.",
    )
    (masks,) = load_engine().find(load_engine().read([paper]), ["game theory, not auction theory"])
    assert masks.strong


@pytest.mark.parametrize("letters", ["x", "acgt", "a\u0301"])
def test_word_without_end_is_read_at_once(letters: str) -> None:
    paper = PaperText("Genes", letters * (40_000 // len(letters)))
    assert len(load_engine().read([paper])) == 1  # takes an hour if each end of a word is tried
