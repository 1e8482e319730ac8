"""What wishes in plain words find in the papers of the last days, shown while somebody types.

Nothing of it is stored.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import NamedTuple, get_args

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from newsletter.model import Breadth, Item, Term
from newsletter.model.zones import load_zone
from newsletter.papers.topics import bit_indexes
from newsletter.ports import Matcher
from newsletter.publisher.previewing import MatchedDay
from newsletter.text import clean, tex_to_unicode
from newsletter.web.context import PageContext, client_of, short_date
from newsletter.web.forms import WISHES, Form, rule_notes

ENOUGH = 100  # papers of the last days; if wishes find any in them, nobody looks further back
SHOWN = 3  # titles that are shown
MOST_TRIED = 1_000  # characters of wishes that are tried: trying a wish takes as long as it is


@dataclass(frozen=True, slots=True)
class FoundPaper:
    """A paper that a wish finds, and why, in words."""

    title: str
    because: str
    day: date


@dataclass(frozen=True, slots=True)
class Found:
    """What some wishes find in the papers of the last days.

    Attributes:
        when: these days in words: ``yesterday``.
        papers: how many papers they had.
        matches: how many of these are found.
        first: some of them, the surest first.
        without: the wishes that find none.
        days: how many days with papers were looked at.
    """

    when: str
    papers: int
    matches: int
    first: tuple[FoundPaper, ...]
    without: tuple[str, ...]
    days: int


@dataclass(frozen=True, slots=True)
class Tried:
    """What a page shows below the wishes of a form; ``busy``: too many were tried just now."""

    found: Found | None = None
    busy: bool = False
    cut: bool = False


def try_wishes(context: PageContext, request: Request, form: Form) -> Tried:
    """Try the wishes of a form, unless this visitor or all together tried too many just now."""
    written = form.lines(WISHES)
    tried = [*_first(written)]
    if not written:
        return Tried()
    if context.count_try(client_of(request)):
        return Tried(busy=True)
    today, matcher = _today(context), context.publisher.matcher
    advice = {wish: matcher.misunderstood(wish) for wish in tried}
    wishes = [wish for wish, about in advice.items() if about is None or not about.certain]
    if not wishes:
        return Tried()
    days, chosen = context.page_cache.last_days(today), form.one("breadth")
    breadth: Breadth = next((each for each in get_args(Breadth) if each == chosen), "normal")
    found = find_papers(days, wishes, matcher, today, breadth)
    without = tuple(wish for wish in found.without if advice[wish] is None)
    return Tried(replace(found, without=without), cut=len(tried) < len(written))


def _first(wishes: Sequence[str]) -> Iterator[str]:
    """The wishes that are tried, all of them if there are not very many."""
    taken = 0
    for wish in wishes:
        taken += len(wish)
        if taken <= MOST_TRIED:
            yield wish


class _Hit(NamedTuple):
    """A paper of a day that a wish finds, and the band of probability it is in, the best one 0."""

    items: Sequence[Item]
    place: int
    wish: Term
    day: date
    band: int


def find_papers(
    days: Iterable[MatchedDay],
    wishes: Sequence[str],
    matcher: Matcher,
    today: date,
    breadth: Breadth = "normal",
) -> Found:
    """What these wishes find in the last days, which are given newest first."""
    terms = [Term("about", wish) for wish in wishes]
    hits, counts, first = list[_Hit](), list[int](), today
    for issue, _ in days:
        if sum(counts) >= ENOUGH and hits:
            break
        items, first = tuple(paper.item for paper in issue.papers), issue.day
        counts.append(len(items))
        hits += _hits(items, terms, matcher, issue.day, breadth)
    found, lucky = _surest_first(hits), {hit.wish for hit in hits}
    return Found(
        when=_in_words(first, len(counts), today),
        papers=sum(counts),
        matches=len(found),
        first=tuple(_shown(hit, matcher) for hit in found[:SHOWN]),
        without=tuple(term.text for term in terms if term not in lucky),
        days=len(counts),
    )


def _hits(
    items: Sequence[Item], terms: Sequence[Term], matcher: Matcher, day: date, breadth: Breadth
) -> Iterator[_Hit]:
    found = matcher.match(items, terms)
    for term in terms:
        masks = found.wishes.get(term)
        bands = (masks.strong, masks.likely) if masks else ()
        chosen = masks.found(breadth) if masks else found.terms[term]
        for place in bit_indexes(chosen):
            band = sum(not mask >> place & 1 for mask in bands)
            yield _Hit(items, place, term, day, band)


def _surest_first(hits: Iterable[_Hit]) -> list[_Hit]:
    """Each paper once, by the wish that is surest of it."""
    ordered = sorted(hits, key=lambda hit: hit.band)
    once = {(hit.day, hit.place): hit for hit in reversed(ordered)}
    return sorted(once.values(), key=ordered.index)


def _shown(hit: _Hit, matcher: Matcher) -> FoundPaper:
    because = matcher.evidence(hit.items, hit.place, hit.wish)
    return FoundPaper(clean(tex_to_unicode(hit.items[hit.place].title)), because, hit.day)


def _in_words(first: date, days: int, today: date) -> str:
    """When the days with papers were that begin with the ``first``: ``since Mon 3 Aug``."""
    ago = {0: "today", 1: "yesterday"}.get((today - first).days)
    return ago or f"{'on' if days == 1 else 'since'} {short_date(first)}"


def get_ready(context: PageContext) -> None:
    """Read the papers of the last days, so that the first visitor does not wait for that."""
    days = context.page_cache.last_days(_today(context))
    find_papers(days, ["research papers"], context.publisher.matcher, _today(context))


def _today(context: PageContext) -> date:
    return context.now.astimezone(load_zone(context.default_schedule.timezone)).date()


@dataclass(frozen=True, slots=True)
class WishPages:
    """The answer to a sign-up page that asks what the wishes find, while somebody types them."""

    context: PageContext

    def find(self, request: Request, form: Form) -> Response:
        """What the wishes find, as the part of the page below their field."""
        return HTMLResponse(
            self.context.templates.render(
                "found.html",
                tried=try_wishes(self.context, request, form),
                notes=rule_notes(form, (), self.context.publisher.matcher),
            )
        )
