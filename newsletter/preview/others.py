"""What readers get besides issues: the short emails, and the web pages."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Literal, get_args
from urllib.parse import quote

from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from newsletter.app.wiring import App
from newsletter.errors import NewsletterError
from newsletter.letter.message import build_note
from newsletter.letter.rendering import NOTES, render_note
from newsletter.model import Reader
from newsletter.model.closed_sets import complete
from newsletter.preview.letter import Choice, Scheme, force_scheme
from newsletter.publisher.mailing import reader_words
from newsletter.templates import load_note_templates
from newsletter.web.context import PageContext
from newsletter.web.listening import LOOPBACK
from newsletter.web.wiring import build_context, build_pages

WEB = "/web"  # where the preview serves the readers' pages, in a folder for each scheme

SHORT_EMAILS: Mapping[str, str] = complete(
    "SHORT_EMAILS",
    NOTES,
    {
        "confirm": "Confirm the subscription",
        "farewell": "Goodbye",
        "broadcast": "Note to all readers",
        "added": "Added by you",
        "known": "Subscribed already",
        "lost": "Topics that are gone",
        "move": "Confirm a new address",
        "waiting": "Waiting for approval",
        "welcome": "Welcome",
        "report": "Report to you",
    },
)
"""What the preview calls each short email."""

WebPage = Literal["join", "preferences", "unsubscribe", "issue", "paper"]

WEB_PAGES: Mapping[str, str] = complete(
    "WEB_PAGES",
    get_args(WebPage),
    {
        "join": "Sign-up",
        "preferences": "Preferences",
        "unsubscribe": "Unsubscribe",
        "issue": "Issue",
        "paper": "Paper",
    },
)
"""What the preview calls each of the readers' pages that it leads to."""

SAMPLE_WORDS: Mapping[str, str] = {
    "schedule": "every day at 07:00",
    "topics": "Agents, Vision",
    "subject": "Subject of your note",
    "body": "The text of your note.",
    "headline": "What needs you",
    "lines": "A line for each event.",
}
"""What stands in a short email for words that depend on what happened."""

EXAMPLE = "https://papers.example.org"  # stands for the address of a newsletter without pages

FRAMED = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'self'"
)
"""A page within the preview may be framed by it; its scripts and forms do nothing."""


def build_short_email(app: App, kind: str, theme: str, reader: Reader) -> bytes:
    """A short email to a reader, with made-up words where it depends on what happened.

    Raises:
        NewsletterError: it cannot be built.
    """
    now, email = app.clock.now(), reader.subscriber.email
    publication = app.settings.publication
    if publication.url is None:
        publication = replace(publication, url=EXAMPLE)
    service = replace(app.reader_service, publication=publication)
    confirm = service.signed_url("confirm", str(reader.id), now)
    words = {
        **reader_words(reader, service, now),
        "confirm": confirm,
        "back": confirm,
        "preferences": service.preferences_url(reader, now),
        **SAMPLE_WORDS,
    }
    templates = load_note_templates(kind, app.template_folder, theme)
    rendering = render_note(kind, templates, publication, words)
    return b"".join(build_note(publication, rendering, email, name="preview", at=now).content)


class _NoRun:
    """The lock of a run that sends nothing."""

    name = "preview"

    def gone(self, runs: Collection[str]) -> frozenset[str]:
        """No other run has certainly ended."""
        del runs
        return frozenset()


class WebPages:
    """The readers' pages of a newsletter as a screen of one scheme shows them.

    Links work, since a GET only shows. Nothing else does: no form is sent, no script runs.
    """

    def __init__(self, app: App, scheme: Scheme) -> None:
        self._scheme: Scheme = scheme
        url = f"http://{LOOPBACK}{WEB}/{scheme}"
        own = app.with_settings(app.settings.model_copy(update={"url": url}))
        vars(own).update(templates=app.templates, notes={})  # nothing is compiled again, or sent
        self._context: PageContext = build_context(own, _NoRun())
        self._pages = build_pages(self._context)

    def path(self, page: str, choice: Choice, reader: Reader | None) -> str:
        """Where the preview serves one of :data:`WEB_PAGES`, for the chosen day and a reader.

        Raises:
            NewsletterError: there is no such page yet.
        """
        service, now = self._context.reader_service, self._context.now
        if page in {"preferences", "unsubscribe"}:
            if reader is None:
                raise NewsletterError("this page belongs to a reader, and there is none yet")
            token = service.signed_url(
                "preferences" if page == "preferences" else "unsubscribe", str(reader.id), now
            )
            return f"{WEB}/{self._scheme}{token.removeprefix(service.page_url('').rstrip('/'))}"
        return f"{WEB}/{self._scheme}/{self._public_path(page, choice)}"

    def _public_path(self, page: str, choice: Choice) -> str:
        store = self._context.publisher.store
        if page == "issue":
            published = any(each.day == choice.day for each in store.published_issues())
            return f"archive/{choice.day}" if published else "archive"
        if page == "paper":
            papers = store.papers_listed(choice.day)
            if not papers:
                raise NewsletterError(f"no paper is known of {choice.day}; choose another day")
            most = max(papers, key=lambda paper: paper.item.upvotes or 0)
            return f"paper/{quote(most.key)}"
        return ""

    def close(self) -> None:
        """End the work in the background."""
        self._context.page_cache.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""

        async def framed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = FRAMED
                del headers["X-Frame-Options"]
            await send(message)

        await self._answer(scope)(scope, receive, framed)

    def _answer(self, scope: Scope) -> ASGIApp:
        if scope["method"] not in {"GET", "HEAD"}:
            return PlainTextResponse("Forms do nothing in the preview.", 405)
        if scope["path"].endswith("/style.css"):
            style = force_scheme(self._scheme, self._context.templates.style)
            return Response(style, media_type="text/css")
        return self._pages


def stored_reader(app: App, email: str) -> Reader | None:
    """The reader with this address, or the first one who is served; None without any."""
    served = [reader for reader in app.store.readers() if reader.is_served]
    named = [reader for reader in served if reader.subscriber.email == email]
    return next(iter(named or served), None)
