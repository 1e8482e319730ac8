"""The feeds of the simulated world: one habit each of those that real feeds have."""

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Literal
from xml.sax.saxutils import escape, quoteattr
from zlib import crc32

from tests.faults.world_papers import (
    DAY,
    HOUR,
    Listed,
    Page,
    Papers,
    Trouble,
    WorldPaper,
    at_utc,
    draw_troubles,
)

NAMESPACES = (
    'xmlns:prism="http://prismstandard.org/namespaces/basic/2.0/" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/"'
)


@dataclass(frozen=True, slots=True)
class Habit:
    """How a feed writes its entries and how often.

    Attributes:
        doi: where it writes DOIs: ``prism``, ``identifier``, ``guid``, ``link``; empty: nowhere.
        dated: the date it writes: that of the entry, none, one of days before, one of weeks ahead.
        keep: how many entries it has.
        burst: how many entries come at once.
        every: days between two bursts, on average.
        revises: how many entries come again as another version.
        trouble: how it fails at times; ``often`` is the share of days on which it does.
    """

    name: str
    form: Literal["rss", "rdf", "atom", "json"] = "rss"
    guid: Literal["own", "none", "shared", "versioned"] = "own"
    link: Literal["plain", "token", "tracking", "volatile", "shared", "arxiv"] = "plain"
    doi: Literal["", "prism", "identifier", "guid", "link"] = ""
    dated: Literal["day", "none", "late", "ahead"] = "day"
    abstracts: bool = True
    keep: int = 12
    burst: int = 1
    every: float = 1.0
    revises: float = 0.0
    retitles: bool = False
    moves: bool = False
    archive: bool = False
    trouble: str = ""
    often: float = 0.1


