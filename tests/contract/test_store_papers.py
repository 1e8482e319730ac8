"""The store's papers: which are new, under any of their names."""

from dataclasses import fields, replace
from datetime import date, timedelta

import pytest

from newsletter.model import Coverage, IdentifiedItem, IngestCounts, Item, Paper, SourceHealth
from newsletter.ports import Store
from newsletter.stores.sql.known_papers import SKETCHED
from tests.support.factories import DAY, NOON, identity, item

HEALTH = SourceHealth("arXiv", "ok", checked=NOON, last_ok=NOON)


def entry(key: str, *aliases: str, past: bool = False, **fields: object) -> IdentifiedItem:
    return IdentifiedItem(item(f"About {key}", **fields), identity(key, *aliases), past=past)


def ingest(
    store: Store, *entries: IdentifiedItem, day: date = DAY, source: str = "arXiv"
) -> IngestCounts:
    return store.ingest(day, replace(HEALTH, name=source), entries, now=NOON)


def keys(papers: tuple[Paper, ...]) -> list[str]:
    return [paper.key for paper in papers]


def test_unknown_paper_gets_the_next_number(store: Store) -> None:
    assert store.cutoff() == 0
    assert ingest(store, entry("arxiv:1"), entry("arxiv:2")) == IngestCounts(new=2)
    assert store.cutoff() == 2
    first, second = store.papers(after=0, since=NOON)
    assert (first.number, first.key, first.group, first.muted) == (1, "arxiv:1", 1, False)
    assert (second.number, second.first_seen, second.item.title) == (2, NOON, "About arxiv:2")


def test_known_key_is_the_known_paper(store: Store) -> None:
    ingest(store, entry("arxiv:1", "doi:10.1/a"))
    assert ingest(store, entry("doi:10.1/a", "acl:7")) == IngestCounts(seen=1)
    assert ingest(store, entry("acl:7")) == IngestCounts(seen=1)
    assert keys(store.papers(after=0, since=NOON)) == ["arxiv:1"]


def test_paper_listed_twice_at_once_counts_once(store: Store) -> None:
    assert ingest(store, entry("arxiv:1"), entry("arxiv:1", version=2)) == IngestCounts(new=1)
    assert ingest(store, entry("arxiv:1"), entry("arxiv:1", version=3)) == IngestCounts(revised=1)


def test_upvotes_are_kept_for_each_day(store: Store) -> None:
    """The last ones of a day count; a day that is long over gets none."""
    older, long_ago = DAY - timedelta(days=1), DAY - timedelta(days=3)
    for day, upvotes in ((older, 58), (DAY, 90), (DAY, 98), (DAY, None), (long_ago, 99)):
        ingest(store, entry("arxiv:1", upvotes=upvotes), entry("arxiv:2"), day=day)
    papers = store.papers(after=0, since=NOON)
    assert store.upvotes_by_day(papers, since=long_ago) == {1: {older: 58, DAY: 98}}
    assert store.upvotes_by_day(papers, since=DAY) == {1: {DAY: 98}}
    assert store.upvotes_by_day(papers[1:], since=long_ago) == {}


def test_new_version_is_recorded_once(store: Store) -> None:
    ingest(store, entry("arxiv:1", version=1))
    assert ingest(store, entry("arxiv:1", version=2)) == IngestCounts(revised=1)
    assert ingest(store, entry("arxiv:1", version=2)) == IngestCounts(seen=1)
    (paper,) = store.papers_by_number([1])
    assert (paper.item.version, paper.number, paper.key) == (2, 1, "arxiv:1")


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        (item("A $\\beta$ paper", version=2), []),
        (item("Another paper", version=1), []),
        (item("Another paper", version=2), [("Another paper", "A β-Paper")]),
        (item("Another paper", announcement="replace"), []),
        (item("A β paper", version=2, withdrawn=True), [("A β paper", "")]),
        (
            item("Another paper", version=2, withdrawn=True),
            [("Another paper", ""), ("Another paper", "A β-Paper")],
        ),
    ],
)
def test_withdrawals_and_new_titles_are_recorded_once(
    store: Store, listed: Item, said: list[tuple[str, str]]
) -> None:
    for each in (item("A β-Paper", version=1, url="https://a.example"), listed, listed):
        store.ingest(DAY, HEALTH, [IdentifiedItem(each, identity("arxiv:1"))], now=NOON)
    found = store.corrections(since=NOON)
    assert [(each.title, each.was) for each in found] == said
    assert {(each.group, each.url) for each in found} <= {(1, "https://a.example")}
    assert store.corrections(since=NOON + timedelta(seconds=1)) == ()


