"""Answers of arXiv's services, written for the tests: announcements, OAI-PMH, the API."""

from collections.abc import Iterable
from datetime import date, datetime

from tests.support.http_servers import response


def announcement(
    *numbers: str, kind: str = "new", category: str = "cs.CL", day: date | None = None
) -> bytes:
    """The Atom feed of an announcement; arXiv's name their date in each entry."""
    dated = f"<published>{day}T00:00:00-05:00</published>" if day else ""
    entries = "".join(
        f"<entry><id>oai:arXiv.org:{number}v1</id><title>Paper {number}</title>"
        f"<summary>arXiv:{number}v1 Announce Type: {kind}\nAbstract: Of {number}.</summary>"
        f'<category term="{category}"/><arxiv:announce_type>{kind}</arxiv:announce_type>{dated}'
        "<dc:creator>Ann Alpha, Ben Beta</dc:creator></entry>"
        for number in numbers
    )
    return response(body=_feed(entries))


def search_answer(*numbers: str, total: int | None = None) -> bytes:
    """An answer of the API; ``total`` is the number of papers in all of its pages."""
    count = len(numbers) if total is None else total
    entries = f"<opensearch:totalResults>{count}</opensearch:totalResults>" + "".join(
        f"<entry><id>http://arxiv.org/abs/{number}v1</id><title>Paper {number}</title>"
        "<author><name>Ann Alpha</name></author><author><name>Ben Beta</name></author>"
        f'<summary>Of {number}.</summary><category term="cs.CL"/></entry>'
        for number in numbers
    )
    return response(body=_feed(entries))


def _feed(entries: str) -> bytes:
    return (
        '<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"'
        ' xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns:dc="http://purl.org/dc/elements/1.1/"'
        ' xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/">'
        f"<id>x</id><title>arXiv</title>{entries}</feed>"
    ).encode()


def harvest_record(
    number: str,
    changed: date,
    submitted: Iterable[datetime],
    categories: str = "cs.CL",
    comments: str = "",
) -> str:
    """A record in the format ``arXivRaw``; ``submitted`` has the time of each version."""
    versions = "".join(
        f'<version version="v{n}"><date>{at:%a, %d %b %Y %H:%M:%S GMT}</date></version>'
        for n, at in enumerate(submitted, 1)
    )
    return (
        f"<record><header><identifier>oai:arXiv.org:{number}</identifier>"
        f"<datestamp>{changed}</datestamp></header><metadata>"
        f'<arXivRaw xmlns="http://arxiv.org/OAI/arXivRaw/"><id>{number}</id>{versions}'
        f"<title>Paper {number}</title><authors>Ann Alpha (1) and Ben Beta ((1) Here)</authors>"
        f"<categories>{categories}</categories><comments>{comments}</comments>"
        f"<abstract>  Of {number}.\n</abstract></arXivRaw></metadata></record>"
    )


def harvest_answer(*records: str, token: str = "") -> bytes:
    """An answer to ``ListRecords``; without records, that there are none."""
    inner = (
        f"<ListRecords>{''.join(records)}<resumptionToken>{token}</resumptionToken></ListRecords>"
    )
    none = '<error code="noRecordsMatch">No records match.</error>'
    return response(
        body=(
            '<?xml version="1.0"?><OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">'
            f"{inner if records else none}</OAI-PMH>"
        ).encode()
    )
