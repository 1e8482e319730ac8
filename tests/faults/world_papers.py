"""The papers of the simulated world, and what its sites say about them, generated from a seed."""

import hashlib
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol
from xml.sax.saxutils import escape

from newsletter.model.zones import load_zone
from newsletter.sources import arxiv_oai

Page = tuple[int, Mapping[str, str], bytes]
"""An answer: status, headers, body."""

SUBJECTS = ("vision", "speech", "robotics", "genomics", "optics", "logic")
"""Each title has one of these words; readers choose by them."""

CUT = 60
"""Rows at which an announcement is cut: 2,000 at arXiv; here fewer, which are read sooner."""

NEW_YORK = load_zone("America/New_York")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)

_WORDS = tuple(
    """robust fast sparse deep simple joint latent causal neural quantum stable convex scalable
bounds methods agents signals maps fields flows codes trees tensors kernels priors samples limits
towards beyond without learning testing sensing planning sorting coding tracing weighing""".split()  # noqa: SIM905 - shorter
)

_PROSE = tuple(
    """we show that the new method improves on earlier ones by a wide margin when data are few and
noise is high our proof uses a known inequality and takes a page the code runs on one machine in an
hour several open questions remain for which we give partial answers and
counterexamples""".split()  # noqa: SIM905
)


@dataclass(frozen=True, slots=True)
class WorldPaper:
    """A paper as it is in truth; ``word`` occurs in its title and nowhere else in the world."""

    word: str
    subject: str
    title: str
    abstract: str
    arxiv: str = ""
    doi: str = ""