def test_replacement_of_unknown_paper_is_not_news(store: Store) -> None:
    first = entry("arxiv:2608.00001", version=1)
    assert ingest(store, entry("arxiv:2607.00009", announcement="replace")) == IngestCounts()
    replacement = entry("arxiv:2608.00001", version=2, announcement="replace")
    assert ingest(store, replacement, first) == IngestCounts(new=1)
    again = entry("arxiv:2608.00001", version=3, announcement="replace-cross")
    assert ingest(store, again) == IngestCounts(revised=1)
    assert keys(store.papers(after=0, since=NOON)) == ["arxiv:2608.00001"]


def test_upvotes_grow_without_a_new_number(store: Store) -> None:
    ingest(store, entry("arxiv:1", upvotes=3))
    ingest(store, entry("arxiv:1", upvotes=8))
    (paper,) = store.papers(after=0, since=NOON)
    assert (paper.item.upvotes, store.cutoff()) == (8, 1)


def test_entry_of_two_known_papers_groups_them(store: Store) -> None:
    ingest(store, entry("doi:10.1/a"), entry("arxiv:2"), entry("acl:3"))
    assert ingest(store, entry("arxiv:2", "doi:10.1/a", upvotes=4)) == IngestCounts(seen=1)
    assert [paper.group for paper in store.papers_by_number([1, 2, 3])] == [1, 1, 3]
    ingest(store, entry("acl:3", "arxiv:2"))
    assert [paper.group for paper in store.papers_by_number([1, 2, 3])] == [1, 1, 1]
    assert [paper.item.upvotes for paper in store.papers_by_number([1, 2])] == [4, 4]


def test_every_paper_of_a_group_is_updated(store: Store) -> None:
    ingest(store, entry("doi:10.1/a"), entry("arxiv:2"))
    ingest(store, entry("arxiv:2", "doi:10.1/a"))
    ingest(store, entry("arxiv:2", upvotes=9))
    assert [paper.item.upvotes for paper in store.papers_by_number([1, 2])] == [9, 9]


def test_doi_does_not_join_two_arxiv_papers(store: Store) -> None:
    ingest(store, entry("arxiv:2608.00001", "doi:10.1/a"))
    assert ingest(store, entry("arxiv:2608.00002", "doi:10.1/a")) == IngestCounts(new=1)
    assert ingest(store, entry("arxiv:2608.00002", "doi:10.1/a")) == IngestCounts(seen=1)
    assert [paper.group for paper in store.papers_by_number([1, 2])] == [1, 2]


def test_backlog_of_new_source_is_muted(store: Store) -> None:
    ingest(store, entry("arxiv:1"), entry("arxiv:2", past=True))
    assert [paper.muted for paper in store.papers_by_number([1, 2])] == [False, True]


def test_backlog_of_known_source_is_news(store: Store) -> None:
    ingest(store, entry("arxiv:1"))
    ingest(store, entry("arxiv:2", past=True))
    assert [paper.muted for paper in store.papers_by_number([1, 2])] == [False, False]


def test_source_that_only_failed_is_still_new(store: Store) -> None:
    failed = SourceHealth("arXiv", "failed", "no answer", checked=NOON)
    store.ingest(DAY, failed, [], now=NOON)
    ingest(store, entry("arxiv:1", past=True))
    assert [paper.muted for paper in store.papers_by_number([1])] == [True]


def test_paper_in_list_and_backlog_is_news(store: Store) -> None:
    ingest(store, entry("arxiv:1", past=True), entry("arxiv:1"))
    assert [paper.muted for paper in store.papers_by_number([1])] == [False]


def test_muted_paper_that_another_source_lists_is_news(store: Store) -> None:
    ingest(store, entry("arxiv:1", past=True), entry("arxiv:2"))
    store.ingest(DAY, replace(HEALTH, name="HF"), [], now=NOON)
    listed = entry("arxiv:1", "doi:10.1/a", upvotes=9)
    assert ingest(store, listed, source="HF") == IngestCounts(new=1)
    (paper,) = store.papers(after=2, since=NOON)
    assert (paper.number, paper.key, paper.muted, paper.item.upvotes) == (3, "arxiv:1", False, 9)
    assert store.find_paper("arxiv:1") == store.find_paper("doi:10.1/a") == paper
    assert [known.group for known in store.papers_by_number([1, 2, 3])] == [1, 3, 3]
    assert ingest(store, listed, source="HF") == ingest(store, listed) == IngestCounts(seen=1)


def test_muted_paper_stays_so_in_its_sources(store: Store) -> None:
    old = entry("arxiv:1", past=True)
    for source in ("arXiv", "HF"):
        ingest(store, old, source=source)
    for source in ("arXiv", "HF"):
        assert ingest(store, old, source=source) == IngestCounts(seen=1)
        assert ingest(store, entry("arxiv:1"), source=source) == IngestCounts(seen=1)
    replaced = entry("arxiv:1", announcement="replace")
    assert ingest(store, replaced, source="cs.CL") == IngestCounts(seen=1)
    assert [paper.muted for paper in store.papers(after=0, since=NOON)] == [True]


