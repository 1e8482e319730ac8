"""Sources that are asked for the list of a date: pages, failures, weeks that were missed."""

import asyncio
import json
import traceback
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr

from newsletter.errors import SourceError
from newsletter.model import Listing, ListRequest
from newsletter.ports import Source
from newsletter.publisher.fetching import fetch_sources
from newsletter.sources import BioRxiv, Crossref, PubMed, SourceClient
from tests.support.clocks import ManualClock, SkippingClock
from tests.support.databases import temporary_store
from tests.support.http_servers import Page, Response, response, scripted_site, serve
from tests.support.source_clients import new_client

MONDAY = date(2026, 8, 3)
NOON = datetime(2026, 8, 3, 12, tzinfo=UTC)

MakeSource = Callable[[str, SourceClient], Source]


def client(clock: SkippingClock | None = None) -> SourceClient:
    return SourceClient(new_client(clock=clock), 10, {}, True, retry_for=0)


def read(answers: Mapping[str, Response], make: MakeSource) -> tuple[Listing, list[str]]:
    """The list of Monday, and what was asked for it."""

    async def run() -> tuple[Listing, list[str]]:
        async with scripted_site(answers) as site:
            source = make(site.url, client())
            (listing,) = await source.read(ListRequest("", MONDAY, NOON))
            return listing, [request.target for request in site.requests]

    return asyncio.run(run())


# -- bioRxiv ---------------------------------------------------------------------------------------


def biorxiv(url: str, client: SourceClient) -> Source:
    return BioRxiv("bioRxiv", client, url=url)


def preprints(first: int, count: int, total: int, **fields: str) -> bytes:
    entries = [
        {
            "doi": f"10.64898/2026.08.03.{number:06d}",
            "title": f"Preprint {number}",
            "version": "1",
            "date": "2026-08-03",
            "category": "genomics" if number % 2 else "zoology",
        }
        | fields
        for number in range(first, first + count)
    ]
    message = {"status": "ok", "cursor": str(first), "count": count, "total": str(total)}
    return json.dumps({"messages": [message], "collection": entries}).encode()


def details(cursor: int) -> str:
    return f"/details/biorxiv/2026-08-03/2026-08-03/{cursor}/json"


@pytest.mark.parametrize("size", [30, 100])
def test_biorxiv_is_paged_whatever_the_size_of_pages(size: int) -> None:
    starts = range(0, 130, size)
    answers = {
        details(start): response(body=preprints(start, min(size, 130 - start), 130))
        for start in starts
    }
    listing, asked = read(answers, biorxiv)
    assert len({item.ids for item in listing.items}) == 130
    assert asked == [details(start) for start in starts]


def test_pages_before_one_that_fails_are_kept() -> None:
    answers = {details(0): response(body=preprints(0, 100, 130)), details(100): response(404)}
    listing, _ = read(answers, biorxiv)
    assert len(listing.items) == 100
    assert f"{details(100)}: answered with status 404" in listing.missing


def test_only_the_chosen_categories_are_listed() -> None:
    listing, _ = read(
        {details(0): response(body=preprints(0, 10, 10))},
        lambda url, client: BioRxiv("bioRxiv", client, "biorxiv", ("Zoology",), url),
    )
    assert [item.categories for item in listing.items] == [("zoology",)] * 5


def test_day_without_preprints_is_empty() -> None:
    nothing = response(body=b'{"messages":[{"status":"no posts found"}],"collection":[]}')
    listing, _ = read({details(0): nothing}, biorxiv)
    assert (listing.items, listing.missing) == ((), "")


# -- Crossref --------------------------------------------------------------------------------------


def crossref(url: str, client: SourceClient) -> Source:
    return Crossref("Crossref", client, ("0028-0836", "2434-561X"), "invented proteins", url)


def works(numbers: Iterable[int], cursor: str | None, day: date = MONDAY) -> bytes:
    items = [
        {
            "DOI": f"10.5555/{day}.{number}",
            "title": [f"Article {number} of {day}"],
            "type": "journal-article",
            "issued": {"date-parts": [[day.year, day.month, day.day]]},
        }
        for number in numbers
    ]
    message = {"total-results": 130, "items": items, "next-cursor": cursor}
    return json.dumps({"status": "ok", "message-type": "work-list", "message": message}).encode()


