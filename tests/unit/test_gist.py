"""The sentences of an abstract that say what was done, and what came of it."""

import re

import pytest

from newsletter.text import find_gist, split_sentences, tex_to_unicode
from newsletter.text.gist import LONGEST

BEFORE = "Long videos are hard to search. However, existing methods need many labels."
DID = "We propose FindIt, a method that searches videos without labels."
HOW = "It splits a video into scenes and describes each of them in words."
RESULT = "On three benchmarks, FindIt improves recall by 12.5 % over the best rival."
OUTLOOK = "These findings open promising directions for future research."
CODE = "Code and models are available at https://example.org/findit."
ML = f"{BEFORE} In this paper, we {DID[3:]} {HOW} {RESULT} {OUTLOOK} {CODE}"


def short(text: str, limit: int = 480, title: str = "") -> str:
    return find_gist(text, title).short(limit)


def lead(text: str, limit: int = 700) -> str:
    return find_gist(text).lead(limit)


# -- sentences -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sentences",
    [
        ["We use 3.5 B models, e.g. Llama (cf. Fig. 2).", "It works!", "By J. Doe et al. in 2024."],
        ["He said “Yes.”", "Then he left.", "Did it help?", "No."],
        ["We train v1.5 of vLLM, i.e. the fast one.", "vLLM serves it.", "2.3 % fail."],
        [
            "See https://example.org/a.b?c=D. for it.",
            "The U.S. Army paid (see Sec. 3. Not 4.) for it.",
        ],
        ["Doses of vitamin C.", "We measured them vs. St. John's wort approx. 3 h later."],
        ["Earlier work by Smith et al.", "This differs.", "Cells, spp. etc.", "We grew them.³"],
        ["We find Σ_i x_i ≤ 2.", "∀ε it holds.", "Σ is finite."],
        ["no end"],
        [],
    ],
)
def test_sentences_end_where_a_reader_ends(sentences: list[str]) -> None:
    assert split_sentences(" ".join(sentences)) == sentences


def test_a_lost_space_still_parts_sentences() -> None:
    assert split_sentences("It is state of the art.We use Node.js.The end.") == [
        "It is state of the art.",
        "We use Node.js.",
        "The end.",
    ]


# -- short summaries -----------------------------------------------------------------------------


def test_short_says_what_was_done_and_the_result() -> None:
    assert short(ML) == f"{DID} {RESULT}"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("To this end, we propose a method for finding exoplanets.", "We propose a method"),
        ("Thus, in this work, we present a census of all the nearby stars.", "We present a census"),
        ("In this paper we derive new bounds for the sum of all primes.", "We derive new bounds"),
        ("Here we show that bees count up to four when they look for food.", "We show that bees"),
        ("Motivated by these findings, we develop a vaccine against malaria.", "We develop a"),
        ("In this study, the growth of ferns was measured in two valleys.", "The growth of ferns"),
        ("In this work, two kinds of wheat were grown and measured for a year.", "Two kinds of"),
        (
            "Using data of 40 banks, we estimate how rates move the prices.",
            "Using data of 40 banks",
        ),
    ],
)
def test_a_lead_in_is_left_out(written: str, shown: str) -> None:
    assert short(f"{BEFORE} {written}").startswith(shown)


NURSES = (
    "Sleep is poor in shifts.",
    "To test whether naps help nurses at night.",
    "We randomised 120 nurses to a nap or none.",
    "Naps cut errors by 31% (p = 0.01).",
    "Naps may be considered.",
)


@pytest.mark.parametrize(
    "form",
    [
        "Background: {} Aim: {} Methods: {} Results: {} Conclusions: {} Funding: None.",
        "BACKGROUND {} AIM {} METHODS {} RESULTS {} CONCLUSIONS {}",
        "Context. {} Aims. {} Methods. {} Results. {} Conclusions. {}",
        "Background{} Objectives{} Materials and Methods: {} Results{} Conclusions{}",
        "Context: {} Study aim: {} Design, setting: {} Main results: {} Interpretation: {}",
    ],
)
def test_structured_abstracts_give_aim_and_result(form: str) -> None:
    assert short(form.format(*NURSES)) == f"{NURSES[1]} {NURSES[3]}"


@pytest.mark.parametrize("name", ["DataFlex", "MethodNet", "ResultBERT", "StudyGPT", "AimBot"])
def test_a_name_is_no_heading(name: str) -> None:
    told = f"{name} also finds 20% more of the videos than its rivals."
    assert short(f"We propose {name}, which searches videos without labels. {told}").endswith(told)


def test_what_was_measured_is_what_was_done() -> None:
    abstract = (
        "Ferns are old. Their growth in shade is not understood. Growth rates of 14 species were"
        " measured over two years. Rates were 2.3 times higher in shade. Ferns may adapt."
    )
    assert short(abstract) == (
        "Growth rates of 14 species were measured over two years."
        " Rates were 2.3 times higher in shade."
    )


def test_the_title_names_what_was_done() -> None:
    told = "FindIt charts another course with a team of agents that watch and take notes."
    assert short(f"{BEFORE} {told} {RESULT}", title="FindIt: Search") == f"{told} {RESULT}"


@pytest.mark.parametrize("number", ["GPT-4", "3D", "2024"])
def test_a_number_in_a_name_is_no_result(number: str) -> None:
    other = f"We show results with {number} on more data."
    assert short(f"{DID} {RESULT} {other}") == f"{DID} {RESULT}"


def test_no_summary_says_where_code_is() -> None:
    release = "We release all code and data for research."
    assert short(f"{DID} {CODE} {release}") == DID
    assert "example.org" not in lead(ML)
    assert short(f"Bees dance. {CODE}") == "Bees dance."


