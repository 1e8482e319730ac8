"""Daily Papers pages saved as text: titles and abstracts, and on some the lines about them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from newsletter.errors import SourceError
from newsletter.model import Item, Listing
from newsletter.sources.saved_files import matching
from newsletter.text import clean

_DATE = re.compile(r"(?P<day>[A-Z][a-z]{2} \d{1,2})(?:, (?P<year>\d{4}))?(?: (?P<comments>\d+))?")
_AUTHORS = re.compile(r"•\s*(\d+)\s+authors?")
_DOT = "·"

LEAP_YEARS_APART = 8
"""Years within which every date occurs, 29 February around 1900 and 2100 included."""


@dataclass(frozen=True, slots=True)
class Page:
    """The pages at a path or pattern (``saved/*.txt``), each of them one day's list."""

    name: str
    path: Path

    @property
    def daily(self) -> bool:
        """Somebody has to save a page."""
        return False

    async def fetch(self, day: date) -> tuple[Listing, ...]:
        """Every page that is there, each as a listing of its own.

        Raises:
            SourceError: there is none, or one that cannot be read, with file and line.
        """
        return tuple(self._listing(file, day) for file in matching(self.path))

    def _listing(self, file: Path, day: date) -> Listing:
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SourceError(f"{file}: cannot be read as UTF-8 text: {error}") from error
        listed_on, items = parse(text, day, str(file))
        return Listing(self.name, listed_on, items)


def parse(text: str, issue: date, file: str = "page") -> tuple[date, tuple[Item, ...]]:
    """The day of a saved page, and its papers.

    Args:
        text: the page.
        issue: the issue's day; the page's day, written without a year, is not after it.
        file: the page's name, for errors.

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
    full = [found for line in lines if (found := _full_date(line)) is not None]
    around = range(issue.year + LEAP_YEARS_APART, issue.year - LEAP_YEARS_APART - 1, -1)
    days = [day for year in around if (day := _on(head, year)) is not None]
    possible = [day for day in days if not full or day >= max(full)] or days
    return next((day for day in possible if day <= issue), possible[-1])


def _full_date(line: str) -> date | None:
    match = _DATE.fullmatch(line)
    return _on(match["day"], int(match["year"])) if match is not None and match["year"] else None


def _on(day: str, year: int) -> date | None:
    try:
        return datetime.strptime(f"{day[:6]} {year}", "%b %d %Y").replace(tzinfo=UTC).date()
    except ValueError:
        return None


def _items(lines: Sequence[tuple[int, str]], year: int, file: str) -> Iterator[Item]:
    """Each paper: its title, its abstract, and on some pages who, a dot, and when."""
    place = 0
    while place < len(lines):
        at, title = lines[place]
        if title == _DOT or _AUTHORS.fullmatch(title) or _DATE.fullmatch(title):
            raise SourceError(f"{file}:{at}: a title should stand here, not {title[:60]!r}")
        if place + 1 == len(lines):
            raise SourceError(f"{file}:{at}: the page ends after the title {title[:60]!r}")
        abstract = lines[place + 1][1]
        place += 2
        about = [line for _, line in lines[place : place + 3]]
        if _is_about(about):
            yield _item(title, abstract, about, year)
            place += 3
        else:
            yield Item(title=title, abstract=abstract)


def _is_about(lines: Sequence[str]) -> bool:
    """Whether these are the lines about a paper: authors or organisation, a dot, a date."""
    return len(lines) == 3 and lines[1] == _DOT and _DATE.fullmatch(lines[2]) is not None  # noqa: PLR2004 - those three


def _item(title: str, abstract: str, about: Sequence[str], year: int) -> Item:
    who, _, when = about
    authors, found = _AUTHORS.fullmatch(who), _DATE.fullmatch(when)
    assert found is not None
    comments = found["comments"]
    return Item(
        title=title,
        abstract=abstract,
        author_count=None if authors is None else int(authors[1]),
        organization=who if authors is None else None,
        published=_on(found["day"], int(found["year"] or year)),
        comments=None if comments is None else int(comments),
    )
