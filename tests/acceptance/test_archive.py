"""The archive over real HTTP: its public pages and feeds."""

import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import feedparser
import pytest
from lxml import etree
from markupsafe import escape
from starlette.routing import Route

from newsletter.app.files import load_engine
from newsletter.model import IdentifiedItem, SourceHealth, Topic
from newsletter.papers.filters import parse_rule
from newsletter.papers.meanings import MeaningMatcher
from newsletter.papers.searching import ArchiveSearch
from newsletter.web.context import SEARCHES
from tests.support.factories import DAY, NOON, identity, item, subscriber
from tests.support.web_client import Response, Website, open_website

LATER = DAY + timedelta(days=1)
FEEDS = Path(__file__).parents[1] / "fixtures" / "feeds"
ADA = "ada@example.org"
SCRIPT = "<script>document.title='pwned'</script> ]]> & “Ω”"


@pytest.fixture
def app() -> Iterator[Website]:
    with open_website(url="https://example.org/papers") as opened:
        opened.store.save_reader(subscriber(ADA), status="confirmed", now=NOON)
        yield opened


def publish_two_days(app: Website) -> None:
    app.publish(DAY, "Vision anew", "Of other things")
    app.advance(days=1)
    app.publish(LATER, "Vision anew", "Vision once more", SCRIPT)


@pytest.fixture(scope="module")
def published() -> Iterator[Website]:
    """Two days of issues, for tests that change nothing."""
    with open_website(url="https://example.org/papers") as opened:
        opened.store.save_reader(subscriber(ADA), status="confirmed", now=NOON)
        publish_two_days(opened)
        yield opened


def titles(app: Website, path: str) -> list[str]:
    answer = app.get(path)
    assert answer.status == 200
    return [entry.title for entry in feedparser.parse(answer.body).entries]


PERSONAL = (ADA, "/preferences/", "/unsubscribe/", "/leave/", "/mine/", "/edition/")
"""What no public page may contain."""


def check_feed(app: Website, path: str) -> Response:
    answer = app.get(path)
    assert answer.status == 200, path
    assert not any(word in answer.body for word in PERSONAL), path
    assert "<script>" not in answer.body
    return answer


def test_issue_page_lists_its_new_papers_by_topic(published: Website) -> None:
    first = check_feed(published, f"/archive/{DAY}")
    assert (
        '<link rel="canonical" href="https://example.org/papers/archive/2026-08-03">' in first.body
    )
    assert "Vision anew" in first.text
    assert "Vision once more" not in first.text
    assert first.body.index("Vision anew") < first.body.index(">Other<")
    assert f'rel="next" href="/papers/archive/{LATER}"' in first.body
    second = check_feed(published, f"/archive/{LATER}")
    assert "Vision once more" in second.text
    assert "Vision anew" not in second.text
    assert f'rel="prev" href="/papers/archive/{DAY}"' in second.body
    for path in ("/archive/2026-08-09", "/archive/yesterday", "/archive/..", "/archive/2026-8-3"):
        assert published.get(path).status == 404


def test_archive_lists_days_and_topics_newest_first(app: Website) -> None:
    assert "No emails have gone out yet. Subscribe" in check_feed(app, "/archive").text
    app.advance(minutes=2)
    publish_two_days(app)
    app.advance(minutes=2)
    listed = check_feed(app, "/archive").body
    assert listed.index(str(LATER)) < listed.index(str(DAY))
    assert "Monday, 3 August 2026 2 papers Of other things Vision anew" in app.get("/archive").text
    assert 'href="/papers/topic/Vision"' in listed
    earlier = app.get(f"/archive?before={LATER}").body
    assert str(DAY) in earlier
    assert f"/archive/{LATER}" not in earlier
    assert app.get("/archive?before='").status == 404
    assert f'href="/papers/archive/{LATER}"' in check_feed(app, "/").body


def test_topic_page_lists_only_its_papers(published: Website) -> None:
    page = check_feed(published, "/topic/Vision")
    assert [word in page.text for word in ("Vision anew", "Vision once more")] == [True, True]
    assert "Of other things" not in page.text
    assert "Get new papers on Vision by email" in page.text
    other = check_feed(published, "/topic/Other").text
    assert "Of other things" in other
    assert "papers on Other" not in other  # nobody can follow it
    assert published.get("/topic/Nothing").status == 404
    assert published.get("/topic/%27%20OR%201").status == 404


