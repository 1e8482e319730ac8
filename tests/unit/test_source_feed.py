import json
from datetime import date

import pytest

from newsletter.errors import SourceError
from newsletter.model import Item
from newsletter.papers.identity import identify
from newsletter.sources.feed import parse, split_by_age
from tests.support.factories import item

URL = "https://feeds.example/rss"

RSS = """<?xml version="1.0"?><rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:prism="http://prismstandard.org/namespaces/basic/2.0/"><channel><title>Feed</title>
<link>https://feeds.example/</link>{items}</channel></rss>"""


def entries(*items: str) -> tuple[Item, ...]:
    body = RSS.format(items="".join(f"<item>{each}</item>" for each in items))
    return parse(body.encode(), {"content-type": "application/rss+xml"}, URL)


def one(inside: str) -> Item:
    (found,) = entries(inside)
    return found


def json_feed(*items: object, **fields: object) -> bytes:
    return json.dumps(
        {"version": "https://jsonfeed.org/version/1.1", "items": items, **fields}
    ).encode()


def test_entry_is_read_with_all_fields() -> None:
    found = one(
        "<title>A &amp;amp; B</title><link>https://a.example/1</link>"
        '<guid isPermaLink="false">g1</guid>'
        "<description>&lt;p&gt;Some &lt;b&gt;text&lt;/b&gt;&lt;/p&gt;</description>"
        "<dc:creator>Ada Lovelace</dc:creator><prism:doi>10.1038/x</prism:doi>"
        "<category>Biology</category><pubDate>Mon, 03 Aug 2026 07:00:00 GMT</pubDate>"
        "<comments>https://a.example/talk</comments>"
    )
    assert (found.title, found.abstract) == ("A & B", "Some text")
    assert found.url == "https://a.example/1"
    assert set(found.ids) >= {"10.1038/x", "https://a.example/1", f"feed:{URL}#g1"}
    assert found.authors == ("Ada Lovelace",)
    assert found.categories == ("Biology",)
    assert found.published == date(2026, 8, 3)
    assert found.discussion == "https://a.example/talk"
    assert identify(found).key == "doi:10.1038/x"


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>safe",
        "<img src=x onerror=alert(1)>safe",
        "<form action=x><input></form>safe",
        "<!--[if mso]>x<![endif]-->safe",
        "<iframe src=x></iframe>safe",
    ],
)
def test_markup_becomes_plain_text(hostile: str) -> None:
    escaped = hostile.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    found = one(f"<title>{escaped}</title><description>{escaped}</description>")
    for text in (found.title, found.abstract):
        assert "safe" in text
        assert "<" not in text
        assert "alert" not in text


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "JaVa&#9;script:alert(1)", "data:text/html,x"]
)
def test_invalid_link_is_dropped(link: str) -> None:
    assert one(f"<title>T</title><link>{link}</link>").url is None


def test_entry_without_title_uses_its_text() -> None:
    assert one("<description>What it says</description>").title == "What it says"


def test_link_shared_by_all_entries_identifies_none() -> None:
    home = "<link>https://a.example/</link>"
    found = entries(f"<title>One</title>{home}<guid>1</guid>", f"<title>Two</title>{home}")
    assert len({identify(each).key for each in found}) == 2
    assert found[0].url == "https://a.example/"


def test_entries_are_recent_for_two_days_or_undated() -> None:
    days = (date(2026, 8, 3), date(2026, 8, 1), date(2026, 7, 31), date(2026, 8, 4), None)
    current, past = split_by_age("f", date(2026, 8, 3), [item(published=day) for day in days])
    assert [each.published for each in current.items] == [*days[:2], *days[3:]]
    assert [each.published for each in past.items] == [date(2026, 7, 31)]
    assert (current.past, past.past) == (False, True)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html><body>Sorry</body></html>", "not a feed but '<html><body>Sorry"),
        (b"", "not a feed but ''"),
        (b"{}", "not a JSON Feed"),
        (b"[1, 2]", "not a JSON Feed"),
        (b'{"version": "234", "items": []}', "not a JSON Feed"),
        (b"{" * 50_000, "not JSON"),
    ],
)
def test_non_feed_is_quoted_in_the_error(body: bytes, said: str) -> None:
    with pytest.raises(SourceError) as caught:
        parse(body, {}, URL)
    assert said in str(caught.value)
    assert str(caught.value).startswith(URL)


