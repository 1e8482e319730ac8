"""Which entries are one paper, over days, sources and the order in which they come."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.model import IdentifiedItem, IngestCounts, Item
from newsletter.papers.identity import identify, mark_shared
from newsletter.stores.paper_index import PaperIndex
from tests.support.factories import DAY, NOON, item

ABSTRACT = "Some invented words about an invented matter, long enough to tell it from others."
FEED = "https://j.example/feed"
OLD = date(2019, 3, 5)


def listed(index: PaperIndex, *items: Item, source: str = "J", day: int = 0) -> IngestCounts:
    """What one answer of a feed brings into the index."""
    entries = [IdentifiedItem(each, identify(each, source)) for each in mark_shared(items)]
    now = NOON + timedelta(days=day)
    return index.add_all(entries, source=source, mute_past=False, now=now)[0]


def groups(index: PaperIndex) -> set[int]:
    return {paper.group for paper in index.papers.values()}


def invented(number: int, url: str | None, *ids: str, **fields: object) -> Item:
    named = item(f"Invented paper {number}", url=url, ids=(*ids, url) if url else ids)
    return replace(named, abstract=f"{ABSTRACT} No {number}.", **fields)  # type: ignore[arg-type]


HABITS: dict[str, Callable[[int, int], Item]] = {
    "a link each": lambda n, _day: invented(n, f"https://j.example/{n}"),
    "one link": lambda n, _day: invented(n, "https://j.example/toc"),
    "one link, a guid each": lambda n, _day: invented(
        n, "https://j.example/toc", f"feed:{FEED}#g{n}"
    ),
    "one guid": lambda n, _day: invented(n, f"https://j.example/{n}", f"feed:{FEED}#g"),
    "one link as guid": lambda n, _day: invented(n, "https://j.example/toc", f"feed:{FEED}#toc"),
    "fragments": lambda n, _day: invented(n, f"https://j.example/toc#{n}"),
    "tracking": lambda n, _day: invented(n, f"https://j.example/toc?utm_content={n}&rss=1"),
    "a session a day": lambda n, day: invented(n, f"https://j.example/{n}?sid={day}"),
    "tokens": lambda n, day: invented(
        n, f"https://j.example/r/{n}x{day}", f"feed:{FEED}#{day}.{n}"
    ),
    "no link": lambda n, _day: invented(n, None),
}


@pytest.mark.parametrize("habit", HABITS)
@settings(max_examples=30)
@given(days=st.lists(st.sets(st.integers(1, 5), min_size=1), min_size=1, max_size=5))
def test_every_split_into_days_gives_each_paper_once(
    habit: str, days: Sequence[Iterable[int]]
) -> None:
    index, new = PaperIndex(), 0
    for day, numbers in enumerate(days):
        items = [HABITS[habit](number, day) for number in sorted(numbers)]
        new += listed(index, *items, day=day).new
    assert new == len(groups(index)) == len(set().union(*days))


RECORDS = (
    ("2611.00001v1",),
    ("https://arxiv.org/abs/2611.00001", "10.1234/a"),
    ("https://doi.org/10.1234/A", "https://j.example/a"),
    ("https://j.example/doi/full/10.1234/a", "pmid:1"),
    ("10.21203/rs.3.rs-7/v1",),
    ("https://www.researchsquare.com/article/rs-7/v2", "10.1234/b"),
    ("https://j.example/b?utm_source=x", "10.1234/b"),
    ("2611.00002", "10.1234/c"),
    ("https://huggingface.co/papers/2611.00002",),
    ("https://openreview.net/forum?noteId=x&id=Abc", "https://a.example/d"),
    ("https://openreview.net/pdf?id=Abc",),
)


@given(order=st.permutations(range(len(RECORDS))), repeats=st.lists(st.sampled_from(RECORDS)))
def test_order_of_records_does_not_change_the_papers(
    order: Sequence[int], repeats: Sequence[tuple[str, ...]]
) -> None:
    index = PaperIndex()
    for names in [*(RECORDS[n] for n in order), *repeats]:
        listed(index, item(f"As {names[0]} has it", ids=names), source=names[0])
    groups_of = [
        {index.papers[index.names[name]].group for name in identify(item(ids=names)).aliases}
        for names in RECORDS
    ]
    assert len(groups(index)) == 4
    for first, last in ((0, 4), (4, 7), (7, 9), (9, 11)):
        assert len(set().union(*groups_of[first:last])) == 1


@given(
    order=st.permutations(
        [("2611.00001", "10.1234/a"), ("2611.00002", "10.1234/a"), ("10.1234/a",)]
    )
)
def test_shared_doi_leaves_two_arxiv_papers_apart(order: Sequence[tuple[str, ...]]) -> None:
    index = PaperIndex()
    for names in order:
        listed(index, item(names[0], ids=names))
    assert len(groups(index)) == 2


def test_moved_site_is_no_news() -> None:
    index = PaperIndex()
    old = [invented(n, f"http://old.example/{n}", published=OLD) for n in range(3)]
    listed(index, *old)
    moved = [
        replace(invented(n, f"https://new.example/p/{n}", published=OLD), abstract="Read more.")
        for n in range(3)
    ]
    assert listed(index, *moved, day=1) == IngestCounts(seen=3)
    assert listed(index, invented(7, "https://new.example/p/7", published=OLD), day=1).new == 1


@pytest.mark.parametrize("abstract", [ABSTRACT, f"{ABSTRACT[:60]}…", ""])
def test_changing_links_repeat_no_paper(abstract: str) -> None:
    index = PaperIndex()
    title = "On an invented and quite particular matter"
    for day in range(3):
        url = f"https://j.example/r/{day}"
        listed(index, item(title, url=url, abstract=abstract, published=DAY), day=day)
    assert len(groups(index)) == 1


@pytest.mark.parametrize(
    ("title", "one", "other"),
    [
        ("Editorial", "", ""),
        (
            "Editorial",
            ABSTRACT,
            "What this month's issue has: nine letters, two essays, a farewell.",
        ),
        ("An invented and particular matter", "10.1234/a", "10.1234/b"),
    ],
)
def test_same_title_of_two_papers_stays_two(title: str, one: str, other: str) -> None:
    index = PaperIndex()
    for day, text in enumerate((one, other)):
        ids = (text,) if text.startswith("10.") else ()
        abstract = ABSTRACT if ids else text
        listed(index, item(title, ids=ids, url=f"https://j.example/{day}", abstract=abstract))
    assert len(groups(index)) == 2


def test_corrections_with_one_link_stay_apart() -> None:
    index = PaperIndex()
    texts = (ABSTRACT, "We regret that the second figure was upside down in the printed issue.", "")
    items = [
        item("Correction", abstract=text, url="https://j.example/toc", ids=(f"feed:{FEED}#{n}",))
        for n, text in enumerate(texts)
    ]
    assert sum(listed(index, each, day=day).new for day, each in enumerate(items)) == 3
    assert listed(PaperIndex(), *items) == IngestCounts(new=3)
    assert listed(index, *items, day=9) == IngestCounts(seen=3)


def test_version_of_a_zenodo_record_is_no_news() -> None:
    index = PaperIndex()
    for number in (7000001, 7000002):
        record = invented(1, f"https://zenodo.org/records/{number}", f"10.5281/zenodo.{number}")
        listed(index, record)
    assert len(groups(index)) == 1


def test_title_is_known_only_in_its_source() -> None:
    index = PaperIndex()
    for source in ("J", "K"):
        entry = replace(
            invented(1, f"https://{source}.example/1"), abstract=f"{source}: {ABSTRACT}"
        )
        assert listed(index, entry, source=source).new == 1


def test_edited_title_under_a_known_link_is_the_same() -> None:
    index = PaperIndex()
    first = invented(1, "https://j.example/1", f"feed:{FEED}#1")
    listed(index, replace(first, title="On the mater of invented and particular things"))
    edited = replace(first, title="On the matter of invented and particular things", abstract="")
    assert listed(index, edited, day=1) == IngestCounts(seen=1)


def test_id_of_the_journal_names_no_paper() -> None:
    index = PaperIndex()
    items = [invented(n, f"https://j.example/{n}", "10.1234/journal") for n in range(3)]
    assert listed(index, *items) == IngestCounts(new=3)


def test_entry_listed_twice_in_one_answer_is_one() -> None:
    index = PaperIndex()
    entry = invented(1, "https://j.example/1", f"feed:{FEED}#1")
    assert listed(index, entry, entry) == IngestCounts(new=1)
    assert "url:j.example/1" in index.names


TEXT = (
    "We invent a matter of which nobody has heard before, and say in forty words and more why "
    "it is so particular: it has no parts, needs no name, and whoever finds it has lost it again."
)
PREPRINT = item(
    "An invented and particular matter",
    abstract=TEXT,
    ids=("2611.00001v1",),
    url="https://arxiv.org/abs/2611.00001",
    version=1,
)
ARTICLE = item(
    "A matter both invented and particular",
    abstract=f"{TEXT} Here is more.",
    ids=("10.1038/x",),
    url="https://www.nature.com/articles/x",
)


@pytest.mark.parametrize("at_once", [True, False])
def test_copy_joins_its_paper_and_keeps_its_own_links(*, at_once: bool) -> None:
    index = PaperIndex()
    if at_once:
        assert listed(index, PREPRINT, ARTICLE).new == 1
    else:
        assert listed(index, PREPRINT, source="arXiv").new == 1
        assert listed(index, ARTICLE, day=1) == IngestCounts(seen=1)
    one, other = index.papers.values()
    assert (one.key, other.key) == ("arxiv:2611.00001", "doi:10.1038/x")
    assert one.group == other.group == 1
    assert (one.item.title, other.item.title) == (PREPRINT.title, ARTICLE.title)
    assert (one.item.ids, other.item.ids) == (PREPRINT.ids, ARTICLE.ids)
    assert (one.item.homes, other.item.homes) == ((ARTICLE.url,), (PREPRINT.url,))


def test_news_of_a_paper_reaches_its_copy_as_counts() -> None:
    """A new title is a correction of the paper that has it; the copy's stays."""
    index = PaperIndex()
    listed(index, PREPRINT)
    listed(index, ARTICLE, day=1)
    again = replace(PREPRINT, title="A new name", version=2, upvotes=9, ids=("2611.00001v2",))
    assert listed(index, again, day=2) == IngestCounts(revised=1)
    titles = [paper.item.title for paper in index.papers.values()]
    assert titles == ["A new name", ARTICLE.title]
    assert [paper.item.upvotes for paper in index.papers.values()] == [9, 9]
    assert index.corrections == [(1, PREPRINT.title)]
    assert listed(index, replace(ARTICLE, withdrawn=True), day=3) == IngestCounts(seen=1)
    assert index.corrections[1:] == [(2, "")]
    assert [paper.item.withdrawn for paper in index.papers.values()] == [False, True]


