"""What wishes in plain words find in the papers of the last days."""

from datetime import timedelta
from typing import get_args

from newsletter.app.files import load_engine
from newsletter.model import Breadth, Issue
from newsletter.papers.meanings import MeaningMatcher
from newsletter.papers.topics import match_issue
from newsletter.publisher.previewing import MatchedDay
from newsletter.web.wishes import ENOUGH, find_papers
from tests.support.factories import DAY, NOON, paper

HALOS = "dwarf galaxies with dark matter halos"
MATCHER = MeaningMatcher(load_engine)
DULL = tuple(paper(n, f"Notes on the weather of region {n}") for n in range(10, 10 + ENOUGH))


def a_day(back: int, *titles: str, dull: int = 0) -> MatchedDay:
    """The papers of a day: those with these titles, and some that nobody asks for."""
    papers = (*(paper(n, title) for n, title in enumerate(titles)), *DULL[:dull])
    issue = Issue(DAY - timedelta(days=back), papers, (), ENOUGH, frozen_at=NOON)
    return issue, match_issue(issue, (), MATCHER)


def test_surest_papers_come_first_with_their_reasons() -> None:
    days = [a_day(1, "Spiral arms of galaxies", "Dark matter halos of dwarf galaxies", dull=ENOUGH)]
    found = find_papers(days, [HALOS, "knitting"], MATCHER, DAY)
    assert (found.when, found.papers) == ("yesterday", ENOUGH + 2)
    assert [each.title for each in found.first] == [
        "Dark matter halos of dwarf galaxies",
        "Spiral arms of galaxies",
    ]
    assert found.first[0].because == f"“{HALOS}”: in the title"
    assert found.without == ("knitting",)


def test_days_before_are_tried_until_something_is_found() -> None:
    empty, full = a_day(0, dull=ENOUGH), a_day(2, "Dwarf galaxies", "Galaxies")
    assert find_papers([empty, full], ["dwarf galaxies"], MATCHER, DAY).when == "since Sat 1 Aug"
    today = a_day(0, "Dwarf galaxies", dull=ENOUGH)
    assert find_papers([today, full], ["dwarf galaxies"], MATCHER, DAY).days == 1
    nothing = find_papers([empty], ["dwarf galaxies"], MATCHER, DAY)
    assert (nothing.matches, nothing.when) == (0, "today")


def test_breadth_decides_how_sure_papers_are() -> None:
    days = [a_day(0, "Dark matter halos of dwarf galaxies", "Spiral arms of galaxies", dull=ENOUGH)]
    found = [
        find_papers(days, [HALOS], MATCHER, DAY, breadth).matches for breadth in get_args(Breadth)
    ]
    assert found[0] == 1
    assert found == sorted(found)
    assert found[1] == 2


def test_paper_of_two_wishes_counts_once() -> None:
    days = [a_day(0, "Dwarf galaxies", "Knitting patterns")]
    found = find_papers(days, ["dwarf galaxies", "galaxies", "knitting"], MATCHER, DAY)
    assert found.matches == 2
