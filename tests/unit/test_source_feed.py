import json
from datetime import UTC, date, datetime, timedelta

import pytest

from newsletter.errors import SourceError
from newsletter.model import Item
from newsletter.papers.identity import identify
from newsletter.sources.entries import Reading
from newsletter.sources.feed import asked_pause, parse, split_by_age
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
    found = one(f"<title>{escaped}</title><description>Text: {escaped}</description>")
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


@pytest.mark.parametrize(
    "field",
    [
        "<guid isPermaLink='false'>10.1234/A.5</guid>",
        "<dc:identifier>info:doi/10.1234/a.5</dc:identifier>",
        "<prism:url>https://dx.doi.org/10.1234/a.5</prism:url>",
        "<link>https://j.example/show?doi=10.1234%2Fa.5&amp;af=R</link>",
        "<link>https://j.example/doi/full/10.1234/a.5?af=R</link>",
    ],
)
def test_doi_is_read_from_every_field(field: str) -> None:
    assert identify(one(f"<title>T</title>{field}")).key == "doi:10.1234/a.5"


def test_shared_guid_and_fragments_identify_none() -> None:
    found = entries(
        *(
            f"<title>{n}</title><guid isPermaLink='false'>g</guid>"
            f"<link>https://a.example/toc?utm_content={n}#{n}</link>"
            for n in ("One", "Two", "Three")
        )
    )
    assert all(identify(each).key.startswith("title:") for each in found)
    assert found[0].url == "https://a.example/toc?utm_content=One#One"


def test_second_version_of_an_entry_has_its_version() -> None:
    assert one("<title>T</title><guid>10.21203/rs.3.rs-7/v2</guid>").version == 2


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


def test_entry_with_nothing_to_read_is_left_out() -> None:
    (found,) = entries('<guid isPermaLink="false">g1</guid>', "<title>T</title>", "")
    assert found.title == "T"


def test_loose_json_feed_is_read() -> None:
    first, second = parse(
        json_feed(
            {"id": "1", "url": "/p/1", "authors": ["Ann Alpha"], "author": {"name": "Ann Alpha"}},
            {"id": "https://a.example/2", "summary": "We ask much.", "content_html": "Menu. Text."},
        ),
        {},
        URL,
    )
    assert (first.url, first.authors) == ("https://feeds.example/p/1", ("Ann Alpha",))
    assert (second.url, second.abstract) == ("https://a.example/2", "We ask much.")


def test_doi_is_the_link_of_an_entry_without_one() -> None:
    for guid in ("<guid>10.1234/a.5</guid>", '<guid isPermaLink="false">doi:10.1234/a.5</guid>'):
        assert one(f"<title>T</title>{guid}").url == "https://doi.org/10.1234/a.5"


def test_json_feed_fields_of_wrong_type_are_absent() -> None:
    odd = {"id": 3.5, "title": 7, "content_text": ["x"], "url": {}, "tags": "x", "authors": [1]}
    odd["summary"] = "Text."
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


def test_authors_stand_in_any_element() -> None:
    for inside in (
        "<authors>Ann Alpha;Ben Beta</authors>",
        "<author>ed@papers.science (Ann Alpha, Ben Beta)</author>",
        "<dc:creator>Alpha, Ann</dc:creator><dc:creator>Beta, Ben</dc:creator>",
        "<author>(Ann Alpha, Ben Beta)</author><dc:creator>Ann Alpha, Ben Beta</dc:creator>",
    ):
        assert one(f"<title>T</title>{inside}").authors == ("Ann Alpha", "Ben Beta")


BOUNDS = "With k<n and n>2 it holds if x<y & y>z."


@pytest.mark.parametrize(
    "written",
    [
        BOUNDS.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"),
        f"<![CDATA[<p>{BOUNDS}</p>]]>",
        BOUNDS,
        f"<![CDATA[ With <![CDATA[ k<n ]]> {BOUNDS.partition('k<n')[2]}]]>",
        BOUNDS.replace("<", "&amp;lt;").replace("&&", "&"),
        BOUNDS.replace("holds", "ho\x0b&#11;lds").replace("&#11;", ""),
    ],
)
def test_less_than_eats_no_text(written: str) -> None:
    found = one(f"<title>T</title><description>{written}</description>")
    assert found.abstract == BOUNDS


