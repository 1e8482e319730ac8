"""Lists of arXiv that are over or cut: by OAI-PMH, from the API, by category."""

import asyncio
from datetime import UTC, date, datetime

import pytest

from newsletter.errors import SourceError
from newsletter.model import Item, Listing, ListRequest
from newsletter.papers.identity import identify
from newsletter.sources import Arxiv, SourceClient, arxiv
from tests.support.arxiv_site import (
    announcement,
    harvest_answer,
    harvest_record,
    search_answer,
)
from tests.support.clocks import SkippingClock
from tests.support.http_servers import Response, response, scripted_site
from tests.support.source_clients import new_client

TUESDAY, WEDNESDAY = date(2026, 12, 1), date(2026, 12, 2)
WEDNESDAY_NOON = datetime(2026, 12, 2, 12, tzinfo=UTC)
MONDAY_MORNING = datetime(2026, 11, 30, 9, tzinfo=UTC)


def replacements(rows: int) -> bytes:
    return announcement(*(f"2410.{n:05d}" for n in range(rows)), kind="replace")


@pytest.fixture
def short_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists are cut at 20 rows, which are parsed sooner than 2,000."""
    monkeypatch.setattr(arxiv, "MAX_ROWS", 20)


def read(
    answers: dict[str, Response],
    *categories: str,
    day: date = TUESDAY,
    cross_lists: bool = True,
    clock: SkippingClock | None = None,
) -> tuple[Listing, list[str]]:
    """The list of a date on Wednesday noon, and what was asked for it."""

    async def run() -> tuple[Listing, list[str]]:
        async with scripted_site(answers) as site:
            client = SourceClient(new_client(clock=clock), 10, {}, True, retry_for=0)
            source = Arxiv("arXiv", client, categories or ("cs.CL",), site.url, cross_lists)
            (part,) = source.parts
            (listing,) = await source.read(ListRequest(part, day, WEDNESDAY_NOON))
            return listing, [request.target for request in site.requests]

    return asyncio.run(run())


def numbers(listing: Listing) -> list[str]:
    return sorted(item.ids[0] for item in listing.items)


def new(number: str, categories: str = "cs.CL", comments: str = "") -> str:
    return harvest_record(number, TUESDAY, [MONDAY_MORNING], categories, comments)


# -- dates that are over --------------------------------------------------------------------------


def test_past_list_is_harvested_to_its_end() -> None:
    clock = SkippingClock()
    listing, asked = read(
        {
            "/oai": harvest_answer(new("2612.00001"), token="from=x&amp;skip=1"),
            "/oai?verb=ListRecords&resumptionToken=from%3Dx%26skip%3D1": harvest_answer(
                new("2612.00002")
            ),
        },
        clock=clock,
    )
    assert (numbers(listing), listing.complete) == (["2612.00001", "2612.00002"], True)
    assert asked[0] == "/oai?verb=ListRecords&metadataPrefix=arXivRaw&set=cs:cs:CL&from=2026-12-01"
    assert clock.slept == [3]


def test_harvested_paper_is_the_announced_one() -> None:
    def paper(answers: dict[str, Response], day: date) -> Item:
        return read(answers, day=day)[0].items[0]

    announced = paper({"/atom/cs.CL": announcement("2612.00001")}, WEDNESDAY)
    harvested = paper({"/oai": harvest_answer(new("2612.00001"))}, TUESDAY)
    searched = paper({"/api/query": search_answer("2612.00001")}, TUESDAY)
    for other in (harvested, searched):
        assert identify(other, "arXiv") == identify(announced, "arXiv")
        assert (other.title, other.abstract) == (announced.title, announced.abstract)
        assert (other.authors, other.version) == (announced.authors, announced.version)
        assert (other.url, other.categories) == (announced.url, announced.categories)


def test_withdrawal_is_harvested() -> None:
    record = new("2612.00001", comments="This paper has been withdrawn by the author")
    listing, _ = read({"/oai": harvest_answer(record)})
    assert listing.items[0].withdrawn


def test_replaced_papers_are_not_new() -> None:
    old = harvest_record("2611.00009", TUESDAY, [datetime(2026, 11, 3, tzinfo=UTC)] * 2)
    listing, _ = read({"/oai": harvest_answer(old, new("2612.00001"))})
    assert numbers(listing) == ["2612.00001"]


def test_holiday_is_filled_without_papers() -> None:
    listing, asked = read({"/oai": harvest_answer()})
    assert (listing.items, listing.complete, len(asked)) == ((), True, 1)


def test_each_category_is_harvested() -> None:
    _, asked = read({"/oai": harvest_answer()}, "cs.CL", "cs.LG")
    assert [target.partition("set=")[2].partition("&")[0] for target in asked] == [
        "cs:cs:CL",
        "cs:cs:LG",
    ]


@pytest.mark.slow
def test_api_stands_in_for_the_harvest() -> None:
    first = tuple(f"2612.{n:05d}" for n in range(500))
    listing, asked = read(
        {
            "/oai": response(503),
            "/api/query": [
                search_answer(*first, total=501),
                search_answer("2612.09999", total=501),
            ],
        }
    )
    assert (len(listing.items), listing.complete) == (501, True)
    assert [target.rpartition("&start=")[2] for target in asked[1:]] == [
        "0&max_results=500",
        "500&max_results=500",
    ]
    assert "cat:cs.CL+AND+submittedDate:[202611231900+TO+202611301900]" in asked[1]


def test_api_page_that_is_empty_is_an_error() -> None:
    with pytest.raises(SourceError, match=r"/oai.*status 404.*empty, but 7 papers are missing"):
        read({"/api/query": search_answer(total=7)})


def test_other_feed_in_place_of_the_api_is_an_error() -> None:
    with pytest.raises(SourceError, match="no answer of arXiv's API"):
        read({"/api/query": announcement()})


def test_both_failures_are_named() -> None:
    with pytest.raises(SourceError, match=r"/oai.*status 404.*/api/query.*status 404"):
        read({})


# -- lists that are cut ---------------------------------------------------------------------------


def test_announcement_of_an_earlier_date_says_so() -> None:
    listing, _ = read({"/atom/cs.CL": announcement("2612.00001", day=TUESDAY)}, day=WEDNESDAY)
    assert listing.day == TUESDAY
    shown, _ = read({"/atom/cs.CL": announcement("2612.00001", day=WEDNESDAY)}, day=WEDNESDAY)
    assert (shown.day, shown.complete) == (WEDNESDAY, True)


@pytest.mark.slow
def test_cut_list_is_asked_by_category() -> None:
    listing, asked = read(
        {
            "/atom/cs.CL+cs.LG": replacements(2000),
            "/atom/cs.CL": announcement("2612.00001"),
            "/atom/cs.LG": announcement("2612.00002"),
        },
        "cs.CL",
        "cs.LG",
        day=WEDNESDAY,
    )
    assert {"2612.00001", "2612.00002"} < set(numbers(listing))
    assert (listing.complete, listing.missing, len(asked)) == (True, "", 3)


@pytest.mark.usefixtures("short_lists")
def test_cut_category_is_harvested() -> None:
    record = harvest_record("2612.00001", WEDNESDAY, [datetime(2026, 12, 1, 9, tzinfo=UTC)])
    listing, _ = read(
        {"/atom/cs": replacements(20), "/oai": harvest_answer(record)}, "cs", day=WEDNESDAY
    )
    assert "2612.00001" in numbers(listing)
    assert (len(listing.items), listing.complete, listing.missing) == (21, True, "")


@pytest.mark.usefixtures("short_lists")
@pytest.mark.parametrize(
    ("answers", "said"),
    [({}, "status 404"), ({"/oai": harvest_answer()}, "no list by OAI-PMH yet")],
)
def test_cut_list_says_so(answers: dict[str, Response], said: str) -> None:
    listing, _ = read({"/atom/cs": replacements(20), **answers}, "cs", day=WEDNESDAY)
    assert (len(listing.items), listing.complete) == (20, False)
    assert listing.missing.startswith("cut at 20 rows; ")
    assert said in listing.missing


# -- cross-lists ----------------------------------------------------------------------------------


def test_cross_lists_are_left_out_on_demand() -> None:
    feed = {"/atom/cs.CL": announcement("2612.00001", kind="cross")}
    harvest = {"/oai": harvest_answer(new("2612.00001"), new("2612.00002", "stat.ML cs.CL"))}
    for answers, day, wanted in ((feed, WEDNESDAY, []), (harvest, TUESDAY, ["2612.00001"])):
        assert numbers(read(dict(answers), day=day, cross_lists=False)[0]) == wanted


def test_archive_wants_all_of_its_categories() -> None:
    harvest: dict[str, Response] = {"/oai": harvest_answer(new("2612.00001", "cs.CL math.CO"))}
    assert numbers(read(harvest, "cs", cross_lists=False)[0]) == ["2612.00001"]
