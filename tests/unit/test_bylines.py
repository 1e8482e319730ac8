"""Author fields in every form, and lists of authors joined in eight ways."""

# ruff: noqa: RUF001 - characters that look alike are the subject here

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.bylines import JOINS, wrong
from newsletter.text import byline, clean

SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "payloads" / "hf_daily"

LISTS = (
    ("Ann Alpha",),
    ("Ann Alpha", "Wei Li"),
    ("Bo Li", "Xu Yu"),
    ("Bin Lei", "Yuchen Li"),
    ("Yonglin Cao", "Yuan Cao"),
    ("Ann B. Alpha", "Ben Beta"),
    ("María José Núñez", "Jean-Luc Bêta", "D. E. Delta"),
    ("Ludo Zeta", "Kim Eta", "Corby Theta", "Hal Iota III"),
    ("Wei Zhang", "Kun Xu", "Kun Xu", "Li Na"),
    tuple(f"Given{chr(97 + n % 26)} Family{chr(97 + n // 26 % 26)}" for n in range(600)),
)


@pytest.mark.parametrize("join", JOINS)
@pytest.mark.parametrize("names", LISTS, ids=lambda names: names[-1])
def test_joined_names_come_apart(join: str, names: tuple[str, ...]) -> None:
    assert wrong(names, join) == ()


@pytest.mark.parametrize(
    ("field", "names"),
    [
        (
            "Alpha, A., Beta, B. C., The Invented Consortium",
            "A. Alpha|B. C. Beta|The Invented Consortium",
        ),
        ("Alpha, A., ATLAS Collaboration, Beta, B.", "A. Alpha|ATLAS Collaboration|B. Beta"),
        (
            "Alpha, Ann, Beta, Ben, The Invented Consortium",
            "Ann Alpha|Ben Beta|The Invented Consortium",
        ),
        ("Ann Alpha, on behalf of the Invented Study Group", "Ann Alpha|the Invented Study Group"),
        ("The Health and Safety Consortium", "The Health and Safety Consortium"),
        ("Ann Alpha and The Big Consortium", "Ann Alpha|The Big Consortium"),
        ("Alpha, Ann and Beta, Ben", "Ann Alpha|Ben Beta"),
        ("Alpha, A., Beta, B. & Gamma, C.", "A. Alpha|B. Beta|C. Gamma"),
        ("Alpha, Ann, Ben Beta, and Cy Gamma", "Ann Alpha|Ben Beta|Cy Gamma"),
        ("Ann Alpha, Madonna and Ben Beta", "Ann Alpha|Madonna|Ben Beta"),
        ("Alpha A, Beta BC", "Alpha A|Beta BC"),
        ("Alpha, A, Beta, BC", "A Alpha|BC Beta"),
        ("van der Berg, Jan", "Jan van der Berg"),
        ("Ramón y Cajal, Santiago; Beta, Ben", "Santiago Ramón y Cajal|Ben Beta"),
        ("Müller, Yu. A., Öz, Ö.", "Yu. A. Müller|Ö. Öz"),
        ("King, Martin L., Jr.; Beta, Ben", "Martin L. King Jr.|Ben Beta"),
        ("Very Real, Jr., Ann Alpha", "Very Real Jr.|Ann Alpha"),
        ("王伟、李明", "王伟|李明"),
        ("王伟，李明", "王伟|李明"),
        ("Ann Alpha | Ben Beta", "Ann Alpha|Ben Beta"),
        ("Ann Alpha · Ben Beta", "Ann Alpha|Ben Beta"),
        ("Ann Alpha\nBen Beta", "Ann Alpha|Ben Beta"),
        ("\nAnn Alpha, \nBen Beta", "Ann Alpha|Ben Beta"),
        ("Ann Alpha, Ben\nBeta", "Ann Alpha|Ben Beta"),
        ("By Ann Alpha", "Ann Alpha"),
        ("Authors: Ann Alpha, Corby Beta", "Ann Alpha|Corby Beta"),
        ("Ann Alpha, Ben Beta, et al.", "Ann Alpha|Ben Beta"),
        ("Alpha A, Beta BC; X Study Group", "Alpha A|Beta BC|X Study Group"),
        ("Ann Alpha, Ben Beta for the X Collaboration", "Ann Alpha|Ben Beta|the X Collaboration"),
        ("Society for the Study of Fiction", "Society for the Study of Fiction"),
        ("Working Group 2, Ann Alpha", "Working Group 2|Ann Alpha"),
        ("Ann Alpha, Ben Beta, … Cy Gamma", "Ann Alpha|Ben Beta|Cy Gamma"),
        ("Ann Alpha / Ben Beta", "Ann Alpha|Ben Beta"),
        ("[Ann Alpha, Ben Beta]", "Ann Alpha|Ben Beta"),
    ],
)
def test_each_form_is_read(field: str, names: str) -> None:
    assert "|".join(byline([field])) == names


