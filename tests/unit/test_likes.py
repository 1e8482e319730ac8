"""What a reader said of papers changes the order of the next ones, and never which they get."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from newsletter.app.files import load_engine
from newsletter.issue.composing import IssueMasks
from newsletter.issue.editions import compose_edition
from newsletter.issue.ranking import Ranking
from newsletter.issue.selecting import explain
from newsletter.meaning import sort_by_likes
from newsletter.model import NO_TASTE, Edition, Filter, Issue, Item, ReaderHistory, Taste
from newsletter.papers.matching import RulesMatcher
from newsletter.papers.meanings import MeaningMatcher
from newsletter.papers.topics import match_issue
from newsletter.publisher.drafting import with_tastes
from newsletter.stores.sql import SqlStore
from tests.support.databases import open_temporary_store
from tests.support.factories import NOON, item, paper, reader
from tests.support.frozen_issues import join, list_papers
from tests.support.letters import issue
from tests.support.publishers import publisher_over
from tests.unit.test_editions import limits_of

SPEECH = (
    item("Streaming Speech Recognition on Phones", abstract="We transcribe speech on a phone."),
    item("Robust Transcription of Noisy Speech", abstract="A recogniser of words in noise."),
)
GALAXIES = (
    item("A Census of Dwarf Galaxies", abstract="We count faint satellites of the Milky Way."),
    item("Satellites of the Milky Way", abstract="Faint dwarf galaxies in a deep survey."),
)
OTHERS = tuple(
    item(title, abstract=f"We study {title.lower()} in theory and in practice.")
    for title in (
        "Evicting the KV Cache", "Protein Folding Kinetics", "Monetary Policy in Small Economies",
        "Elliptic Curves of High Rank", "Grasping with Soft Hands", "Graph Colouring at Random",
        "Retrieval for Question Answering", "Quantum Error Correction", "Soil Carbon in Forests",
        "Fuzzing of Compilers", "Diffusion of Images", "Traffic Forecasting",
    )
)  # fmt: skip
PAPERS = (*OTHERS, SPEECH[1], GALAXIES[1])
NEW_SPEECH, NEW_GALAXIES = len(OTHERS), len(OTHERS) + 1


@pytest.fixture(scope="module")
def matcher() -> MeaningMatcher:
    return MeaningMatcher(load_engine)


def taste_of(matcher: MeaningMatcher, liked: Sequence[Item], unliked: Sequence[Item]) -> Taste:
    return matcher.taste(PAPERS, liked, unliked)


def test_papers_close_to_liked_ones_are_found(matcher: MeaningMatcher) -> None:
    speech, galaxies = SPEECH[0], GALAXIES[0]
    taste = taste_of(matcher, [speech], [galaxies])
    assert (taste.earlier, taste.later) == (
        {NEW_SPEECH: speech.title},
        {NEW_GALAXIES: galaxies.title},
    )
    both = taste_of(matcher, [galaxies, speech], [])
    assert both.earlier == {NEW_SPEECH: speech.title, NEW_GALAXIES: galaxies.title}
    assert taste_of(matcher, [], [speech]).later == {NEW_SPEECH: speech.title}
    assert taste_of(matcher, [speech], [speech]) == NO_TASTE


def test_few_papers_or_none_can_be_compared(matcher: MeaningMatcher) -> None:
    assert sort_by_likes([], []) == ({}, {})
    assert matcher.taste([], SPEECH, GALAXIES) == NO_TASTE
    assert matcher.taste([OTHERS[3]], SPEECH, ()) == NO_TASTE
    assert matcher.taste([SPEECH[1]], [SPEECH[0]], ()).earlier == {0: SPEECH[0].title}
    assert RulesMatcher().taste(PAPERS, SPEECH, GALAXIES) == NO_TASTE


def test_liked_papers_move_one_band() -> None:
    sure, likely, rest = 0b111, 0b111000, 0b111000000
    ranking = Ranking(sure, likely, liked=0b010010010, unliked=0b100100100)
    every = sure | likely | rest
    assert ranking.order(every) == [1, 0, 4, 2, 3, 7, 5, 6, 8]
    assert ranking.first(every) == 0b10
    assert ranking.leads(every, 3) == 0b10011
    assert Ranking(liked=0b100, unliked=0b1).order(0b111) == [2, 1, 0]


def cut(papers: Issue, taste: Taste, max_items: int | None = None) -> Edition:
    history = ReaderHistory(reader(wants=Filter(max_items=max_items)), taste=taste)
    masks = IssueMasks(papers, match_issue(papers, (), RulesMatcher()))
    return compose_edition(masks, history, limits_of(len(papers.papers)))


def test_likes_change_the_cards_but_not_the_papers() -> None:
    papers = issue([replace(paper(n), item=each) for n, each in enumerate(PAPERS, 1)])
    taste = Taste({NEW_GALAXIES: "A", 5: "B"}, {0: "C"})
    before, after = cut(papers, NO_TASTE, max_items=2), cut(papers, taste, max_items=2)
    assert (before.sections[0].cards, after.sections[0].cards) == ((0, 1), (5, NEW_GALAXIES))
    assert after.sections[0].rows[-1] == 0
    assert sorted(before.papers) == sorted(after.papers)
    assert cut(papers, taste).sections[0].cards == (5, NEW_GALAXIES, 1)


def test_why_names_the_liked_paper() -> None:
    papers = issue([paper(1, "One"), paper(2, "Two"), paper(3, "Three")])
    history = ReaderHistory(reader(), taste=Taste({0: "A"}, {1: "B"}))
    masks = IssueMasks(papers, match_issue(papers, (), RulesMatcher()))
    assert [verdict.moved for verdict in explain(masks, history)] == [
        "comes earlier: like “A”, which you liked",
        "comes later: like “B”, which you want less of",
        "",
    ]


def test_only_likes_before_the_freeze_count() -> None:
    with open_temporary_store(SqlStore) as store:
        ada, bob = join(store, "ada", "bob")
        (number,) = (each.number for each in list_papers(store, "a"))
        store.like(ada.id, number, more=True, now=NOON)
        publisher = replace(publisher_over(store), matcher=MeaningMatcher(load_engine))
        title = store.papers_by_number([number])[0].item.title
        papers = issue([paper(7, title)])
        for frozen, earlier in ((NOON, {0: title}), (NOON.replace(hour=1), {})):
            histories = [ReaderHistory(ada), ReaderHistory(bob)]
            first, second = with_tastes(publisher, replace(papers, frozen_at=frozen), histories)
            assert (first.taste, second.taste) == (Taste(earlier), NO_TASTE)