def test_halves_of_a_pair_are_one_character() -> None:
    assert one("<title>&#55357;&#56960; &#xD83D;&#xDE80;</title>").title == "🚀 🚀"


def test_entities_of_an_absent_dtd_are_read() -> None:
    dtd = '<!DOCTYPE rss PUBLIC "-//Fiction//DTD RSS 0.91//EN" "https://a.example/rss.dtd"><rss'
    body = RSS.format(items="<item><title>Caf&eacute;</title></item>").replace("<rss", dtd, 1)
    assert [each.title for each in parse(body.encode(), {}, URL)] == ["Café"]


@pytest.mark.parametrize(
    "link",
    [
        "<link>https://a.example/a b</link>",
        '<link xmlns="http://www.w3.org/2005/Atom" rel="related" href="https://a.example/a%20b"/>',
        (
            '<link>https://f.example/1</link><o:origLink xmlns:o="http://rssnamespace.org/feedburner/'
            'ext/1.0">https://a.example/a%20b</o:origLink>'
        ),
    ],
)
def test_link_is_found_and_mended(link: str) -> None:
    assert one(f"<title>T</title>{link}").url == "https://a.example/a%20b"


def test_abstract_may_stand_in_dublin_core() -> None:
    dc = '<a:abstract xmlns:a="http://purl.org/dc/terms/">We ask much.</a:abstract>'
    assert one(f"<title>T</title>{dc}").abstract == "We ask much."


def test_feed_may_name_utf_16_falsely() -> None:
    body = RSS.format(items="<item><title>Größe</title></item>")
    (found,) = parse(body.replace('"1.0"', '"1.0" encoding="utf-16"', 1).encode(), {}, URL)
    assert found.title == "Größe"


def test_one_bad_byte_changes_one_character() -> None:
    body = RSS.format(items="<item><title>Ca?, naïve “words” and caf?</title></item>").encode()
    (found,) = parse(body.replace(b"Ca?", b"Ca\xff\xfe").replace(b"caf?", b"caf\xe9"), {}, URL)
    assert found.title in {"Caÿþ, naïve “words” and café", "Ca\ufffd\ufffd, naïve “words” and café"}


def test_numbers_of_no_character_are_dropped() -> None:
    assert one("<title>a&#0;b&#x1F;c &#xD800;</title>").title == "abc \ufffd"


def test_named_characters_of_html_are_read() -> None:
    assert one("<title>a&nbsp;b&eacute;&bogus; R&D</title>").title == "a bé&bogus; R&D"


@pytest.mark.parametrize(
    ("summary", "content", "abstract"),
    [
        (
            "We ask...",
            "<p><b>ABSTRACT</b></p><p>We ask much. It is so.</p>",
            "We ask much. It is so.",
        ),
        ("", "<p>We ask much.</p>", "We ask much."),
        ("We ask", "We ask much. It is so.", "We ask much. It is so."),
        ("We ask much.", f"Home | News | About. {'Long article. ' * 999}", "We ask much."),
        ("We ask much.", f"We ask much. {'Long article. ' * 999}", "We ask much."),
        ("We ask much.", "Another text, and a longer one.", "We ask much."),
    ],
)
def test_abstract_is_whole(summary: str, content: str, abstract: str) -> None:
    found = one(
        f"<title>T</title><description>{summary}</description>"
        f'<content:encoded xmlns:content="http://purl.org/rss/1.0/modules/content/">'
        f"<![CDATA[{content}]]></content:encoded>"
    )
    assert found.abstract == abstract


def test_boilerplate_gives_authors_date_and_doi() -> None:
    found = one(
        "<title>T</title><description><p>Author(s): Ann Alpha, Ben Beta, and Cy Gamma</p>"
        "<p>Waves behave.</p><br/>[Phys. Rev. Fict. 1, 2] Published Mon Nov 30, 2026</description>"
    )
    assert (found.abstract, found.published) == ("Waves behave.", date(2026, 11, 30))
    assert found.authors == ("Ann Alpha", "Ben Beta", "Cy Gamma")
    acs = one("<title>T</title><description>J. Fict.&lt;br/&gt;DOI: 10.1021/x1</description>")
    assert (acs.abstract, identify(acs).key) == ("", "doi:10.1021/x1")


