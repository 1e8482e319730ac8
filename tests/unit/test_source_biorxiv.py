import json
from datetime import date
from typing import Any

import pytest

from newsletter.errors import SourceError
from newsletter.model import Item
from newsletter.papers.identity import identify
from newsletter.sources import biorxiv
from newsletter.sources.entries import Reading

URL = "https://api.biorxiv.org/details/biorxiv/2026-08-03/2026-08-03/0/json"
ENTRY = {
    "title": "Folding of an invented protein",
    "authors": "Alpha, A.; Beta, B. C.; The Invented Consortium",
    "author_corresponding": "Ann Alpha",
    "doi": "10.64898/2026.08.01.123456",
    "date": "2026-08-03",
    "version": "1",
    "type": "new results",
    "license": "cc_by",
    "category": "cell biology",
    "jatsxml": "https://www.biorxiv.org/content/early/2026/08/03/2026.08.01.123456.source.xml",
    "abstract": "We fold it.",
    "published": "NA",
    "server": "bioRxiv",
}


def parse(body: bytes, origin: str) -> tuple[Item, ...]:
    return tuple(biorxiv.parse(body, Reading(origin), 0)[0])


def body(*entries: object, **message: object) -> bytes:
    told = {"status": "ok", "cursor": 0, "count": len(entries), "total": str(len(entries))}
    return json.dumps({"messages": [told | message], "collection": entries}).encode()


def one(**fields: Any) -> Item:  # noqa: ANN401 - any JSON
    (item,) = parse(body(ENTRY | fields), URL)
    return item


def test_every_field_is_read() -> None:
    page = "https://www.biorxiv.org/content/10.64898/2026.08.01.123456v1"
    assert one() == Item(
        title="Folding of an invented protein",
        abstract="We fold it.",
        ids=("10.64898/2026.08.01.123456v1",),
        url=page,
        pdf=f"{page}.full.pdf",
        authors=("A. Alpha", "B. C. Beta", "The Invented Consortium"),
        categories=("cell biology",),
        published=date(2026, 8, 3),
        version=1,
    )


def test_all_versions_and_the_article_are_one_paper() -> None:
    later = one(version="2", published="10.1038/s41586-026-00001-1")
    assert identify(later).key == identify(one()).key == "doi:10.64898/2026.08.01.123456"
    assert "doi:10.1038/s41586-026-00001-1" in identify(later).aliases
    assert (later.version, later.announcement) == (2, "replace")


def test_preprints_of_medrxiv_have_its_address() -> None:
    found = one(server="medRxiv", doi="10.1101/2026.08.01.26123456")
    assert found.url == "https://www.medrxiv.org/content/10.1101/2026.08.01.26123456v1"


@pytest.mark.parametrize(
    "fields",
    [
        {"title": "WITHDRAWN: Folding of an invented protein"},
        {"abstract": "The authors have withdrawn this manuscript owing to an error."},
        {"abstract": "This manuscript has been withdrawn by the authors."},
    ],
)
def test_withdrawn_preprints_are_marked(fields: dict[str, str]) -> None:
    assert one(**fields).withdrawn


def test_abstract_about_withdrawal_is_no_withdrawal() -> None:
    assert not one(abstract="Patients withdrawn from opioids recover slowly.").withdrawn


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("AO_SCPLOWBSTRACTC_SCPLOWManual annotation is slow.", "Manual annotation is slow."),
        ("We use MO_SCPLOWUSEC_SCPLOW here.", "We use MUSE here."),
        (
            "BackgroundCells divide.\n\nResultsThey do.",
            "Background: Cells divide. Results: They do.",
        ),
        ("DESIGNER drugs act.", "DESIGNER drugs act."),
        ("Results show that cells divide.", "Results show that cells divide."),
        ("HighlightsO_ST_ABSWhat is knownC_ST_ABSMuch.", "Highlights What is known: Much."),
        ("Key points\nO_LIFirst.\nC_LIO_LISecond.\nC_LI", "Key points First. Second."),
        (
            "It works.\n\nTOC Graphic\n\nO_FIG O_LINKSMALLFIG WIDTH=200\nView larger version C_FIG",
            "It works.",
        ),
        (
            "{beta}-catenin at 85{middle dot}8%, {Delta}F {+/-} 2",
            "β-catenin at 85·8%, ΔF ± 2",
        ),
        (
            "p [&le;] 0.05 in the set {alpha, x} {unknown}",
            "p ≤ 0.05 in the set {alpha, x} {unknown}",
        ),
        ("<i>E. coli</i> and CO<sub>2</sub>", "E. coli and CO₂"),
    ],
)
def test_marks_of_the_typesetter_are_read(written: str, plain: str) -> None:
    assert one(abstract=written).abstract == plain


def test_day_without_preprints_is_empty() -> None:
    assert parse(b'{"messages":[{"status":"no posts found"}],"collection":[]}', URL) == ()


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>Bad gateway</html>",
        b"[]",
        b'{"collection": []}',
        b'{"messages": [{"status": "Error: bad interval"}], "collection": []}',
        b'{"messages": [{"status": "ok"}], "preprints": []}',
        body(ENTRY, total="many"),
        body(total=3, cursor=3),
        body({"paper": "renamed"}, {"paper": "fields"}),
    ],
)
def test_answer_of_unknown_shape_is_an_error(answer: bytes) -> None:
    with pytest.raises(SourceError, match=r"^https://api\.biorxiv\.org/"):
        parse(answer, URL)


def test_unreadable_entry_is_left_out() -> None:
    assert len(parse(body(ENTRY, {"doi": "10.1101/1"}, None), URL)) == 1


@pytest.mark.parametrize(
    "piece", ["\n", " \n", "O_FIG ", "O_ST_ABS", "toc graphic ", "{beta", "[&"]
)
def test_hostile_abstracts_are_read_in_linear_time(piece: str) -> None:
    assert one(abstract=piece * 50_000 + "end").title