@pytest.mark.parametrize(
    "field",
    [
        "ed@papers.science (Ann Alpha, Ben Beta)",
        "ann@x.museum (Ann Alpha), ben@y.org (Ben Beta)",
        "Ann Alpha <ann@x.science>; Ben Beta",
        "Ann Alpha1,2, Ben Beta1,*",
        "Ann Alpha<sup>1,2</sup>, Ben Beta<sup>†</sup>",
        "Ann Alpha† and Ben Beta‡",
        "Ann Alpha 1, Ben Beta 2",
        "Ann Alpha(1), Ben Beta(2) ((1) Univ X, (2) Univ Y)",
        "Ann Alpha (A, B), Ben Beta [C]",
        "Ann Alpha, University of Fiction, Ben Beta, Institute of Y",
        "Ann Alpha, PhD, Ben Beta, MD, PhD",
        "Dr. Ann Alpha & Prof. Ben Beta PhD",
    ],
)
def test_only_names_are_left(field: str) -> None:
    assert byline([field]) == ("Ann Alpha", "Ben Beta")


@pytest.mark.parametrize(
    "fields",
    [
        ["García Márquez, Gabriel", "Beta, Ben"],
        ["García Márquez, Gabriel; Beta, Ben", "García Márquez, Gabriel; Beta, Ben"],
        ["Gabriel García Márquez, Ben Beta", "Gabriel García Márquez", "Ben Beta"],
        ["x@y.org (Gabriel García Márquez)", "Gabriel García Márquez", "Ben Beta"],
    ],
)
def test_several_fields_are_one_list(fields: list[str]) -> None:
    assert byline(fields) == ("Gabriel García Márquez", "Ben Beta")


@pytest.mark.parametrize("field", ["", " ,; ", "ann@x.museum", "https://a.example/ann", "1,2"])
def test_field_without_names_has_none(field: str) -> None:
    assert byline([field]) == ()


@pytest.mark.slow
def test_long_and_hostile_fields_are_read() -> None:
    for field in (
        "(" * 20_000,
        "a@" * 20_000,
        "A B and the C " * 2_000,
        "&" * 50_000,
        "A.-" * 9_000,
    ):
        byline([field])
    assert len(byline([", ".join(f"Given{n}x Family{n}x" for n in range(3000))])) == 3000


def recorded_lists() -> Iterator[tuple[str, ...]]:
    """The authors' names of each recorded paper."""
    for file in sorted(SHARED.glob("*.json")):
        entries = json.loads(file.read_text(encoding="utf-8"))
        for entry in entries if isinstance(entries, list) else ():
            names = (clean(author["name"]) for author in entry["paper"]["authors"])
            yield tuple(filter(None, names))


@pytest.mark.skipif(
    not SHARED.is_dir(), reason="the folder `shared` with real payloads is not beside the checkout"
)
@pytest.mark.parametrize("join", JOINS)
def test_recorded_pairs_come_apart(join: str) -> None:
    """The first two authors of each paper. At most 3 in 1,000 are wrong: some have one name."""
    pairs = {names[:2] for names in recorded_lists() if len(names) > 1}
    missed = [pair for pair in pairs if wrong(pair, join) and all(" " in name for name in pair)]
    assert len(missed) <= 0.003 * len(pairs), missed
