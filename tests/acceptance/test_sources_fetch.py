import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from newsletter.errors import BlockedAddressError, SourceError
from newsletter.model import Listing, ListRequest
from newsletter.ports import Source
from newsletter.sources import Arxiv, Client, Feed, HuggingFace, SavedPages, SourceClient
from tests.support.clocks import SkippingClock
from tests.support.http_servers import Response, Site, response, scripted_site

MONDAY = date(2026, 8, 3)

ATOM = """<?xml version='1.0' encoding='UTF-8'?>
<feed xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns="http://www.w3.org/2005/Atom">
<id>x</id><title>arXiv</title>{entries}</feed>"""


def atom(*numbers: str) -> bytes:
    entries = "".join(
        f"<entry><id>oai:arXiv.org:{number}v1</id><title>Paper {number}</title></entry>"
        for number in numbers
    )
    return ATOM.format(entries=entries).encode()


def daily(first: int, count: int) -> bytes:
    numbers = range(first, first + count)
    return json.dumps(
        [{"paper": {"id": f"2608.{n:05d}", "title": f"Paper {n}"}} for n in numbers]
    ).encode()


def client(clock: SkippingClock | None = None, *, private: bool = True) -> SourceClient:
    """A client that may fetch from loopback."""
    shared = Client(contact="editor@example.org", clock=clock or SkippingClock())
    return SourceClient(shared, timeout=10, allow_private_addresses=private)


async def read(source: Source, day: date = MONDAY) -> tuple[Listing, ...]:
    """What all parts of a source list for a date, as of its noon."""
    noon = datetime.combine(day, time(12), UTC)
    replies = [await source.read(ListRequest(part, day, noon)) for part in source.parts]
    return tuple(listing for reply in replies for listing in reply)


def listings(
    answers: dict[str, Response],
    source: Callable[[Site], Source],
    day: date = MONDAY,
) -> tuple[tuple[Listing, ...], Site]:
    async def run() -> tuple[tuple[Listing, ...], Site]:
        async with scripted_site(answers) as site:
            return await read(source(site), day), site

    return asyncio.run(run())


def hugging_face(site: Site) -> Source:
    return HuggingFace("hf", client(), url=site.url)


def day_page(day: date, page: int = 0) -> str:
    return f"/api/daily_papers?date={day}&limit=100&p={page}"


# -- Hugging Face ---------------------------------------------------------------------------------


def test_hugging_face_is_paged_until_a_short_page() -> None:
    found, site = listings(
        {
            day_page(MONDAY): response(body=daily(1, 100)),
            day_page(MONDAY, 1): response(body=daily(101, 100)),
            day_page(MONDAY, 2): response(body=daily(201, 7)),
            "/api/daily_papers": response(body=b"[]"),
        },
        hugging_face,
    )
    (current,) = [each for each in found if not each.past]
    assert (current.day, len(current.items)) == (MONDAY, 207)
    asked = [parse_qs(urlsplit(each.target).query) for each in site.requests]
    assert [(each["date"][0], each["p"][0]) for each in asked] == [
        ("2026-08-03", "0"),
        ("2026-08-03", "1"),
        ("2026-08-03", "2"),
    ]


def test_api_without_pages_is_not_fetched_forever() -> None:
    found, site = listings({"/api/daily_papers": response(body=daily(1, 100))}, hugging_face)
    assert [len(each.items) for each in found] == [100]
    assert len(site.requests) == 2


@pytest.mark.parametrize("size", [50, 100])
def test_page_that_may_be_cut_has_a_next(size: int) -> None:
    found, site = listings(
        {
            day_page(MONDAY): response(body=daily(1, size)),
            day_page(MONDAY, 1): response(body=daily(size + 1, 7)),
        },
        hugging_face,
    )
    assert [len(each.items) for each in found] == [size + 7]
    assert len(site.requests) == 2


def test_pages_before_one_that_fails_are_kept() -> None:
    (found,), _ = listings({day_page(MONDAY): response(body=daily(1, 100))}, hugging_face)
    assert len(found.items) == 100
    assert "p=1: answered with status 404" in found.missing


