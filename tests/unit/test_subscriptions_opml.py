import json
import re

import pytest

from newsletter.config import read_settings
from newsletter.config.subscriptions import read_opml, source_line, write_opml
from tests.support.cli import SHARED

RECORDED = SHARED / "data" / "payloads" / "opml"


def sources(*outlines: str) -> list[dict[str, object]]:
    return read_opml("\n".join(outlines).encode()).sources


def outline(address: str, name: str = "") -> str:
    return f'<outline type="rss" text="{name}" xmlUrl="{address}"/>'


def reasons(*outlines: str) -> list[str]:
    return [each.why for each in read_opml("\n".join(outlines).encode()).left_out]


def test_feeds_in_folders_become_sources() -> None:
    folder = '<outline text="Science"><outline text="More">'
    found = sources(folder, outline("https://a.example/f", "A & B"), "</outline></outline>")
    assert found == [{"kind": "feed", "name": "A & B", "url": "https://a.example/f"}]


@pytest.mark.parametrize(
    ("addresses", "source"),
    [
        (
            ["http://export.arxiv.org/rss/cs.CL", "https://rss.arxiv.org/atom/cs.LG+cs.CL"],
            {"kind": "arxiv", "categories": ["cs.CL", "cs.LG"]},
        ),
        (["https://arxiv.org/list/cs.CL/recent"], {"kind": "arxiv", "categories": ["cs.CL"]}),
        (
            [
                "http://connect.biorxiv.org/biorxiv_xml.php?subject=cell_biology",
                "https://www.biorxiv.org/collection/neuroscience",
            ],
            {"kind": "biorxiv", "categories": ["cell biology", "neuroscience"]},
        ),
        (
            [
                "http://connect.medrxiv.org/medrxiv_xml.php?subject=oncology",
                "http://connect.medrxiv.org/medrxiv_xml.php?subject=all",
            ],
            {"kind": "biorxiv", "server": "medrxiv"},
        ),
    ],
)
def test_feeds_with_a_kind_of_their_own_are_joined(
    addresses: list[str], source: dict[str, object]
) -> None:
    assert sources(*map(outline, addresses)) == [source]


def test_searches_and_daily_papers_are_recognised() -> None:
    assert sources(
        outline("https://pubmed.ncbi.nlm.nih.gov/?term=gene+drive%5Bti%5D&amp;sort=date"),
        outline("https://huggingface.co/papers"),
        outline("https://huggingface.co/papers/date/2026-08-03"),
        outline("https://huggingface.co/papers/2608.00001", "One paper"),
    ) == [
        {"kind": "pubmed", "query": "gene drive[ti]"},
        {"kind": "huggingface"},
        {"kind": "feed", "name": "One paper", "url": "https://huggingface.co/papers/2608.00001"},
    ]


def test_servers_of_preprints_stay_apart() -> None:
    found = sources(
        outline("http://connect.medrxiv.org/medrxiv_xml.php?subject=oncology"),
        outline("http://connect.biorxiv.org/biorxiv_xml.php?subject=ecology"),
    )
    assert [one.get("server", "biorxiv") for one in found] == ["medrxiv", "biorxiv"]


@pytest.mark.parametrize("address", ["feed:https://a.example/f", "feed://a.example/f"])
def test_feed_addresses_become_web_addresses(address: str) -> None:
    assert str(sources(outline(address))[0]["url"]).endswith("//a.example/f")


def test_what_is_no_source_is_named_with_its_reason() -> None:
    assert reasons(
        outline("https://a.example/f"),
        outline("http://www.a.example/f/", "Again"),
        outline("ftp://a.example/f"),
        outline("https://a.example:22/f"),
        '<outline text="Page" htmlUrl="https://b.example/"/>',
        '<outline text="A folder"/>',
    ) == [
        "the same address as line 1",
        "write an absolute URL: https://example.org/feed.xml",
        "port 22 is not allowed; use 80, 443, or 1024 and above",
        "it has a page and no feed; try: newsletter sources find https://b.example/",
    ]


def test_configured_feeds_are_left_out() -> None:
    found = read_opml(outline("https://a.example/f").encode(), ["http://a.example/f"])
    assert [each.why for each in found.left_out] == [
        "the same address as a source that is configured"
    ]


def test_second_feed_of_a_name_goes_without() -> None:
    first, second = sources(
        outline("https://a.example/1", "A"), outline("https://a.example/2", "A")
    )
    assert (first.get("name"), second.get("name")) == ("A", None)


HOSTILE = ["${HOME}", "a: b # c", "- x", '"', "\\", "} {", "NO", "1:30", "a\u202eb\u2028c"]


@pytest.mark.parametrize("name", HOSTILE)
def test_printed_lines_are_read_back_as_they_are(name: str) -> None:
    settings = {"kind": "feed", "name": name, "url": "https://a.example/${HOME}?a=1#b"}
    text = "name: N\nsender: n@example.org\nsources:\n" + source_line(settings)
    (source,) = read_settings(text.encode(), "newsletter.yaml", {"HOME": "secret"}).sources
    assert source.model_dump(include={"name", "url"}) == {"name": name, "url": settings["url"]}


def test_exported_list_can_be_imported() -> None:
    text = write_opml("N & M", [('A "b" <c>', "https://a.example/f?a=1&b=2")])
    assert read_opml(text.encode()).sources == [
        {"kind": "feed", "name": 'A "b" <c>', "url": "https://a.example/f?a=1&b=2"}
    ]


def test_printed_lists_are_yaml_lists() -> None:
    line = source_line({"kind": "arxiv", "categories": ["cs.CL", "math"]})
    assert line == f"  - {{kind: arxiv, categories: {json.dumps(['cs.CL', 'math'])}}}"


@pytest.mark.skipif(not RECORDED.exists(), reason="no ../shared with recorded lists")
def test_recorded_lists_lose_no_feed() -> None:
    for file in sorted(RECORDED.iterdir()):
        body = file.read_bytes()
        found = read_opml(body)
        listed = len(re.findall(rb'xmlurl="[^"]', body, re.IGNORECASE))
        joined = sum(len(one.get("categories", [1])) for one in found.sources)
        assert joined + len(found.left_out) >= listed, file.name
