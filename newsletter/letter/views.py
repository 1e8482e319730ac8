"""Papers, dates and texts as the templates get them: formatted, ready to be shown."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate
from urllib.parse import urlsplit

from markupsafe import Markup

from newsletter.letter.inbox import PREHEADER
from newsletter.model import Correction, Item, Length
from newsletter.papers.names import home_name, other_home
from newsletter.text import (
    authors_line,
    clean,
    direction,
    find_gist,
    http_url,
    language,
    short_title,
    shorten,
    tex_to_unicode,
)

TEXT_WIDTH = 78  # columns of the text part
TITLE_LIMIT = 300  # characters of a title; the longest real ones have about 250
SHORT_LIMIT = 440  # characters of a short summary of two sentences; one longer sentence stays whole
LEAD_LIMIT = 700  # characters of the three or four sentences of the papers that open the letter
FULL_LIMIT = 4000  # characters of a full abstract; real ones have up to about 2,500
NAME_LIMIT = 80  # characters of the name of an author or an organisation

_NAME_WIDTH = 24  # most characters of the title in what a screen reader says of a link

_FEWEST_STARS = 10  # fewer stars of a paper's code are not shown
_FEWEST_COMMENTS = 2  # a single comment, mostly the authors' own, is not shown
_RECENT = timedelta(days=14)  # a paper that is younger shows no date

_IMAGES = (".apng", ".avif", ".gif", ".jpeg", ".jpg", ".png", ".svg", ".webp")


def longdate(day: date) -> str:
    """A day in full: ``Monday, 3 August 2026``."""
    return f"{day:%A}, {day.day} {day:%B} {day.year}"


def week(day: date) -> str:
    """The seven days that end with this one, as people write them."""
    first = day - timedelta(days=6)
    last = f"{day.day} {day:%B}"
    return f"{first.day}–{last}" if first.month == day.month else f"{first.day} {first:%B} – {last}"  # noqa: RUF001 - a range


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


def anchor(section: str) -> str:
    """The id, on the page with a reader's edition, of the papers that a section had no room for."""
    return f"more-{'-'.join(section.split())}"


def foreign(text: str) -> Markup:
    """Ends an attribute, and adds language and direction if the text is not mostly Latin.

    ``<p class="row{{ text | foreign }}">``: MJML knows no Jinja between attributes.
    """
    tag = language(text)
    return Markup(f'" lang="{tag}" dir="{direction(text)}') if tag else Markup("")  # noqa: S704 - of fixed values


FILTERS: Mapping[str, Callable[..., str]] = {
    "anchor": anchor,
    "direction": direction,
    "foreign": foreign,
    "language": language,
    "longdate": longdate,
    "shorten": shorten,
    "week": week,
    "wrap": wrap,
}
"""The filters that templates may use besides Jinja's own."""


