"""The readers' pages over real HTTP, with real mail and a clock that the test sets."""

import asyncio
import contextlib
import http.client
import re
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache
from typing import Any, Literal, cast
from urllib.parse import urldefrag, urlencode, urlsplit

from starlette.routing import BaseRoute

from newsletter import templates
from newsletter.app.files import load_engine
from newsletter.bounces.webhooks import Webhook
from newsletter.config.api import ApiTokenSettings
from newsletter.letter.links import Purpose, sign_token
from newsletter.letter.rendering import NOTES, LetterTemplates
from newsletter.model import Publication, Reader, Topic
from newsletter.papers.meanings import MeaningMatcher
from newsletter.papers.searching import ArchiveSearch
from newsletter.ports import Matcher, Source, Store
from newsletter.publisher.fetching import fetch_sources
from newsletter.publisher.publisher import Publisher
from newsletter.publisher.publishing import freeze, publish, waiting_readers
from newsletter.readers.due import DefaultSchedule
from newsletter.readers.joining import OPEN_TO_ALL, Joining
from newsletter.readers.service import ReaderService
from newsletter.stores.sql import SqlStore
from newsletter.transports.smtp import SmtpTransport
from newsletter.transports.smtp.settings import SmtpSettings
from newsletter.web.context import PageContext, PageTemplates
from newsletter.web.listening import serve_in_thread
from newsletter.web.mail_queue import MailQueue
from newsletter.web.page_cache import PageCache
from newsletter.web.wiring import build_pages, list_routes
from tests.support.clocks import ManualClock
from tests.support.daemons import wait_until
from tests.support.databases import open_temporary_store
from tests.support.inbox import Inbox, ReceivedMail, open_inbox
from tests.support.publishers import KnownRuns, StubSource, publisher_over

SEE_OTHER = 303

Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]


@dataclass(frozen=True, slots=True)
class Response:
    """The answer to a request."""

    status: int
    headers: Mapping[str, str]
    body: str

    @property
    def text(self) -> str:
        """The visible text, without markup."""
        return " ".join(re.sub(r"<[^>]+>", " ", self.body).split())


@dataclass
class Website:
    """A newsletter whose pages are served."""

    store: Store
    inbox: Inbox
    clock: ManualClock
    reader_service: ReaderService
    publisher: Publisher
    port: int = 0
    routes: Sequence[BaseRoute] = ()

    def follow(self, source: StubSource) -> StubSource:
        """Configure one more source; returns it."""
        cast("list[Source]", self.publisher.sources).append(source)
        return source

    def publish(self, day: date, *titles: str) -> None:
        """List these papers, freeze the day's issue, and deliver it."""
        source = self.follow(StubSource(*titles))
        run_in_thread(self._published(day, source))

    async def _published(self, day: date, source: StubSource) -> None:
        reports = await fetch_sources([source], self.store, day, self.clock, lambda _: None)
        freeze(self.publisher, day, waiting_readers(self.publisher, day), reports)
        await publish(
            self.publisher, day, self.transport, run_lock=KnownRuns("run"), progress=lambda _: None
        )

    @property
    def transport(self) -> SmtpTransport:
        """The transport to the website's own mail server."""
        settings = SmtpSettings(
            host="127.0.0.1", port=self.inbox.port, security="none", connections=1
        )
        return SmtpTransport(settings, self.clock)

    def request(
        self,
        method: Method,
        path: str,
        form: Mapping[str, object] | bytes | None = None,
        **headers: str,
    ) -> Response:
        """Send one request; ``form`` is encoded as browsers do."""
        body = urlencode(form, doseq=True).encode() if isinstance(form, Mapping) else form
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if isinstance(form, Mapping):
            named.setdefault("Content-Type", "application/x-www-form-urlencoded")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body=body, headers=named)
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        return Response(answer.status, {k.lower(): v for k, v in answer.getheaders()}, text)

    def get(self, path: str, **headers: str) -> Response:
        """GET a page."""
        return self.request("GET", path, None, **headers)

    def post(self, path: str, form: Mapping[str, object] | None = None, **headers: str) -> Response:
        """POST a form, and GET the page with its result, as a browser does."""
        answer = self.request("POST", path, form or {}, **headers)
        where = urldefrag(answer.headers.get("location", "")).url
        return self.get(where) if answer.status == SEE_OTHER else answer

    def join(self, email: str = "ada@example.org", **fields: object) -> Response:
        """Subscribe an address."""
        return self.post("/join", {"email": email, **fields})

    def mail_to(self, email: str) -> ReceivedMail:
        """Wait for the first letter to an address."""
        wait_until(lambda: bool(self.inbox.to(email)))
        return self.inbox.to(email)[0]

    def mail(self, count: int) -> list[ReceivedMail]:
        """Wait until this many letters have arrived."""
        wait_until(lambda: len(self.inbox.arrivals) >= count)
        return self.inbox.arrivals

    def link(self, arrival: ReceivedMail) -> str:
        """The path of the first link in a note."""
        found, *_ = re.findall(r"^(https?://\S+)\r?$", arrival.text, re.MULTILINE)
        path: str = urlsplit(found).path
        return path.removeprefix(urlsplit(self.site).path.rstrip("/"))

    @property
    def site(self) -> str:
        """The public URL of the pages."""
        return self.reader_service.publication.url or ""

    def path(self, purpose: Purpose, payload: str = "1") -> str:
        """The path of a link that is signed now."""
        token = sign_token(payload, purpose, self.reader_service.keys, self.clock.now())
        return f"/{purpose}/{token}"

    def reader(self, number: int = 1) -> Reader:
        """The reader as stored now."""
        found = self.store.reader_by_id(number)
        assert found is not None
        return found

    def advance(self, **time: float) -> None:
        """Let time pass."""
        self.clock.time += timedelta(**time)


