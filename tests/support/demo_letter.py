"""A letter of five made-up papers in the shipped templates."""

from dataclasses import replace
from datetime import date
from functools import cache

from newsletter.letter.fragments import IssueFragments
from newsletter.letter.rendering import LetterTemplates, render_issue
from newsletter.model import Correction, Publication
from newsletter.templates import DEFAULT_THEME, load_templates
from tests.support.factories import paper
from tests.support.letters import SITE, edition, issue, section

NO_SITE = replace(SITE, url=None)

PAPERS = (
    paper(
        1,
        "Routing Without Regret: Sparse Experts at Constant Cost",
        abstract="We route tokens to experts with a bounded queue. Training costs a third less at "
        "equal quality. The effect grows with the number of experts. Code is public.",
        url="https://papers.example.org/abs/1",
        pdf="https://papers.example.org/pdf/1",
        code="https://code.example.org/routing",
        code_stars=1204,
        discussion="https://talk.example.org/1",
        authors=("Ada Example", "Bo Sample", "Cy Specimen", "Di Muster", "El Modèle"),
        organization="Example Labs",
        upvotes=87,
        comments=12,
        published=date(2026, 8, 1),
    ),
    paper(
        2,
        "Does <think> Help? 7 < 8 & Other Inequalities of Reasoning",
        abstract="Longer chains of thought are not always better ones. On nine benchmarks the best "
        "length follows a simple law. We give the law.",
        url="https://papers.example.org/abs/2",
        authors=("Fé Müller",),
        upvotes=41,
        comments=1,
        published=date(2026, 8, 2),
    ),
    paper(3, "Größere Sprachmodelle, kleinere Fehler", url="https://papers.example.org/abs/3"),
    paper(4, "A Survey of Surveys", url="https://papers.example.org/abs/4", author_count=3),
    paper(5, "One More Benchmark", url="https://papers.example.org/abs/5"),
)

FULL_EDITION = edition(
    section("Mixture of Experts", 0, because="topic Mixture of Experts: “title:experts”"),
    replace(section("Reasoning", 1, 2, because="include “chain of thought”", rows=[3]), more=1),
    more=[4],
    left_out=23,
)

CORRECTED = replace(edition(section("Reasoning", 2, because="topic")), corrections=(0, 1))
"""A letter that ends with corrections."""

_CORRECTIONS = (
    Correction(1, 8, "Routing & Regret", "Routing With Regret", "https://papers.example.org/abs/8"),
    Correction(2, 9, "A Proof That P < NP"),
)

THEMES = ("serif", "sans")


@cache
def shipped_templates(theme: str = DEFAULT_THEME) -> LetterTemplates:
    return load_templates(theme=theme)


def demo_fragments(publication: Publication = SITE, theme: str = DEFAULT_THEME) -> IssueFragments:
    made = replace(
        issue(PAPERS, "Mixture of Experts", "Reasoning"),
        missing=("bioRxiv genomics",),
        corrections=_CORRECTIONS,
    )
    fragments, quarantined = render_issue(made, publication, shipped_templates(theme))
    assert quarantined == ()
    return fragments