def test_topics_have_every_paper_that_matches() -> None:
    both = tuple(Topic(name, any=(parse_rule(name),)) for name in ("Agents", "Robots"))
    with open_website(url="https://example.org/papers", topics=both) as app:
        app.store.save_reader(subscriber(ADA), status="confirmed", now=NOON)
        app.publish(DAY, "Agents for robots", "Robots", "Of other things")
        assert "2 papers in the last email" in app.get("/topic/Robots").text
        assert len(titles(app, "/topic/Robots/feed.atom")) == 2
        assert app.get(f"/archive/{DAY}").body.count("Agents for robots</a></h3>") == 1
        form = app.get("/").text
        assert "Agents 1 a week Robots 2 a week" in form
        assert "all papers, about 3 a week" in form


def test_paper_page_names_its_best_topic_first() -> None:
    both = tuple(Topic(name, any=(parse_rule(name),)) for name in ("Agents", "Robots"))
    with open_website(url="https://example.org/papers", topics=both) as app:
        entry = IdentifiedItem(item("Robots", abstract="With agents."), identity("arxiv:1"))
        app.store.ingest(DAY, SourceHealth("S", "ok"), [entry], now=NOON)
        page = app.get("/paper/arxiv:1").text
    assert "Topics Robots Agents" in page
    assert "Get new papers on Robots by email" in page


def test_topic_choice_shows_papers_per_week(published: Website) -> None:
    for path in ("/", published.path("preferences")):
        assert "Vision 2 a week" in published.get(path).text
    first = check_feed(published, "/").text
    assert "s email Vision Vision once more" in first
    assert "s papers" in first


def test_paper_page_names_the_issue_that_has_it(published: Website) -> None:
    (paper,) = (
        p for p in published.store.papers_by_number(range(9)) if p.item.title == "Vision anew"
    )
    page = check_feed(published, f"/paper/{quote(paper.key)}")
    assert re.findall(r'href="/papers/archive/([^"]+)"', page.body) == [str(DAY)]
    assert published.get("/paper/arxiv:9999.99999").status == 404
    assert published.get("/paper/%00").status == 404


def test_paper_page_shows_authors_topics_and_related_papers(app: Website) -> None:
    app.publish(DAY, "Vision of robot hands", "A census of dwarf galaxies")
    authors = tuple(f"Author {n}" for n in range(1, 24))
    health = SourceHealth("Other", "ok", checked=NOON, last_ok=NOON)
    many = item(
        "Vision of many robot hands",
        authors=authors,
        author_count=30,
        organization="Example Lab",
        keywords=("image & text",),
    )
    app.store.ingest(DAY, health, [IdentifiedItem(many, identity("doi:10.1/many"))], now=NOON)
    ArchiveSearch(app.store, MeaningMatcher(load_engine), load_engine).fill()
    page = check_feed(app, "/paper/doi:10.1/many")
    hidden = "Author 20 10 more authors Author 21, Author 22, Author 23, and 7 more"
    assert hidden in page.text
    assert "Example Lab" in page.text
    assert 'href="/papers/search?q=image%20%26%20text"' in page.body
    related = "Related papers Vision of robot hands Email of 3 Aug 2026 Get new"
    assert f"Topics Vision Keywords image &amp; text {related}" in page.text
    assert 'href="/papers/?topic=Vision">Subscribe' in page.body
    ticked = app.get("/?topic=Vision&topic=Nothing").body
    assert 'value="Vision" checked' in ticked
    assert "Nothing" not in ticked


def test_paper_page_links_the_same_paper_elsewhere(app: Website) -> None:
    health = SourceHealth("Other", "ok", checked=NOON, last_ok=NOON)
    for key, home in (
        ("arxiv:2608.1", "https://arxiv.org/abs/2608.1"),
        ("doi:10.1/x", "https://a.org/x"),
    ):
        paper = item("On one and the very same invented paper", url=home)
        app.store.ingest(DAY, health, [IdentifiedItem(paper, identity(key))], now=NOON)
    body = app.get("/paper/doi:10.1/x").body
    assert '<a href="https://arxiv.org/abs/2608.1" rel="noreferrer">Also at arXiv</a>' in body
    assert 'The same paper: <a href="/papers/paper/arxiv%3A2608.1">On one and the very' in body


def test_paper_key_with_slashes_has_a_page(app: Website) -> None:
    health = SourceHealth("Other", "ok", checked=NOON, last_ok=NOON)
    entry = IdentifiedItem(item("By DOI", abstract=SCRIPT), identity("doi:10.1/x y?z#é"))
    app.store.ingest(DAY, health, [entry], now=NOON)
    page = check_feed(app, f"/paper/{quote('doi:10.1/x y?z#é')}")
    assert "By DOI" in page.text
    found = check_feed(app, "/search?q=doi")
    assert f'href="/papers/paper/{quote("doi:10.1/x y?z#é")}"' in found.body