def test_future_day_has_no_list_yet() -> None:
    async def run() -> tuple[Listing, ...]:
        async with scripted_site({"/api/daily_papers": response(400, b'{"error":"x"}')}) as site:
            before = datetime(2026, 8, 2, 23, 0, tzinfo=UTC)
            return await hugging_face(site).read(ListRequest("", MONDAY, before))

    assert [each.items for each in asyncio.run(run())] == [()]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (response(500), "status 500"),
        (response(429), "status 429"),
        (response(404), "status 404"),
        (response(400, b'{"error":"x"}'), "status 400"),
        (response(body=b"<html>Down</html>"), "not JSON but '<html>Down"),
        (response(body=b'[{"item": {"id": "2608.00001"}}]'), "none of 1 entries can be read"),
    ],
)
def test_missing_list_names_the_address(answer: bytes, said: str) -> None:
    with pytest.raises(SourceError, match=said) as caught:
        listings({"/api/daily_papers": answer}, hugging_face)
    assert "/api/daily_papers?date=2026-08-03" in str(caught.value)


def test_saved_answers_are_read_from_files(tmp_path: Path) -> None:
    entry = {"paper": {"id": "2608.00001", "title": "T", "submittedOnDailyAt": "2026-08-03T07:00Z"}}
    (tmp_path / "a.json").write_text(json.dumps([entry]), encoding="utf-8")
    source = HuggingFace("hf", client(), path=tmp_path / "*.json")
    found = asyncio.run(read(source, MONDAY))
    assert [item.title for each in found if not each.past for item in each.items] == ["T"]


def test_unreadable_saved_answer_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('["one", "two"]', encoding="utf-8")
    source = HuggingFace("hf", client(), path=tmp_path / "*.json")
    with pytest.raises(SourceError, match=r"a\.json: none of 2 entries can be read: one"):
        asyncio.run(read(source, MONDAY))


def test_missing_saved_answer_names_the_pattern(tmp_path: Path) -> None:
    source = HuggingFace("hf", client(), path=tmp_path / "*.json")
    with pytest.raises(SourceError, match=r"\*\.json: no file is there"):
        asyncio.run(read(source, MONDAY))


# -- arXiv ----------------------------------------------------------------------------------------


def test_arxiv_archives_are_fetched_three_seconds_apart() -> None:
    clock = SkippingClock()

    def source(site: Site) -> Source:
        categories = ("cs.CL", "math.CO", "cs.LG")
        return Arxiv("arXiv", client(clock), categories, url=site.url)

    found, site = listings(
        {
            "/atom/cs.CL+cs.LG": response(body=atom("2608.00001", "2608.00002")),
            "/atom/math.CO": response(body=atom("2608.00002", "2608.00003")),
        },
        source,
    )
    assert [[item.ids[0] for item in each.items] for each in found] == [
        ["2608.00001", "2608.00002"],
        ["2608.00002", "2608.00003"],
    ]
    assert [each.target for each in site.requests] == ["/atom/cs.CL+cs.LG", "/atom/math.CO"]
    assert clock.slept == [3]


def test_two_arxiv_sources_wait_for_one_another() -> None:
    clock = SkippingClock()

    async def run() -> None:
        async with scripted_site({"/atom/cs.CL": response(body=atom("2608.00001"))}) as site:
            http = client(clock)
            sources = [Arxiv(f"arXiv {n}", http, ("cs.CL",), url=site.url) for n in (1, 2)]
            await asyncio.gather(*(read(source, MONDAY) for source in sources))

    asyncio.run(run())
    assert clock.slept == [3]


def test_arxiv_weekend_has_no_papers() -> None:
    (listing,), _ = listings(
        {"/atom/cs.CL": response(body=atom())},
        lambda site: Arxiv("arXiv", client(), ("cs.CL",), url=site.url),
    )
    assert listing.items == ()


def test_arxiv_error_message_is_passed_on() -> None:
    body = b"<feed><title>Feed error</title><subtitle>Bad archive 'nope'.</subtitle></feed>"
    with pytest.raises(SourceError, match="arXiv says: Bad archive 'nope'"):
        listings(
            {"/atom/nope": response(400, body)},
            lambda site: Arxiv("arXiv", client(), ("nope",), url=site.url),
        )