def test_crossref_is_read_cursor_by_cursor() -> None:
    pages = [response(body=works(range(100), "A+b/=")), response(body=works(range(100, 130), "x"))]
    listing, asked = read({"/works": pages}, crossref)
    assert len(listing.items) == 130
    queries = [parse_qs(urlsplit(target).query) for target in asked]
    assert [query["cursor"] for query in queries] == [["*"], ["A+b/="]]
    dates = "from-created-date:2026-08-03,until-created-date:2026-08-03"
    assert queries[1]["filter"] == [f"issn:0028-0836,issn:2434-561X,{dates}"]
    assert queries[1]["query.bibliographic"] == ["invented proteins"]


# -- PubMed ----------------------------------------------------------------------------------------


def pubmed(url: str, client: SourceClient) -> Source:
    return PubMed("PubMed", client, "invented[Title] AND 2026", SecretStr("hunter2"), url)


def numbers(*found: int) -> bytes:
    listed = {"count": str(len(found)), "idlist": list(map(str, found))}
    return json.dumps({"esearchresult": listed}).encode()


def records(*found: int) -> bytes:
    articles = "".join(
        f"<PubmedArticle><MedlineCitation><PMID>{one}</PMID><Article><ArticleTitle>Record {one}"
        "</ArticleTitle></Article></MedlineCitation></PubmedArticle>"
        for one in found
    )
    return f"<PubmedArticleSet>{articles}</PubmedArticleSet>".encode()


SEARCH, FETCH = "/entrez/eutils/esearch.fcgi", "/entrez/eutils/efetch.fcgi"


def test_pubmed_is_searched_by_date_then_read_in_batches() -> None:
    answers: dict[str, Response] = {
        SEARCH: response(body=numbers(*range(1, 71))),
        FETCH: [response(body=records(*range(1, 51))), response(body=records(*range(51, 71)))],
    }
    listing, asked = read(answers, pubmed)
    assert len(listing.items) == 70
    search, first, second = (parse_qs(urlsplit(target).query) for target in asked)
    assert (search["mindate"], search["maxdate"]) == (["2026/08/03"], ["2026/08/03"])
    assert (search["datetype"], search["term"]) == (["edat"], ["invented[Title] AND 2026"])
    assert (search["email"], search["api_key"]) == (["editor@example.org"], ["hunter2"])
    assert len(first["id"][0].split(",")) == 50
    assert second["id"][0].split(",")[-1] == "70"


def test_day_on_which_nothing_is_found_asks_for_no_records() -> None:
    listing, asked = read({SEARCH: response(body=numbers())}, pubmed)
    assert (listing.items, len(asked)) == ((), 1)


@pytest.mark.parametrize("broken", [SEARCH, FETCH])
def test_key_of_pubmed_stands_in_no_error(broken: str) -> None:
    answers = {SEARCH: response(body=numbers(1)), FETCH: response(body=records(1))}
    for answer in (response(404), response(body=b"<html>")):
        with pytest.raises(SourceError, match="api_key=") as caught:
            read(answers | {broken: answer}, pubmed)
        assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_missing_batch_is_named_without_the_key() -> None:
    answers: dict[str, Response] = {
        SEARCH: response(body=numbers(*range(1, 71))),
        FETCH: [response(body=records(*range(1, 51))), response(404)],
    }
    listing, _ = read(answers, pubmed)
    assert len(listing.items) == 50
    assert "answered with status 404" in listing.missing
    assert "hunter2" not in listing.missing


def test_sites_are_asked_three_times_a_second() -> None:
    clock = SkippingClock()

    async def run() -> None:
        answers = {SEARCH: response(body=numbers(1)), FETCH: response(body=records(1))}
        async with scripted_site(answers) as site:
            source = pubmed(site.url, client(clock))
            await source.read(ListRequest("", MONDAY, NOON))

    asyncio.run(run())
    assert clock.slept == [pytest.approx(0.34)]


