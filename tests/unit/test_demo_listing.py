"""The bundled listing, topics and readers: correct facts, and summaries in our own words."""

import json
import re
from collections.abc import Iterator
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from newsletter.config import read_settings
from newsletter.config.subscribers import read_subscribers
from newsletter.config.topics import curated_topics

DEMO = files("newsletter").joinpath("data", "demo")
ORIGINAL_LISTINGS = Path(__file__).parents[2].parent / "shared" / "data" / "payloads" / "hf_daily"
LISTING: list[dict[str, Any]] = json.loads(DEMO.joinpath("listing.json").read_bytes())
PAPERS: list[dict[str, Any]] = [entry["paper"] for entry in LISTING]
RUN = 8
"""This many equal words in a row are a copied sentence."""

PROSE_AND_TRACKING = {
    "ai_summary",
    "ai_keywords",
    "avatar",
    "avatarUrl",
    "thumbnail",
    "_id",
    "user",
}


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def runs(text: str) -> set[tuple[str, ...]]:
    found = words(text)
    return {tuple(found[at : at + RUN]) for at in range(len(found) - RUN + 1)}


def keys(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
        for inner in value.values():
            yield from keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys(inner)


@pytest.fixture(scope="module")
def listed() -> dict[str, dict[str, Any]]:
    """The papers as originally listed, by number."""
    if not ORIGINAL_LISTINGS.is_dir():
        pytest.skip(f"{ORIGINAL_LISTINGS} is not here: other people's listings")
    entries = [
        entry
        for path in ORIGINAL_LISTINGS.glob("2026-08-*.json")
        for entry in json.loads(path.read_bytes())
    ]
    return {entry["paper"]["id"]: entry for entry in entries}


def test_has_about_forty_papers_with_own_numbers() -> None:
    numbers = {paper["id"] for paper in PAPERS}
    assert 38 <= len(numbers) == len(PAPERS) <= 45
    assert all(re.fullmatch(r"\d{4}\.\d{5}", number) for number in numbers)


@pytest.mark.parametrize("paper", PAPERS, ids=lambda paper: paper["id"])
def test_every_paper_has_what_a_letter_shows(paper: dict[str, Any]) -> None:
    assert paper["title"].strip()
    assert all(author["name"].strip() for author in paper["authors"])
    assert paper["authors"]
    assert date.fromisoformat(paper["publishedAt"][:10]) <= date(2026, 8, 12)
    assert paper["submittedOnDailyAt"].startswith("2026-08-12T")
    assert isinstance(paper["upvotes"], int)


@pytest.mark.parametrize("paper", PAPERS, ids=lambda paper: paper["id"])
def test_summary_has_two_to_four_sentences(paper: dict[str, Any]) -> None:
    assert 2 <= len(re.findall(r"[.?!](?=\s|$)", paper["summary"])) <= 4


def test_has_no_copied_prose_and_no_tracking() -> None:
    assert not PROSE_AND_TRACKING & set(keys(LISTING))


@pytest.mark.parametrize("entry", LISTING, ids=lambda entry: entry["paper"]["id"])
def test_facts_match_the_original_listing(
    entry: dict[str, Any], listed: dict[str, dict[str, Any]]
) -> None:
    ours, theirs = entry["paper"], listed[entry["paper"]["id"]]["paper"]
    plain = set(ours) - {"authors", "organization", "summary", "submittedOnDailyAt"}
    assert {key: ours[key] for key in plain} == {key: theirs[key] for key in plain}
    assert [a["name"] for a in ours["authors"]] == [a["name"] for a in theirs["authors"]]
    assert ours.get("organization", {}).items() <= theirs.get("organization", {}).items()


@pytest.mark.parametrize("paper", PAPERS, ids=lambda paper: paper["id"])
def test_summaries_share_no_sentence_with_abstracts(
    paper: dict[str, Any], listed: dict[str, dict[str, Any]]
) -> None:
    theirs = listed[paper["id"]]["paper"]
    for prose in (theirs["summary"], theirs.get("ai_summary") or ""):
        assert not runs(paper["summary"]) & runs(prose)


def test_readers_follow_different_existing_topics() -> None:
    settings = read_settings(DEMO.joinpath("newsletter.yaml").read_bytes(), "newsletter.yaml", {})
    topics = {topic.name for topic in settings.topics}
    listed = read_subscribers(
        DEMO.joinpath("subscribers.yaml").read_bytes(), "subscribers.yaml", topics, {}
    )
    readers = [each.subscriber for each in listed]
    wants = [reader.filter for reader in readers]
    assert 5 <= len(topics) <= 8
    assert len(set(wants)) == len(readers) == 3
    assert [each.everything for each in wants] == [True, False, False]
    assert all(reader.email.endswith("@example.org") for reader in readers)


def test_shipped_topics_have_distinct_names_and_rules() -> None:
    topics = curated_topics()
    assert len(topics) >= 60
    for topic in topics:
        assert topic.about
        texts = [rule.text.lower() for rule in topic.any]
        assert len(texts) == len(set(texts)) > 5