def test_paper_page_has_what_the_source_adds(app: Website) -> None:
    paper = item(
        "A",
        brief=SCRIPT,
        keywords=(SCRIPT, "D$^2$PO"),
        submitter=SCRIPT,
        author_answers=True,
        media=("https://cdn.example/a.png", "https://cdn.example/b.mp4"),
        thumbnail="https://cdn.example/t.png",
    )
    entry = IdentifiedItem(paper, identity("arxiv:2608.00009"))
    app.store.ingest(DAY, SourceHealth("S", "ok"), [entry], now=NOON)
    answer = check_feed(app, "/paper/arxiv:2608.00009")
    assert answer.body.count(escape(SCRIPT)) == 3
    assert "An author takes part in the discussion." in answer.text
    shown = re.findall(r'href="(https://cdn[^"]*)"[^>]*>([^<]*)<', answer.body)
    assert [label for _, label in shown] == ["Image 1", "Video 2"]
    assert '<meta property="og:image" content="https://cdn.example/t.png">' in answer.body
    assert "<img" not in answer.body
    (search,) = re.findall(r'href="[^"]*(/search[^"]*)">D²PO', answer.body)
    assert "/paper/arxiv" in app.get(search).body


def test_search_finds_papers_and_survives_any_input(published: Website) -> None:
    page = check_feed(published, "/search?q=vision+once")
    assert "1 paper Vision once more" in page.text
    assert "“vision once”: in the title · Email of 4 Aug 2026" in page.text
    assert f'<a href="/papers/archive/{LATER}">Email of 4 Aug 2026</a>' in page.body
    assert "noindex" in page.body
    nothing = check_feed(published, "/search?q=zzzz").text
    assert 'No papers match "zzzz". This word is not understood. Try other' in nothing
    assert "No papers match &#34;zz yy&#34;." in published.get("/search?q=%22zz+yy%22").text
    assert "Vision once more" in published.get("/search?q=%22once+more%22").text
    assert "a word or a phrase is missing" in published.get("/search?q=author:").body.lower()
    long = published.get(f"/search?q={'vision+' * 10_000}").text
    assert "Only its first 300 characters count." in long
    for words in ("' OR 1=1 --", "%", "((((", "[a-z]*" * 100, SCRIPT, "\x00", "a" * 9000):
        assert published.get(f"/search?q={quote(words)}").status == 200
    assert "match" not in published.get("/search").text


@pytest.mark.slow
def test_client_that_searches_too_often_waits(app: Website) -> None:
    answers = [app.get("/search?q=%25") for _ in range(SEARCHES + 1)]
    assert [answer.status for answer in answers[-2:]] == [200, 429]
    assert answers[-1].headers["retry-after"] == "60"
    assert app.get("/search").status == 200
    app.advance(minutes=1)
    assert app.get("/search?q=%25").status == 200


@pytest.mark.parametrize("form", ["atom", "rss"])
def test_feeds_are_valid_and_repeat_nothing(app: Website, form: str) -> None:
    publish_two_days(app)
    answer = check_feed(app, f"/feed.{form}")
    assert answer.headers["content-type"].startswith(f"application/{form}+xml")
    parsed = feedparser.parse(answer.body)
    assert not parsed.bozo
    assert [entry.title for entry in parsed.entries].count("Vision anew") == 1
    assert len(parsed.entries) == 4
    before = {entry.id for entry in parsed.entries}
    assert all(
        entry.link.startswith("https://example.org/papers/paper/") for entry in parsed.entries
    )
    app.advance(days=1)
    app.publish(LATER + timedelta(days=1), "Vision anew", "The newest")
    again = feedparser.parse(app.get(f"/feed.{form}").body)
    assert len({entry.id for entry in again.entries} - before) == 1
    assert again.entries[0].title == "The newest"
    assert sorted(titles(app, f"/topic/Vision/feed.{form}")) == [
        "Vision anew",
        "Vision once more",
    ]


def faults(feed: str, form: str) -> list[str]:
    """The faults that a RELAX NG validator finds in a feed."""
    grammar = etree.RelaxNG(etree.parse(FEEDS / f"{form}.rng"))
    grammar.validate(etree.fromstring(feed.encode()))
    return [f"{fault.line}: {fault.message}" for fault in grammar.error_log]


