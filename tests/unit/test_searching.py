"""The search of the archive: plain words, words as they are, rules and ids."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from newsletter.app.files import load_engine
from newsletter.model import IdentifiedItem, Item, SourceHealth
from newsletter.papers.matching import RulesMatcher
from newsletter.papers.meanings import MeaningMatcher
from newsletter.papers.searching import ArchiveSearch
from newsletter.ports import Store
from newsletter.stores.sql import SqlStore
from tests.support.databases import open_temporary_store, temporary_store
from tests.support.factories import DAY, NOON, identity, item

TOPICS = Path(__file__).parents[2].parent / "shared" / "data" / "topics"

PAPERS = (
    item(
        "Evicting the KV Cache of Long Contexts",
        abstract="We compress the key-value cache of transformers by evicting entries.",
        authors=("Noam Shazeer", "Søren Ångström"),
        keywords=("long context",),
    ),
    item(
        "Sparse MoE Layers with Balanced Routers",
        abstract="A router sends each token to two experts. We balance their load.",
        authors=("Ada Byron",),
        organization="Example Labs",
    ),
    item(
        "Streaming Recognition on Phones",
        abstract="We recognise spoken words on a phone with a small acoustic model of speech.",
    ),
    item("Images of Brains", abstract="Segmenting tumours in medical images of mice."),
    item("拡散モデルによる画像生成", abstract="本研究では画像を生成する。"),
    item("Not All Speech Is Alike", abstract="We compare accents of people in recordings."),
)
KV, MOE, PHONES, BRAINS, JAPANESE, ALIKE = (paper.title for paper in PAPERS)


def search_of(store: Store, *papers: Item) -> ArchiveSearch:
    """The search of a store with these papers."""
    named = [identity(f"arxiv:2608.{n:05d}") for n in range(1, len(papers) + 1)]
    entries = [IdentifiedItem(*each) for each in zip(papers, named, strict=True)]
    store.ingest(DAY, SourceHealth("S", "ok", checked=NOON, last_ok=NOON), entries, now=NOON)
    return ArchiveSearch(store, MeaningMatcher(load_engine), load_engine)


@pytest.fixture(scope="module")
def search() -> Iterator[ArchiveSearch]:
    with open_temporary_store(SqlStore) as store:
        search = search_of(store, *PAPERS)
        assert search.fill()
        yield search


@pytest.mark.parametrize(
    ("text", "first", "because"),
    [
        ("KV cache eviction", KV, "close to “KV cache eviction”, has “kv”, “cache”"),
        (
            "mixture-of-experts routing",
            MOE,
            "“mixture-of-experts routing”: the paper says “MoE”",
        ),
        ("key-value caching", KV, "“key-value caching”"),
        ("noam shaz", KV, "by Noam Shazeer"),
        ("soren angstrom", KV, "by Søren Ångström"),
        ("long contexts", KV, ""),
        ("example labs", MOE, "has all words of “example labs”"),
        ("Not all spee", ALIKE, "“Not all spee”: in the title"),
        ("brain", BRAINS, "“brain”: in the title"),
        ("mouse", BRAINS, "has “mouse”"),
        ("画像", JAPANESE, "“画像”: in the title"),
        ("2608.00002", MOE, "this is “2608.00002”"),
        ("https://arxiv.org/abs/2608.00003v2", PHONES, "this is “https:"),
        ("author:Byron", MOE, "by Ada Byron"),
        ('author:shazeer and not "KV cache" or tumour', BRAINS, "has “tumour”"),
        ("org:Labs", MOE, ""),
        ("about: tumour segmentation", BRAINS, "close to “tumour segmentation”"),
        ('"Evicting" the KV Cache', KV, ""),
    ],
)
def test_search_finds_paper_and_says_why(
    search: ArchiveSearch, text: str, first: str, because: str
) -> None:
    found = search.find(text, 9).found
    assert found[0].paper.item.title == first
    assert found[0].because.startswith(because)


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("not speech", "this says only what you do not want"),
        ("zzzzqx qwertzuio", "none of these words is understood"),
        ("Wettervorhersage für übermorgen", "only 1 of these 3 words is understood"),
        ("天气预报", "words that are not English are found only as typed"),
        ("2608.09999", "the archive has no paper with this ID"),
        ("author:Nobody", ""),
        ("author:", "a word or a phrase is missing at the end"),
        ("%", ""),
        ("[a-z]*", ""),
        ("\0", ""),
    ],
)
def test_search_that_finds_nothing_says_why(search: ArchiveSearch, text: str, note: str) -> None:
    result = search.find(text, 9)
    assert result.found == ()
    assert result.note.startswith(note)


def test_unwanted_papers_are_not_found(search: ArchiveSearch) -> None:
    titles = [each.paper.item.title for each in search.find("phones, not speech", 9).found]
    assert PHONES not in titles
    assert PHONES in [each.paper.item.title for each in search.find("phones", 9).found]


def test_best_papers_come_first(search: ArchiveSearch) -> None:
    bands = [each.band for each in search.find("speech recognition on phones, images", 9).found]
    assert bands == sorted(bands)
    assert len({*bands}) > 1


def test_related_papers_are_close_in_meaning() -> None:
    caches = item("Compressing Key-Value Caches", abstract="Fewer KV cache entries for decoding.")
    store = temporary_store()
    search = search_of(store, *PAPERS, caches)
    kv, *_, newest = store.papers_by_number(range(9))
    assert search.related(newest) == []
    search.fill()
    assert search.related(newest) == [kv]
    assert search.related(store.papers_by_number([4])[0]) == []


def test_new_papers_are_found_by_words_before_indexing() -> None:
    search = search_of(temporary_store(), *PAPERS[:2])
    assert [each.paper.number for each in search.find("balanced", 9).found] == [2]
    assert [each.paper.number for each in search.find("author:byron", 9).found] == [2]


def test_search_by_rules_alone_needs_every_word() -> None:
    store = temporary_store()
    search_of(store, *PAPERS)
    search = ArchiveSearch(store, RulesMatcher(), None)
    assert [each.paper.item.title for each in search.find("kv entries", 9).found] == [KV]
    assert search.find("kv phones", 9).found == ()
    assert not search.fill()


@pytest.mark.slow
@pytest.mark.skipif(not TOPICS.is_dir(), reason="no labelled papers in ../shared")
def test_labelled_wishes_find_most_relevant_papers() -> None:
    rows = [json.loads(line) for line in (TOPICS / "gold_dev.jsonl").read_text().splitlines()]
    papers = (item(row["title"], abstract=row["abstract"]) for row in rows)
    search = search_of(temporary_store(), *papers)
    search.fill()
    titles, found_of = {row["title"] for row in rows}, list[bool]()
    for line in (TOPICS / "filters_dev.tsv").read_text().splitlines()[1:]:
        wish, relevant, _ = (*line.split("\t"), "", "")[:3]
        wanted = {title.strip() for title in relevant.split("||")}.intersection(titles)
        found = [each.paper.item.title for each in search.find(wish, 50).found]
        found_of.extend(title in found for title in wanted)
    assert sum(found_of) > 0.9 * len(found_of)
