from dataclasses import replace

import pytest

from newsletter.model import Identity
from newsletter.papers.identity import (
    identify,
    is_revision,
    is_same_paper,
    merge_items,
    normalise_title,
)
from tests.support.factories import identity, item

ABSTRACT = "We show, at some length, that a paper is told from others by its abstract."


def identify_paper(*ids: str, title: str = "A paper", abstract: str = "") -> Identity:
    return identify(item(title, ids=ids, abstract=abstract))


def test_links_to_one_page_share_a_key() -> None:
    links = (
        "https://example.org/a",
        "http://www.example.org/a/",
        "https://EXAMPLE.org/a#part",
        "https://example.org/a?utm_source=x&rss=1",
    )
    assert len({identify_paper(link).key for link in links}) == 1
    assert (
        identify_paper("https://example.org/a?id=1").key
        != identify_paper("https://example.org/a?id=2").key
    )


def test_key_is_the_strongest_of_all_aliases() -> None:
    found = identify_paper("feed:https://a.org/f#1", "https://a.org/x", "10.1038/x", "2508.13426v2")
    assert found.key == "arxiv:2508.13426"
    assert {name.partition(":")[0] for name in found.aliases} >= {"arxiv", "doi", "url", "feed"}


def test_unknown_id_leaves_the_title() -> None:
    assert identify_paper("who knows").key.startswith("title:")


def test_address_is_the_key_without_ids() -> None:
    assert identify(item(url="https://arxiv.org/abs/2508.13426")).key == "arxiv:2508.13426"


def test_titles_compare_as_plain_words() -> None:
    assert normalise_title("PokéChamp: an Agent") == normalise_title("Pok\\'eChamp -- An agent")
    assert normalise_title("M$^3$ViT") == normalise_title("M3ViT")
    assert normalise_title("$\\beta$-VAE") == normalise_title("β-VAE")


def test_same_title_with_other_abstract_is_another_paper() -> None:
    one, other = (
        identify_paper(abstract=ABSTRACT),
        identify_paper(abstract=f"{ABSTRACT} Or does it?"),
    )
    assert one.key != other.key
    assert one.key.startswith("title:")
    assert not is_same_paper(other, one.aliases)


def test_same_title_and_abstract_are_one_paper() -> None:
    saved, listed = (
        identify_paper(abstract=ABSTRACT),
        identify_paper("2508.13426", abstract=ABSTRACT.upper()),
    )
    assert is_same_paper(saved, listed.aliases)
    assert is_same_paper(listed, saved.aliases)
    assert is_same_paper(saved, identify_paper(abstract=ABSTRACT).aliases)


def test_title_alone_joins_no_paper_with_abstract() -> None:
    assert not is_same_paper(
        identify_paper("https://a.org/1"), identify_paper("https://b.org/2").aliases
    )
    assert not is_same_paper(identify_paper(), identify_paper(abstract=ABSTRACT).aliases)
    assert is_same_paper(identify_paper(), identify_paper().aliases)


def test_shared_key_joins_papers() -> None:
    assert is_same_paper(
        identify_paper("10.1038/x", "https://a.org/1"), identify_paper("doi:10.1038/X").aliases
    )
    assert not is_same_paper(identify_paper("10.1038/x"), identify_paper("10.1038/y").aliases)


def test_shared_doi_never_joins_two_arxiv_ids() -> None:
    one, other = (
        identify_paper("2508.00001", "10.1038/x"),
        identify_paper("2508.00002", "10.1038/x"),
    )
    assert not is_same_paper(one, other.aliases)
    assert is_same_paper(identify_paper("10.1038/x"), one.aliases)


@pytest.mark.parametrize(
    ("mine", "theirs"),
    [("2508.00001", "2508.00002"), ("10.1038/x", "10.1038/y"), ("pmid:1", "pmid:2")],
)
def test_equal_text_never_joins_different_archive_ids(mine: str, theirs: str) -> None:
    assert not is_same_paper(
        identify_paper(mine, abstract=ABSTRACT), identify_paper(theirs, abstract=ABSTRACT).aliases
    )


def test_paper_with_two_arxiv_ids_answers_to_both() -> None:
    both = identity("arxiv:2508.00001", "arxiv:2508.00002").aliases
    assert is_same_paper(identify_paper("2508.00002"), both)


def test_later_version_replaces_the_text() -> None:
    known = item("Old", abstract="Old words", version=1, authors=("Ada",))
    newer = item("New", abstract="New words", version=2)
    assert is_revision(known, newer)
    merged = merge_items(known, newer)
    assert (merged.title, merged.abstract, merged.version) == ("New", "New words", 2)
    assert merged.authors == ("Ada",)
    assert merge_items(merged, known) == merged
    assert not is_revision(newer, known)


def test_first_seen_version_is_no_revision() -> None:
    assert not is_revision(item(), item(version=2))
    assert not is_revision(item(version=1), item())


def test_merging_fills_missing_fields() -> None:
    known = item("A", ids=("2508.13426",), url="https://a.org/1", categories=("cs.CL",))
    newcomer = item(
        "B",
        abstract="Words",
        ids=("2508.13426", "10.1/x"),
        url="https://b.org/2",
        code="https://c.org/3",
        categories=("cs.LG", "cs.CL"),
        author_count=3,
        keywords=("LoRA",),
        brief="It learns.",
        author_answers=True,
    )
    merged = merge_items(known, newcomer)
    assert (merged.title, merged.abstract) == ("A", "Words")
    assert merged.ids == ("2508.13426", "10.1/x")
    assert (merged.url, merged.code) == ("https://a.org/1", "https://c.org/3")
    assert merged.categories == ("cs.CL", "cs.LG")
    assert merged.author_count == 3
    assert (merged.keywords, merged.brief, merged.author_answers) == (("LoRA",), "It learns.", True)


def test_newer_counts_win_even_at_zero() -> None:
    known = item(upvotes=7, comments=2)
    merged = merge_items(known, item(upvotes=0))
    assert (merged.upvotes, merged.comments) == (0, 2)


def test_withdrawal_is_permanent() -> None:
    gone = replace(item(version=2), withdrawn=True)
    assert merge_items(item(version=1), gone).withdrawn
    assert merge_items(gone, item(version=3)).withdrawn
