from dataclasses import replace
from itertools import permutations

from newsletter.issue.composing import compose_issue
from newsletter.model import Issue, Paper, Topic
from tests.support.factories import DAY, NOON, paper


def compose(*papers: Paper) -> Issue:
    return compose_issue(papers, (), day=DAY, cutoff=9, after=0, frozen_at=NOON)


def test_papers_rank_by_upvotes_comments_then_age() -> None:
    papers = [
        paper(1, upvotes=5),
        paper(2, upvotes=5, comments=1),
        paper(3),
        paper(4, upvotes=0),
        paper(5, upvotes=1),
    ]
    for order in permutations(papers):
        assert [p.number for p in compose(*order).papers] == [2, 1, 5, 4, 3]


def test_sources_take_turns() -> None:
    voted = [paper(n, upvotes=50 - n, sources=("Hugging Face",)) for n in range(1, 4)]
    listed = [paper(n, sources=("arXiv",)) for n in range(4, 9)]
    weekly = paper(9, sources=("A journal",))
    order = [p.number for p in compose(*listed, weekly, *voted).papers]
    assert order == [1, 9, 8, 2, 7, 3, 6, 5, 4]
    assert [p.number for p in compose(*voted, *listed, weekly).papers] == order


def test_paper_of_two_sources_has_its_best_rank() -> None:
    others = [paper(n, upvotes=n, sources=("A",)) for n in (7, 8, 9)]
    both = paper(1, upvotes=1, sources=("A", "B"))
    assert [p.number for p in compose(*others, both).papers] == [9, 1, 8, 7]


def test_muted_papers_take_no_turn() -> None:
    past = [replace(paper(n, sources=("A",)), muted=True) for n in range(5, 9)]
    fresh = paper(1, sources=("A",))
    other = paper(2, upvotes=3, sources=("B",))
    assert [p.number for p in compose(*past, fresh, other).papers][:2] == [2, 1]


def test_grouped_papers_appear_once_with_latest_number() -> None:
    first, other, last = paper(1, upvotes=9), paper(2), replace(paper(3), group=1)
    assert compose(last, first, other).papers == (last, other)


def test_muted_paper_gives_way_to_an_owed_one() -> None:
    owed, muted = paper(1), replace(paper(3), group=1, muted=True)
    assert compose(owed, muted).papers == (owed,)
    assert compose(muted).papers == (muted,)


def test_issue_keeps_its_inputs() -> None:
    topics = (Topic("Reasoning"),)
    issue = compose_issue(
        [paper()], topics, day=DAY, cutoff=9, after=4, frozen_at=NOON, missing=["arXiv"]
    )
    assert issue == Issue(DAY, (paper(),), topics, 9, NOON, missing=("arXiv",), after=4)
