"""The subject and the preheader: how papers are named in them."""

# ruff: noqa: RUF001 - characters that look alike are the subject here

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.letter.inbox import (
    BETWEEN,
    SUBJECT_WIDTH,
    fitting_names,
    index_entries,
    names_to_try,
    paper_names,
    preheader,
    topic_counts,
)
from newsletter.model import BY_FILTER, BY_FILTER_BEFORE, TOP
from newsletter.text import handle, short_title
from tests.support.letters import edition, section

RECORDED = Path(__file__).parents[2].parent / "shared" / "data" / "payloads" / "hf_daily"
ABOUT = "We say what the first paper of the letter did, and what came of it."


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("VibeWorlding: Can Multimodal Agents Construct 3D Open Worlds?", "VibeWorlding"),
        ("ClawGym II: Exploring Black-Box RL on Agent Harness", "ClawGym II"),
        ("BRIDGE - Building a Data Generation Engine", "BRIDGE"),
        ("X-OmniClaw Technical Report: A Unified Mobile Agent", "X-OmniClaw"),
        ("Response Tuning: Aligning Models without Instruction", "Response Tuning"),
        ("大规模语言模型：综述", "大规模语言模型"),
        ("Net2Net", "Net2Net"),
        ("A Survey: What We Know of Agents", ""),
        ("Position: LLM Inference Should Be Evaluated", ""),
        ("Toward Skill-Native LLMs: Skill Entropy", ""),
        ("When Memory Lies: An Empirical Study", ""),
        ("Relax Within, Balance Across: Load Balancing", ""),
        ("Do AI Personas Grow? Analyzing Personality", ""),
        ("Author Correction: Genome-wide analysis", ""),
        ("The Unreasonable Effectiveness of Noisy Data: A Study", ""),
        ("Attention Is All You Need", ""),
        ("", ""),
    ],
)
def test_handle_is_a_name_before_the_colon(title: str, name: str) -> None:
    assert handle(title) == name


@pytest.mark.parametrize(
    ("title", "short"),
    [
        ("ClawGym II: Exploring Black-Box RL on Agent Harness", "ClawGym II"),
        ("Attention Is All You Need", "Attention Is All You Need"),
        ("When Memory Lies: An Empirical Study of Spatial Memory", "When Memory Lies"),
        ("Position: Agents Need Rest: A Plea", "Agents Need Rest: A Plea"),
        ("Motif 3: Technical Report", "Motif 3"),
        ("Pyramidal Flow Matching for Efficient Video Modeling", "Pyramidal Flow Matching"),
        ("Learning to Reason for Hallucination Span Detection", "Learning to Reason…"),
        ("A Rigorous Benchmark with Multidimensional Evaluation", "A Rigorous Benchmark…"),
        ("LLM Inference Should Be Evaluated as Energy", "LLM Inference Should Be…"),
        ("Quantum Walks of the Second Kind Explained at Length", "Quantum Walks of the Second…"),
        ("Author Correction: Genome-wide analysis of maize", "Author Correction…"),
    ],
)
def test_title_is_cut_at_the_end_of_a_phrase(title: str, short: str) -> None:
    assert short_title(title, 30) == short


@given(st.text(max_size=200), st.integers(1, 60))
def test_short_title_accepts_any_text(title: str, most: int) -> None:
    assert len(short_title(title, most)) <= max(most, 32)


def names(*titles: str) -> tuple[str, int]:
    tries = names_to_try([paper_names(title) for title in titles][:3])
    return fitting_names(tries, len(titles), SUBJECT_WIDTH)


def test_subject_names_as_many_papers_as_fit() -> None:
    four = ("VibeWorlding: A", "HarnessEval-W: B", "ClawGym II: C", "UI-Mate: D")
    assert names(*four) == ("VibeWorlding, HarnessEval-W, ClawGym II +1", 3)
    assert names(*four[:2]) == ("VibeWorlding, HarnessEval-W", 2)
    assert names("VibeWorlding: A", "VibeWorlding: B", *four[1:]) == (
        "VibeWorlding, HarnessEval-W +2",
        3,
    )
    long = "Interpretable Models of Everything that Happens in Cells"
    assert names(long, "SFT Conflicts, RL Coexists: A", "UI-Mate: B", "C")[0] == (
        "Interpretable Models of Everything…; SFT Conflicts, RL Coexists; UI-Mate +1"
    )
    assert names(long, long[::-1], "UI-Mate: B", "C")[1] == 2


def test_preheader_names_the_next_papers() -> None:
    titles = ("UI-Mate: Advancing Open-Weight Agents", "GenRouter: B", "Cells", "DropTable: C")
    named = [paper_names(title) for title in titles]
    assert preheader(named, ABOUT) == "UI-Mate: Advancing Open-Weight Agents · GenRouter: B · Cells"
    assert preheader(named[1:2], ABOUT) == f"GenRouter: B — {ABOUT}"
    assert preheader([], ABOUT) == ABOUT
    wide = [paper_names(f"Net{n}: {'wide ' * 15}end") for n in range(3)]
    assert preheader(wide, ABOUT) == f"Net0: {'wide ' * 15}end · Net1 · Net2"


@pytest.mark.parametrize(
    ("counts", "without", "index"),
    [
        ({"Agents": 8, "Speech": 3}, ["Robots"], "Agents 8 · Speech 3 · Robots none today"),
        ({"Agents": 8}, ["Robots", "Cells"], "Agents 8 · Robots, Cells none today"),
        ({"Agents": 8}, [], ""),
        ({}, [], ""),
        (
            {"Agents": 8},
            [f"A long topic of the number {n}" for n in range(5)],
            "Agents 8 · 5 topics none today",
        ),
        (
            {f"A wide topic {n}": n for n in range(10, 40)},
            ["Robots", "Cells"],
            "A wide topic 10 10 · A wide topic 11 11 · 28 more topics · 2 topics none today",
        ),
    ],
)
def test_index_of_topics_fits_two_lines(
    counts: dict[str, int], without: list[str], index: str
) -> None:
    line = BETWEEN.join(index_entries(counts, without, "today"))
    assert line.replace("\N{NO-BREAK SPACE}", " ") == index
    assert len(line) <= 92
    wide = index_entries({"wide " * 40: 1, **counts}, ["wide " * 40], "today")
    assert len(BETWEEN.join(wide)) <= 92


@pytest.mark.skipif(
    not RECORDED.is_dir(),
    reason="the folder `shared` with real payloads is not beside the checkout",
)
def test_recorded_listings_make_good_lines() -> None:
    lists = [json.loads(path.read_bytes()) for path in sorted(RECORDED.glob("*.json"))]
    for entries in (each for each in lists if isinstance(each, list)):
        papers = [paper_names(" ".join(entry["paper"]["title"].split())) for entry in entries]
        line, named = fitting_names(names_to_try(papers[:3]), len(papers), SUBJECT_WIDTH)
        assert len(line) <= SUBJECT_WIDTH
        assert named >= min(2, len(papers))
        assert 40 <= len(preheader(papers[named:], ABOUT)) <= 110


def test_section_of_an_earlier_version_keeps_its_name() -> None:
    """An issue that it froze has to be finished with the same bytes."""
    opening = replace(section(TOP, 0, because="include “LoRA”"), leads=True)
    for name in (BY_FILTER, BY_FILTER_BEFORE):
        for theirs in {name, BY_FILTER}:  # a newcomer's has the present name
            made = edition(opening, section(theirs, 1))
            assert topic_counts(made, {TOP: 0, name: 1, BY_FILTER: 2}) == ({name: 2}, [])
