# ruff: noqa: RUF001 - characters that look alike are the subject here
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.text import find_written, literal_text, name_phrases, name_text, phrases, word_text
from newsletter.text.plurals import singular
from newsletter.text.words import MAX_PHRASES, fold_letters

TEXTS = st.text("abs CDS-'’–.,+éßłøæαβ0日本ไ ", max_size=30) | st.text(max_size=30)

PLURALS = """
models:model LLMs:llm LMs:lm GPUs:gpu A100s:a100 studies:study analyses:analysis
matrices:matrix indices:index criteria:criterion classes:class processes:process meshes:mesh
branches:branch caches:cache boxes:box sizes:size biases:bias viruses:virus corpora:corpus
databases:database diseases:disease hypotheses:hypothesis uses:use movies:movie ties:tie
metrics:metric RESULTS:result curves:curve leaves:leaf children:child buses:bus
"""
NO_PLURALS = """
bias physics news gas lens DNS GPS SaaS iOS this was loss class virus analysis basis series
species genetics robotics canvas chaos corpus as is us pass AIDS https means training
"""


def found(rule: str, text: str) -> bool:
    return any(phrase in word_text(text) for phrase in phrases(rule))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Chain‑of–thought, Chains—of−Thought", "chain of thought , chain of thought"),
        ("Łukasz Søren Đặng ıİ æœ ßẞ þð ħŧ ƒ ﬁ", "lukasz soren dang ii aeoe ssss thd ht f fi"),
        ("これは日本語", "こ れ は 日 本 語"),
        ("拡散model ｶﾞﾝ", "拡 散 model ガ ン"),
        ("ไทย ភាសា 모델은", "ไ ท ย ភ ា ស ា 모 델 은"),
        ("TNF-α Aβ τ-bench μοντέλο", "tnf alpha a beta tau bench μοντελο"),
        ("Parkinson's MoE’s models' O'Brien", "parkinson moe model o brien"),
        ("“quoted” «text»", "quoted text"),
        ("C++ (.NET) and/or", "c + + ( . net ) and / or"),
        ("हिन्दी भाषा", "हिन्दी भाषा"),
    ],
)
def test_text_becomes_comparable_words(text: str, words: str) -> None:
    assert word_text(text) == f" {words} "


@pytest.mark.parametrize("pair", PLURALS.split())
def test_plural_is_compared_as_the_singular(pair: str) -> None:
    plural, one = pair.split(":")
    assert singular(plural) == one == singular(one)


@pytest.mark.parametrize("word", NO_PLURALS.split())
def test_word_that_is_no_plural_stays(word: str) -> None:
    assert singular(word) == word.lower()


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("fine tuning", "finetuning"),
        ("fine-tuning", "fine tuning"),
        ("finetuning", "Fine-Tuning"),
        ("multi-modal pre-training", "multimodal pretraining"),
        ("multimodal", "multi modal"),
        ("dataset", "data sets"),
        ("data set", "datasets"),
        ("time-series", "timeseries"),
        ("tradeoff", "trade-offs"),
        ("GPT-4", "GPT4"),
        ("gpt4", "GPT 4"),
        ("lms", "LMs"),
        ("LMs", "an LM"),
        ("llms", "LLM"),
        ("sars-cov-2", "SARS-CoV-2"),
        ("beta amyloid", "β-amyloid"),
        ("α-synuclein", "alpha synuclein"),
        ("日本語", "これは日本語です"),
        ("拡散 model", "拡散models"),
        ("diffus*", "diffusing"),
        ("Parkinsons disease", "Parkinson’s disease"),
        ("E coli", "in E. coli"),
        ("c. elegans", "C elegans"),
        ("GPT4o", "GPT-4o"),
        ("kmeans", "k-means"),
        ("UNet", "U-Net"),
        ("A*", "an A* search"),
    ],
)
def test_phrase_is_found_in_other_spellings(rule: str, text: str) -> None:
    assert found(rule, text)


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("train", "training"),
        ("genetic", "genetics"),
        ("GP", "GPS"),
        ("GA", "gas"),
        ("new", "news"),
        ("to day", "today"),
        ("overall", "over all"),
        ("clinical notes", "clinical. Notes"),
        ("ga", "ガ"),
        ("カン", "ガン"),
        ("diffus*", "a diff"),
        ("A*", "an ant"),
    ],
)
def test_phrase_is_not_found_in_other_words(rule: str, text: str) -> None:
    assert not found(rule, text)


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        ("Ann Alpha", "Ann B. Alpha"),
        ("Ann Alpha", "Alpha, Ann B."),
        ("Alpha, Ann", "Ann Alpha"),
        ("alpha", "Ann Alpha"),
        ("Y. LeCun", "Yann LeCun"),
        ("Ann B. Alpha", "Ann B. Alpha"),
        ("Xiao-Ming Li", "Xiaoming Li"),
        ("Xiaoming Li", "Xiao-Ming Li"),
        ("OBrien", "Pat O’Brien"),
        ("Lukasz Alphaski", "Łukasz Alphaski"),
        ("山田", "山田太郎"),
    ],
)
def test_author_is_found_as_bylines_have_them(rule: str, name: str) -> None:
    assert any(phrase in name_text(name) for phrase in name_phrases(rule))


@pytest.mark.parametrize(
    ("rule", "name"),
    [
        ("Yann LeCun", "Y. LeCun"),
        ("Ann Alpha", "Ann Beth Alpha"),
        ("Ann C. Alpha", "Ann B. Alpha"),
        ("William", "Ann Williams"),
        ("Alph", "Ann Alpha"),
        ("山郎", "山田太郎"),
    ],
)
def test_another_author_is_not_found(rule: str, name: str) -> None:
    assert not any(phrase in name_text(name) for phrase in name_phrases(rule))


@given(TEXTS)
def test_folding_a_folded_text_changes_nothing(text: str) -> None:
    folded = fold_letters(text)
    assert fold_letters(folded).split() == folded.split()
    assert literal_text(literal_text(text)) == literal_text(text)


@given(TEXTS, TEXTS)
def test_words_do_not_depend_on_their_neighbours(one: str, other: str) -> None:
    together = word_text(f"{one} , {other}").split()
    assert together == [*word_text(one).split(), ",", *word_text(other).split()]


@given(st.lists(st.text("abs", min_size=1, max_size=4), min_size=1, max_size=12))
@example(["b", "b", "a", "aas", "aa", "aa", "aa", "a"])
def test_phrase_has_few_spellings_and_its_own(words: list[str]) -> None:
    spelled = phrases(" ".join(words))
    assert 1 <= len(spelled) <= 3 * MAX_PHRASES  # three readings at most
    assert word_text(" ".join(words)) in spelled or any(len(word) in {3, 4} for word in words)


@pytest.mark.parametrize(
    ("rule", "text", "written"),
    [
        ("chain of thought", "On Chains-of-Thought, again", "Chains-of-Thought"),
        ("finetuning", "we fine-tune; fine-tuning helps", "fine-tuning"),
        ("TNF-alpha", "the TNF-α level", "TNF-α"),
        ("語 モデル", "大規模言語モデルの研究", "語モデル"),
        ("diffus*", "by diffusing", "diffusing"),
        ("speech", "vision", ""),
    ],
)
def test_written_form_is_found(rule: str, text: str, written: str) -> None:
    assert find_written(text, phrases(rule)) == written


def test_a_power_is_found_however_it_is_written() -> None:
    for written in ("M^3ViT", "M³ViT", "M3ViT"):
        assert word_text(written) == " m3vit "
        assert literal_text(written) == "m3vit"