class Papers:
    """Makes papers, no two of which have the same word."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self.made: dict[str, WorldPaper] = {}

    def make(self, *, arxiv_on: date | None = None, doi: str = "") -> WorldPaper:
        """A new paper with an arXiv number of this month, or with a DOI of this prefix."""
        rng, number = self._rng, len(self.made) + 1
        word, subject = _unique_word(number), rng.choice(SUBJECTS)
        title = " ".join([*rng.sample(_WORDS, 3), subject, *rng.sample(_WORDS, 2), "with", word])
        paper = WorldPaper(
            word,
            subject,
            title.capitalize().replace(word.lower(), word),
            " ".join(rng.choices(_PROSE, k=40)).capitalize() + ".",
            "" if arxiv_on is None else f"{arxiv_on:%y%m}.{number:05d}",
            f"{doi}{number:06d}" if doi else "",
        )
        self.made[word] = paper
        return paper


def _unique_word(number: int) -> str:
    consonants, vowels, letters = "bdfgklmnprstvz", "aeiou", ""
    for _ in range(4):
        number, rest = divmod(number, len(consonants) * len(vowels))
        letters += consonants[rest % len(consonants)] + vowels[rest // len(consonants)]
    return f"{letters.capitalize()}qx"


@dataclass(frozen=True, slots=True)
class Listed:
    """That a source lists a paper first on this date of its own, and shows it from ``at``."""

    source: str
    part: str
    paper: WorldPaper
    day: date
    at: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Trouble:
    """A time in which a host answers wrongly: ``kind`` is a status or a kind of broken body."""

    begins: datetime
    ends: datetime
    kind: str


_EMPTY = {
    "application/xml": b"<rss version='2.0'><channel><title>Nothing</title></channel></rss>",
    "application/feed+json": b'{"version": "https://jsonfeed.org/version/1.1", "items": []}',
    "application/json": b"[]",
}


class Site(Protocol):
    """A host of the world; ``name`` is that of its source."""

    name: str
    troubles: Sequence[Trouble]

    def answer(self, path: str, query: Mapping[str, str], now: datetime) -> Page:
        """What it says at an instant if nothing is wrong."""

    def listed(self) -> Iterator[Listed]:
        """What it lists, each paper once."""


def spoil(kind: str, page: Page, now: datetime) -> Page | None:
    """An answer as trouble leaves it; None: the connection is cut."""
    status, headers, body = page
    if kind == "reset":
        return None
    if kind == "429":
        rest = now + timedelta(seconds=90)
        later = "90" if now.minute % 2 else f"{rest.astimezone(UTC):%a, %d %b %Y %H:%M:%S} GMT"
        return 429, {"Retry-After": later}, b""
    if kind.isdecimal():
        return int(kind), {}, b"<html>busy</html>"
    if kind == "html":
        return 200, {"Content-Type": "text/html"}, b"<html><body>Please log in</body></html>"
    if kind == "empty":
        return status, {"Content-Type": headers["Content-Type"]}, _EMPTY[headers["Content-Type"]]
    if kind == "half":
        return status, headers, body[: len(body) // 2]
    raise AssertionError(kind)


def draw_troubles(
    rng: random.Random, start: date, days: int, kinds: Sequence[str], often: float
) -> tuple[Trouble, ...]:
    """Troubles on some days, from minutes to a day and a half long; none on the first two days."""
    found = []
    for number in range(2, days):
        if rng.random() < often:
            begins = at_utc(start + number * DAY) + rng.uniform(0, 24) * HOUR
            lasts = rng.choice((0.1, 0.5, 1, 3, 9, 14, 36)) * HOUR
            found.append(Trouble(begins, begins + lasts, rng.choice(list(kinds))))
    return tuple(found)


def at_utc(day: date) -> datetime:
    """Midnight UTC."""
    return datetime.combine(day, time(), UTC)


def chance(*parts: object) -> float:
    """A number from 0 to 1 that depends on these only."""
    digest = hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


@dataclass(frozen=True, slots=True)
class Row:
    """One row of an announcement."""

    paper: WorldPaper
    kind: str
    version: int
    categories: tuple[str, ...]


@dataclass
class ArxivSite:
    """arXiv: the announcements of an archive by New York date, and when each is shown."""

    name: str
    rows: Mapping[tuple[str, date], Sequence[Row]]
    opens: Mapping[tuple[str, date], datetime]
    stale: frozenset[tuple[str, date]]
    troubles: Sequence[Trouble] = ()

    def answer(self, path: str, query: Mapping[str, str], now: datetime) -> Page:
        if path == "/oai":
            return 200, {"Content-Type": "text/xml"}, self._harvest(query, now)
        if not path.startswith("/atom/"):
            return 404, {}, b"no API here"
        categories = frozenset(path.rpartition("/")[2].split("+"))
        archive = min(categories).partition(".")[0]
        day, shown = self._shown(archive, now)
        rows = [row for row in shown if categories & set(row.categories)]
        return 200, {"Content-Type": "application/atom+xml"}, _announcement(day, rows[:CUT])

    def _shown(self, archive: str, now: datetime) -> tuple[date, Sequence[Row]]:
        """The announcement at an instant and its date: none at weekends, at times an older one."""
        key = archive, now.astimezone(NEW_YORK).date()
        if key not in self.rows or now >= self.opens[key]:
            return key[1], self.rows.get(key, ())
        before = max((k for k in self.rows if k[0] == archive and k < key), default=key)
        return before[1], self.rows[before] if key in self.stale and before != key else ()

    def _harvest(self, query: Mapping[str, str], now: datetime) -> bytes:
        """What changed since a date, by OAI-PMH: each paper under the date of its last change."""
        spec, since, start = (
            query.get("resumptionToken", "").split("|")
            if ("resumptionToken" in query)
            else (query["set"], query["from"], "0")
        )
        category = ".".join(dict.fromkeys(spec.split(":")))
        changes: dict[str, list[tuple[date, Row]]] = {}
        for (_, day), rows in sorted(self.rows.items(), key=lambda pair: pair[0][1]):
            for row in rows if at_utc(day) <= now else ():
                changes.setdefault(row.paper.word, []).append((day, row))
        found = [
            _record(of)
            for of in changes.values()
            if f"{of[-1][0]}" >= since and any(category in row.categories for _, row in of)
        ]
        end = int(start) + 100
        token = f"{spec}|{since}|{end}" if end < len(found) else ""
        return _harvested(found[int(start) : end], token)

    def listed(self) -> Iterator[Listed]:
        seen = set()
        for (archive, day), rows in sorted(self.rows.items(), key=lambda pair: pair[0][1]):
            ends = datetime.combine(day + DAY, time(), NEW_YORK).astimezone(UTC)
            for row in rows:
                if row.kind in {"new", "cross"} and (archive, row.paper.word) not in seen:
                    seen.add((archive, row.paper.word))
                    opens = self.opens[archive, day]
                    yield Listed(self.name, archive, row.paper, day, opens, ends)


def _announcement(day: date, rows: Sequence[Row]) -> bytes:
    entries = "".join(
        f"""<entry><id>oai:arXiv.org:{row.paper.arxiv}v{row.version}</id>