@dataclass(frozen=True, slots=True)
class Link:
    """One of the addresses under a paper."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Fact:
    """A short fact that comes before the byline; ``said`` is how it is read out, if differently."""

    shown: str
    said: str = ""

    def __str__(self) -> str:
        return self.shown


@dataclass(frozen=True, slots=True)
class PaperView:
    """A paper as templates get it, with the facts and links that are known.

    ``name`` is its title in a few words. ``url`` is where the title leads, None if the source gives
    no address. ``facts`` are whether it is withdrawn, and its upvotes. ``byline`` has its trend,
    the organization, the authors, its source and its date as far as they are worth their place.
    ``links`` lead elsewhere than the title, unless there is no other. ``summaries`` has the
    abstract in every length that a card has. ``brief`` is the source's own sentence, written by a
    machine; empty if it has none. ``keywords``, ``submitter``, ``author_answers`` and ``thumbnail``
    are as in :class:`Item`; ``media`` leads to its images and videos.
    """

    title: str
    name: str
    url: str | None
    facts: tuple[Fact, ...]
    organization: str
    byline: str
    links: tuple[Link, ...]
    summaries: Mapping[Length, str]
    brief: str = ""
    keywords: tuple[str, ...] = ()
    submitter: str = ""
    author_answers: bool = False
    media: tuple[Link, ...] = ()
    thumbnail: str | None = None

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


def paper_view(item: Item, day: date | None = None, source: str = "", trend: str = "") -> PaperView:
    """An item as templates get it, with the name of its source and its trend if they are given.

    In the issue of a ``day`` only an older paper shows its date.
    """
    abstract, brief = _text(item.abstract), _text(item.brief)
    if len(brief) > SHORT_LIMIT:  # a copy of the abstract, or an essay
        brief = ""
    gist = find_gist(abstract, item.title)
    short = gist.short(SHORT_LIMIT)
    organization = shorten(_text(item.organization or ""), NAME_LIMIT)
    byline = (trend, organization, _authors(item), printable(source), _date(item, day))
    title = shorten(_text(item.title), TITLE_LIMIT) or "Untitled"
    return PaperView(
        title=title,
        name=short_title(title, _NAME_WIDTH),
        url=http_url(item.url),
        facts=tuple(_facts(item)),
        organization=organization,
        byline=" · ".join(filter(None, byline)),
        links=tuple(_links(item)),
        summaries={
            "short": short,
            "brief": brief or short,
            "full": shorten(abstract, FULL_LIMIT),
            "titles": "",
            "lead": gist.lead(LEAD_LIMIT),
        },
        brief=brief,
        keywords=tuple(shorten(word, NAME_LIMIT) for word in map(_text, item.keywords) if word),
        submitter=shorten(_text(item.submitter or ""), NAME_LIMIT),
        author_answers=item.author_answers,
        media=tuple(_media(item)),
        thumbnail=http_url(item.thumbnail),
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


def _authors(item: Item) -> str:
    names = [shorten(name, NAME_LIMIT) for name in item.authors if name]
    return _text(authors_line(names, max(len(item.authors), item.author_count or 0)))


def _facts(item: Item) -> Iterator[Fact]:
    if item.withdrawn:
        yield Fact("Withdrawn")
    if item.upvotes:
        plural = "s" if item.upvotes > 1 else ""
        yield Fact(f"▲ {item.upvotes}", f"{item.upvotes} upvote{plural}")


def _date(item: Item, day: date | None) -> str:
    """The date of a late list, or of a paper that is not from the days before ``day``."""
    if item.listed:
        return f"listed {_short_date(item.listed, day)}"
    published = item.published or item.published_month
    # A month is as recent as its last days may be.
    month = timedelta() if item.published else timedelta(days=31)
    if published is None or (day and day - published <= _RECENT + month):
        return ""
    written = _short_date(published, day)
    return written if item.published else written.partition(" ")[2]


def _short_date(date_: date, day: date | None) -> str:
    """A date without its weekday, and without its year if that is the year of ``day``."""
    year = "" if day and day.year == date_.year else f" {date_.year}"
    return f"{date_.day} {date_:%B}{year}"


def _media(item: Item) -> Iterator[Link]:
    for url in filter(None, map(http_url, item.media)):
        is_image = urlsplit(url).path.lower().endswith(_IMAGES)
        yield Link("Image" if is_image else "Video", url)


def _links(item: Item) -> Iterator[Link]:
    code = f"Code ★ {item.code_stars}" if (item.code_stars or 0) >= _FEWEST_STARS else "Code"
    comments = item.comments or 0
    links = [
        Link(label, url)
        for label, address in (
            ("PDF", item.pdf),
            (code, item.code),
            ("Project", item.project),
            (
                f"Discuss ({comments})" if comments >= _FEWEST_COMMENTS else "Discuss",
                item.discussion,
            ),
            ("Also at", other_home(item.url, item.ids)),
            *((f"Also at {home_name(home)}", home) for home in item.homes),
        )
        if (url := http_url(address))
    ]
    paper = http_url(item.url)
    return iter(links or ([Link("Paper", paper)] if paper else []))
