"""A letter assembled from fragments equals one rendered in one pass, and is small enough."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache

import pytest

from bench.naive import in_one_pass
from bench.workload import CLAIMS, METHODS, SUBJECTS
from newsletter.config.topics import curated_topics
from newsletter.issue.composing import IssueMasks, compose_issue
from newsletter.issue.editions import EditionLimits, compose_edition
from newsletter.letter.assembling import InboxLines, render_letter
from newsletter.letter.fragments import IssueFragments
from newsletter.letter.rendering import render_issue
from newsletter.model import (
    TOP,
    Edition,
    Filter,
    Issue,
    Item,
    Paper,
    Publication,
    Reader,
    ReaderHistory,
    Subscriber,
    Summary,
    Topic,
)
from newsletter.papers.filters import parse_rule
from newsletter.papers.matching import RulesMatcher
from newsletter.papers.topics import match_issue
from newsletter.sources import arxiv, huggingface
from newsletter.templates import HTML, TEXT
from tests.support.cli import SHARED
from tests.support.demo_letter import (
    FULL_EDITION,
    NO_SITE,
    PAPERS,
    demo_fragments,
    shipped_templates,
)
from tests.support.factories import DAY, NOON, item, paper, reader, subscriber
from tests.support.letters import SITE, edition, issue, links_to, section

GMAIL_CLIPS = 102_400
"""The maximum size of a letter's HTML, in bytes."""

PAYLOADS = SHARED / "data" / "payloads"

TOPICS = curated_topics()

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
    _, preheader = InboxLines(demo_fragments()).of(whole.papers)
    assert rendering.html == in_one_pass(
        HTML, whole, made, SITE, links_to(), preheader=preheader, minutes=1
    )
    assert rendering.text == in_one_pass(
        TEXT, whole, made, SITE, links_to(), preheader=preheader, minutes=1
    )


LONG = f"Reasoning & {'very ' * 20}long names"


@cache
def rendered(papers: int, publication: Publication, theme: str) -> tuple[Issue, IssueFragments]:
    """An issue of this many papers, every other one in a topic, and its fragments."""
    abstract = "Large mixtures route tokens to experts & the cost falls by half. " * 10
    listed = [
        paper(n, f"Paper {n} on {'routing ' * 8}{'odd' * (n % 2)}", abstract=abstract)
        for n in range(papers)
    ]
    made = replace(issue(listed), topics=(Topic(LONG, any=(parse_rule("routing odd"),)),))
    return made, render_issue(made, publication, shipped_templates(theme))[0]


def fitted(
    papers: int, publication: Publication, summary: Summary = "short", theme: str = "serif"
) -> tuple[Edition, str]:
    """The edition and the HTML of a reader with a long name and rule, who wants all papers."""
    made, fragments = rendered(papers, publication, theme)
    wants = Filter((LONG,), include=(parse_rule(f'not "{"route " * 40}"'),))
    ada = Subscriber(f"{'a' * 64}@{'b' * 60}.example.org", "Ada & " * 50, wants, summary=summary)
    history = ReaderHistory(Reader(10**9, ada, "confirmed", decided=-1, origin="file"))
    masks = IssueMasks(made, match_issue(made, [wants], RulesMatcher()))
    limits = EditionLimits(fragments.sizes, papers, has_page=publication.url is not None)
    whole = compose_edition(masks, history, limits)
    return whole, render_letter(fragments, whole, links_to(publication, whole.to)).html


@pytest.mark.parametrize("publication", [SITE, NO_SITE], ids=["page", "no page"])
@pytest.mark.parametrize(
    "papers", [1, 50, *(pytest.param(n, marks=pytest.mark.slow) for n in (332, 548, 1000, 2000))]
)
def test_letter_fits_with_any_number_of_papers(papers: int, publication: Publication) -> None:
    summaries: tuple[Summary, ...] = ("short", "full", "titles")
    for summary in summaries:
        whole, html = fitted(papers, publication, summary)
        assert len(whole.papers) + len(whole.waiting) == papers
        assert len(html.encode()) <= GMAIL_CLIPS
        assert any(each.leads for each in whole.sections) == (papers > 5 and summary != "titles")
        counted = sum(section.more for section in whole.sections)
        assert counted == len(whole.more) + len(whole.waiting)
        assert counted == 0 or len(html.encode()) >= GMAIL_CLIPS * 7 // 8