def test_text_that_repeats_the_title_is_no_abstract() -> None:
    head = "&lt;p&gt;Nature, Published online: 3 May 2026; doi:10.1038/x&lt;/p&gt;"
    for text in (f"{head}A title.", "A title"):
        assert one(f"<title>A title</title><description>{text}</description>").abstract == ""


@pytest.mark.parametrize(
    ("dates", "day", "month"),
    [
        ("<pubDate>2026 Nov 30</pubDate>", date(2026, 11, 30), None),
        ("<prism:coverDate>2026-11-30</prism:coverDate>", date(2026, 11, 30), None),
        ("<prism:coverDisplayDate>November 2026</prism:coverDisplayDate>", None, date(2026, 11, 1)),
        ("<dc:date>2026-11</dc:date><pubDate>3/4/2026</pubDate>", None, date(2026, 11, 1)),
    ],
)
def test_date_stands_in_any_element(dates: str, day: date | None, month: date | None) -> None:
    found = one(f"<title>T</title>{dates}")
    assert (found.published, found.published_month) == (day, month)


def test_month_is_past_when_it_is_over() -> None:
    months = [item(published_month=date(2026, month, 1)) for month in (10, 11, 12)]
    current, past = split_by_age("f", date(2026, 11, 30), months)
    assert [each.published_month.month for each in current.items if each.published_month] == [
        11,
        12,
    ]
    assert len(past.items) == 1


def test_date_in_the_far_future_is_left_out() -> None:
    current, _ = split_by_age("f", date(2026, 11, 30), [item(published=date(2062, 11, 30))])
    assert [each.published for each in current.items] == [None]


ARXIV_ITEM = (
    "<title>Study</title><link>https://arxiv.org/abs/{number}</link>"
    '<guid isPermaLink="false">oai:arXiv.org:{number}v{version}</guid>'
    "<description>arXiv:{number}v{version} Announce Type: {kind}\nAbstract: k&lt;n.</description>"
    '<announce_type xmlns="http://arxiv.org/schemas/atom">{kind}</announce_type>'
    "<dc:creator>Ann Alpha, Wei Li</dc:creator>"
)


def test_arxiv_entries_are_read_as_such_in_any_feed() -> None:
    new, replaced = entries(
        ARXIV_ITEM.format(number="2611.00001", version=1, kind="new"),
        ARXIV_ITEM.format(number="2411.00003", version=3, kind="replace"),
    )
    assert (new.ids, new.abstract) == (("2611.00001",), "k<n.")
    assert new.authors == ("Ann Alpha", "Wei Li")
    assert (new.announcement, replaced.announcement, replaced.version) == ("new", "replace", 3)


def test_unreadable_entry_is_left_out_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    reading = Reading(URL)

    def read(entry: int) -> Item:
        return item(title=str(10 // entry))

    assert [each.title for each in reading.items([5, 0, 2], read)] == ["2", "5"]
    assert reading.unreadable == 1
    assert "entry 2" in caplog.text
    with pytest.raises(SourceError, match=f"{URL}: none of 2 entries can be read: 0"):
        list(reading.items([0, 0], read))


@pytest.mark.parametrize("written", ["someday", "Mon, 99 Foo 0000"])
def test_invalid_date_leaves_entry_undated(written: str) -> None:
    assert one(f"<title>T</title><pubDate>{written}</pubDate>").published is None


@pytest.mark.parametrize(
    ("channel", "headers", "minutes"),
    [
        ("", {}, 0),
        ("<ttl>90</ttl>", {}, 90),
        ("", {"cache-control": "public, max-age=7200"}, 120),
        ("<ttl>5</ttl>", {"cache-control": "max-age=600"}, 10),
        ("<skipHours><hour>3</hour><hour>10</hour><hour>11</hour></skipHours>", {}, 105),
        ("<ttl>soon</ttl><skipHours><hour>x</hour></skipHours>", {"cache-control": "no-cache"}, 0),
        ("<item><ttl>90</ttl></item>", {}, 0),
    ],
)
def test_feed_says_how_long_to_leave_it_alone(
    channel: str, headers: dict[str, str], minutes: int
) -> None:
    body = f"<rss><channel>{channel}</channel></rss>".encode()
    now = datetime(2026, 8, 3, 10, 15, tzinfo=UTC)
    assert asked_pause(body, headers, now) == timedelta(minutes=minutes)
