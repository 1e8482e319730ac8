"""Reads Daily Papers pages saved as text: titles, abstracts, and on some pages three more lines."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import ClassVar

from newsletter.errors import SourceError
from newsletter.model import FILES, Calendar, Item, Listing, ListRequest
from newsletter.text import clean

_DATE = re.compile(r"(?P<day>[A-Z][a-z]{2} \d{1,2})(?:, (?P<year>\d{4}))?(?: (?P<comments>\d+))?")
_AUTHORS = re.compile(r"•\s*(\d+)\s+authors?")
_DOT = "·"

_YEARS = 8  # within so many years every date occurs, even 29 February around 1900 and 2100


@dataclass(frozen=True, slots=True)
class SavedPages:
    """The pages at a path or pattern (``saved/*.txt``); each page is one day's list."""

    calendar: ClassVar[Calendar] = FILES
    parts: ClassVar[tuple[str, ...]] = ("",)

    name: str
    path: Path

    async def read(self, request: ListRequest) -> tuple[Listing, ...]:
        """Every page, each as a listing of its own."""
        return tuple(self._listing(file, request.day) for file in saved_files(self.path))

    def _listing(self, file: Path, day: date) -> Listing:
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SourceError(f"{file}: cannot be read as UTF-8 text: {error}") from error
        listed_on, items = parse(text, day, str(file))
        return Listing(self.name, listed_on, items)


def saved_files(pattern: Path) -> list[Path]:
    """The files that an absolute path or pattern (``/srv/saved/*.txt``) names, sorted by name.

    Raises:
        SourceError: there is no file.
    """
    files = sorted(Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor))))
    if not files:
        raise SourceError(f"{pattern}: no file is there; check the source's path")
    return files


def parse(text: str, issue: date, file: str = "page") -> tuple[date, tuple[Item, ...]]:
    """The day of a saved page, which has no year and is not after the issue's day; its papers.

    Raises:
        SourceError: the page has no day, or breaks off within a paper.
    """
    lines = [(at, clean(line)) for at, line in enumerate(re.split(r"\r\n?|\n", text), 1)]
    lines = [(at, line) for at, line in lines if line]
    head = next((place for place, (_, line) in enumerate(lines) if _DATE.fullmatch(line)), None)
    if head is None:
        raise SourceError(f"{file}:1: no day like “Mar 14” above the papers; save the whole page")
    body = lines[head + 1 :]
    listed_on = _page_day(lines[head][1], issue, [line for _, line in body])
    return listed_on, tuple(_items(body, listed_on.year, file))


def _page_day(head: str, issue: date, lines: Sequence[str]) -> date:
    """The newest day of that name that is not after the issue nor before a full date below."""
    full = [day for line in lines if (day := _full_date(line)) is not None]
    years = range(issue.year + _YEARS, issue.year - _YEARS - 1, -1)
    days = [day for year in years if (day := _date_in(head, year)) is not None]
    possible = [day for day in days if not full or day >= max(full)] or days
    return next((day for day in possible if day <= issue), possible[-1])


def _full_date(line: str) -> date | None:
    match = _DATE.fullmatch(line)
    return _date_in(match["day"], int(match["year"])) if match and match["year"] else None


def _date_in(line: str, year: int) -> date | None:
    """The date that a line like ``Mar 14`` begins with, in this year; None if it has none."""
    try:
        return datetime.strptime(f"{line[:6]} {year}", "%b %d %Y").replace(tzinfo=UTC).date()
    except ValueError:
        return None


def _items(lines: Sequence[tuple[int, str]], year: int, file: str) -> Iterator[Item]:
    """The papers: title, abstract, and on some pages authors, a dot, and a date."""
    place = 0
    while place < len(lines):
        at, title = lines[place]
        if title == _DOT or _AUTHORS.fullmatch(title) or _DATE.fullmatch(title):
            raise SourceError(f"{file}:{at}: a title should stand here, not {title[:60]!r}")
        if place + 1 == len(lines):
            raise SourceError(f"{file}:{at}: the page ends after the title {title[:60]!r}")
        abstract = lines[place + 1][1]
        place += 2
        match [line for _, line in lines[place : place + 3]]:
            case [who, dot, when] if dot == _DOT and (date_line := _DATE.fullmatch(when)):
                yield _item(title, abstract, who, date_line, year)
                place += 3
            case _:
                yield Item(title=title, abstract=abstract)


def _item(title: str, abstract: str, who: str, when: re.Match[str], year: int) -> Item:
    """A paper with its three lines; ``who`` is a number of authors, or an organization."""
    authors, comments = _AUTHORS.fullmatch(who), when["comments"]
    return Item(
        title=title,
        abstract=abstract,
        author_count=None if authors is None else int(authors[1]),
        organization=who if authors is None else None,
        published=_date_in(when["day"], int(when["year"] or year)),
        comments=None if comments is None else int(comments),
    )
