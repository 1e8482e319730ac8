"""Answers recorded from real sources, kept beside the checkout; skipped if they are missing."""

import csv
from collections import Counter
from datetime import date
from functools import cache
from pathlib import Path

import pytest

from newsletter.errors import SourceError
from newsletter.model import Item
from newsletter.papers.identity import identify, is_same_paper
from newsletter.sources import arxiv, feed, huggingface, saved_pages

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
PAYLOADS = SHARED / "payloads"

pytestmark = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the folder `shared` with real payloads is not beside the checkout"
)

NO_FEED = {
    "arxiv_api/arxivpy_id_abc_s0_m100.xml": "incorrect id format",
    "hn/hn_algolia_2026-08-02.json": "not a JSON Feed",
    "jsonfeed/ScriptingNews.json": "not a JSON Feed",
    "jsonfeed/allthis-partial.json": "not JSON",
    "jsonfeed/authors.json": "none of 4 entries can be read",
}
BARE = {"jsonfeed/reader_invalid.json": 7}
"""How many entries of a feed have neither title nor text, so that nobody can read them."""


def listed(*kinds: str) -> list[tuple[str, int]]:
    """The files of these kinds that the manifest calls listings, each with its number of items."""
    if not PAYLOADS.is_dir():
        return []
    with (PAYLOADS / "MANIFEST.tsv").open(encoding="utf-8", newline="") as manifest:
        rows = list(csv.DictReader(manifest, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [
        (row["file"], int(row["items"]))
        for row in rows
        if row["kind"] in kinds and row["file"] not in NO_FEED
    ]


def read(file: str) -> bytes:
    return (PAYLOADS / file).read_bytes()


@pytest.mark.parametrize(("file", "count"), listed("hf_daily", "hf_other"))
def test_every_era_of_hugging_face_parses(file: str, count: int) -> None:
    items = huggingface.parse(read(file), file)
    assert len(items) == count
    for each in items:
        assert each.title
        assert each.abstract
        assert each.authors
        assert identify(each).key.startswith("arxiv:")
        assert each.upvotes is not None
        assert each.published is not None


def test_additions_of_every_era_are_read() -> None:
    files = sorted((PAYLOADS / "hf_daily").glob("*.json"))
    items = [each for file in files for each in huggingface.parse(file.read_bytes(), file.name)]
    added = ("brief", "keywords", "submitter", "author_answers", "media", "thumbnail")
    counts = [sum(bool(getattr(each, name)) for each in items) for name in added]
    assert (len(items), counts) == (537, [250, 285, 498, 125, 69, 537])


def test_repost_and_grown_list_are_the_same_papers() -> None:
    def keys(day: str) -> set[str]:
        return {identify(each).key for each in huggingface.parse(read(f"hf_daily/{day}.json"), day)}

    assert keys("2025-01-22@2025-01-22T0416") <= keys("2025-01-22@2025-01-22T1415")


@pytest.mark.parametrize(
    ("file", "count"),
    listed("arxiv_rss", "arxiv_api", "arxiv_feed_service", "arxiv_feed_scale"),
)
def test_every_arxiv_announcement_parses(file: str, count: int) -> None:
    items = arxiv.parse(read(file), {}, f"https://rss.arxiv.org/{file}")
    assert len(items) == count
    assert all("Announce Type" not in each.abstract for each in items)


def test_announcement_keeps_abstracts_and_separate_authors() -> None:
    items = arxiv.parse(read("arxiv_rss/atom_cs.AI_2025-08-20.xml"), {}, "https://rss.arxiv.org/")
    first = items[0]
    assert first.ids == ("2508.13426",)
    assert first.version == 1
    assert first.announcement == "cross"
    assert first.authors == ("Chunhua Liu", "Kabir Manandhar Shrestha", "Sukai Huang")
    assert first.categories == ("cs.CL", "cs.AI")
    assert first.published == date(2025, 8, 20)
    assert first.abstract.startswith("As large language models (LLMs)")
    assert first.abstract.endswith("cultural alignment in AI models.")
    assert first.url == "https://arxiv.org/abs/2508.13426"


@pytest.mark.parametrize(("file", "count"), listed("journals", "hn", "jsonfeed"))
def test_every_feed_parses(file: str, count: int) -> None:
    items = feed.parse(read(file), {}, f"https://feeds.example/{file}")
    assert len(items) == count - BARE.get(file, 0)
    assert all(each.title for each in items)


@pytest.mark.parametrize(("file", "said"), NO_FEED.items())
def test_non_feed_is_quoted_in_the_error(file: str, said: str) -> None:
    parse = arxiv.parse if file.startswith("arxiv") else feed.parse
    with pytest.raises(SourceError, match=said):
        parse(read(file), {}, file)


def test_journal_feed_has_dois_and_preprints_no_versions() -> None:
    nature = feed.parse(read("journals/nature_2024-09.rdf"), {}, "https://nature.example/")
    assert {identify(each).key.partition(":")[0] for each in nature} == {"doi"}
    assert len({identify(each).key for each in nature}) == 75
    plant = feed.parse(read("journals/biorxiv_plant_2019.rdf"), {}, "https://biorxiv.example/")
    assert {identify(each).key for each in plant} >= {"doi:10.1101/743294"}
    assert len({identify(each).key for each in plant}) == 30


def test_entries_without_guids_are_identified_by_links() -> None:
    items = feed.parse(read("hn/hn_rss_2022-04.xml"), {}, "https://news.example/rss")
    assert len({identify(each).key for each in items}) == 30


def test_html_page_is_no_feed() -> None:
    body = read("arxiv_listing/list_cs.AI_new_2026-08-12.html")
    with pytest.raises(SourceError, match="not a feed but"):
        feed.parse(body, {"content-type": "text/html"}, "https://arxiv.org/list/cs.AI/new")


@cache
def pages() -> dict[str, tuple[date, tuple[Item, ...]]]:
    return {
        file.stem.removeprefix("daily-papers-"): saved_pages.parse(
            file.read_text(encoding="utf-8"), date(2026, 11, 21), file.name
        )
        for file in sorted((SHARED / "pages").glob("*.txt"))
    }


def test_saved_pages_hold_225_listings_of_203_papers() -> None:
    found = [identify(each) for _, items in pages().values() for each in items]
    papers: list[frozenset[str]] = []
    for newcomer in found:
        known = [names for names in papers if is_same_paper(newcomer, names)]
        papers = [names for names in papers if names not in known]
        papers.append(newcomer.aliases.union(*known))
    assert (len(found), len(papers)) == (225, 203)


def test_saved_pages_use_the_newest_year_that_fits() -> None:
    days = {name: day for name, (day, _) in pages().items()}
    assert days == {
        "dec-12": date(2025, 12, 12),
        "mar-12": date(2026, 3, 12),
        "mar-14": date(2026, 3, 14),
    }


def test_details_of_saved_papers_are_read() -> None:
    _, items = pages()["dec-12"]
    first, by_title = items[0], {each.title: each for each in items}
    assert (first.author_count, first.published, first.comments) == (5, date(2024, 7, 16), None)
    assert [each.organization for each in items if each.organization] == ["facebook AI at Meta"]
    assert sum(each.author_count is not None for each in items) == 53
    assert Counter(each.comments for each in items if each.comments) == {
        2: 5,
        1: 2,
        3: 2,
        4: 1,
        7: 1,
    }
    assert by_title["$VILA^2$: VILA Augmented VILA"].comments == 7
    meta = next(each for each in items if each.organization)
    assert (meta.author_count, meta.published, meta.comments) == (None, date(2025, 9, 29), 1)
    assert all(len(each.abstract) > 300 for _, found in pages().values() for each in found)
