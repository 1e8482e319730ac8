"""Reads Daily Papers pages saved as text: titles, abstracts, and on some pages three more lines.

The form of a line says what it is, not its place: an abstract is long or ends a sentence. If that
is in doubt, the page is refused, and the error names the line: no title gets another paper's
abstract. A line that stands twice in a row is read once.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

from newsletter.errors import SourceError
from newsletter.model import FILES, Calendar, Item, Listing, ListRequest
from newsletter.text import clean, fold

_MONTHS = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
_DATE = re.compile(
    rf"(?P<day>(?:{_MONTHS})[a-z]{{0,6}} \d{{1,2}})"
    r"(?:, (?P<year>\d{4}))?(?: (?P<comments>\d+))?"
)
_AUTHORS = re.compile(r"•\s*(\d+)\s+authors?")
_DOT = "·"
_PROSE = re.compile(r".{201,}|.*[.…][)\]\"'”]*")  # recorded titles have up to 165 letters
_TITLE_WORDS = 3
"""A line of fewer words, without an abstract, may be a button rather than a title."""

_NO_PAPER = re.compile(
    r"new|get trending papers in your email inbox!?|subscribe|(?:daily|trending) papers|papers"
    r"|by ?ak and the research community|log ?in|sign up|daily|weekly|monthly|previous|next"
    r"|(?:view|load|show) (?:all|more)|system theme|company|tos|terms(?: of (?:service|use))?"
    r"|privacy(?: policy)?|about(?: us)?|careers|jobs|contact|website|models|datasets|spaces"
    r"|pricing|docs|blog|community|©.*|submitted by.*|upvotes?"
    r"|\d+(?: (?:comments?|replies|upvotes?))?",
    re.IGNORECASE,
)
"""Lines of the page's head and foot."""

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
        SourceError: the page has no day, breaks off within a paper, or has a line whose place is in
            doubt.
    """
    lines = [(at, clean(line)) for at, line in enumerate(re.split(r"\r\n?|\n", text), 1)]
    lines = [(at, line) for at, line in lines if line and not _NO_PAPER.fullmatch(line)]
    head = next((place for place, (_, line) in enumerate(lines) if _DATE.fullmatch(line)), None)
    if head is None or lines[head - 1][1] == _DOT:  # the date of a paper is not the page's
        raise SourceError(f"{file}:1: no day like “Mar 14” above the papers; save the whole page")
    body = [line for last, line in pairwise(lines[head:]) if line[1] != last[1]]
    listed_on = _page_day(lines[head][1], issue, [line for _, line in body])
    return listed_on, tuple(_items(body, listed_on.year, file))


def _page_day(head: str, issue: date, lines: Sequence[str]) -> date:
    """The newest day of that name that is not after the issue nor before a full date below."""
    if (day := _full_date(head)) is not None:
        return day
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
        month, day = line.split()[:2]
        return datetime.strptime(f"{month[:3]} {day} {year}", "%b %d %Y").replace(tzinfo=UTC).date()
    except ValueError:
        return None


def _items(lines: Sequence[tuple[int, str]], year: int, file: str) -> Iterator[Item]:
    """The papers: title, mostly an abstract, and on some pages authors, a dot, and a date."""
    place, detailed = 0, True
    while place < len(lines):
        at, title = lines[place]
        if not _is_title(title):
            raise SourceError(f"{file}:{at}: a title should stand here, not {title[:60]!r}")
        rest = [line for _, line in lines[place + 1 : place + 5]]
        abstract = rest[0] if rest and _PROSE.fullmatch(rest[0]) else ""
        details = _details(rest[bool(abstract) :], year)
        if not abstract and not (detailed and _counted(details)) and not _is_alone(title, rest):
            raise SourceError(
                f"{file}:{at}: no abstract follows {title[:60]!r}; if it is a title, add the"
                " abstract below it, else delete the line"
            )
        yield replace(details or Item(title), title=title, abstract=abstract)
        place += 1 + bool(abstract) + 3 * (details is not None)
        detailed = details is not None


def _is_title(line: str) -> bool:
    return line != _DOT and not any(form.fullmatch(line) for form in (_PROSE, _AUTHORS, _DATE))


def _counted(details: Item | None) -> bool:
    return details is not None and details.author_count is not None


def _is_alone(title: str, rest: Sequence[str]) -> bool:
    """Whether a title surely has no abstract: the next abstract is that of the next title.

    Most words of a title are in its abstract. Unless the next title has twice as large a share of
    its words there as this one, the next line may be no title.
    """
    match rest if len(title.split()) >= _TITLE_WORDS else ():
        case [other, abstract, *_] if _is_title(other) and _PROSE.fullmatch(abstract):
            return _share(other, abstract) > 2 * _share(title, abstract)
    return False


def _share(title: str, abstract: str) -> float:
    """The share of a title's numbers and longer words that its abstract has."""
    words, found = (set(re.findall(r"\d+|\w{4,}", fold(text))) for text in (title, abstract))
    return len(words & found) / max(1, len(words))


def _details(lines: Sequence[str], year: int) -> Item | None:
    """What three lines below a paper say: a number of authors or an organization, and a date."""
    match lines[:3]:
        case [who, dot, when] if dot == _DOT and (date_line := _DATE.fullmatch(when)):
            return _item(who, date_line, year)
    return None


def _item(who: str, when: re.Match[str], year: int) -> Item:
    authors, comments = _AUTHORS.fullmatch(who), when["comments"]
    return Item(
        title="",
        author_count=None if authors is None else int(authors[1]),
        organization=who if authors is None else None,
        published=_date_in(when["day"], int(when["year"] or year)),
        comments=None if comments is None else int(comments),
    )