HABITS = (
    Habit("plain"),
    Habit("shared guid", guid="shared"),
    Habit("links with tokens", link="token", guid="none"),
    Habit("links with tracking", link="tracking", guid="none", form="atom"),
    Habit("shared link", link="shared", guid="none"),
    Habit("shared link and guid", link="shared", guid="shared"),
    Habit("volatile links, DOI in prism", link="volatile", guid="none", doi="prism"),
    Habit("DOI as identifier", form="rdf", guid="none", doi="identifier", link="volatile"),
    Habit("DOI as guid", doi="guid", guid="none", link="token"),
    Habit("preprints", doi="link", guid="none", form="rdf", revises=0.3),
    Habit("versioned guids", guid="versioned", revises=0.3),
    Habit("edited titles", revises=0.3, retitles=True, form="atom"),
    Habit("moved site", moves=True),
    Habit("moved site, JSON", moves=True, form="json", guid="none"),
    Habit("half answers", trouble="half", often=0.3),
    Habit("too many requests", trouble="429", often=0.4),
    Habit("bad gateway", trouble="502", often=0.3, form="atom"),
    Habit("login page", trouble="html", often=0.2),
    Habit("empty at times", trouble="empty", often=0.3),
    Habit("falls out, empty at times", keep=4, burst=2, trouble="empty", often=0.3),
    Habit("resets", trouble="reset", often=0.2, form="json"),
    Habit("falls out", keep=3, burst=3, every=1.5),
    Habit("falls out, undated", keep=3, burst=3, every=1.5, dated="none"),
    Habit("undated", dated="none"),
    Habit("undated, no guid", dated="none", guid="none", form="json"),
    Habit("repeats its archive", archive=True),
    Habit("repeats its archive, undated", archive=True, dated="none", link="shared"),
    Habit("dates of days ago", dated="late"),
    Habit("dates of weeks ahead", dated="ahead", doi="prism"),
    Habit("titles only", abstracts=False),
    Habit("issue at once", burst=8, every=6.0, keep=8, doi="prism", link="shared"),
    Habit("arXiv's papers", link="arxiv", guid="none"),
)


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry that a feed shows from ``at`` on."""

    at: datetime
    number: int
    paper: WorldPaper
    version: int = 1


@dataclass
class FeedSite:
    """One feed on a host of its own."""

    name: str
    host: str
    habit: Habit
    entries: Sequence[Entry]
    moves_at: datetime
    archive_at: datetime
    troubles: Sequence[Trouble] = ()

    def shown(self, now: datetime) -> list[Entry]:
        """The entries at an instant, newest first."""
        published = [entry for entry in self.entries if entry.at <= now]
        if self.habit.retitles:  # the edited entry takes the place of the first one
            published = list({entry.number: entry for entry in published}.values())
            published.sort(key=lambda entry: entry.at)
        repeats = self.habit.archive and self.archive_at <= now < self.archive_at + 6 * HOUR
        return published[::-1][: None if repeats else self.habit.keep]

    def answer(self, path: str, query: Mapping[str, str], now: datetime) -> Page:
        del path, query
        write = _write_json if self.habit.form == "json" else _write_xml
        body = write(self, self.shown(now), now)
        kind = "application/feed+json" if self.habit.form == "json" else "application/xml"
        return 200, {"Content-Type": kind, "ETag": f'"{crc32(body):x}"'}, body

    def listed(self) -> Iterator[Listed]:
        seen = set()
        for place, entry in enumerate(self.entries):
            if entry.paper.word in seen:
                continue
            seen.add(entry.paper.word)
            after = self.entries[place + self.habit.keep :]
            until = after[0].at if after else entry.at + 365 * DAY
            yield Listed(self.name, "", entry.paper, entry.at.date(), entry.at, until)

    def address(self, entry: Entry, now: datetime) -> str:
        """An entry's link at an instant."""
        site = f"https://new.{self.host}" if self.habit.moves and now >= self.moves_at else ""
        site = site or f"https://{self.host}"
        hour, number = int(now.timestamp()) // 14400, entry.number
        version = f"v{entry.version}" if self.habit.guid == "versioned" else ""
        if self.habit.doi == "link":
            return f"https://doi.org/{entry.paper.doi}-v{entry.version}"
        return {
            "plain": f"{site}/article/{number}{version}",
            "token": f"{site}/article/{number}?sessionid={hour}",
            "tracking": f"{site}/article/{number}?utm_source=rss{hour}#top",
            "volatile": f"{site}/r/{hour}/{number}",
            "shared": f"{site}/toc",
            "arxiv": f"https://arxiv.org/{('abs', 'pdf')[number % 2]}/{entry.paper.arxiv}",
        }[self.habit.link]

    def guid(self, entry: Entry, now: datetime) -> str:
        """An entry's guid at an instant; empty if it has none."""
        if self.habit.doi == "guid":
            return entry.paper.doi
        old = self.habit.guid == "versioned" or not self.habit.moves or now < self.moves_at
        host = self.host if old else f"new.{self.host}"
        version = f"/v{entry.version}" if self.habit.guid == "versioned" else ""
        own = f"tag:{host}:{entry.number}{version}"
        return {"own": own, "versioned": own, "none": "", "shared": f"tag:{host}"}[self.habit.guid]

    def title(self, entry: Entry) -> str:
        """An entry's title; some feeds edit it."""
        edited = self.habit.retitles and entry.version > 1
        return f"{entry.paper.title} revisited" if edited else entry.paper.title

    def date(self, entry: Entry) -> date | None:
        """The date that an entry carries."""
        ahead = {"day": 0, "late": -5, "ahead": 20, "none": 0}[self.habit.dated]
        return None if self.habit.dated == "none" else entry.at.date() + ahead * DAY


def _write_json(site: FeedSite, entries: Sequence[Entry], now: datetime) -> bytes:
    items = [
        {
            "title": site.title(entry),
            "url": site.address(entry, now),
            "content_text": entry.paper.abstract,
            **({"id": site.guid(entry, now)} if site.guid(entry, now) else {}),
            **({"date_published": f"{day}T08:00:00Z"} if (day := site.date(entry)) else {}),
        }
        for entry in entries
    ]
    feed = {"version": "https://jsonfeed.org/version/1.1", "title": site.name, "items": items}
    return json.dumps(feed).encode()


