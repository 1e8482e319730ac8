"""The archive, for everybody: issues, topics, papers, search, feeds. Nothing of any reader."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from newsletter.model import OTHER, Reader
from newsletter.readers.service import ReaderService
from newsletter.web import feeds
from newsletter.web.browser import Form
from newsletter.web.context import Handler, PageContext, shows, token_of
from newsletter.web.editions import entry, whole
from newsletter.web.feeds import Feed, Told, told
from newsletter.web.page_cache import RECENT, Public

A_PAGE = 100
"""Issues listed on one page of the archive."""

FOUND = 50
"""Papers a search shows."""

LONGEST_SEARCH = 200
"""Characters of a search."""

HIDDEN = (
    "preferences", "unsubscribe", "leave", "farewell", "confirm", "move", "edition",
    "mine", "search",
)  # fmt: skip
"""What search engines are to leave alone: somebody's own pages, and endless ones."""


@dataclass(frozen=True, slots=True)
class Archive:
    """The pages everybody may see.

    Attributes:
        page_context: what all pages share.
    """

    page_context: PageContext

    @property
    def routes(self) -> list[BaseRoute]:
        """The pages and what they answer to."""
        return [
            Route("/archive", shows(self.listed)),
            Route("/archive/{day}", shows(self.issue)),
            Route("/topic/{name}", shows(self.topic)),
            Route("/paper/{key:path}", shows(self.paper)),
            Route("/search", shows(self.search)),
            Route("/robots.txt", shows(self.robots)),
            *(
                route
                for form in feeds.FORMATS
                for route in (
                    Route(f"/feed.{form}", shows(self._feed(form))),
                    Route(f"/topic/{{name}}/feed.{form}", shows(self._feed(form))),
                    Route(f"/mine/{{token}}/feed.{form}", shows(self._own_feed(form))),
                )
            ),
        ]

    # -- pages -----------------------------------------------------------------------------------

    def listed(self, request: Request, _form: Form) -> Response:
        """The days that have an issue, newest first, a page at a time."""
        before = request.query_params.get("before", "")
        days = sorted((each.day for each in self.page_context.page_cache.published()), reverse=True)
        if before:
            days = [day for day in days if day < _day(before)]
        more = days[A_PAGE - 1] if len(days) > A_PAGE else None
        return self.page_context.pages.show(
            "archive",
            days=days[:A_PAGE],
            more=more,
            topics=self.page_context.publisher.topics,
            before=before,
        )

    def issue(self, request: Request, _form: Form) -> Response:
        """A day's issue: the papers new with it, by topic."""
        day = _day(request.path_params["day"])
        issues = sorted(self.page_context.page_cache.published(), key=lambda each: each.day)
        at = next((at for at, each in enumerate(issues) if each.day == day), None)
        if at is None:
            raise HTTPException(404, "There is no issue of that day.")
        return self._kept(
            request,
            lambda: self.page_context.pages.text(
                "issue.html",
                public=self.page_context.page_cache.public(issues[at]),
                before=issues[at - 1].day if at else None,
                after=issues[at + 1].day if at + 1 < len(issues) else None,
            ),
        )

    def topic(self, request: Request, _form: Form) -> Response:
        """The papers of a topic in the last issues."""
        name = self._topic(request)

        def text() -> str:
            issues = [
                (public.day, public.entries(name))
                for public in self.page_context.page_cache.recent()
            ]
            found = [(day, entries) for day, entries in issues if entries]
            return self.page_context.pages.text("topic.html", name=name, issues=found)

        return self._kept(request, text)

    def _kept(self, request: Request, text: Callable[[], str]) -> Response:
        """A page everybody sees alike, set once a minute at most."""
        return HTMLResponse(self.page_context.page_cache.at_hand(("page", request.url.path), text))

    def paper(self, request: Request, _form: Form) -> Response:
        """A paper, with the days it was listed."""
        paper = self.page_context.publisher.store.paper_called(request.path_params["key"])
        if paper is None:
            raise HTTPException(404, "There is no such paper here.")
        days = self.page_context.publisher.store.days_listed(paper)
        issues = {each.day for each in self.page_context.page_cache.published()}
        shown = entry(paper, "full")
        return self.page_context.pages.show("paper", entry=shown, days=days, issues=issues)

    def search(self, request: Request, _form: Form) -> Response:
        """Papers whose title, abstract or authors have every word."""
        words = request.query_params.get("q", "")[:LONGEST_SEARCH]
        found = self.page_context.publisher.store.search(words.split(), limit=FOUND)
        entries = [entry(paper) for paper in found]
        return self.page_context.pages.show("search", words=words, entries=entries, most=FOUND)

    def robots(self, _request: Request, _form: Form) -> Response:
        """What search engines may read (RFC 9309): nothing that is somebody's."""
        headers = {"Cache-Control": "public, max-age=86400"}
        hidden = (f"Disallow: {self.page_context.pages.base}/{name}" for name in HIDDEN)
        lines = ("User-agent: *", *hidden)
        return PlainTextResponse("\n".join(lines) + "\n", headers=headers)

    # -- feeds -----------------------------------------------------------------------------------

    def _feed(self, form: feeds.Format) -> Handler:
        """The feed of all papers, or of a topic's."""

        def answer(request: Request, _form: Form) -> Response:
            name = self._topic(request) if "name" in request.path_params else None
            body = self.page_context.page_cache.at_hand(
                ("feed", name, form),
                lambda: feeds.written(self.page_context.pages, self._public_feed(name), form),
            )
            return feeds.answer(request, body, form, secret=False)

        return answer

    def _public_feed(self, topic: str | None) -> Feed:
        here = self.page_context.reader_service
        title = here.publication.name
        path = "" if topic is None else f"topic/{quote(topic, safe='')}"
        return Feed(
            title=title if topic is None else f"{title}: {topic}",
            home=here.page_url(path or "archive"),
            own=here.page_url(f"{path}/feed" if path else "feed"),
            entries=feeds.newest([*_told(here, self.page_context.page_cache.recent(), topic)]),
        )

    def _own_feed(self, form: feeds.Format) -> Handler:
        """The feed of a reader's own editions."""

        def answer(request: Request, _form: Form) -> Response:
            here, token = self.page_context.reader_service, token_of(request)
            reader, _ = here.verify_link(token, "feed", self.page_context.now)
            if reader.status != "confirmed":
                raise HTTPException(410, "This feed ended with its subscription.")
            entries = [*self._own(reader)]
            feed = Feed(
                title=f"{here.publication.name}, your own",
                home=here.page_url(""),
                own=here.page_url(f"mine/{token}/feed"),
                entries=feeds.newest(entries),
            )
            body = feeds.written(self.page_context.pages, feed, form)
            return feeds.answer(request, body, form, secret=True)

        return answer

    def _own(self, reader: Reader) -> Iterator[Told]:
        """The papers of a reader's last editions."""
        here = self.page_context.reader_service
        for published in self.page_context.page_cache.published()[:RECENT]:
            found = here.store.edition(published.day, reader.subscriber.email)
            if found is not None:
                wave, edition = found
                issue = self.page_context.page_cache.frozen(published.day, wave)
                for block in whole(issue, edition):
                    for each in block.entries:
                        yield told(here.publication, _page(here, each.key), issue.frozen_at, each)

    def _topic(self, request: Request) -> str:
        name: str = request.path_params["name"]
        if name not in {OTHER, *(topic.name for topic in self.page_context.publisher.topics)}:
            raise HTTPException(404, "There is no such topic.")
        return name


def _told(here: ReaderService, issues: Iterable[Public], topic: str | None) -> Iterator[Told]:
    for public in issues:
        for each in public.entries(topic):
            yield told(here.publication, _page(here, each.key), public.published.at, each)


def _page(here: ReaderService, key: str) -> str:
    return here.page_url(f"paper/{quote(key)}")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise HTTPException(404, "There is no issue of that day.") from error