@pytest.mark.parametrize("end", ["…", "...", " […]"])
def test_a_sentence_that_the_source_cut_is_left_out(end: str) -> None:
    assert short(f"{DID} {RESULT} It also finds the{end}") == f"{DID} {RESULT}"
    assert short(f"Bees dance. They also count up to{end}") == "Bees dance."
    assert short(f"We show that bees count, which is why they can{end}", 99).endswith(
        f"they can{end}"
    )
    told = "We show that bees can count up to four and remember it"
    assert short(f"{told}, which is why they{end}") == f"{told}."


# -- room ----------------------------------------------------------------------------------------


def test_two_long_sentences_end_at_a_clause() -> None:
    wide = f"{DID[:-1]}, which is trained on {'very ' * 20}many hours. {RESULT}"
    assert short(wide, 160) == f"{DID} {RESULT}"
    assert short(wide, 80) == DID


@pytest.mark.parametrize(
    ("rest", "shown"),
    [
        (", but also beats {} of its rivals.", None),
        (" in classes: those {} that are long; those that are short; others.", " in classes."),
        (", and its model integrates: (i) {} sound and (ii) text.", None),
    ],
)
def test_a_cut_leaves_no_half_of_a_list(rest: str, shown: str | None) -> None:
    told = "We propose a method that not only searches videos without labels" + rest
    whole = told.format("and " * 60)
    assert short(whole, 150) == (whole if shown is None else told.partition(":")[0] + ".")


def test_signs_within_a_name_end_no_clause() -> None:
    wide = (
        f"{DID} The gene TaGS1;2 is expressed 3 times more in leaves than AtGS::2{' or that' * 60}."
    )
    assert short(wide, 300).startswith(DID)
    assert not short(wide, 300).endswith(("TaGS1.", "AtGS."))


def test_one_long_sentence_is_shown_whole() -> None:
    long = f"We propose a method that {'is good and ' * 40}works."
    assert short(f"{long} {RESULT}", 200) == long


def test_a_result_before_what_was_done_is_told() -> None:
    ours = "Our tests reveal that 40% of the labels of such videos are wrong."
    assert short(f"{BEFORE} {ours} Thus, {DID[0].lower()}{DID[1:]}") == f"{ours} {DID}"


def test_a_list_gives_its_first_item() -> None:
    listed = f"FindIt (1) improves recall by 12.5% on all of the benchmarks; (2) {'x ' * 90}."
    assert short(f"{DID} {listed}", 200) == (
        f"{DID} FindIt improves recall by 12.5% on all of the benchmarks."
    )


def test_lead_has_more_sentences_in_order() -> None:
    second = "It is also 3 times faster than them."
    assert lead(ML) == f"{DID} {HOW} {RESULT}"
    assert lead(ML.replace(OUTLOOK, f"{OUTLOOK} {second}")) == f"{DID} {HOW} {RESULT} {second}"
    assert lead(ML, 180) == f"{DID} {RESULT}"
    assert lead(DID, 20) == DID


# -- other languages, hostile texts --------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "Wir stellen ein Verfahren vor. Es findet Videos. Es ist um 12 % besser.",
        "Nous proposons une méthode. Elle trouve des vidéos. Le gain est de 12 %.",
    ],
)
def test_other_languages_show_their_first_sentences(text: str) -> None:
    assert short(text) == " ".join(split_sentences(text)[:2])


def test_chinese_ends_at_a_full_stop() -> None:
    text = "我们提出一种新方法。它可以找到视频。" * 20
    assert short(text, 1000) == text
    assert short(text, 100).endswith("。")
    assert len(short(text, 100)) > 80


@pytest.mark.parametrize("text", ["", " ", "...", "(", "1) 2) 3)", "Method:", "Results: Results:"])
def test_texts_without_sentences_are_harmless(text: str) -> None:
    assert len(short(text)) <= len(text)
    assert len(lead(text)) <= len(text)


@pytest.mark.parametrize(
    "piece",
    [
        "word ", "A b. ", "(", "(a. ", "we ", "We .", "we-", "this ", "In this, ", "Background ",
        "1.", "1, ", "data ", "x", "aim ", "We propose a thing; ", "(1) ", '." ', ".⁰", "the new ",
        "a,b ", "We find x, which is y. ", "METHODS ", "is was ", "。",
    ],
)  # fmt: skip
def test_hostile_abstracts_stay_short(piece: str) -> None:
    """Each takes milliseconds; a pattern that backtracks would take hours."""
    text = piece * (100_000 // len(piece))
    assert max(len(short(text)), len(lead(text))) <= LONGEST


def test_summaries_end_like_sentences() -> None:
    for text in (ML, f"{BEFORE} {DID}", RESULT):
        assert re.search(r"[.!?]$", short(text))
        assert re.search(r"[.!?]$", lead(text))


def test_results_of_others_are_none_of_the_papers() -> None:
    told = f"Gao showed that such trees are 1.6 times larger. {DID} They are improved by 12 %."
    assert "Gao" not in short(told)
    before = f"{DID} Previous work reduced the error by 40 %. Our bound is 12 % lower."
    assert short(before).endswith("Our bound is 12 % lower.")


def test_sentence_tied_to_another_gives_way() -> None:
    between = "We compensate the motion between frames with a learned flow."
    tied = "This then allows the network to reduce the error by 20 %."
    result = "The mean error falls by 11 % on two benchmarks of poses."
    assert short(f"{DID} {result} {between} {tied}").endswith(result)
    assert short(f"{DID} {tied}").endswith(tied)


def test_citation_leaves_no_hole() -> None:
    assert tex_to_unicode(r"the benchmark of \cite{a,b}, on a set") == "the benchmark, on a set"
