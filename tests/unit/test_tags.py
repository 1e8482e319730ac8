import pytest

from newsletter.sources.feed_links import feed_links
from newsletter.text.tags import find_tags

PAGE = "https://example.org/blog/today.html"


def attributes(text: str | bytes) -> list[dict[str, str]]:
    body = text.encode() if isinstance(text, str) else text
    return [dict(found) for _, found in find_tags(body, "outline")]


@pytest.mark.parametrize(
    ("tag", "found"),
    [
        ('<outline text="A" xmlUrl="u"/>', {"text": "A", "xmlurl": "u"}),
        ("<OUTLINE text='A \"b\"' xmlUrl=u>", {"text": 'A "b"', "xmlurl": "u"}),
        (
            '<outline text="R & D" xmlUrl="u?a=1&amp;b=2"/>',
            {"text": "R & D", "xmlurl": "u?a=1&b=2"},
        ),
        ('<outline text="a < b > c" xmlUrl="u"/>', {"text": "a < b > c", "xmlurl": "u"}),
        ('<outline text="The "best" of" xmlUrl="u"/>', {"xmlurl": "u"}),
        ('<outline\n  text = "A"\n  xmlUrl= "u" />', {"text": "A", "xmlurl": "u"}),
        ('<outline text="&evil;" xmlUrl="u"', {"text": "&evil;", "xmlurl": "u"}),
    ],
)
def test_malformed_tags_give_their_attributes(tag: str, found: dict[str, str]) -> None:
    (seen,) = attributes(tag)
    assert found.items() <= seen.items()


def test_needed_attribute_is_found_behind_markup() -> None:
    text = '<outline text="A" about="By <a href="https://b.example/" rel="x">B</a>." xmlUrl="u"/>'
    ((_, found),) = find_tags(text.encode(), "outline", needed="xmlUrl")
    assert (found["text"], found["xmlurl"]) == ("A", "u")


def test_lines_count_and_comments_do_not() -> None:
    text = b"<opml>\n<!-- <outline a='1'/>\n -->\n<outline a='2'/>\n\n<outline a='3'><!-- cut"
    assert [(line, dict(found)) for line, found in find_tags(text, "outline")] == [
        (4, {"a": "2"}),
        (6, {"a": "3"}),
    ]


@pytest.mark.parametrize(
    "body",
    [
        '<outline text="Größe"/>'.encode(),
        '<?xml version="1.0" encoding="ISO-8859-1"?><outline text="Größe"/>'.encode("latin-1"),
        '<?xml version="1.0" encoding="UTF-8"?><outline text="Größe"/>'.encode("cp1252"),
        '<?xml version="1.0" encoding="x-none"?><outline text="Größe"/>'.encode("cp1252"),
        '<?xml version="1.0" encoding="latin-1"?><outline text="Größe"/>'.encode(),
        b"\xff\xfe" + '<outline text="Größe"/>'.encode("utf-16-le"),
        b"\xef\xbb\xbf" + '<outline text="Größe"/>'.encode(),
    ],
)
def test_every_encoding_is_read(body: bytes) -> None:
    assert attributes(body) == [{"text": "Größe"}]


def test_declared_entities_are_not_expanded() -> None:
    assert attributes('<!DOCTYPE x [<!ENTITY e "E">]><outline text="&e;"/>') == [{"text": "&e;"}]


def test_feeds_that_a_page_links_are_found() -> None:
    page = b"""<html><head><link rel="stylesheet" href="/a.css">
    <link rel="alternate" type="application/rss+xml" title="All &amp; more" href="/feed.xml">
    <LINK REL='feed alternate' TYPE='application/atom+xml; charset=utf-8' HREF=atom.xml>
    <link rel="alternate" type="application/rss+xml" href="/feed.xml">
    <link rel="alternate" hreflang="de" href="/de"><link rel="alternate" type="text/html" href="x">
    <!-- <link rel="alternate" type="application/rss+xml" href="/old.xml"> -->
    <link rel="alternate" type="application/rss+xml" href="javascript:alert(1)">
    <link rel="alternate" type="application/rss+xml" href="http://[bad">"""
    assert feed_links(page, PAGE) == [
        ("https://example.org/feed.xml", "All & more"),
        ("https://example.org/blog/atom.xml", ""),
    ]


def test_base_of_a_page_counts() -> None:
    link = b'<link rel="alternate" type="application/rss+xml" href="f.xml">'
    (found,) = feed_links(b'<base href="https://feeds.example.org/x/">' + link, PAGE)
    assert found.url == "https://feeds.example.org/x/f.xml"


@pytest.mark.parametrize("piece", ["<outline ", "<outline a='", '<outline a="', "<!--", "a=", "<"])
def test_hostile_lists_are_read_in_linear_time(piece: str) -> None:
    assert len(attributes(piece * 100_000)) <= 100_000
