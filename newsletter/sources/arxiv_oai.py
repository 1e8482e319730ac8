"""Reads what arXiv serves by OAI-PMH 2.0 (https://info.arxiv.org/help/oa/index.html).

The datestamp of a record is the date (UTC) of its last change of any kind. Only the format
``arXivRaw`` has the time of the first version, which tells new papers from changed ones; in the
format ``arXiv``, which is read too, ``created`` is the date of the present version.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from xml.etree import ElementTree as ET

from newsletter.errors import SourceError
from newsletter.model import ARXIV
from newsletter.model.zones import load_zone
from newsletter.papers.names import parse_arxiv_id
from newsletter.sources.answers import load_xml

RECENT = timedelta(days=7)
"""Papers of a list were submitted this long before its date at the earliest, except a few that
arXiv's moderators held back."""

_DEADLINE = time(14)  # https://info.arxiv.org/help/availability.html

_PHYSICS = frozenset(
    {"astro-ph", "cond-mat", "gr-qc", "hep-ex", "hep-lat", "hep-ph", "hep-th", "math-ph", "nlin"}
    | {"nucl-ex", "nucl-th", "physics", "quant-ph"}
)
"""The archives of the group ``physics``; every other group has one archive of the same name."""


@dataclass(frozen=True, slots=True)
class Record:
    """One paper.

    Attributes:
        changed: its datestamp.
        submitted: when its first version was submitted; in the format ``arXiv`` the date only.
        version: the number of its versions; None: not said.
        entry: its fields, as :func:`newsletter.sources.feed_parser.parse` names them.
    """

    changed: date
    submitted: datetime
    version: int | None
    entry: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list.

    Attributes:
        unreadable: how many records could not be read and are left out.
        token: asks for the next part; empty at the end.
    """

    records: tuple[Record, ...] = ()
    unreadable: int = 0
    token: str = ""


def set_name(category: str) -> str:
    """The set of a category or archive: ``cs:cs:CL``, ``physics:hep-th``, ``math:math``."""
    archive = category.partition(".")[0]
    group = "physics" if archive in _PHYSICS else archive
    return f"{group}:{category.replace('.', ':')}"


def deadline(day: date) -> datetime:
    """Until when papers were submitted for the list of a date: 14:00 on the weekday before it."""
    before = day - timedelta(days=1)
    while before.weekday() not in ARXIV.weekdays:
        before -= timedelta(days=1)
    return datetime.combine(before, _DEADLINE, load_zone(ARXIV.zone))


def is_first_listed(record: Record, day: date) -> bool:
    """Whether a record that changed on a date or later was new in the list of that date.

    A few papers of later lists may pass, if they were held back and replaced since. Papers that
    were held back pass as long as they have one version, and their number shows a recent month.
    """
    since = day - RECENT
    name = parse_arxiv_id(record.entry["guid"])
    if name is None or f"{since:%y%m}" > name[0][:4]:  # numbers begin with the month of the list
        return False
    recent = record.version == 1 or record.submitted.date() >= since
    return recent and (record.changed == day or record.submitted <= deadline(day))


def parse(body: bytes, url: str) -> Page:
    """One answer to ``ListRecords``; deleted records are left out.

    Raises:
        SourceError: it is not an answer, or an error other than ``noRecordsMatch``, or no record
            can be read.
    """
    root = load_xml(body, url, "a whole answer of OAI-PMH")
    refusal = root.find("{*}error")
    if refusal is not None and refusal.get("code") == "noRecordsMatch":
        return Page()
    records = root.find("{*}ListRecords")
    if refusal is not None or records is None:
        reason = root.tag if refusal is None else f"{refusal.get('code')}: {refusal.text}"
        raise SourceError(f"{url}: arXiv says: {reason[:200]}")
    live = [one for one in records.iterfind("{*}record") if one.find("{*}metadata/*") is not None]
    read = tuple(record for one in live for record in _records(one))
    if live and not read:
        raise SourceError(f"{url}: none of the {len(live)} records can be read")
    return Page(read, len(live) - len(read), _text(records, "resumptionToken"))


def _records(element: ET.Element) -> Iterator[Record]:
    """The record, if it has a number, a title and a date."""
    header, fields = element.find("{*}header"), element.find("{*}metadata/*")
    if header is None or fields is None:
        return
    number, title = _text(fields, "id"), _text(fields, "title")
    versions = fields.findall("{*}version")
    submitted = _time(_text(versions[0], "date") if versions else _text(fields, "created"))
    changed = _time(_text(header, "datestamp"))
    if not number or not title or submitted is None or changed is None:
        return
    version = len(versions) or None
    entry = {
        "title": title,
        "summary": _text(fields, "abstract"),
        "contents": [],
        "link": f"https://arxiv.org/abs/{number}",
        "comments": "",
        "ids": [f"{number}v{version}" if version else number, *_text(fields, "doi").split()],
        "guid": number,
        "authors": [_text(fields, "authors"), *map(_name, fields.iterfind("{*}authors/{*}author"))],
        "categories": _text(fields, "categories").split(),
        "dates": [submitted.date().isoformat()],
        "announcement": "new",
        "comment": _text(fields, "comments"),
    }
    yield Record(changed.date(), submitted, version, entry)


def _text(parent: ET.Element, tag: str) -> str:
    return (parent.findtext(f"{{*}}{tag}") or "").strip()


def _name(author: ET.Element) -> str:
    """A name in reading order, from the format ``arXiv``."""
    parts = (_text(author, tag) for tag in ("forenames", "keyname", "suffix"))
    return " ".join(filter(None, parts))


def _time(text: str) -> datetime | None:
    """A date and time of email (RFC 5322), or one of ISO 8601; without a zone it is UTC."""
    try:
        parsed = parsedate_to_datetime(text) if "," in text else datetime.fromisoformat(text)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