def run_in_thread(work: Coroutine[Any, Any, None]) -> None:
    """Run this in another thread: Playwright occupies the event loop of this one."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, work).result()


@cache
def note_templates() -> Mapping[str, LetterTemplates]:
    """The templates of the notes, compiled once."""
    return {kind: templates.load_note_templates(kind) for kind in NOTES}


@contextlib.contextmanager
def open_website(  # noqa: PLR0913 - each is a choice of its own
    *,
    store: Store | None = None,
    url: str = "https://n.example.org",
    port: int = 0,
    proxies: tuple[str, ...] = (),
    publication: Publication | None = None,
    operator_password: str | None = None,
    webhooks: Mapping[str, Webhook] | None = None,
    topics: tuple[Topic, ...] | None = None,
    api_tokens: tuple[ApiTokenSettings, ...] = (),
    joining: Joining = OPEN_TO_ALL,
    matcher: Matcher | None = None,
    plain_words: bool = True,
) -> Iterator[Website]:
    """Serve a newsletter's pages, with a mail server of its own."""
    chosen = publication or Publication("N", "N", "n@example.org", url=url)
    clock = ManualClock()
    with contextlib.ExitStack() as stack:
        kept = store or stack.enter_context(open_temporary_store(SqlStore))
        inbox = stack.enter_context(open_inbox())
        bare = publisher_over(kept, clock=clock)
        offered = bare.topics if topics is None else topics
        publisher = replace(
            bare,
            publication=chosen,
            sources=[],
            topics=offered,
            matcher=matcher or bare.matcher,
        )
        reader_service = ReaderService(chosen, kept, publisher.keyring, joining)
        app = Website(kept, inbox, clock, reader_service, publisher)
        mail_queue = MailQueue(
            publisher,
            reader_service,
            note_templates(),
            app.transport,
            KnownRuns("pages"),
        )
        default_schedule = DefaultSchedule("07:00", "UTC", "daily")
        page_context = PageContext(
            publisher,
            reader_service,
            default_schedule,
            PageTemplates(chosen, None),
            mail_queue,
            PageCache(publisher),
            ArchiveSearch(publisher.store, MeaningMatcher(load_engine), load_engine),
            operator_password,
            webhooks=webhooks or {},
            api_tokens=api_tokens,
            plain_words=plain_words,
        )
        app.routes = list_routes(page_context)
        pages = build_pages(page_context)
        with serve_in_thread(pages, "127.0.0.1", port, proxies) as listening:
            app.port = listening
            yield app