@pytest.mark.slow
@pytest.mark.parametrize("form", ["atom", "rss"])
def test_validator_finds_no_fault_in_any_feed(app: Website, form: str) -> None:
    own = app.path("feed").removeprefix("/feed/")
    paths = (f"/feed.{form}", f"/topic/Vision/feed.{form}", f"/mine/{own}/feed.{form}")
    for path in paths:
        assert faults(app.get(path).body, form) == [], path
    publish_two_days(app)
    for path in paths:
        feed = app.get(path).body
        assert faults(feed, form) == [], path
        assert feed.count('rel="self"') == 1
        assert faults(feed.replace("title>", "name>"), form)
    answers = [app.get(f"/feed.{form}").body]
    app.advance(hours=1)
    answers.append(app.get(f"/feed.{form}").body)
    assert answers[0] == answers[1]


def test_json_feed_follows_its_specification(published: Website) -> None:
    document = json.loads(published.get("/feed.json").body)
    assert {"version", "title", "items"} <= document.keys()
    assert document["home_page_url"].startswith("https://")
    ids = [each["id"] for each in document["items"]]
    assert len(ids) == len(set(ids)) == 4
    for each in document["items"]:
        assert isinstance(each["id"], str)
        assert each["url"].startswith("https://example.org/papers/paper/")
        assert each["content_text"]
        assert datetime.fromisoformat(each["date_published"]).tzinfo is not None


def test_only_public_pages_are_indexable(published: Website) -> None:
    key = quote(published.store.papers_by_number([1])[0].key)
    public = ("/", "/archive", f"/archive/{DAY}", "/topic/Vision", f"/paper/{key}")
    for path in public:
        body = published.get(path).body
        (canonical,) = re.findall(r'<link rel="canonical" href="([^"]+)"', body)
        assert canonical == f"https://example.org/papers{path}"
        assert "noindex" not in body
        assert published.get(canonical.removeprefix("https://example.org")).body == body
    own = (published.path("preferences"), published.path("unsubscribe"))
    for path in (*own, "/search?q=x", f"/archive?before={LATER}", "/nowhere"):
        body = published.get(path).body
        assert "noindex" in body
        assert "canonical" not in body


def test_json_feed_matches_the_others(published: Website) -> None:
    answer = published.get("/feed.json")
    assert answer.headers["content-type"].startswith("application/feed+json")
    document = json.loads(answer.body)
    assert document["version"] == "https://jsonfeed.org/version/1.1"
    assert document["feed_url"] == "https://example.org/papers/feed.json"
    atom = feedparser.parse(published.get("/feed.atom").body)
    assert [each["id"] for each in document["items"]] == [entry.id for entry in atom.entries]


def test_unchanged_feed_is_not_sent_again(published: Website) -> None:
    first = published.get("/feed.atom")
    again = published.get("/feed.atom", If_None_Match=first.headers["etag"])
    assert (again.status, again.body) == (304, "")
    assert first.headers["cache-control"].startswith("public")


@pytest.mark.slow
def test_readers_feed_ends_with_the_subscription(app: Website) -> None:
    publish_two_days(app)
    own = app.path("feed").removeprefix("/feed/")
    answer = app.get(f"/mine/{own}/feed.atom")
    parsed = feedparser.parse(answer.body)
    assert not parsed.bozo
    assert len(parsed.entries) == 4
    assert answer.headers["cache-control"].startswith("private")
    ids = {entry.id for entry in parsed.entries}
    assert ids == {entry.id for entry in feedparser.parse(app.get("/feed.atom").body).entries}
    assert f"/mine/{own}/feed.atom" not in app.get("/feed.atom").body
    preferences = app.path("preferences").rpartition("/")[2]
    assert app.get(f"/mine/{preferences}/feed.rss").status == 403
    app.post(app.path("unsubscribe"))
    assert app.get(f"/mine/{own}/feed.atom").status == 410


def test_robots_are_kept_from_private_pages(app: Website) -> None:
    robots = app.get("/robots.txt").body
    for path in (route.path for route in app.routes if isinstance(route, Route)):
        if "{token}" in path:
            assert f"Disallow: /papers/{path.split('/')[1]}\n" in robots
    assert "noindex" in app.get(app.path("preferences")).body
    assert "noindex" not in app.get("/archive").body


def test_backlog_papers_are_not_shown(app: Website) -> None:
    entries = [
        IdentifiedItem(item("Long ago"), identity("arxiv:1"), past=True),
        IdentifiedItem(item("Of today"), identity("arxiv:2")),
    ]
    health = SourceHealth("A source", "ok", checked=NOON, last_ok=NOON)
    app.store.ingest(DAY, health, entries, now=NOON)
    app.publish(DAY, "Vision anew")
    page = check_feed(app, f"/archive/{DAY}")
    assert [word in page.text for word in ("Of today", "Long ago")] == [True, False]
