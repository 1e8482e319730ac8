"""Hugging Face Daily Papers, as JSON of every era since 2024."""

import ast
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from newsletter.errors import SourceError
from newsletter.model import Item, Listing
from newsletter.papers.identity import parse_arxiv_id
from newsletter.sources.http import Client
from newsletter.sources.options import Options
from newsletter.sources.saved_files import matching
from newsletter.text import clean, http_url

logger = logging.getLogger(__name__)

PAGE = 100
"""Items a page; the API's own default truncates a long day in silence."""

BACK = 3
"""Days behind the issue's own that are read again: a day's list fills over hours."""

MAX_PAGES = 20

_NO_LIST = frozenset({400})
"""What the API answers for a day that has not come."""


@dataclass(frozen=True, slots=True)
class HuggingFace:
    """Daily Papers from the API, or from saved answers where ``path`` is a file or pattern."""

    name: str
    client: Client
    options: Options
    url: str = "https://huggingface.co"
    path: Path | None = None

    @property
    def daily(self) -> bool:
        """There is a list every working day."""
        return True

    async def fetch(self, day: date) -> tuple[Listing, ...]:
        """The lists of ``day`` and of the three days before.

        The current one is the day's own or, where that has nothing yet, the newest that has.

        Raises:
            SourceError: the API did not answer with a list.
        """
        days = [day - timedelta(days=back) for back in range(BACK + 1)]
        found = [(each, await self._list(each)) for each in days]
        current = next((each for each, items in found if items), day)
        return tuple(Listing(self.name, each, items, past=each != current) for each, items in found)

    async def _list(self, day: date) -> tuple[Item, ...]:
        return self._saved(day) if self.path is not None else await self._asked(day)

    async def _asked(self, day: date) -> tuple[Item, ...]:
        items: dict[str, Item] = {}
        for page in range(MAX_PAGES):
            url = f"{self.url.rstrip('/')}/api/daily_papers?date={day}&limit={PAGE}&p={page}"
            answer = await self.options.get(self.client, url, expect=_NO_LIST)
            if answer.status in _NO_LIST:
                break
            entries = _entries(answer.body, url)
            known = len(items)
            items |= {item.ids[0]: item for item in _items(entries, url)}
            if len(entries) < PAGE or len(items) == known:
                break
        return tuple(items.values())

    def _saved(self, day: date) -> tuple[Item, ...]:
        """The items of saved answers that were on the list of ``day``."""
        assert self.path is not None
        return tuple(
            item
            for file in matching(self.path)
            for item in _items(
                [e for e in _entries(file.read_bytes(), str(file)) if _listed_on(e) == day],
                str(file),
            )
        )


def parse(body: bytes, origin: str) -> tuple[Item, ...]:
    """The papers in an answer of the API.

    Args:
        body: the answer.
        origin: where it came from, for errors.

    Raises:
        SourceError: it is no list of papers.
    """
    return tuple(_items(_entries(body, origin), origin))


def _items(entries: Sequence[object], origin: str) -> Iterator[Item]:
    """The entries that can be read; the others are named in the log."""
    for place, entry in enumerate(entries, 1):
        if isinstance(entry, Mapping) and _paper(entry).get("id") and _title(entry):
            yield _item(entry)
        else:
            logger.warning("%s: entry %d has no id or no title; it is left out", origin, place)


def _entries(body: bytes, origin: str) -> list[object]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        words = " ".join(body[:80].decode("utf-8", "replace").split())
        raise SourceError(f"{origin}: not JSON but {words!r}") from error
    if isinstance(found, Mapping) and isinstance(found.get("data"), list):
        found = [_literal(entry, origin) for entry in found["data"]]
    if not isinstance(found, list):
        raise SourceError(f"{origin}: no list of papers but {str(found)[:80]}")
    return found


def _literal(entry: Any, origin: str) -> Any:  # noqa: ANN401 - any JSON
    """An entry that some archives hold as Python wrote it."""
    if not isinstance(entry, str):
        return entry
    try:
        return ast.literal_eval(entry)
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise SourceError(f"{origin}: an entry that cannot be read: {entry[:80]!r}") from error


def _item(entry: Mapping[str, Any]) -> Item:
    paper = _paper(entry)
    number, version = parse_arxiv_id(str(paper["id"])) or (clean(str(paper["id"])), None)
    page = http_url(f"https://huggingface.co/papers/{number}")
    on_arxiv = parse_arxiv_id(number) is not None
    return Item(
        title=_title(entry),
        abstract=clean(_text(paper.get("summary") or entry.get("summary"))),
        ids=(number,),
        url=http_url(f"https://arxiv.org/abs/{number}") if on_arxiv else page,
        pdf=http_url(f"https://arxiv.org/pdf/{number}") if on_arxiv else None,
        code=http_url(_text(paper.get("githubRepo")) or None),
        code_stars=_count(paper.get("githubStars")),
        project=_project(paper),
        discussion=page,
        authors=tuple(_authors(paper.get("authors"))),
        organization=_organization(paper.get("organization") or entry.get("organization")),
        published=_date(paper.get("publishedAt")),
        upvotes=_count(paper.get("upvotes")),
        comments=_count(entry.get("numComments")),
        version=version,
    )


def _paper(entry: Any) -> Mapping[str, Any]:  # noqa: ANN401 - any JSON
    paper = entry.get("paper") if isinstance(entry, Mapping) else None
    return paper if isinstance(paper, Mapping) else {}


def _title(entry: Mapping[str, Any]) -> str:
    return clean(_text(_paper(entry).get("title") or entry.get("title")))


def _authors(authors: object) -> Iterator[str]:
    """The names to be shown: those hidden on the site stay hidden."""
    for author in authors if isinstance(authors, Sequence) else ():
        if isinstance(author, Mapping) and not author.get("hidden"):
            name = clean(_text(author.get("name")))
            if name:
                yield name


def _project(paper: Mapping[str, Any]) -> str | None:
    """The project's page, unless it is the repository once more."""
    page, code = http_url(_text(paper.get("projectPage")) or None), paper.get("githubRepo")
    return None if page == code else page


def _organization(value: object) -> str | None:
    if not isinstance(value, Mapping):
        return None
    return clean(_text(value.get("fullname") or value.get("name"))) or None


def _listed_on(entry: object) -> date | None:
    """The day an entry was put on the list, where its era says so, else when it came out."""
    if not isinstance(entry, Mapping):
        return None
    return _date(_paper(entry).get("submittedOnDailyAt") or entry.get("publishedAt"))


def _date(value: object) -> date | None:
    try:
        return date.fromisoformat(_text(value)[:10])
    except ValueError:
        return None


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