# -- all of them -----------------------------------------------------------------------------------


def answer_biorxiv(path: str, _query: Mapping[str, str]) -> Page:
    day = date.fromisoformat(path.split("/")[3])
    doi = f"10.64898/{day:%Y.%m.%d}.000001"
    return 200, {}, preprints(0, 1, 1, doi=doi, title=f"Preprint of {day}", date=str(day))


def answer_crossref(_path: str, query: Mapping[str, str]) -> Page:
    day = date.fromisoformat(query["filter"].rpartition(":")[2])
    return 200, {}, works([1], "x", day)


def answer_pubmed(path: str, query: Mapping[str, str]) -> Page:
    if path == SEARCH:
        day = datetime.strptime(query["mindate"], "%Y/%m/%d").replace(tzinfo=UTC)
        return 200, {}, numbers(day.toordinal())
    return 200, {}, records(int(query["id"]))


SITES: dict[str, tuple[MakeSource, Callable[[str, Mapping[str, str]], Page]]] = {
    "biorxiv": (biorxiv, answer_biorxiv),
    "crossref": (crossref, answer_crossref),
    "pubmed": (pubmed, answer_pubmed),
}


@pytest.mark.parametrize("kind", SITES)
def test_week_that_was_missed_is_filled(kind: str) -> None:
    make, answer = SITES[kind]
    clock, store = ManualClock(NOON), temporary_store()
    with serve(answer) as url:
        source = make(url, client())
        for day in (MONDAY, MONDAY + timedelta(days=8)):
            clock.time = datetime.combine(day, time(12), UTC)
            asyncio.run(fetch_sources([source], store, day, clock))
    rows = {row.day: row.state for row in store.coverage(source.name)}
    missed = [MONDAY + timedelta(days=n) for n in range(1, 5)]
    assert [rows[day] for day in missed] == ["filled"] * 4
    papers = store.papers(after=0, since=NOON - timedelta(days=30))
    assert {paper.item.listed for paper in papers} >= set(missed)


@pytest.mark.parametrize("kind", SITES)
@pytest.mark.parametrize("body", [b"<html>Sign in</html>", b'{"data": []}', b"[]"])
def test_answer_of_another_shape_is_an_error(kind: str, body: bytes) -> None:
    make, _ = SITES[kind]
    with serve(lambda _path, _query: (200, {}, body)) as url:
        source = make(url, client())
        with pytest.raises(SourceError, match=f"^{url}"):
            asyncio.run(source.read(ListRequest("", MONDAY, NOON)))


def test_paper_of_three_sites_is_one() -> None:
    doi = "10.5555/2026-08-03.1"
    article = records(1).replace(
        b"</MedlineCitation>",
        b"</MedlineCitation><PubmedData><ArticleIdList><ArticleId IdType='doi'>%s</ArticleId>"
        b"</ArticleIdList></PubmedData>" % doi.encode(),
    )

    def answer(path: str, _query: Mapping[str, str]) -> Page:
        if path.startswith("/details"):
            return 200, {}, preprints(0, 1, 1, published=doi)
        bodies = {"/works": works([1], "x"), SEARCH: numbers(1), FETCH: article}
        return 200, {}, bodies[path]

    store = temporary_store()
    with serve(answer) as url:
        sources = [make(url, client()) for make in (biorxiv, crossref, pubmed)]
        asyncio.run(fetch_sources(sources, store, MONDAY, ManualClock(NOON)))
    papers = store.papers(after=0, since=NOON - timedelta(days=30))
    assert len({paper.group for paper in papers}) == 1


def test_later_version_of_an_unknown_preprint_is_no_news() -> None:
    def answer(_path: str, _query: Mapping[str, str]) -> Page:
        return 200, {}, preprints(0, 2, 2, version="2")

    store = temporary_store()
    with serve(answer) as url:
        (report,) = asyncio.run(
            fetch_sources([biorxiv(url, client())], store, MONDAY, ManualClock(NOON))
        )
    assert (report.new, store.papers(after=0, since=NOON)) == (0, ())