<title>{escape(row.paper.title)}</title>
<link href="https://arxiv.org/abs/{row.paper.arxiv}" rel="alternate" type="text/html"/>
<summary>arXiv:{row.paper.arxiv}v{row.version} Announce Type: {row.kind}
Abstract: {escape(row.paper.abstract)}</summary>
{"".join(f'<category term="{one}"/>' for one in row.categories)}
<published>{datetime.combine(day, time(), NEW_YORK).isoformat()}</published>
<arxiv:announce_type>{row.kind}</arxiv:announce_type><dc:creator>Ada Alpha, Ben Beta</dc:creator>
</entry>"""
        for row in rows
    )
    return f"""<?xml version='1.0' encoding='UTF-8'?>
<feed xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns="http://www.w3.org/2005/Atom"><id>x</id><title>updates on arXiv.org</title>
{entries}</feed>""".encode()


def _record(changes: Sequence[tuple[date, Row]]) -> str:
    """A paper's record; it was submitted in the hours before the deadline of its first list."""
    (first, row), (changed, _) = changes[0], changes[-1]
    at = arxiv_oai.deadline(first).astimezone(UTC) - 5 * HOUR
    times = [at] + [at + DAY] * (max(row.version for _, row in changes) - 1)
    versions = "".join(
        f'<version version="v{n}"><date>{time:%a, %d %b %Y %H:%M:%S GMT}</date></version>'
        for n, time in enumerate(times, 1)
    )
    names = " ".join(dict.fromkeys(name for _, row in changes for name in row.categories))
    return f"""<record><header><identifier>oai:arXiv.org:{row.paper.arxiv}</identifier>
<datestamp>{changed}</datestamp></header><metadata>
<arXivRaw xmlns="http://arxiv.org/OAI/arXivRaw/"><id>{row.paper.arxiv}</id>{versions}
<title>{escape(row.paper.title)}</title><authors>Ada Alpha and Ben Beta</authors>
<categories>{names}</categories><abstract>{escape(row.paper.abstract)}</abstract>
</arXivRaw></metadata></record>"""


def _harvested(records: Sequence[str], token: str) -> bytes:
    none = '<error code="noRecordsMatch">No records match.</error>'
    more = f"<resumptionToken>{token}</resumptionToken>"
    inner = f"<ListRecords>{''.join(records)}{more}</ListRecords>" if records else none
    return f'<OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">{inner}</OAI-PMH>'.encode()


ARXIV_CATEGORIES = ("cs.CL", "cs.LG", "stat.ML")


def make_arxiv(rng: random.Random, papers: Papers, start: date, days: int) -> ArxivSite:
    """Announcements from three days before the start on, some late, some never, some huge."""
    rows: dict[tuple[str, date], list[Row]] = {}
    opens, stale = {}, set()
    holidays = {start + rng.randrange(3, days) * DAY for _ in range(2)}
    crossed: list[WorldPaper] = []
    known: list[WorldPaper] = []
    for number in range(-3, days):
        day = start + number * DAY
        if day.weekday() > 4 or day in holidays:
            continue
        fresh = [papers.make(arxiv_on=day) for _ in range(rng.randrange(4, 10))]
        both = [paper for paper in fresh if rng.random() < 0.2]
        old = rng.sample(known, min(3, len(known)))
        replaced = [Row(paper, "replace", 2, ("cs.CL",)) for paper in old]
        if rng.random() < 0.1 and number > 2:  # so many replacements that the list is cut
            many = (papers.make(arxiv_on=day - 200 * DAY) for _ in range(CUT))
            replaced += [Row(paper, "replace", 2, ("cs.CL",)) for paper in many]
        rows["cs", day] = [
            *replaced,
            *(Row(p, "new", 1, (rng.choice(ARXIV_CATEGORIES[:2]),)) for p in fresh),
        ]
        alone = [papers.make(arxiv_on=day) for _ in range(rng.randrange(1, 4))]
        rows["stat", day] = [
            *(Row(p, "cross", 1, ("stat.ML",)) for p in (*both, *crossed)),
            *(Row(p, "new", 1, ("stat.ML",)) for p in alone),
        ]
        crossed = rng.sample(known[-9:], min(1, len(known)))  # cross-listed later
        known += fresh
        midnight = datetime.combine(day, time(), NEW_YORK).astimezone(UTC)
        for archive in ("cs", "stat"):
            late = rng.choices((0.1, 0.6, 4, 9, 11, 15), (10, 10, 1, 1, 1, 1))[0]
            opens[archive, day] = midnight + (late * HOUR if number > 2 else 0.1 * HOUR)
            if rng.random() < 0.5:
                stale.add((archive, day))
    troubles = draw_troubles(rng, start, days, ("503", "502", "429", "reset", "half"), 0.2)
    return ArxivSite("arXiv", rows, opens, frozenset(stale), troubles)


