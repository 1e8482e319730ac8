"""Papers, dates and texts as the templates get them: formatted, ready to be shown."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from itertools import accumulate

from newsletter.letter.inbox import PREHEADER
from newsletter.model import Correction, Item, Length
from newsletter.papers.names import other_home
from newsletter.text import (
    authors_line,
    clean,
    direction,
    first_sentences,
    first_words,
    http_url,
    language,
    shorten,
    tex_to_unicode,
)

TEXT_WIDTH = 78  # columns of the text part
TITLE_LIMIT = 300  # characters of a title; the longest real ones have about 250
SHORT_LIMIT = 420  # characters of a short summary: two sentences, or what fits of them

LEAD_WORDS = (50, 70)  # fewest and most words of the abstracts that open the letter
LEAD_LIMIT = 700  # characters of those words: where words are longer, fewer are shown
FULL_LIMIT = 4000  # characters of a full abstract; real ones have up to about 2,500
NAME_LIMIT = 80  # characters of the name of an author or an organisation


def longdate(day: date) -> str:
    """A day in full: ``Monday, 3 August 2026``."""
    return f"{day:%A}, {day.day} {day:%B} {day.year}"


def printable(text: str) -> str:
    """A text without characters that cannot be printed or encoded.

    Sources clean what they read; settings, topics and addresses come here as they were typed.
    """
    return (text if text.isprintable() else clean(text)).strip()


def wrap(text: str, indent: str = "", width: int = TEXT_WIDTH) -> str:
    """A text in lines that end by column ``width``, all but the first one indented.

    The template puts something as wide as the indent before the first line. A word longer than a
    line, for example an address, has a line of its own.
    """
    lines, line, room = [], "", width - len(indent)
    for word in text.split():
        if line and len(line) + 1 + len(word) > room:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return f"\n{indent}".join([*lines, line])


FILTERS: Mapping[str, Callable[..., str]] = {
    "direction": direction,
    "language": language,
    "longdate": longdate,
    "shorten": shorten,
    "wrap": wrap,
}
"""The filters that templates may use besides Jinja's own."""


@dataclass(frozen=True, slots=True)
class Link:
    """One of the addresses under a paper."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class PaperView:
    """A paper as templates get it, with the facts and links that are known.

    ``url`` is where the title leads, None if the source gives no address. ``summaries`` has the
    abstract in every length that a card has. ``brief`` is the source's own sentence, written by a
    machine; empty if it has none.
    """

    title: str
    url: str | None
    byline: str
    facts: tuple[str, ...]
    links: tuple[Link, ...]
    summaries: Mapping[Length, str]
    brief: str = ""

    def words(self, summary: Length) -> int:
        """How many words a card with this summary has."""
        return len(self.title.split()) + len(self.summaries[summary].split())

    def preheader(self, day: str) -> str:
        """A line of 40 to 110 characters on this paper, without its title."""
        least, most = PREHEADER
        last = f"one of the papers in the email of {day}"
        parts = [part for part in (self.summaries["short"], self.byline, last) if part]
        lines = accumulate(parts, lambda line, part: f"{line} — {part}")
        return shorten(next(line for line in lines if len(line) >= least), most)


def paper_view(item: Item) -> PaperView:
    """An item as templates get it."""
    abstract, brief = _text(item.abstract), _text(item.brief)
    if len(brief) > SHORT_LIMIT:  # a copy of the abstract, or an essay
        brief = ""
    short = shorten(first_sentences(abstract, 2), SHORT_LIMIT)
    return PaperView(
        title=shorten(_text(item.title), TITLE_LIMIT) or "Untitled",
        url=http_url(item.url),
        byline=" · ".join(_byline(item)),
        facts=tuple(_facts(item)),
        links=tuple(_links(item)),
        summaries={
            "short": short,
            "brief": brief or short,
            "full": shorten(abstract, FULL_LIMIT),
            "titles": "",
            "lead": shorten(first_words(abstract, *LEAD_WORDS), LEAD_LIMIT),
        },
        brief=brief,
    )


@dataclass(frozen=True, slots=True)
class CorrectionView:
    """A correction as templates get it; ``was`` is the title before, empty for a withdrawal."""

    title: str
    was: str
    url: str | None


def correction_view(correction: Correction) -> CorrectionView:
    """A correction as templates get it."""
    return CorrectionView(
        title=shorten(_text(correction.title), TITLE_LIMIT) or "Untitled",
        was=shorten(_text(correction.was), TITLE_LIMIT),
        url=http_url(correction.url),
    )


def _text(text: str) -> str:
    return printable(tex_to_unicode(text))


def _byline(item: Item) -> Iterator[str]:
    authors = [shorten(name, NAME_LIMIT) for name in map(_text, item.authors[:3]) if name]
    count = max(len(item.authors), item.author_count or 0)
    if line := authors_line(authors, count):
        yield line
    if organization := _text(item.organization or ""):
        yield shorten(organization, NAME_LIMIT)


def _facts(item: Item) -> Iterator[str]:
    if item.withdrawn:
        yield "withdrawn"
    if item.upvotes is not None:
        yield f"▲ {item.upvotes}"
    if item.comments:
        yield f"{item.comments} comment{'s' if item.comments > 1 else ''}"
    if item.published:
        yield longdate(item.published).partition(", ")[2]
    elif item.published_month:
        yield longdate(item.published_month).partition(", ")[2].partition(" ")[2]
    if item.listed:
        yield f"listed {longdate(item.listed).partition(', ')[2]}"


def _links(item: Item) -> Iterator[Link]:
    code = "Code" if item.code_stars is None else f"Code ★ {item.code_stars}"
    for label, address in (
        ("Paper", item.url),
        ("PDF", item.pdf),
        ("Also at", other_home(item.url, item.ids)),
        (code, item.code),
        ("Project", item.project),
        ("Discuss", item.discussion),
    ):
        if url := http_url(address):
            yield Link(label, url)