def test_ids_that_prove_a_copy_make_it_the_paper() -> None:
    index = PaperIndex()
    listed(index, PREPRINT)
    listed(index, ARTICLE, day=1)
    assert index.copies == {2: 1}
    both = replace(PREPRINT, ids=("2611.00001v2", "10.1038/x"), version=2)
    listed(index, both, day=2)
    assert index.copies == {}
    assert {paper.item.title for paper in index.papers.values()} == {PREPRINT.title}


def test_no_third_paper_joins_two_arxiv_ids() -> None:
    index = PaperIndex()
    second = replace(ARTICLE, ids=("2611.00002",), url=None)
    for each in (PREPRINT, ARTICLE, second):
        listed(index, each)
    assert len(groups(index)) == 2


def test_copy_of_a_muted_paper_is_news_of_another_source() -> None:
    for source, new in (("J", 0), ("K", 1)):
        index = PaperIndex()
        past = IdentifiedItem(PREPRINT, identify(PREPRINT, "J"), past=True)
        index.add_all([past], source="J", mute_past=True, now=NOON)
        entry = IdentifiedItem(ARTICLE, identify(ARTICLE, source))
        counts, _ = index.add_all([entry], source=source, mute_past=False, now=NOON)
        assert counts.new == new
        assert [paper.muted for paper in index.papers.values()] == [True, not new]
        assert len(groups(index)) == 1