# -- feeds ----------------------------------------------------------------------------------------

RSS = b"""<?xml version="1.0"?><rss version="2.0"><channel><title>Feed</title>
<item><title>Today</title><pubDate>Mon, 03 Aug 2026 07:00:00 GMT</pubDate></item>
<item><title>Undated</title></item>
<item><title>Old</title><pubDate>Mon, 06 Jul 2026 07:00:00 GMT</pubDate></item>
</channel></rss>"""


def feed(site: Site) -> Source:
    return Feed("feed", client(), f"{site.url}/rss")


def test_old_feed_entries_are_its_backlog() -> None:
    found, _ = listings({"/rss": response(body=RSS)}, feed)
    assert [[item.title for item in each.items] for each in found] == [
        ["Today", "Undated"],
        ["Old"],
    ]
    assert [each.past for each in found] == [False, True]


def test_json_feed_is_fetched() -> None:
    body = {"version": "https://jsonfeed.org/version/1", "items": [{"id": "1", "title": "T"}]}
    found, _ = listings({"/rss": response(body=json.dumps(body).encode())}, feed)
    assert [item.title for item in found[0].items] == ["T"]


def test_page_instead_of_feed_is_quoted() -> None:
    with pytest.raises(SourceError, match="/rss: not a feed but '<!DOCTYPE html>"):
        listings({"/rss": response(body=b"<!DOCTYPE html><html><p>Moved</html>")}, feed)


def test_private_feed_is_blocked_unless_allowed() -> None:
    with pytest.raises(BlockedAddressError, match="allow_private_addresses"):
        listings(
            {"/rss": response(body=RSS)},
            lambda site: Feed("feed", client(private=False), f"{site.url}/rss"),
        )


@pytest.mark.parametrize("url", ["/etc/passwd", "file:///etc/passwd", "subscribers.yaml"])
def test_local_path_as_feed_is_refused(url: str) -> None:
    source = Feed("feed", client(), url)
    with pytest.raises(SourceError):
        asyncio.run(read(source, MONDAY))


@pytest.mark.slow
def test_hostile_feed_leaves_others_alone() -> None:
    bomb = b'<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "' + b"x" * 3_000_000 + b'">]>'
    bomb += b"<rss version='2.0'><channel><item><title>" + b"&a;" * 300 + b"</title></item>"
    bomb += b"</channel></rss>"

    async def run() -> list[tuple[Listing, ...] | BaseException]:
        async with scripted_site(
            {"/bomb": response(body=bomb), "/rss": response(body=RSS)}
        ) as site:
            fetches: list[Awaitable[tuple[Listing, ...]]] = [
                read(Feed("bomb", client(), f"{site.url}/bomb")),
                read(feed(site)),
            ]
            return await asyncio.gather(*fetches, return_exceptions=True)

    _, good = asyncio.run(run())
    assert not isinstance(good, BaseException)
    assert len(good[0].items) == 2


# -- pages ----------------------------------------------------------------------------------------


def test_each_saved_page_has_its_own_day(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("new\n\nMar 14\n\nOne\n\nText one.\n", encoding="utf-8")
    (tmp_path / "b.txt").write_text("\ufeffnew\n\nMar 12\n\nTwo\n\nText.\n", encoding="utf-8")
    found = asyncio.run(read(SavedPages("page", tmp_path / "*.txt"), date(2026, 11, 21)))
    assert [(each.day, each.items[0].title, each.past) for each in found] == [
        (date(2026, 3, 14), "One", False),
        (date(2026, 3, 12), "Two", False),
    ]


def test_other_file_is_reported_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("new\n\nMar 14\n\nA title alone\n", encoding="utf-8")
    with pytest.raises(SourceError, match=r"a\.txt:5: no abstract follows"):
        asyncio.run(read(SavedPages("page", tmp_path / "a.txt")))


def test_missing_page_names_the_pattern(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"\*\.txt: no file is there"):
        asyncio.run(read(SavedPages("page", tmp_path / "*.txt")))


def test_undecodable_page_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe\x00broken")
    with pytest.raises(SourceError, match=r"a\.txt: cannot be read as UTF-8 text"):
        asyncio.run(read(SavedPages("page", tmp_path / "a.txt")))
