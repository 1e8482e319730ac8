import json
from datetime import date
from typing import Any

import pytest

from newsletter.errors import SourceError
from newsletter.model import Item
from newsletter.sources.huggingface import parse


def entry(paper: dict[str, Any] | None = None, **outer: object) -> dict[str, Any]:
    inner = {"id": "2608.00001", "title": "A title", "summary": "A text.", "authors": []}
    return {"paper": {**inner, **(paper or {})}, **outer}


def one(paper: dict[str, Any] | None = None, **outer: object) -> Item:
    (item,) = parse(json.dumps([entry(paper, **outer)]).encode(), "saved.json")
    return item


def test_paper_is_read_with_all_fields() -> None:
    found = one(
        {
            "title": "A title\n  in two lines",
            "summary": "Text with a\nbreak",
            "publishedAt": "2026-08-11T00:00:00.000Z",
            "upvotes": 12,
            "githubRepo": "https://github.com/a/b",
            "githubStars": 7,
            "projectPage": "https://a.example/",
            "authors": [{"name": "Ada"}, {"name": "Secret", "hidden": True}, {"name": "Alan"}],
            "organization": {"name": "ex", "fullname": "Example Labs"},
        },
        numComments=3,
    )
    assert (found.title, found.abstract) == ("A title in two lines", "Text with a break")
    assert found.ids == ("2608.00001",)
    assert found.url == "https://arxiv.org/abs/2608.00001"
    assert found.discussion == "https://huggingface.co/papers/2608.00001"
    assert found.pdf == "https://arxiv.org/pdf/2608.00001"
    assert (found.code, found.code_stars) == ("https://github.com/a/b", 7)
    assert found.project == "https://a.example/"
    assert found.authors == ("Ada", "Alan")
    assert found.organization == "Example Labs"
    assert found.published == date(2026, 8, 11)
    assert (found.upvotes, found.comments) == (12, 3)


@pytest.mark.parametrize("text", ["<think> step", "A < B & C", "x<a and y>b", "<b>not bold</b>"])
def test_texts_are_literal(text: str) -> None:
    found = one({"title": text, "summary": text})
    assert (found.title, found.abstract) == (text, text)


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "//evil.example", "github.com/a/b", "data:text/html,x", 7, None]
)
def test_invalid_link_is_dropped(link: object) -> None:
    found = one({"githubRepo": link, "projectPage": link})
    assert (found.code, found.project) == (None, None)


def test_project_page_equal_to_repository_is_dropped() -> None:
    found = one({"githubRepo": "https://github.com/a/b", "projectPage": "https://github.com/a/b"})
    assert (found.code, found.project) == ("https://github.com/a/b", None)


def test_outer_fields_fill_empty_inner_ones() -> None:
    found = one(
        {"title": "", "summary": None}, title="Outer", summary="Text", organization={"name": "Labs"}
    )
    assert (found.title, found.abstract, found.organization) == ("Outer", "Text", "Labs")


def test_fields_of_wrong_type_are_absent() -> None:
    found = one(
        {
            "upvotes": "12",
            "githubStars": True,
            "publishedAt": "soon",
            "authors": ["Ada", {"name": 7}, None],
            "organization": "Labs",
        },
        numComments=None,
    )
    assert (found.upvotes, found.code_stars, found.comments) == (None, None, None)
    assert (found.published, found.authors, found.organization) == (None, (), None)


PICTURE = "https://cdn.example/a.png"


def test_what_the_site_adds_is_read() -> None:
    found = one(
        {
            "ai_summary": "A model\nlearns <x>.",
            "ai_keywords": ["LoRA", "lora", "D$^2$PO", ""],
            "submittedOnDailyBy": {"name": "inner"},
        },
        submittedBy={"fullname": "Ada \u202eL", "name": "ada"},
        isAuthorParticipating=True,
        mediaUrls=[PICTURE, PICTURE, "javascript:x"],
        thumbnail="https://cdn.example/t.png",
    )
    assert (found.brief, found.keywords) == ("A model learns <x>.", ("LoRA", "D$^2$PO"))
    assert (found.submitter, found.author_answers) == ("Ada L", True)
    assert (found.media, found.thumbnail) == ((PICTURE,), "https://cdn.example/t.png")


def test_inner_fields_and_old_names_are_read() -> None:
    found = one(
        {"mediaUrls": [PICTURE], "submittedOnDailyBy": {"name": "ada"}},
        mediaUrl="https://cdn.example/t.png",
        mediaUrls="rubbish",
        submittedBy={"fullname": 7},
        thumbnail="//rubbish",
    )
    assert (found.media, found.thumbnail) == ((PICTURE,), "https://cdn.example/t.png")
    assert found.submitter == "ada"


def test_abstracts_own_words_are_no_brief() -> None:
    assert one({"summary": "One. Two. Three.", "ai_summary": "One.\nTwo."}).brief == ""


@pytest.mark.parametrize("rubbish", [7, "a, b", {"a": 1}, [None, 7, ["x"], {}], True, [["x"]], ""])
def test_rubbish_in_an_added_field_is_absent(rubbish: object) -> None:
    inner = ("ai_keywords", "mediaUrls", "submittedOnDailyBy")
    outer = ("submittedBy", "isAuthorParticipating", "mediaUrls", "thumbnail", "mediaUrl")
    others = {"ai_summary": [rubbish]}
    found = one(
        dict.fromkeys(inner, rubbish) | others,
        **dict.fromkeys(outer, rubbish) | {"isAuthorParticipating": "yes"},
    )
    assert found == one()


def test_endless_lists_are_cut() -> None:
    words = [f"word {n}" for n in range(5_000)] + ["x" * 5_000]
    found = one({"ai_keywords": words[::-1]}, mediaUrls=[f"https://a.org/{w}" for w in range(999)])
    assert (len(found.keywords), len(found.media)) == (50, 20)
    assert max(map(len, found.keywords)) < 100


def test_unreadable_entry_is_skipped_and_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bad = [None, 7, "x", {}, {"paper": None}, {"paper": {"id": "2608.00002"}}, entry()]
    assert len(parse(json.dumps(bad).encode(), "saved.json")) == 1
    assert [record.getMessage() for record in caplog.records][:1] == [
        "saved.json: entry 1 cannot be read; it is left out"
    ]
    assert len(caplog.records) == 6


@pytest.mark.parametrize("written", [repr(entry()), json.dumps(entry())])
def test_archive_of_strings_is_read(written: str) -> None:
    body = json.dumps({"status": "success", "date": "2025-01-10", "data": [written]})
    assert len(parse(body.encode(), "saved.json")) == 1
    assert len(parse(json.dumps([written, "x"]).encode(), "saved.json")) == 1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html>Bad gateway</html>", "not JSON but '<html>Bad gateway"),
        (b'{"error": "Invalid date"}', "no list of papers but"),
        (b"[" * 100_000, "not JSON but"),
        (b'{"data": ["__import__(1)"]}', "none of 1 entries can be read: __import__(1)"),
        (b'[{"item": {"id": "2611.00001"}}]', "none of 1 entries can be read: {'item'"),
        (b"7", "no list of papers but 7"),
        (b"", "not JSON but ''"),
    ],
)
def test_non_list_is_an_error_quoting_it(body: bytes, said: str) -> None:
    with pytest.raises(SourceError) as caught:
        parse(body, "https://huggingface.co/api")
    assert said in str(caught.value)
    assert str(caught.value).startswith("https://huggingface.co/api: ")


def test_empty_day_has_no_papers() -> None:
    assert parse(b"[]", "saved.json") == ()