def _write_xml(site: FeedSite, entries: Sequence[Entry], now: datetime) -> bytes:
    form = site.habit.form
    written = "\n".join(_xml_entry(site, entry, now) for entry in entries)
    title = f"<title>{site.name}</title>"
    if form == "atom":
        text = f'<feed xmlns="http://www.w3.org/2005/Atom" {NAMESPACES}>{title}{written}</feed>'
    elif form == "rdf":
        text = (
            '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
            f'xmlns="http://purl.org/rss/1.0/" {NAMESPACES}><channel>{title}</channel>{written}'
            "</rdf:RDF>"
        )
    else:
        text = f'<rss version="2.0" {NAMESPACES}><channel>{title}{written}</channel></rss>'
    return f"<?xml version='1.0' encoding='UTF-8'?>\n{text}".encode()


def _xml_entry(site: FeedSite, entry: Entry, now: datetime) -> str:
    atom, rdf = site.habit.form == "atom", site.habit.form == "rdf"
    link, guid, day = site.address(entry, now), site.guid(entry, now), site.date(entry)
    parts = [f"<title>{escape(site.title(entry))}</title>"]
    parts.append(f"<link href={quoteattr(link)}/>" if atom else f"<link>{escape(link)}</link>")
    if guid:
        parts.append(f"<id>{guid}</id>" if atom else f'<guid isPermaLink="false">{guid}</guid>')
    if site.habit.abstracts:
        tag = "summary" if atom else "description"
        parts.append(f"<{tag}>{escape(entry.paper.abstract)}</{tag}>")
    if site.habit.doi in {"prism", "identifier"}:
        tag = {"prism": "prism:doi", "identifier": "dc:identifier"}[site.habit.doi]
        parts.append(f"<{tag}>doi:{entry.paper.doi}</{tag}>")
    if day is not None:
        written = {
            "atom": f"<updated>{day}T08:00:00Z</updated>",
            "rdf": f"<dc:date>{day}</dc:date>",
        }.get(site.habit.form, f"<pubDate>{day:%a, %d %b %Y} 08:00:00 GMT</pubDate>")
        parts.append(written)
    about = f" rdf:about={quoteattr(link)}" if rdf else ""
    tag = "entry" if atom else "item"
    return f"<{tag}{about}>{''.join(parts)}</{tag}>"


def make_feed(
    rng: random.Random,
    papers: Papers,
    start: date,
    days: int,
    number: int,
    known: Sequence[WorldPaper],
) -> FeedSite:
    """The feed of this number, with its habit; the habits repeat after the last."""
    habit = HABITS[number % len(HABITS)]
    entries: list[Entry] = []
    at = at_utc(start) - 20 * habit.every * DAY
    while (at := at + rng.uniform(0.1, 1.9) * habit.every * DAY) < at_utc(start) + days * DAY:
        for _ in range(rng.randrange(1, 2 * habit.burst)):
            paper = _draw_paper(rng, papers, habit, number, at.date(), known)
            entries.append(Entry(at, len(entries), paper))
    again = [
        replace(entry, at=entry.at + rng.uniform(0.5, 9) * DAY, version=2)
        for entry in entries
        if rng.random() < habit.revises
    ]
    ends = at_utc(start) + days * DAY
    return FeedSite(
        f"Feed {number:02d} ({habit.name})",
        f"feed{number:02d}.test",
        habit,
        sorted((e for e in (*entries, *again) if e.at < ends), key=lambda entry: entry.at),
        moves_at=at_utc(start) + rng.uniform(0.3, 0.7) * days * DAY,
        archive_at=at_utc(start) + rng.uniform(0.2, 0.9) * days * DAY,
        troubles=draw_troubles(
            rng, start, days, (habit.trouble or rng.choice(("502", "503", "half")),), habit.often
        ),
    )


def _draw_paper(
    rng: random.Random,
    papers: Papers,
    habit: Habit,
    number: int,
    day: date,
    known: Sequence[WorldPaper],
) -> WorldPaper:
    if habit.link == "arxiv":
        month = f"{day - timedelta(days=3):%y%m}"
        recent = [paper for paper in known if paper.arxiv.startswith(month)]
        return rng.choice(recent) if recent else papers.make(arxiv_on=day)
    return papers.make(doi=f"10.{5000 + number}/j." if habit.doi else "")
