from datetime import date

import pytest

from newsletter.errors import SourceError
from newsletter.model import Item
from newsletter.sources.arxiv import by_archive, parse

URL = "https://rss.arxiv.org/atom/cs.CL"

FEED = """<?xml version='1.0' encoding='UTF-8'?>
<feed xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns="http://www.w3.org/2005/Atom"><id>{url}</id><title>cs.CL updates on arXiv.org</title>
{entries}</feed>"""

ENTRY = """<entry><id>oai:arXiv.org:{number}</id><title>{title}</title>
<link href="https://arxiv.org/abs/2608.00001" rel="alternate" type="text/html"/>
<summary>arXiv:{number} Announce Type: {kind}
Abstract: {abstract}</summary>
<category term="cs.CL"/><category term="stat.ML"/>
<published>2026-08-03T00:00:00-04:00</published>
<arxiv:announce_type>{kind}</arxiv:announce_type>{more}
<dc:creator>{authors}</dc:creator></entry>"""


def paper(
    *,
    number: str = "2608.00001v1",
    title: str = "A title",
    abstract: str = "A text.",
    kind: str = "new",
    authors: str = "Ada Lovelace",
    more: str = "",
) -> Item:
    entry = ENTRY.format(
        number=number, title=title, abstract=abstract, kind=kind, authors=authors, more=more
    )
    (item,) = parse(FEED.format(url=URL, entries=entry).encode(), {}, URL)
    return item


def test_announcement_is_read_with_all_fields() -> None:
    found = paper(number="2608.00001v3", kind="replace-cross")
    assert found.ids == ("2608.00001",)
    assert (found.title, found.abstract) == ("A title", "A text.")
    assert (found.version, found.announcement) == (3, "replace-cross")
    assert found.categories == ("cs.CL", "stat.ML")
    assert found.published == date(2026, 8, 3)
    assert found.url == "https://arxiv.org/abs/2608.00001"
    assert found.pdf == "https://arxiv.org/pdf/2608.00001"


@pytest.mark.parametrize(
    "text",
    [
        "15<alpha<165",
        "x<a and y>b",
        "emit <think> and <EOS>",
        "A < B & C",
        "<b>bold</b>",
        "<script>alert(1)</script>",
        "{{7*7}} ]]> %s",
    ],
)
def test_titles_and_abstracts_are_literal_text(text: str) -> None:
    written = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    found = paper(title=written, abstract=written)
    assert (found.title, found.abstract) == (text, text)


@pytest.mark.parametrize(
    ("written", "names"),
    [
        ("Ada Lovelace, Alan Turing", ("Ada Lovelace", "Alan Turing")),
        ("Ada Lovelace (Univ, Here), Alan Turing (There)", ("Ada Lovelace", "Alan Turing")),
        ("Very Real, Jr., Alan Turing", ("Very Real, Jr.", "Alan Turing")),
        ("Alone", ("Alone",)),
    ],
)
def test_authors_in_one_string_are_split(written: str, names: tuple[str, ...]) -> None:
    assert paper(authors=written).authors == names


def test_doi_is_a_second_key() -> None:
    assert paper(more="<arxiv:DOI>10.1038/x</arxiv:DOI>").ids == ("2608.00001", "10.1038/x")


@pytest.mark.parametrize(
    "fields",
    [
        {"abstract": "This paper has been withdrawn by the author."},
        {"abstract": "Withdrawn."},
        {"more": "<arxiv:comment>This submission is withdrawn</arxiv:comment>"},
    ],
)
def test_withdrawal_is_noticed(fields: dict[str, str]) -> None:
    assert paper(**fields).withdrawn


def test_paper_about_withdrawals_is_not_withdrawn() -> None:
    assert not paper(abstract="We study how troops were withdrawn.").withdrawn


def test_unknown_announcement_type_counts_as_new() -> None:
    assert paper(kind="sideways").announcement == "new"


def test_weekend_feed_has_no_entries() -> None:
    assert parse(FEED.format(url=URL, entries="").encode(), {}, URL) == ()


def test_error_entry_is_an_error() -> None:
    entry = """<entry><id>https://arxiv.org/api/errors#x</id><title>Error</title>
    <summary>incorrect id format for abc</summary></entry>"""
    with pytest.raises(SourceError, match="incorrect id format for abc"):
        parse(FEED.format(url=URL, entries=entry).encode(), {}, URL)


def test_html_page_is_an_error_quoting_it() -> None:
    with pytest.raises(SourceError, match="not a feed but '<html>Rate exceeded"):
        parse(b"<html>Rate exceeded.</html>", {"content-type": "text/html"}, URL)


def test_each_archive_is_one_query() -> None:
    assert by_archive(["cs.CL", "math.CO", "cs.LG", "cs.CL", "hep-th"]) == {
        "cs": ("cs.CL", "cs.LG"),
        "math": ("math.CO",),
        "hep-th": ("hep-th",),
    }
