"""Building the readers' pages of a newsletter, and serving them."""

import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from threading import Event, Thread
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Match, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from newsletter.app.files import load_engine
from newsletter.app.reloading import Reloading
from newsletter.app.wiring import App
from newsletter.bounces.webhooks import make_webhooks
from newsletter.config import WebSettings
from newsletter.errors import ConfigurationError, Isolated, StoreError
from newsletter.papers.matching import RulesMatcher
from newsletter.papers.searching import ArchiveSearch
from newsletter.ports import RunLock
from newsletter.publisher.publisher import Publisher
from newsletter.publisher.welcoming import open_first_letters
from newsletter.web.api.routes import ROOT, build_api
from newsletter.web.archive import ArchivePages
from newsletter.web.context import PageContext, PageTemplates, post
from newsletter.web.feeds import FORMATS
from newsletter.web.guard import Guard, guard_pages
from newsletter.web.likes import LikePages
from newsletter.web.listening import serve_in_thread
from newsletter.web.mail_queue import MailQueue
from newsletter.web.mail_queue import Send as SendMail
from newsletter.web.operator import OperatorPages
from newsletter.web.operator_login import OperatorLogin
from newsletter.web.operator_readers import OperatorReaderPages
from newsletter.web.page_cache import PageCache
from newsletter.web.preferences import PreferencePages
from newsletter.web.problems import exception_handlers, problem_page
from newsletter.web.subscribing import SCRIPTS, SubscribePages
from newsletter.web.webhooks import WebhookPages
from newsletter.web.wishes import WishPages

_log = logging.getLogger(__name__)

FILL_PAUSE = 2.0  # seconds between two looks for a new issue whose pages are made in advance


@contextlib.contextmanager
def open_pages(reloading: Reloading, command: str) -> Iterator[None]:
    """Serve the readers' pages until the block ends; ``command`` is the one that does it.

    Raises:
        ConfigurationError: ``url`` is not set.
        UsageError: it is not possible to listen there.
    """
    app = reloading.app
    web = app.settings.web or WebSettings()
    with app.run_lock(command) as run_lock:
        pages = _CurrentPages(build_context(app, run_lock))
        reloading.parts.append(lambda fresh: pages.prepare(build_context(fresh, run_lock)))
        listening = serve_in_thread(pages, web.host, web.port, web.trusted_proxies)
        with listening as port, pages.filled():
            url = app.settings.url
            _log.info("the readers' pages: %s (listening on %s, port %d)", url, web.host, port)
            yield


class _CurrentPages:
    """The pages of the configuration that was last taken in, as one ASGI application."""

    def __init__(self, context: PageContext) -> None:
        self._context, self._pages = context, build_pages(context)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._pages(scope, receive, send)

    @contextlib.contextmanager
    def filled(self) -> Iterator[None]:
        """Have the pages of each new issue ready before they are asked for, during the block."""
        closing = Event()

        def fill() -> None:
            while not closing.wait(FILL_PAUSE):
                with Isolated("filling the pages"), contextlib.suppress(StoreError):
                    ArchivePages(self._context).fill()
                with Isolated("the archive's index"), contextlib.suppress(StoreError):
                    self._context.archive_search.fill()

        thread = Thread(target=fill, name="filling pages", daemon=True)
        thread.start()
        try:
            yield
        finally:
            closing.set()
            thread.join()
            self._context.page_cache.close()

    def prepare(self, context: PageContext) -> Callable[[], None]:
        """Build the pages for another context; the result shows them from then on."""
        pages = build_pages(context)

        def commit() -> None:
            context.mail_queue.follow(self._context.mail_queue)
            self._context, self._pages = context, pages

        return commit


def build_context(app: App, run_lock: RunLock) -> PageContext:
    """What the pages need of a newsletter; first letters are claimed under the run lock's name.

    Raises:
        ConfigurationError: ``url`` is not set.
    """
    if app.settings.url is None:
        raise ConfigurationError(
            "must be set for the readers' pages: the links in emails lead there;"
            " write https://papers.example.org, or http://127.0.0.1:8000 to try it out",
            file=app.path.name,
            where="url",
        )
    reader_service, publisher, transport = app.reader_service, app.publisher, app.transport()
    password = None if app.settings.web is None else app.settings.web.operator_password
    webhooks = None if app.settings.bounces is None else app.settings.bounces.webhooks
    return PageContext(
        publisher=publisher,
        reader_service=reader_service,
        default_schedule=app.default_schedule,
        templates=PageTemplates(reader_service.publication, app.template_folder),
        mail_queue=MailQueue(publisher, reader_service, app.notes, transport, run_lock),
        page_cache=PageCache(publisher),
        archive_search=archive_search(publisher),
        operator_password=None if password is None else password.get_secret_value(),
        paper_fields=app.settings.paper_fields,
        webhooks={} if webhooks is None else make_webhooks(webhooks, proxy=app.settings.proxy),
        api_tokens=app.settings.api.tokens,
        plain_words=app.settings.matching == "meaning",
    )


def archive_search(publisher: Publisher) -> ArchiveSearch:
    """The search of the archive; it knows meanings if the newsletter's matcher does."""
    words_only = isinstance(publisher.matcher, RulesMatcher)
    load = None if words_only else load_engine
    return ArchiveSearch(publisher.store, publisher.matcher, load)