ATOM = '<feed xmlns="http://www.w3.org/2005/Atom"><entry><title>T</title></entry></feed>'
RDF = (
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/">'
    "<channel><title>F</title></channel><item><title>T</title></item></rdf:RDF>"
)


@pytest.mark.parametrize("whole", [RSS.format(items="<item><title>T</title></item>"), ATOM, RDF])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_truncated_feed_is_an_error(whole: str, encoding: str) -> None:
    headers = {"content-type": f"application/xml; charset={encoding}"}
    assert [each.title for each in parse(whole.encode(encoding), headers, URL)] == ["T"]
    for end in (whole.index("</title>"), len(whole) - 1):
        with pytest.raises(SourceError, match=rf"{URL}: .* breaks off after \d+ bytes; try"):
            parse(whole[:end].encode(encoding), headers, URL)


@pytest.mark.parametrize("quote", ["<![CDATA[How </rss> ends]]>", "<!-- </rss> -->"])
def test_quoted_end_does_not_make_half_a_feed_whole(quote: str) -> None:
    whole = RSS.format(items=f"<item><title>T {quote}</title></item><item><title>U</title></item>")
    assert len(parse(whole.encode(), {}, URL)) == 2
    for end in (whole.index("</rss>") + 6, whole.index("<title>U")):
        with pytest.raises(SourceError, match="breaks off"):
            parse(whole[:end].encode(), {}, URL)


def test_feed_without_entries_is_valid() -> None:
    assert not parse(b'<feed xmlns="http://www.w3.org/2005/Atom"/>', {}, URL)


def test_json_feed_is_read() -> None:
    (found,) = parse(
        json_feed(
            {
                "id": "1",
                "url": "https://a.example/1",
                "title": "T",
                "content_html": "<p>Some <b>text</b></p>",
                "date_published": "2026-08-03T07:00:00Z",
                "authors": [{"name": "Ada Lovelace"}],
                "tags": ["Biology"],
            }
        ),
        {},
        URL,
    )
    assert (found.title, found.abstract, found.url) == ("T", "Some text", "https://a.example/1")
    assert f"feed:{URL}#1" in found.ids
    assert (found.authors, found.categories) == (("Ada Lovelace",), ("Biology",))
    assert found.published == date(2026, 8, 3)


def test_json_feed_fields_of_wrong_type_are_absent() -> None:
    odd = {"id": 3.5, "title": 7, "content_text": ["x"], "url": {}, "tags": "x", "authors": [1]}
    (found,) = parse(json_feed(odd, 7, None, author="x"), {}, URL)
    assert (found.url, found.authors, found.categories) == (None, (), ())


def test_feed_in_another_encoding_is_read() -> None:
    body = RSS.format(items="<item><title>Caf\xe9</title></item>").replace(
        '<?xml version="1.0"?>', '<?xml version="1.0" encoding="iso-8859-1"?>'
    )
    (found,) = parse(body.encode("latin-1"), {}, URL)
    assert found.title == "Caf\xe9"


@pytest.mark.parametrize(
    ("written", "names"),
    [
        ("LAPALU, N., SIMON, A., Plaumann, P.-L.", ("N. LAPALU", "A. SIMON", "P.-L. Plaumann")),
        ("Ada Lovelace, Alan Turing", ("Ada Lovelace", "Alan Turing")),
        ("Ada Lovelace", ("Ada Lovelace",)),
    ],
)
def test_authors_in_one_field_are_split(written: str, names: tuple[str, ...]) -> None:
    assert one(f"<title>T</title><dc:creator>{written}</dc:creator>").authors == names


@pytest.mark.parametrize("written", ["someday", "Mon, 99 Foo 0000"])
def test_invalid_date_leaves_entry_undated(written: str) -> None:
    assert one(f"<title>T</title><pubDate>{written}</pubDate>").published is None
