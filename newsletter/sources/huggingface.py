"""Reads Hugging Face Daily Papers, from JSON of every era since 2024."""

import ast
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, ClassVar

from newsletter.errors import SourceError
from newsletter.model import DATED, Calendar, Item, Listing, ListRequest
from newsletter.papers.names import parse_arxiv_id
from newsletter.sources.answers import as_date, as_text, load_json, texts, unknown_shape
from newsletter.sources.entries import Reading, keywords
from newsletter.sources.http_client import SourceClient
from newsletter.sources.saved_pages import saved_files
from newsletter.text import clean, http_url

PAGE_SIZE = 100  # items of a page; without a limit the API silently cuts a long day

DEFAULT_SIZE = 50  # items of a page without a limit; one of this size may be cut

MAX_PAGES = 20

_MAX_MEDIA = 20  # addresses of one paper

_NO_LIST_YET = frozenset({400})  # the API's status for a day in the future


@dataclass(frozen=True, slots=True)
class HuggingFace:
    """Daily Papers from the API, or from saved answers if ``path`` names a file or a pattern."""

    parts: ClassVar[tuple[str, ...]] = ("",)

    name: str
    client: SourceClient
    url: str = "https://huggingface.co"
    path: Path | None = None

    calendar: ClassVar[Calendar] = DATED

    async def read(self, request: ListRequest) -> tuple[Listing, ...]:
        """The list of one date, which may be any."""
        day, reading = request.day, Reading(self.name)
        items: dict[str, Item] = {}
        missing = ""
        try:
            if self.path is not None:
                items |= _by_id(_saved_items(self.path, day, reading))
            else:
                # Only a date that has not begun has no list yet.
                begun = day <= self.calendar.today(request.as_of)
                await self._read_pages(day, reading, items, () if begun else _NO_LIST_YET)
        except SourceError as error:
            if not items:
                raise
            missing = str(error)
        listed = tuple(items.values())
        unreadable = reading.unreadable
        return (Listing(self.name, day, listed, missing=missing, unreadable=unreadable),)

    async def _read_pages(
        self, day: date, reading: Reading, items: dict[str, Item], no_list: Collection[int]
    ) -> None:
        """Add the papers of a day, page by page; if a page fails, those before it are there."""
        for page in range(MAX_PAGES):
            url = f"{self.url.rstrip('/')}/api/daily_papers?date={day}&limit={PAGE_SIZE}&p={page}"
            known = len(items)
            async with self.client.answer(url, expect=no_list) as answer:
                if answer.status in no_list:
                    return
                entries = _entries(answer.body, url)
                items |= _by_id(_items(entries, reading.at(url)))
            if len(entries) % DEFAULT_SIZE or len(items) == known:
                return


def _by_id(items: Iterable[Item]) -> dict[str, Item]:
    return {item.ids[0]: item for item in items}


def _saved_items(pattern: Path, day: date, reading: Reading) -> Iterator[Item]:
    """The items of saved answers that were listed on this day, or do not say when."""
    for file in saved_files(pattern):
        entries = _entries(file.read_bytes(), str(file))
        listed = [entry for entry in entries if _listed_on(entry) in {day, None}]
        yield from _items(listed, reading.at(str(file)))


def parse(body: bytes, origin: str) -> tuple[Item, ...]:
    """The papers in an answer of the API; ``origin`` is its address or file, for errors.

    Raises:
        SourceError: the body is not a list of papers.
    """
    return tuple(_items(_entries(body, origin), Reading(origin)))


def _items(entries: Sequence[object], reading: Reading) -> Iterator[Item]:
    """The entries as items; those without id or title are logged and left out."""
    return reading.items(entries, _item)


def _entries(body: bytes, origin: str) -> list[object]:
    answer = load_json(body, origin)
    if isinstance(answer, Mapping) and isinstance(answer.get("data"), list):
        answer = answer["data"]
    if not isinstance(answer, list):
        raise unknown_shape(origin, answer)
    return [_literal(entry) if isinstance(entry, str) else entry for entry in answer]


def _literal(entry: str) -> object:
    """An entry that an archive holds as a string of JSON or Python; itself if it is neither."""
    for read in (json.loads, ast.literal_eval):
        with suppress(ValueError, SyntaxError, MemoryError, RecursionError):
            return read(entry)
    return entry


def _item(entry: object) -> Item | None:
    paper = _paper(entry)
    if not isinstance(entry, Mapping) or not paper.get("id") or not _title(entry):
        return None
    number, version = parse_arxiv_id(str(paper["id"])) or (clean(str(paper["id"])), None)
    page = http_url(f"https://huggingface.co/papers/{number}")
    on_arxiv = parse_arxiv_id(number) is not None
    code, project = (
        http_url(as_text(paper.get(key)) or None) for key in ("githubRepo", "projectPage")
    )
    abstract = clean(as_text(paper.get("summary") or entry.get("summary")))
    brief = clean(as_text(paper.get("ai_summary")))
    return Item(
        title=_title(entry),
        abstract=abstract,
        ids=(number,),
        url=http_url(f"https://arxiv.org/abs/{number}") if on_arxiv else page,
        pdf=http_url(f"https://arxiv.org/pdf/{number}") if on_arxiv else None,
        code=code,
        code_stars=_count(paper.get("githubStars")),
        project=None if project == paper.get("githubRepo") else project,
        discussion=page,
        authors=tuple(_authors(paper.get("authors"))),
        organization=_full_name(paper.get("organization")) or _full_name(entry.get("organization")),
        published=as_date(paper.get("publishedAt")),
        upvotes=_count(paper.get("upvotes")),
        comments=_count(entry.get("numComments")),
        version=version,
        brief="" if brief in abstract else brief,  # some are the abstract's own first sentences
        keywords=keywords(texts(paper.get("ai_keywords"))),
        submitter=_full_name(entry.get("submittedBy"))
        or _full_name(paper.get("submittedOnDailyBy")),
        author_answers=entry.get("isAuthorParticipating") is True,
        **_pictures(entry),
    )


def _paper(entry: Any) -> Mapping[str, Any]:  # noqa: ANN401 - any JSON
    paper = entry.get("paper") if isinstance(entry, Mapping) else None
    return paper if isinstance(paper, Mapping) else {}


def _title(entry: Mapping[str, Any]) -> str:
    return clean(as_text(_paper(entry).get("title") or entry.get("title")))


def _authors(authors: object) -> Iterator[str]:
    """The authors' names, without those that the site hides."""
    for author in authors if isinstance(authors, Sequence) else ():
        if isinstance(author, Mapping) and not author.get("hidden"):
            name = clean(as_text(author.get("name")))
            if name:
                yield name


def _pictures(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Media and thumbnail; until October 2024 the thumbnail was called ``mediaUrl``."""
    media = texts(entry.get("mediaUrls")) or texts(_paper(entry).get("mediaUrls"))
    addresses = dict.fromkeys(filter(None, map(http_url, media)))
    thumbnail = http_url(as_text(entry.get("thumbnail"))) or http_url(
        as_text(entry.get("mediaUrl"))
    )
    return {"media": tuple(addresses)[:_MAX_MEDIA], "thumbnail": thumbnail}


def _full_name(value: object) -> str | None:
    """The name of a person or an organisation."""
    if not isinstance(value, Mapping):
        return None
    return clean(as_text(value.get("fullname") or value.get("name"))) or None


def _listed_on(entry: object) -> date | None:
    """The day on which an entry was listed; in older answers, the day it was published."""
    if not isinstance(entry, Mapping):
        return None
    return as_date(_paper(entry).get("submittedOnDailyAt") or entry.get("publishedAt"))


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
