"""Lists that came without some of their papers, or with a number of them that is odd."""

from datetime import UTC, date, datetime, timedelta

import pytest

from newsletter.model import Coverage, Item, Listing, ListRequest
from newsletter.publisher.coverage import Reply, Rows, open_requests, update_rows
from newsletter.sources import Arxiv, SourceClient
from tests.support.source_clients import new_client

TUESDAY = date(2026, 12, 1)
EVENING, NEXT_DAY = (datetime(2026, 12, 1, 22, tzinfo=UTC), datetime(2026, 12, 2, 12, tzinfo=UTC))
SOURCE = Arxiv("arXiv", SourceClient(new_client()), ("cs.CL",))
LISTED = Coverage("arXiv", "cs", date(2026, 11, 30), "covered", 9, answered=EVENING)


def row(
    now: datetime, rows: Rows, count: int = 3, missing: str = "", unreadable: int = 0
) -> Coverage:
    """Tuesday's row after an answer with so many papers."""
    items = tuple(Item(f"Paper {n}") for n in range(count))
    listing = Listing(
        "arXiv", TUESDAY, items, complete=not missing, missing=missing, unreadable=unreadable
    )
    reply = Reply(ListRequest("cs", TUESDAY, now), (listing,))
    return next(one for one in update_rows(SOURCE, rows, [reply], now) if one.day == TUESDAY)


def rows(*known: Coverage) -> Rows:
    return {(one.part, one.day): one for one in (LISTED, *known)}


def test_list_without_some_papers_stays_open() -> None:
    found = row(EVENING, rows(), missing="cut")
    assert (found.state, found.papers, found.detail) == ("growing", 3, "cut")
    asked = open_requests(SOURCE, rows(found), NEXT_DAY)
    assert TUESDAY in [request.day for request in asked]


def test_it_is_missing_when_its_date_is_over() -> None:
    cut = row(EVENING, rows(), missing="cut")
    assert row(NEXT_DAY, rows(cut), missing="cut").state == "missing"


def test_whole_list_closes_it() -> None:
    cut = row(EVENING, rows(), missing="cut")
    closed = row(NEXT_DAY, rows(cut), count=5)
    assert (closed.is_open, closed.papers, closed.detail) == (False, 5, "")


def test_list_of_an_earlier_date_is_not_todays() -> None:
    monday = Listing("arXiv", LISTED.day, (Item("Paper"),))
    reply = Reply(ListRequest("cs", TUESDAY, EVENING), (monday,))
    (found,) = update_rows(SOURCE, {}, [reply], EVENING)
    assert (found.state, found.answered) == ("growing", None)
    assert found.detail == "an earlier day's list again"


def test_unreadable_entries_are_counted() -> None:
    found = row(EVENING, rows(), unreadable=2)
    assert (found.state, found.detail) == ("covered", "entries that could not be read: 2")


@pytest.mark.parametrize(
    ("count", "detail"),
    [
        (1, "papers listed: 1; usually: 20"),
        (0, "papers listed: 0; usually: 20"),
        (101, "papers listed: 101; usually: 20"),
        (4, ""),
        (100, ""),
    ],
)
def test_odd_number_of_papers_is_noted(count: int, detail: str) -> None:
    days = [TUESDAY - timedelta(days=ahead) for ahead in range(1, 20)]
    usual = [Coverage("arXiv", "cs", day, "covered", 20, answered=EVENING) for day in days]
    assert row(EVENING, rows(*usual), count).detail == detail