@dataclass
class HuggingFaceSite:
    """Daily Papers: lists by UTC date to which papers are added for hours and days."""

    name: str
    added: Mapping[date, Sequence[tuple[datetime, WorldPaper]]]
    troubles: Sequence[Trouble] = ()

    def answer(self, path: str, query: Mapping[str, str], now: datetime) -> Page:
        del path
        day = date.fromisoformat(query["date"])
        if day > now.date():
            return 400, {}, b'{"error":"Invalid date"}'
        shown = [paper for at, paper in self.added.get(day, ()) if at <= now]
        page, limit = int(query.get("p", "0")), int(query.get("limit", "50"))
        entries = [
            {"paper": {"id": p.arxiv, "title": p.title, "summary": p.abstract, "upvotes": 3}}
            for p in shown[page * limit : (page + 1) * limit]
        ]
        return 200, {"Content-Type": "application/json"}, json.dumps(entries).encode()

    def listed(self) -> Iterator[Listed]:
        seen = set()
        for day, added in sorted(self.added.items()):
            for at, paper in added:
                if paper.word not in seen:
                    seen.add(paper.word)
                    yield Listed(self.name, "", paper, day, at, at_utc(day) + 30 * DAY)


def make_hugging_face(
    rng: random.Random, papers: Papers, start: date, days: int, known: Sequence[WorldPaper]
) -> HuggingFaceSite:
    """Lists on weekdays: papers of arXiv, others, and some that come again days later."""
    added: dict[date, list[tuple[datetime, WorldPaper]]] = {}
    earlier: list[WorldPaper] = []
    for number in range(-4, days):
        day = start + number * DAY
        if day.weekday() > 4:
            continue
        chosen = [papers.make(arxiv_on=day) for _ in range(rng.randrange(2, 6))]
        month = f"{day - 2 * DAY:%y%m}"
        recent = [p for p in known if p.arxiv.startswith(month)]
        chosen += rng.sample(recent, min(2, len(recent)))
        chosen += rng.sample(earlier, min(1, len(earlier)))  # reposted
        hours = sorted(rng.choice((3, 5, 8, 12, 20, 27, 50)) + rng.random() for _ in chosen)
        added[day] = [
            (at_utc(day) + hour * HOUR, paper) for hour, paper in zip(hours, chosen, strict=True)
        ]
        earlier += chosen
    troubles = draw_troubles(rng, start, days, ("503", "500", "429", "html", "half", "empty"), 0.2)
    return HuggingFaceSite("Hugging Face", added, troubles)


@dataclass
class World:
    """All sites by host, the papers, and the requests that were answered wrongly."""

    seed: int
    start: date
    days: int
    sites: Mapping[str, Site]
    papers: Papers
    log: list[str] = field(default_factory=list)
    asked: dict[str, int] = field(default_factory=dict)

    def answer(self, host: str, path: str, query: Mapping[str, str], now: datetime) -> Page | None:
        """What a host answers now; None: it cuts the connection."""
        site = self.sites[host]
        page = site.answer(path, query, now)
        kind = next((one.kind for one in site.troubles if one.begins <= now < one.ends), "")
        count = self.asked[host] = self.asked.get(host, 0) + 1
        if not kind and chance(self.seed, host, count) < 0.02 and now > at_utc(self.start) + DAY:
            kind = "502" if count % 2 else "half"
        if kind:
            self.log.append(f"{now:%m-%d %H:%M} {host}{path} {dict(query) or ''}: {kind}")
            return spoil(kind, page, now)
        return page