def test_letter_fits_in_the_other_theme() -> None:
    assert len(fitted(332, SITE, theme="sans")[1].encode()) <= GMAIL_CLIPS


def generated() -> Iterator[Item]:
    """29 papers of a source that counts upvotes, and 519 of one that does not."""
    for n in range(548):
        voted = n < 29
        topic = TOPICS[n % len(TOPICS)].name if n % 3 else "Numbers"
        method, subject = METHODS[n % len(METHODS)], SUBJECTS[n % len(SUBJECTS)]
        yield item(
            f"{subject.capitalize()} {n}: {topic} with {method}",
            abstract=f"We study {subject}. It {CLAIMS[n % len(CLAIMS)]}, with {method}. " * 4,
            url=f"https://arxiv.org/abs/2608.{n:05d}",
            authors=("Ada Example", "Bo Sample", "Cy Specimen"),
            organization="Example Labs" if voted else None,
            upvotes=n * 7 % 90 if voted else None,
            sources=("Hugging Face" if voted else "arXiv",),
        )


def recorded() -> Iterator[Item]:
    """The same numbers from recorded listings."""
    days = [(PAYLOADS / f"hf_daily/2026-08-0{n}.json").read_bytes() for n in (4, 5)]
    voted = [each for day in days for each in huggingface.parse(day, "a file")]
    feed = (PAYLOADS / "arxiv_feed_scale/atom_cs_750.xml").read_bytes()
    for each in voted[:29]:
        yield replace(each, sources=("Hugging Face",))
    for each in arxiv.parse(feed, {}, "https://example.org/")[:519]:
        yield replace(each, sources=("arXiv",))


@pytest.mark.parametrize(
    "items",
    [
        generated,
        pytest.param(
            recorded,
            marks=[
                pytest.mark.slow,
                pytest.mark.skipif(not PAYLOADS.is_dir(), reason="no folder ../shared"),
            ],
        ),
    ],
)
@pytest.mark.parametrize("topics", [pytest.param(3, marks=pytest.mark.slow), 29])
def test_big_day_shows_every_topic_and_source(
    items: Callable[[], Iterator[Item]], topics: int
) -> None:
    papers = [
        Paper(n, f"k:{n}", each, first_seen=NOON, group=n) for n, each in enumerate(items(), 1)
    ]
    known = TOPICS[:topics]
    made = compose_issue(papers, known, day=DAY, cutoff=548, after=0, frozen_at=NOON)
    fragments, _ = render_issue(made, SITE, shipped_templates())
    masks = IssueMasks(made, match_issue(made, (), RulesMatcher()))
    limits = EditionLimits(fragments.sizes, max_items=60, has_page=True)
    whole, titles = (
        compose_edition(masks, ReaderHistory(each), limits)
        for each in (reader(), replace(reader(), subscriber=subscriber(summary="titles")))
    )
    for each in (whole, titles):
        html = render_letter(fragments, each, links_to()).html
        assert len(html.encode()) <= GMAIL_CLIPS
        assert sorted(each.papers) == list(range(548))
    cards = [place for section in whole.sections for place in section.cards]
    rows = [place for section in whole.sections for place in section.rows]
    by_source = [
        Counter(source for place in shown for source in made.papers[place].item.sources)
        for shown in (cards, cards + rows)
    ]
    assert all(by_source[0][name] >= len(cards) // 4 for name in ("Hugging Face", "arXiv"))
    assert by_source[1]["Hugging Face"] == 29
    assert by_source[1]["arXiv"] >= 250
    assert {name for name, found in masks.matching.best.items() if found} <= {
        section.name for section in whole.sections
    }
    assert sum(section.more for section in whole.sections) == len(whole.more)
    assert sum(len(section.rows) for section in titles.sections) >= 400
