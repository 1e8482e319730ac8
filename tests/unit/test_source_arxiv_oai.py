from datetime import UTC, date, datetime

import pytest

from newsletter.errors import SourceError
from newsletter.sources.arxiv_oai import Record, deadline, is_first_listed, parse, set_name

URL = "https://oaipmh.arxiv.org/oai"
TUESDAY = date(2026, 12, 1)


def answer(records: str) -> bytes:
    return (
        "<?xml version='1.0' encoding='UTF-8'?>"
        "<OAI-PMH xmlns='http://www.openarchives.org/OAI/2.0/'>"
        f"<responseDate>2026-12-02T06:00:00Z</responseDate>{records}</OAI-PMH>"
    ).encode()


RAW = """<record><header><identifier>oai:arXiv.org:2612.00001</identifier>
<datestamp>2026-12-01</datestamp><setSpec>cs:cs:CL</setSpec></header><metadata>
<arXivRaw xmlns="http://arxiv.org/OAI/arXivRaw/"><id>2612.00001</id>
<version version="v1"><date>Mon, 30 Nov 2026 12:00:00 GMT</date></version>
<version version="v2"><date>Tue, 01 Dec 2026 09:00:00 GMT</date></version>
<title>A title</title><authors>Ada Lovelace (1), Alan Turing and J. Doe ((1) Here)</authors>
<categories>cs.CL stat.ML</categories><comments>9 pages</comments><doi>10.1/x</doi>
<abstract>  A text.
</abstract></arXivRaw></metadata></record>"""

PLAIN = """<record><header><identifier>oai:arXiv.org:2612.00002</identifier>
<datestamp>2026-12-01</datestamp></header><metadata>
<arXiv xmlns="http://arxiv.org/OAI/arXiv/"><id>2612.00002</id><created>2026-11-30</created>
<authors><author><keyname>Lovelace</keyname><forenames>Ada</forenames></author></authors>
<title>Another</title><categories>cs.CL</categories><abstract>A.</abstract></arXiv>
</metadata></record>"""


def records(text: str) -> tuple[Record, ...]:
    return parse(answer(f"<ListRecords>{text}</ListRecords>"), URL).records


def record(
    number: str = "2612.00001",
    changed: date = TUESDAY,
    submitted: datetime = datetime(2026, 11, 30, 12, tzinfo=UTC),
    version: int | None = 1,
) -> Record:
    return Record(changed, submitted, version, {"guid": number})


@pytest.mark.parametrize(
    ("category", "name"),
    [
        ("cs.CL", "cs:cs:CL"),
        ("cs", "cs:cs"),
        ("math.CO", "math:math:CO"),
        ("math-ph", "physics:math-ph"),
        ("hep-th", "physics:hep-th"),
        ("astro-ph.GA", "physics:astro-ph:GA"),
        ("physics.optics", "physics:physics:optics"),
        ("q-bio.NC", "q-bio:q-bio:NC"),
    ],
)
def test_category_has_a_set(category: str, name: str) -> None:
    assert set_name(category) == name


def test_record_has_version_and_times() -> None:
    (found,) = records(RAW)
    assert (found.changed, found.version) == (TUESDAY, 2)
    assert found.submitted == datetime(2026, 11, 30, 12, tzinfo=UTC)
    assert found.entry["ids"] == ["2612.00001v2", "10.1/x"]
    assert found.entry["categories"] == ["cs.CL", "stat.ML"]


def test_format_without_versions_is_read_too() -> None:
    (found,) = records(PLAIN)
    assert (found.version, found.submitted.date()) == (None, date(2026, 11, 30))
    assert found.entry["authors"] == ["", "Ada Lovelace"]


def test_deleted_records_are_left_out() -> None:
    deleted = "<record><header status='deleted'><identifier>x</identifier></header></record>"
    assert records(deleted) == ()


def test_no_match_is_an_empty_list() -> None:
    assert parse(answer("<error code='noRecordsMatch'>None.</error>"), URL).records == ()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            answer("<error code='badResumptionToken'>Expired.</error>"),
            "badResumptionToken: Expired",
        ),
        (b"<html><p>Busy</html>", "not a whole answer of OAI-PMH .*'<html>"),
        (answer("<ListRecords>" + RAW), "not a whole answer"),
        (answer("<ListSets/>"), "arXiv says"),
        (
            answer(f"<ListRecords>{RAW.replace('title', 'name')}</ListRecords>"),
            "none of the 1 records can be read",
        ),
    ],
)
def test_other_answers_are_quoted(body: bytes, said: str) -> None:
    body = body.replace(b"</ListRecords>", b"") if body.count(b"ListRecords>") == 1 else body
    with pytest.raises(SourceError, match=said):
        parse(body, URL)


@pytest.mark.parametrize(
    ("day", "last"),
    [
        (date(2026, 12, 1), datetime(2026, 11, 30, 19, tzinfo=UTC)),
        (date(2026, 11, 30), datetime(2026, 11, 27, 19, tzinfo=UTC)),
        (date(2026, 7, 1), datetime(2026, 6, 30, 18, tzinfo=UTC)),
    ],
)
def test_deadline_is_on_the_weekday_before(day: date, last: datetime) -> None:
    assert deadline(day) == last


NEW = {
    "new that day": record(),
    "replaced since": record(changed=date(2026, 12, 4), version=2),
    "held back by moderators": record("2612.00009", submitted=datetime(2026, 11, 9, tzinfo=UTC)),
    "format without versions": record(version=None),
}
OLD = {
    "replaced that day": record(
        "2611.00009", submitted=datetime(2026, 11, 9, tzinfo=UTC), version=2
    ),
    "of an earlier month": record("2510.00009", submitted=datetime(2025, 10, 9, tzinfo=UTC)),
    "of a later list": record(
        changed=date(2026, 12, 2), submitted=datetime(2026, 11, 30, 20, tzinfo=UTC)
    ),
    "without a number": record("x"),
}


@pytest.mark.parametrize("one", NEW.values(), ids=NEW.keys())
def test_new_paper_is_of_the_list(one: Record) -> None:
    assert is_first_listed(one, TUESDAY)


@pytest.mark.parametrize("one", OLD.values(), ids=OLD.keys())
def test_other_paper_is_not_of_the_list(one: Record) -> None:
    assert not is_first_listed(one, TUESDAY)
