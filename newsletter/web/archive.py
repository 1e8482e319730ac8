"""The archive, open to everybody: issues, topics, papers, search, feeds. It names no reader."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import chain
from typing import get_args
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from newsletter.letter.views import paper_view
from newsletter.model import OTHER, Field, Paper, PublishedIssue, Reader
from newsletter.papers.searching import SearchResult
from newsletter.text import clean, tex_to_unicode
from newsletter.web.context import PageContext, client_of, token_of
from newsletter.web.feeds import (
    FORMATS,
    Feed,
    FeedEntry,
    Format,
    feed_response,
    newest_entries,
    render_feed,
)
from newsletter.web.page_cache import RECENT, PaperEntry, contains, paper_entry
from newsletter.web.wishes import get_ready

ISSUES_PER_PAGE = 30  # issues listed on one page of the archive
RELATED = 5  # related papers on a paper's page
MAX_RESULTS = 50  # papers that a search shows
AUTHORS_SHOWN = 20  # authors on a paper's page before "more authors"
MAX_QUERY = 300  # characters of a search
SEARCH_WAIT = 3.0  # seconds that a search waits for others

_FILTER_SIGNS = re.compile(rf"\b(?:{'|'.join(get_args(Field))}):\s*|[\"“”]")
"""What filters have and a search for words does not."""

HIDDEN = (
    "preferences", "unsubscribe", "leave", "farewell", "confirm", "move", "edition",
    "mine", "search", "sent", "bounces", "operator", "api",
)  # fmt: skip
"""Pages that search engines must not visit: a reader's own, and endless ones."""