def test_muted_paper_that_the_operator_asked_for_is_news(store: Store) -> None:
    ingest(store, entry("arxiv:1", past=True))
    asked = replace(entry("arxiv:1"), asked=True)
    assert ingest(store, asked) == IngestCounts(new=1)
    assert ingest(store, asked) == IngestCounts(seen=1)


def test_paper_is_owed_although_it_joins_a_muted_one(store: Store) -> None:
    ingest(store, entry("doi:10.1/a", past=True))
    ingest(store, entry("arxiv:2"))
    assert ingest(store, entry("arxiv:2", "doi:10.1/a")) == IngestCounts(seen=1)
    papers = store.papers_by_number([1, 2])
    assert [(paper.group, paper.muted) for paper in papers] == [(2, True), (2, False)]
    assert ingest(store, entry("doi:10.1/a"), source="HF") == IngestCounts(seen=1)


def test_no_record_joins_two_arxiv_papers(store: Store) -> None:
    ingest(store, entry("doi:10.1/a"), entry("arxiv:2608.00002", "url:a.org/2"))
    ingest(store, entry("arxiv:2608.00001", "doi:10.1/a"))
    assert ingest(store, entry("arxiv:2608.00003", "doi:10.1/a")) == IngestCounts(new=1)
    ingest(store, entry("doi:10.1/a", "url:a.org/2"))
    groups = [paper.group for paper in store.papers_by_number([1, 2, 3])]
    assert groups == [1, 2, 3]


def test_papers_are_found_by_number_and_first_seen(store: Store) -> None:
    ingest(store, entry("arxiv:1"))
    later = NOON + timedelta(hours=1)
    store.ingest(DAY, HEALTH, [entry("arxiv:2"), entry("arxiv:3")], now=later)
    assert keys(store.papers(after=1, since=NOON)) == ["arxiv:2", "arxiv:3"]
    assert keys(store.papers(after=0, since=later)) == ["arxiv:2", "arxiv:3"]
    assert keys(store.papers_by_number([3, 1, 3, 99])) == ["arxiv:1", "arxiv:3"]
    assert store.papers_by_number([]) == ()


def test_papers_of_a_day_come_from_all_sources(store: Store) -> None:
    ingest(store, entry("arxiv:1"), entry("arxiv:2"))
    ingest(store, entry("arxiv:2"), entry("arxiv:3"), source="bioRxiv")
    ingest(store, entry("arxiv:1"), day=DAY + timedelta(days=1))
    assert keys(store.papers_listed(DAY)) == ["arxiv:1", "arxiv:2", "arxiv:3"]
    assert keys(store.papers_listed(DAY + timedelta(days=1))) == ["arxiv:1"]
    assert store.papers_listed(DAY - timedelta(days=1)) == ()


def test_paper_counts_on_its_first_day(store: Store) -> None:
    ingest(store, entry("arxiv:1"))
    for ahead in (1, 2):
        days = timedelta(days=ahead)
        again = [entry("arxiv:1"), entry(f"arxiv:{ahead + 1}")]
        store.ingest(DAY + days, HEALTH, again, now=NOON + days)
        assert keys(store.papers_listed(DAY + days, first=True)) == [f"arxiv:{ahead + 1}"]
    later = timedelta(days=60)
    store.ingest(DAY + later, HEALTH, [entry("arxiv:1")], now=NOON + later)
    assert store.papers_listed(DAY + later, first=True) == ()


def test_latest_source_health_is_stored(store: Store) -> None:
    before = SourceHealth("arXiv", "ok", "", NOON, NOON, 3, 90)
    after = SourceHealth("arXiv", "failed", "no\0 answer", NOON + timedelta(hours=1), NOON)
    store.ingest(DAY, before, [], now=NOON)
    assert store.sources() == {"arXiv": before}
    store.ingest(DAY, after, [], now=NOON)
    assert list(store.sources()) == ["arXiv"]
    assert store.sources()["arXiv"].checked == NOON + timedelta(hours=1)
    assert store.sources()["arXiv"].last_ok == NOON
    assert store.sources()["arXiv"].detail.startswith("no")


def test_coverage_record_is_kept_by_source_and_date(store: Store) -> None:
    rows = [
        Coverage("arXiv", "cs", DAY, "growing", 3, "ab cd", NOON, NOON, "odd"),
        Coverage("arXiv", "cs", DAY - timedelta(days=1), "missing", checked=NOON, detail="503"),
        Coverage("arXiv", "cs", DAY - timedelta(days=70), "covered", answered=NOON),
        Coverage("Other", "", DAY, "lost"),
        Coverage("Other", "", DAY - timedelta(days=1), "lost"),
    ]
    store.ingest(DAY, HEALTH, [], rows, now=NOON)
    assert store.coverage("arXiv") == (rows[0], rows[1])
    assert store.coverage("Unknown") == ()
    assert store.gaps(lost_since=DAY) == (rows[3], rows[1])
    filled = replace(rows[1], state="filled", answered=NOON)
    store.ingest(DAY, HEALTH, [], [filled], now=NOON)
    assert store.coverage("arXiv") == (rows[0], filled)
    assert store.gaps(lost_since=DAY) == (rows[3],)


