import json
from datetime import date
from typing import Any

import pytest

from newsletter.errors import SourceError
from newsletter.model import Item
from newsletter.papers.identity import identify
from newsletter.sources import crossref
from newsletter.sources.crossref import ROWS
from newsletter.sources.entries import Reading

URL = "https://api.crossref.org/works"
WORK = {
    "DOI": "10.5555/Invented.2026.1",
    "type": "journal-article",
    "title": ["Folding of <i>E. invented</i>"],
    "author": [
        {"given": "Ann", "family": "Alpha", "sequence": "first", "affiliation": []},
        {"family": "Beta", "suffix": "Jr."},
        {"name": "The Invented Consortium", "sequence": "additional"},
    ],
    "abstract": "<jats:title>Abstract</jats:title><jats:sec><jats:title>Aim</jats:title>"
    "<jats:p>To fold CO<jats:sub>2</jats:sub>.</jats:p></jats:sec>",
    "issued": {"date-parts": [[2026, 7]]},
    "published-online": {"date-parts": [[2026, 8, 2]]},
}


def parse(body: bytes, origin: str, first_year: int = 0) -> tuple[Item, ...]:
    return tuple(crossref.parse(body, Reading(origin), first_year)[0])


def body(*works: object, **message: object) -> bytes:
    listed = {"total-results": len(works), "items": works, "next-cursor": "AoJ+"}
    answer = {"status": "ok", "message-type": "work-list", "message": listed | message}
    return json.dumps(answer).encode()


def one(**fields: Any) -> Item:  # noqa: ANN401 - any JSON
    (item,) = parse(body(WORK | fields), URL)
    return item


def test_every_field_is_read() -> None:
    assert one() == Item(
        title="Folding of E. invented",
        abstract="Aim: To fold CO₂.",
        ids=("10.5555/Invented.2026.1",),
        url="https://doi.org/10.5555/Invented.2026.1",
        authors=("Ann Alpha", "Beta Jr.", "The Invented Consortium"),
        published=date(2026, 8, 2),
        published_month=date(2026, 7, 1),
    )
    assert identify(one()).key == "doi:10.5555/invented.2026.1"


@pytest.mark.parametrize(
    ("relation", "name"),
    [
        ({"has-preprint": [{"id-type": "doi", "id": "10.1101/2026.01.01.000001"}]}, "doi:10.1101"),
        ({"has-preprint": [{"id-type": "arxiv", "id": "2601.00001v2"}]}, "arxiv:2601.00001"),
        ({"is-preprint-of": [{"id-type": "doi", "id": "10.1038/x1"}]}, "doi:10.1038/x1"),
        ({"has-preprint": [{"id-type": "doi", "id": "10.48550/arXiv.2601.00001"}]}, "arxiv:2601"),
    ],
)
def test_preprint_and_article_are_one_paper(relation: object, name: str) -> None:
    assert any(alias.startswith(name) for alias in identify(one(relation=relation)).aliases)


def test_other_relations_join_nothing() -> None:
    others = {"references": [{"id-type": "doi", "id": "10.5555/other"}], "cites": "nothing"}
    assert one(relation=others).ids == one().ids


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "journal-issue"},
        {"type": "component"},
        {"type": "peer-review"},
        {"title": ["Issue Information"]},
        {"title": ["Editorial Board"]},
        {"title": ["Front Cover: A folded protein (Invent. J. 8/2026)"]},
        {"title": ["Author Correction: Folding of an invented protein"]},
        {"title": ["Corrigendum to “Folding of an invented protein”"]},
        {"update-to": [{"type": "erratum", "DOI": "10.5555/older"}]},
        {"issued": {"date-parts": [[1987]]}, "published-online": None},
    ],
)
def test_what_is_no_new_paper_is_left_out(fields: dict[str, Any]) -> None:
    assert parse(body(WORK | fields, WORK), URL, first_year=2025) == parse(body(WORK), URL)


@pytest.mark.parametrize(
    "title", ["Contents of the invented gut", "Correction of spherical aberration", "Front matters"]
)
def test_titles_that_only_begin_so_are_papers(title: str) -> None:
    assert one(title=[title]).title == title


def test_late_online_date_keeps_an_old_issue() -> None:
    printed = {"issued": {"date-parts": [[2023]]}, "published-online": {"date-parts": [[2026]]}}
    assert len(parse(body(WORK | printed), URL, first_year=2025)) == 1


def test_later_version_of_a_preprint_is_no_news() -> None:
    second = one(DOI="10.21203/rs.3.rs-1000001/v2", type="posted-content")
    assert (second.version, second.announcement) == (2, "replace")
    assert identify(second).key == "doi:10.21203/rs.3.rs-1000001"


def test_retracted_paper_is_marked() -> None:
    assert one(title=["RETRACTED: Folding of an invented protein"]).withdrawn


@pytest.mark.parametrize("date_parts", [None, [[None]], [], [["2026"]], [[2026, 13, 40]], "soon"])
def test_wrong_dates_are_no_dates(date_parts: object) -> None:
    fields = {"issued": {"date-parts": date_parts}, "published-online": date_parts}
    found = one(**fields)
    assert (found.published, found.published_month) == (None, None)


def test_day_without_papers_is_empty() -> None:
    assert parse(body(), URL) == ()


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>Bad gateway</html>",
        b'{"status": "failed", "message": [{"type": "parameter-not-allowed"}]}',
        body(items=None),
        body(*[WORK] * ROWS, **{"next-cursor": None}),
        body({"doi": "10.5555/renamed"}),
    ],
)
def test_answer_of_unknown_shape_is_an_error(answer: bytes) -> None:
    with pytest.raises(SourceError, match=r"^https://api\.crossref\.org/works: "):
        parse(answer, URL)


def test_unreadable_work_is_left_out() -> None:
    assert len(parse(body(WORK, {"DOI": "10.5555/untitled", "title": []}, None), URL)) == 1