@dataclass(frozen=True, slots=True)
class ArchivePages:
    """The pages of the archive and the feeds, a reader's own feed included."""

    context: PageContext

    def list_issues(self, request: Request) -> Response:
        """The days that have an issue, newest first, a page at a time."""
        before = request.query_params.get("before", "")
        issues = self._listed()
        if before:
            issues = [each for each in issues if each.day < _parse_day(before)]
        return HTMLResponse(self._list_page(issues, before=bool(before)))

    def _listed(self) -> list[PublishedIssue]:
        """All published issues, the newest day first."""
        return sorted(self.context.page_cache.published(), key=lambda each: each.day)[::-1]

    def _list_page(self, issues: Sequence[PublishedIssue], *, before: bool) -> bytes:
        """The page with the first of these issues; ``before``: newer ones come before them."""
        cache, shown = self.context.page_cache, issues[:ISSUES_PER_PAGE]

        def render() -> str:
            return self.context.templates.render(
                "archive.html",
                issues=[cache.headlines(each) for each in shown],
                more=shown[-1].day if len(issues) > len(shown) else None,
                topics=self.context.publisher.topics,
                before=before,
            )

        return cache.page(("archive", before, shown[0].day if shown else None), render)

    def show_issue(self, request: Request) -> Response:
        """A day's issue: its new papers, by topic."""
        day = _parse_day(request.path_params["day"])
        published = self.context.page_cache.published
        if not any(day in {each.day for each in published(now=now)} for now in (False, True)):
            raise HTTPException(404, "No email went out that day.")
        return HTMLResponse(self._issue_page(day))

    def fill(self) -> None:
        """Have the pages of a new issue ready before they are asked for, in the background."""
        cache, feed = self.context.page_cache, lambda: self._feed(None, "atom")
        pages = (self._newest_page, feed, self._first_list)
        cache.fill(*pages, lambda: get_ready(self.context))

    def _first_list(self) -> None:
        self._list_page(self._listed(), before=False)

    def _newest_page(self) -> None:
        for newest in self.context.page_cache.published()[:1]:
            self._issue_page(newest.day)

    def _issue_page(self, day: date) -> bytes:
        """The page of a day that has an issue."""
        cache = self.context.page_cache

        def render() -> str:
            issues = sorted(cache.published(), key=lambda each: each.day)
            n = next(n for n, each in enumerate(issues) if each.day == day)
            return self.context.templates.render(
                "issue.html",
                public=cache.public_issue(issues[n]),
                before=issues[n - 1].day if n else None,
                after=issues[n + 1].day if n + 1 < len(issues) else None,
            )

        return cache.page(("issue", day), render)

    def show_topic(self, request: Request) -> Response:
        """The papers of a topic in the last issues."""
        name = self._topic_name(request)

        def render() -> str:
            recent = self.context.page_cache.recent_issues()
            issues = [(issue.day, entries) for issue in recent if (entries := issue.entries(name))]
            return self.context.templates.render(
                "topic.html", name=name, issues=issues, recent=len(recent), other=OTHER
            )

        return HTMLResponse(self.context.page_cache.page(("topic", name), render))

    def show_paper(self, request: Request) -> Response:
        """A paper, with its topics, the issue that has it, and papers like it."""
        paper = self.context.publisher.store.find_paper(request.path_params["key"])
        if paper is None:
            raise HTTPException(404, "That paper isn't in the archive.")
        return HTMLResponse(self._paper_page(paper))

    def _paper_page(self, paper: Paper) -> bytes:
        cache = self.context.page_cache

        def render() -> str:
            topics, view = cache.topics_of(paper), paper_view(paper.item)
            authors = [tex_to_unicode(name) for name in paper.item.authors]
            return self.context.templates.render(
                "paper.html",
                entry=PaperEntry(paper.key, view, view.summaries["full"]),
                item=paper.item,
                authors=authors,
                versions=[
                    paper_entry(other)
                    for other in self.context.publisher.store.other_versions(paper)
                ],
                unnamed=max((paper.item.author_count or 0) - len(authors), 0),
                most=AUTHORS_SHOWN,
                topics=topics,
                related=self._related(paper),
                days=self._days_of(paper),
            )

        return cache.page(("paper", paper.key), render)

    def _related(self, paper: Paper) -> list[tuple[PaperEntry, list[date]]]:
        """Papers like this one that an issue had, and the days of their issues."""
        near = ((each, self._days_of(each)) for each in self.context.archive_search.related(paper))
        shown = {each.group: (paper_entry(each), days) for each, days in near if days}
        return list(shown.values())[:RELATED]

    def search(self, request: Request) -> Response:
        """The papers that a search finds, in plain words or by rules, with its reasons."""
        typed, search = clean(request.query_params.get("q", "")), self.context.archive_search
        words = typed[:MAX_QUERY]
        result = self._searched(request, words) if words else SearchResult(())
        plain, signs = _FILTER_SIGNS.subn("", words)
        found = [
            (
                each.band,
                paper_entry(each.paper, because=f"{each.because[:1].upper()}{each.because[1:]}"),
                self._days_of(each.paper),
            )
            for each in result.found
        ]
        return self.context.templates.page(
            "search",
            words=words,
            cut=len(typed) > MAX_QUERY,
            note=result.note,
            newest=result.newest,
            plain=plain.strip() if signs else "",
            by_meaning=search.knows_meanings,
            found=found,
            most=MAX_RESULTS,
        )

    def _searched(self, request: Request, words: str) -> SearchResult:
        """What a search finds; too many of one client, or of all at once, are refused."""
        context = self.context
        if wait := context.searches.count(client_of(request), context.now):
            raise HTTPException(429, headers={"Retry-After": str(wait)})
        if not context.one_search.acquire(timeout=SEARCH_WAIT):
            raise HTTPException(503, "Too many searches at once. Try again in a few seconds.")
        try:
            return context.archive_search.find(words, MAX_RESULTS)
        finally:
            context.one_search.release()

    def _days_of(self, paper: Paper) -> list[date]:
        """The days of the issues that have a paper as a new one."""
        return [each.day for each in self.context.page_cache.published() if contains(each, paper)]

    def robots(self, _request: Request) -> Response:
        """Keep search engines away from readers' own pages (RFC 9309)."""
        headers = {"Cache-Control": "public, max-age=86400"}
        hidden = (f"Disallow: {self.context.templates.base}/{name}" for name in HIDDEN)
        return PlainTextResponse("\n".join(("User-agent: *", *hidden)) + "\n", headers=headers)

    def feed(self, request: Request) -> Response:
        """The feed of all papers, or of one topic's if the address names it."""
        form = _format_of(request)
        name = self._topic_name(request) if "name" in request.path_params else None
        return feed_response(request, self._feed(name, form), form, secret=False)

    def _feed(self, topic: str | None, form: Format) -> bytes:
        return self.context.page_cache.page(
            ("feed", topic, form),
            lambda: render_feed(self.context.templates, self._public_feed(topic), form),
        )

    def _public_feed(self, topic: str | None) -> Feed:
        service = self.context.reader_service
        title = service.publication.name
        path = "" if topic is None else f"topic/{quote(topic, safe='')}"
        entries = (
            self._feed_entry(each, issue.published.at)
            for issue in self.context.page_cache.recent_issues()
            for each in issue.entries(topic)
        )
        return Feed(
            title=title if topic is None else f"{title}: {topic}",
            about=f"New papers{'' if topic is None else f' on {topic}'}, from {title}",
            home=service.page_url(path or "archive"),
            own=service.page_url(f"{path}/feed" if path else "feed"),
            entries=newest_entries(entries),
        )

    def own_feed(self, request: Request) -> Response:
        """The feed of a reader's own editions."""
        form, service = _format_of(request), self.context.reader_service
        reader, _ = self.context.verify_link(request, "feed")
        if reader.status != "confirmed":
            raise HTTPException(410, "This feed ended when you unsubscribed.")
        feed = Feed(
            title=f"{service.publication.name}: your papers",
            about=f"The papers in your emails from {service.publication.name}",
            home=service.page_url(""),
            own=service.page_url(f"mine/{token_of(request)}/feed"),
            entries=newest_entries(self._own_entries(reader)),
        )
        body = render_feed(self.context.templates, feed, form)
        return feed_response(request, body.encode(), form, secret=True)

    def _own_entries(self, reader: Reader) -> Iterator[FeedEntry]:
        """The papers of a reader's last editions."""
        for published in self.context.page_cache.published()[:RECENT]:
            if (found := self.context.page_cache.full_edition(reader, published.day)) is not None:
                frozen_at, sections = found
                for each in chain.from_iterable(section.entries for section in sections):
                    yield self._feed_entry(each, frozen_at)

    def _feed_entry(self, entry: PaperEntry, at: datetime) -> FeedEntry:
        service = self.context.reader_service
        page = service.page_url(f"paper/{quote(entry.key)}")
        return FeedEntry(f"tag:{service.publication.domain},2026:{entry.key}", page, at, entry)

    def _topic_name(self, request: Request) -> str:
        """The present name of the topic that the address names, by a former name too."""
        name = ({OTHER: OTHER} | {**self.context.known_topics}).get(request.path_params["name"])
        if name is None:
            raise HTTPException(404, "There is no topic of that name.")
        return name


def _parse_day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise HTTPException(404, "No email went out that day.") from error


def _format_of(request: Request) -> Format:
    """The format of a feed, with which its route ends."""
    return next(form for form in FORMATS if request.url.path.endswith(form))