def list_routes(context: PageContext) -> list[BaseRoute]:
    """The addresses of all pages; a GET only shows, only a POST changes something."""
    join, preferences = SubscribePages(context), PreferencePages(context)
    archive, likes, webhooks = ArchivePages(context), LikePages(context), WebhookPages(context)
    return [
        # First: a request is compared with the routes in turn, and these come by thousands.
        Route("/bounces/{service}", webhooks.receive, methods=["POST"]),
        Route("/bounces/{service}/{secret:path}", webhooks.receive, methods=["POST"]),
        Route("/", join.welcome),
        Route("/join", join.first_page),
        post("/join", join.subscribe),
        post("/find", WishPages(context).find),
        Route("/sample", join.sample),
        Route("/sent/{token}", join.show_sent),
        Route("/confirm/{token}", join.ask_to_confirm),
        post("/confirm/{token}", join.confirm),
        Route("/confirm/{token}/done", join.show_confirmed),
        Route("/unsubscribe/{token}", join.ask_to_unsubscribe),
        Route("/unsubscribe/{token}", join.unsubscribe_one_click, methods=["POST"]),
        Route("/leave/{token}", join.ask_to_unsubscribe),
        post("/leave/{token}", join.unsubscribe),
        Route("/farewell/{token}", join.show_farewell),
        post("/farewell/{token}", join.answer_farewell),
        Route("/edition/{token}", join.edition),
        Route("/edition/{token}/{number}", likes.ask),
        post("/edition/{token}/{number}", likes.answer),
        Route("/style.css", join.file),
        *(Route(f"/{name}", join.file) for name in SCRIPTS),
        Route("/preferences/{token}", preferences.show),
        post("/preferences/{token}", preferences.change),
        Route("/preferences/{token}/export.json", preferences.export),
        post("/preferences/{token}/likes", likes.forget),
        Route("/move/{token}", preferences.ask_to_move),
        post("/move/{token}", preferences.move),
        Route("/move/{token}/done", preferences.show_moved),
        Route("/erased", preferences.show_erased),
        Route("/archive", archive.list_issues),
        Route("/archive/{day}", archive.show_issue),
        Route("/topic/{name}", archive.show_topic),
        Route("/paper/{key:path}", archive.show_paper),
        Route("/search", archive.search),
        Route("/robots.txt", archive.robots),
        *(Route(f"/feed.{form}", archive.feed) for form in FORMATS),
        *(Route(f"/topic/{{name}}/feed.{form}", archive.feed) for form in FORMATS),
        *(Route(f"/mine/{{token}}/feed.{form}", archive.own_feed) for form in FORMATS),
        *_operator_routes(context),
    ]


def _operator_routes(context: PageContext) -> list[BaseRoute]:
    operator, login = OperatorPages(context), OperatorLogin(context)
    readers = OperatorReaderPages(context, login)
    return [
        Route("/operator", login.behind(operator.overview)),
        Route("/operator/readers", login.behind(readers.search)),
        Route("/operator/readers/{id}", login.behind(readers.show)),
        post("/operator/readers/{id}", login.behind(readers.act)),
        Route("/operator/readers/{id}/{act}", login.behind(readers.ask)),
        Route("/metrics", login.behind(operator.metrics)),
    ]


def _without_slash(router: Router, templates: PageTemplates) -> ASGIApp:
    """The answer for an address that no route has: that of the same without a slash at its end.

    A browser is redirected. A POST is answered at once, because the programs that send the one
    click of RFC 8058 do not follow redirects.
    """
    not_found = router.default

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        shorter = {**scope, "path": scope.get("path", "").rstrip("/")}
        known = shorter["path"] != scope.get("path") and any(
            route.matches(shorter)[0] is not Match.NONE for route in router.routes
        )
        if not known:
            await not_found(scope, receive, send)
        elif scope["method"] in {"GET", "HEAD"}:
            query = scope["query_string"].decode("ascii", "replace")
            target = f"{quote(shorter['path'])}{'?' if query else ''}{query}"
            await templates.redirect(target, 307)(scope, receive, send)
        else:
            await router(shorter, receive, send)

    return answer


def _beside(pages: ASGIApp, api: ASGIApp) -> ASGIApp:
    """The pages, and the API for everything below its path, also for paths that it has not."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        chosen = api if scope.get("path", "").startswith(f"{ROOT}/") else pages
        await chosen(scope, receive, send)

    return answer


def build_pages(context: PageContext) -> Guard:
    """The readers' pages as an ASGI application."""

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await context.mail_queue.open()
        context.mail_queue.add(resume_first_letters)
        yield
        await context.mail_queue.close()

    def resume_first_letters(send: SendMail) -> None:
        for letter in open_first_letters(context.publisher):
            send(letter)

    app = Starlette(
        routes=list_routes(context),
        lifespan=lifespan,
        exception_handlers=exception_handlers(context.templates),
    )
    app.router.redirect_slashes = False  # it would redirect to the host that the request names
    app.router.default = _without_slash(app.router, context.templates)
    pages = _beside(app, build_api(context))
    url = context.reader_service.publication.url or ""
    return guard_pages(pages, url, lambda: problem_page(context.templates, 403))
