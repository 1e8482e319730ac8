"""The readers' door: join, confirm, read, leave. A GET shows, only a POST changes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from newsletter.errors import StoreError, TokenError
from newsletter.model import Reader
from newsletter.publisher.welcoming import greet, left_open
from newsletter.readers.service import CONSENT_TEXT, Note
from newsletter.web.archive import Archive
from newsletter.web.browser import Form, form_of
from newsletter.web.context import PageContext, both, client_of, shows, token_of
from newsletter.web.editions import whole
from newsletter.web.forms import WrongFieldsError, wanted
from newsletter.web.guard import Guard
from newsletter.web.mail_queue import Post
from newsletter.web.operator import OperatorPages
from newsletter.web.pages import script
from newsletter.web.preferences import PreferencePages


@dataclass(frozen=True, slots=True)
class SubscribePages:
    """The pages one joins, leaves and reads by.

    Attributes:
        page_context: what all pages share.
    """

    page_context: PageContext

    @property
    def routes(self) -> list[BaseRoute]:
        """The pages and what they answer to."""
        return [
            Route("/", shows(self.welcome)),
            Route("/join", self.joining, methods=["POST"]),
            *both("/confirm/{token}", self.ask, self.confirm),
            *both("/unsubscribe/{token}", self.ask_leave, self.leave_at_once, reads_form=False),
            *both("/leave/{token}", self.ask_leave, self.leave),
            Route("/farewell/{token}", self.said, methods=["POST"]),
            Route("/edition/{token}", shows(self.edition)),
            Route("/style.css", self.style),
            Route("/htmx.js", self.script),
        ]

    # -- joining ---------------------------------------------------------------------------------

    def welcome(self, _request: Request, form: Form) -> Response:
        """The page people come to first, with the form to join by."""
        return self._joining(form, {}, 200)

    def _joining(self, form: Form, problems: object, status: int) -> Response:
        return self.page_context.pages.show(
            "join",
            status,
            form=form,
            problems=problems,
            topics=self.page_context.publisher.topics,
            default_schedule=self.page_context.default_schedule,
            words=self._words,
            a_week=self.page_context.page_cache.a_week(),
            newest=next(iter(self.page_context.page_cache.recent()), None),
        )

    async def joining(self, request: Request) -> Response:
        """Somebody asks for the letters; what comes of it shows in the mailbox alone."""
        form = await form_of(request)
        try:
            asked = wanted(
                form,
                form.one("email"),
                [topic.name for topic in self.page_context.publisher.topics],
            )
        except WrongFieldsError as error:
            return await run_in_threadpool(self._joining, form, error.problems, 422)
        client, now = client_of(request), self.page_context.publisher.clock.now()
        self.page_context.mail_queue.later(
            lambda post: self.page_context.reader_service.subscribe(asked, client, post, now)
        )
        return self.page_context.pages.show("sent", email=asked.email)

    def ask(self, request: Request, _form: Form) -> Response:
        """The page a confirmation letter leads to; its button says yes."""
        reader, _ = self.page_context.reader_service.verify_link(
            token_of(request), "confirm", self.page_context.now
        )
        return self.page_context.pages.show(
            "confirm", email=reader.subscriber.email, words=self._words
        )

    def confirm(self, request: Request, _form: Form) -> Response:
        """They said yes; their first letter, or a welcome, leaves at once."""

        def welcome(reader: Reader) -> None:
            self.page_context.mail_queue.later(lambda post: self._welcome(reader, post))

        reader = self.page_context.reader_service.confirm(
            token_of(request), self.page_context.now, welcome
        )
        link = self.page_context.reader_service.preferences_url(reader, self.page_context.now)
        newest = next(iter(self.page_context.page_cache.published()), None)
        return self.page_context.pages.show(
            "confirmed",
            email=reader.subscriber.email,
            preferences=link,
            newest=newest,
            first=True,
        )

    def _welcome(self, reader: Reader, post: Post) -> None:
        """The day's edition is the welcome; where there is none, a note is."""
        link = self.page_context.reader_service.preferences_url(reader, self.page_context.now)
        post(greet(self.page_context.publisher, reader) or Note("welcome", reader, link))

    @property
    def _words(self) -> str:
        return CONSENT_TEXT.format(name=self.page_context.reader_service.publication.name)

    # -- leaving ---------------------------------------------------------------------------------

    def ask_leave(self, request: Request, _form: Form) -> Response:
        """The page the letter's way out leads to; its button leaves."""
        reader = self.page_context.reader_service.find_leaving(
            token_of(request), self.page_context.now
        )
        email = reader and reader.subscriber.email
        return self.page_context.pages.show("unsubscribe", email=email, token=token_of(request))

    def leave_at_once(self, request: Request, _form: Form) -> Response:
        """They leave by a mail program's one click (RFC 8058); nothing is sent after it."""
        return self._left(request)[1]

    def leave(self, request: Request, _form: Form) -> Response:
        """They leave by the button of the page; one last letter says so."""
        here, now, client = (
            self.page_context.reader_service,
            self.page_context.now,
            client_of(request),
        )
        left, page = self._left(request)
        if left is not None:
            self.page_context.mail_queue.later(
                lambda post: here.send_farewell(left, client, post, now)
            )
        return page

    def _left(self, request: Request) -> tuple[Reader | None, Response]:
        """Who leaves by this link, as they were before, and what they are told."""
        token = token_of(request)
        reader = self.page_context.reader_service.unsubscribe(token, self.page_context.now)
        gone = None if reader is None else reader.subscriber.email
        return reader, self.page_context.pages.show("farewell", email=gone, token=token, said=False)

    async def said(self, request: Request) -> Response:
        """Who left says why, which nobody has to."""
        form, token = await form_of(request), token_of(request)
        await run_in_threadpool(
            self.page_context.reader_service.record_reason,
            token,
            form.one("why"),
            self.page_context.now,
        )
        return self.page_context.pages.show("farewell", email=None, token=token, said=True)

    # -- reading ---------------------------------------------------------------------------------

    def edition(self, request: Request, _form: Form) -> Response:
        """A reader's own edition of a day, whole."""
        token = token_of(request)
        reader, day = self.page_context.reader_service.verify_link(
            token, "edition", self.page_context.now
        )
        found = self.page_context.publisher.store.edition(
            date.fromisoformat(day), reader.subscriber.email
        )
        if found is None:
            raise HTTPException(404, "There is no edition of that day for you.")
        number, edition = found
        issue = self.page_context.page_cache.frozen(date.fromisoformat(day), number)
        return self.page_context.pages.show("edition", issue=issue, blocks=whole(issue, edition))

    async def style(self, _request: Request) -> Response:
        """The style sheet of every page."""
        headers = {"Cache-Control": "public, max-age=3600"}
        return Response(self.page_context.pages.style, media_type="text/css", headers=headers)

    async def script(self, _request: Request) -> Response:
        """The script of the pages that have one; all of them work without."""
        headers = {"Cache-Control": "public, max-age=3600"}
        return Response(script(), media_type="text/javascript", headers=headers)


def pages_app(page_context: PageContext) -> Guard:
    """The readers' pages, behind their guard."""

    @asynccontextmanager
    async def open_hours(_app: Starlette) -> AsyncIterator[None]:
        await page_context.mail_queue.open()
        page_context.mail_queue.later(take_up)
        yield
        await page_context.mail_queue.close()

    def take_up(post: Post) -> None:
        for letter in left_open(page_context.publisher):
            post(letter)

    def refused(_request: Request, error: Exception) -> Response:
        return page_context.pages.show("refused", 403, problem=str(error))

    def missing(_request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return page_context.pages.show("problem", error.status_code, problem=error.detail)

    def ill(_request: Request, _error: Exception) -> Response:
        return PlainTextResponse("Something is out of order here; please try again later.", 503)

    app = Starlette(
        routes=[
            *SubscribePages(page_context).routes,
            *PreferencePages(page_context).routes,
            *Archive(page_context).routes,
            *OperatorPages(page_context).routes,
        ],
        lifespan=open_hours,
        exception_handlers={TokenError: refused, HTTPException: missing, StoreError: ill},
    )
    return Guard(app, page_context.reader_service.publication.url or "")
