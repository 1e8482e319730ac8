"""A letter assembled from fragments equals one rendered in one pass, and is small enough."""

from dataclasses import replace

import pytest

from bench.naive import in_one_pass
from newsletter.issue.composing import IssueMasks
from newsletter.issue.editions import EditionLimits, compose_edition
from newsletter.letter.assembling import inbox_lines, render_letter
from newsletter.letter.rendering import render_issue
from newsletter.model import TOP, Edition, ReaderHistory, Summary
from newsletter.papers.matching import RulesMatcher
from newsletter.papers.topics import match_issue
from newsletter.templates import HTML, TEXT
from tests.support.demo_letter import FULL_EDITION, PAPERS, demo_fragments, shipped_templates
from tests.support.factories import paper, reader
from tests.support.letters import SITE, edition, issue, links_to, section

GMAIL_CLIPS = 102_400
"""The maximum size of a letter's HTML, in bytes."""

WITH_LEADS = edition(replace(section(TOP, 0, 1), leads=True), section("Reasoning", 2, rows=[3, 4]))


COUNTED = edition(
    replace(section("Mixture of Experts", 0), more=1),
    replace(section("Reasoning", rows=[2]), more=1),
    more=[1, 3, 4],
)


@pytest.mark.parametrize(
    "whole",
    [FULL_EDITION, edition(), edition(section("Other", 2, 0), left_out=1), WITH_LEADS, COUNTED],
)
def test_fragments_join_into_the_one_pass_rendering(whole: Edition) -> None:
    made = replace(issue(PAPERS, "Mixture of Experts", "Reasoning"), missing=("bioRxiv genomics",))
    rendering = render_letter(demo_fragments(), whole, links_to())
    _, preheader = inbox_lines(demo_fragments(), (whole.papers, len(whole.papers)))
    assert rendering.html == in_one_pass(
        HTML, whole, made, SITE, links_to(), preheader=preheader, minutes=1
    )
    assert rendering.text == in_one_pass(
        TEXT, whole, made, SITE, links_to(), preheader=preheader, minutes=1
    )


@pytest.mark.parametrize("papers", [1, 50, 332, 1000])
@pytest.mark.parametrize(
    ("summary", "theme"),
    [("short", "serif"), ("full", "serif"), ("titles", "serif"), ("short", "sans")],
)
def test_letter_fits_with_any_number_of_papers(papers: int, summary: Summary, theme: str) -> None:
    abstract = "Large mixtures route tokens to experts & the cost falls by half. " * 20
    made = issue(
        [paper(n, f"Paper {n} on {'routing ' * 8}", abstract=abstract) for n in range(papers)],
        "Reasoning",
    )
    fragments, _ = render_issue(made, SITE, shipped_templates(theme))
    ada = reader(decided=-1)
    wants = replace(ada.subscriber, summary=summary)
    history = ReaderHistory(replace(ada, subscriber=wants))
    matching = match_issue(made, [wants.filter], RulesMatcher())
    limits = EditionLimits(fragments.sizes, max_items=papers, has_page=True)
    fitted = compose_edition(IssueMasks(made, matching), history, limits)
    assert len(fitted.papers) == papers
    html = render_letter(fragments, fitted, links_to()).html
    assert len(html.encode()) <= GMAIL_CLIPS
    assert any(each.leads for each in fitted.sections) == (papers > 5 and summary != "titles")
    if fitted.more:
        assert links_to().edition in html
        assert len(html.encode()) >= GMAIL_CLIPS * 3 // 4