def test_every_item_field_round_trips(store: Store) -> None:
    whole = Item(
        title="Ünïcödé 数学 \U0001d54f \u202e <think> & “quotes”",
        abstract="\u03b1 < β \\ 'x' %s",
        ids=("2608.00001v2", "https://doi.org/10.1/x"),
        url="https://example.org/a?b=c&d",
        pdf="https://example.org/a.pdf",
        code="https://example.org/code",
        code_stars=12,
        project="https://example.org/p",
        discussion="https://example.org/d",
        authors=("Ada Lovelace", "Émilie du Châtelet"),
        author_count=664,
        organization="Example Labs",
        categories=("cs.CL", "cs.LG"),
        published=date(2026, 8, 1),
        listed=date(2026, 8, 3),
        published_month=date(2026, 8, 1),
        upvotes=0,
        comments=5,
        version=2,
        announcement="cross",
        withdrawn=True,
        shared=("https://example.org/toc",),
        sources=("arXiv", "Hugging Face"),
        brief="It finds \u03b1.",
        keywords=("chain of thought",),
        submitter="Émilie",
        author_answers=True,
        media=("https://example.org/a.mp4",),
        thumbnail="https://example.org/a.png",
        homes=("https://example.org/journal/x",),
    )
    assert all(getattr(whole, field.name) != field.default for field in fields(Item))
    store.ingest(DAY, HEALTH, [IdentifiedItem(whole, identity("arxiv:1"))], now=NOON)
    (paper,) = store.papers(after=0, since=NOON)
    assert paper.item == whole


@pytest.mark.parametrize("name", ["url:https://example.org/" + "x" * 9000, "feed:a\0b\ud800"])
def test_hostile_source_name_is_stored_literally(store: Store, name: str) -> None:
    assert ingest(store, entry(name), entry(name + "y")) == IngestCounts(new=2)
    assert ingest(store, entry(name)) == IngestCounts(seen=1)


@pytest.mark.slow
def test_large_listing_is_stored_whole(store: Store) -> None:
    entries = [entry(f"arxiv:{n}", f"doi:10.1/{n}") for n in range(1500)]
    assert ingest(store, *entries) == IngestCounts(new=1500)
    assert ingest(store, *entries, day=DAY + timedelta(days=1)) == IngestCounts(seen=1500)
    assert len(store.papers_by_number(range(2000))) == 1500


TEXT = " ".join(f"word{n} of an abstract" for n in range(20))


def test_copy_in_a_later_fetch_shares_the_group(store: Store) -> None:
    ingest(store, entry("arxiv:1", abstract=TEXT, url="https://arxiv.org/abs/1"))
    copy = replace(entry("doi:10.1038/x"), item=item("Retold", abstract=f"{TEXT} Again."))
    assert ingest(store, copy, source="Nature") == IngestCounts(seen=1)
    one, other = store.papers(after=0, since=NOON)
    assert (one.key, other.key, one.group, other.group) == ("arxiv:1", "doi:10.1038/x", 1, 1)
    assert other.item.homes == ("https://arxiv.org/abs/1",)
    assert store.other_versions(one) == (other,)
    assert store.other_versions(other) == (one,)
    listed = replace(copy, item=replace(copy.item, title="Retold twice"))
    assert ingest(store, listed, source="Nature") == IngestCounts(seen=1)
    assert ingest(store, entry("arxiv:1", "doi:10.1038/x")) == IngestCounts(seen=1)


@pytest.mark.slow
def test_old_titles_stay_comparable_and_old_abstracts_do_not(store: Store) -> None:
    retold = item("An invented title of enough words", abstract=TEXT)
    kept = item("Another title that is quite invented", abstract=" ".join(reversed(TEXT.split())))
    ingest(store, *(IdentifiedItem(old, identity(old.title)) for old in (retold, kept)))
    later = NOON + timedelta(days=23)
    many = [entry(f"arxiv:x{n}") for n in range(SKETCHED)]
    copies = [
        IdentifiedItem(new, identity(f"doi:10.1/{new.title}"))
        for new in (replace(retold, title="Retold"), kept)
    ]
    for entries in (many, copies):
        store.ingest(DAY, HEALTH, entries, now=later)
    assert [p.group for p in store.papers(after=SKETCHED + 2, since=later)] == [503, 2]
