"""``newsletter sources``: feeds found behind pages, lists of feeds imported and exported."""

import asyncio
from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from newsletter.errors import SourceError
from newsletter.model import ListRequest
from newsletter.sources import Feed, SourceClient
from tests.support.cli import Newsletter
from tests.support.http_servers import Page, serve
from tests.support.source_clients import new_client

RSS = b"""<rss version="2.0"><channel><title>T</title><item><title>One</title>
<link>https://example.org/1</link></item></channel></rss>"""
LINK = b'<link rel="alternate" type="application/rss+xml" title="News" href="/news.xml">'


@pytest.fixture
def newsletter(tmp_path: Path) -> Newsletter:
    made = Newsletter(tmp_path)
    made.configure()
    return made


def site(pages: Mapping[str, bytes]) -> AbstractContextManager[str]:
    def answer(path: str, _query: Mapping[str, str]) -> Page:
        return (200, {}, pages[path]) if path in pages else (404, {}, b"<html>No</html>")

    return serve(answer)


def test_linked_feeds_are_found(newsletter: Newsletter) -> None:
    broken = LINK.replace(b"news", b"gone")
    with site({"/blog": b"<html>" + LINK + broken, "/news.xml": RSS}) as url:
        done = newsletter.run("sources", "find", f"{url}/blog", "--private")
    name, address = '"News"', f'"{url}/news.xml"'
    line = f"  - {{kind: feed, name: {name}, url: {address}, allow_private_addresses: true}}"
    first, second, third = done.stdout.splitlines()
    assert (first, second) == ("sources:", f"{line}  # 1 paper")
    assert third.startswith(f"  # {url}/gone.xml: answered with status 404")


@pytest.mark.parametrize("place", ["/feed.xml", "/blog/rss"])
def test_usual_places_are_tried_if_nothing_is_linked(newsletter: Newsletter, place: str) -> None:
    with site({"/blog/": b"<html>Hello", place: RSS}) as url:
        found = newsletter.json("sources", "find", f"{url}/blog/", "--private")
    assert [one["url"] for one in found["sources"]] == [url + place]


def test_address_of_a_feed_is_found_itself(newsletter: Newsletter) -> None:
    with site({"/f": RSS}) as url:
        found = newsletter.json("sources", "find", f"{url}/f", "--private")
    assert [one["url"] for one in found["sources"]] == [f"{url}/f"]


def test_address_with_a_kind_of_its_own_needs_no_network(newsletter: Newsletter) -> None:
    done = newsletter.run("sources", "find", "https://arxiv.org/list/cs.CL/recent")
    assert done.stdout == 'sources:\n  - {kind: arxiv, categories: ["cs.CL"]}\n'


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("{url}/none", "--private"), 4, "/none: answered with status 404"),
        (
            ("{url}/page", "--private"),
            4,
            "/page: the page links no feed, and there is none in the usual places",
        ),
        (("{url}/page",), 4, "allow_private_addresses"),
        (("example.org",), 2, "example.org: write an absolute URL"),
    ],
)
def test_address_without_a_feed_is_an_error(
    newsletter: Newsletter, words: tuple[str, ...], code: int, said: str
) -> None:
    with site({"/page": b"<html>Hello"}) as url:
        done = newsletter.run(
            "sources", "find", *(word.format(url=url) for word in words), code=code
        )
    assert said in done.stderr


def test_page_under_kind_feed_names_the_feed_it_links() -> None:
    with site({"/blog": b"<html><head>" + LINK}) as url:
        client = SourceClient(new_client(), 10, {}, True, retry_for=0)
        source = Feed("F", client, f"{url}/blog")
        request = ListRequest("", date(2026, 8, 3), datetime(2026, 8, 3, 12, tzinfo=UTC))
        with pytest.raises(SourceError, match=f"the page links a feed at {url}/news.xml: use that"):
            asyncio.run(source.read(request))


def test_imported_lines_can_be_pasted(newsletter: Newsletter) -> None:
    (newsletter.folder / "feeds.opml").write_bytes(
        b'<opml><body><outline text="R & D" xmlUrl="https://a.example/f"/>'
        b'<outline xmlUrl="http://export.arxiv.org/rss/cs.CL"/><outline xmlUrl="ftp://x/"/>'
    )
    lines = newsletter.run("sources", "import", "feeds.opml").stdout
    assert lines.splitlines()[-1].startswith("  # line 1: ftp://x/: write an absolute URL")
    head = "name: N\nsender: n@example.org\n"
    (newsletter.folder / "newsletter.yaml").write_text(head + lines, encoding="utf-8")
    (newsletter.folder / "subscribers.yaml").write_text("subscribers: []", encoding="utf-8")
    newsletter.run("config", "check")
    again = newsletter.json("sources", "import", "feeds.opml")
    assert again["left_out"][0]["why"] == "the same address as a source that is configured"


@pytest.mark.parametrize(
    ("content", "code", "said"),
    [(None, 3, "no such file"), (b"<html>", 2, "it has no feeds"), (b"", 2, "it has no feeds")],
)
def test_list_that_is_none_is_an_error(
    newsletter: Newsletter, content: bytes | None, code: int, said: str
) -> None:
    if content is not None:
        (newsletter.folder / "feeds.opml").write_bytes(content)
    assert said in newsletter.run("sources", "import", "feeds.opml", code=code).stderr


def test_configured_feeds_are_exported(newsletter: Newsletter) -> None:
    feed = {"kind": "feed", "name": "A & B", "url": "https://a.example/f?a=1&b=2"}
    newsletter.configure(sources=[feed, {"kind": "huggingface"}])
    done = newsletter.run("sources", "export")
    assert "1 source of other kinds" in done.stderr
    (newsletter.folder / "feeds.opml").write_text(done.stdout, encoding="utf-8")
    newsletter.configure()
    assert newsletter.json("sources", "import", "feeds.opml")["sources"] == [feed]
